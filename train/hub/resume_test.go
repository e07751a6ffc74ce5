package hub

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcil/mcil/schemas"
)

// TestResume: the server breaks off twice; each request goes on where the one before ended.
func TestResume(t *testing.T) {
	h := newTestHub(t)
	var times atomic.Int32
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, torchFile) {
			return false
		}
		switch times.Add(1) {
		case 1:
			cut(w, h.files[torchFile], 100_000)
		case 2:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 3:
			w.Header().Set("Content-Range", "bytes 100000-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(h.files[torchFile][100_000:150_000]) // a shorter part than asked for, and an end in good order
			return true
		}
		return false
	}
	o := h.options(t)
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	path := "/o/n/resolve/" + testCommit + "/" + torchFile
	if got, want := h.requests(torchFile), []string{path, path + " bytes=100000-", path + " bytes=100000-", path + " bytes=150000-"}; !slices.Equal(got, want) {
		t.Errorf("requests\n%q, want\n%q", got, want)
	}
}

// TestRangeIgnored: a server may send all where the rest was asked for, or another part, or refuse; what was there before is
// written over.
func TestRangeIgnored(t *testing.T) {
	for name, answer := range map[string]func(h *testHub, w http.ResponseWriter, r *http.Request) bool{
		"200": func(h *testHub, w http.ResponseWriter, r *http.Request) bool {
			w.Write(h.files[torchFile])
			return true
		},
		"another part": func(h *testHub, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.Header().Set("Content-Range", "bytes 5-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(h.files[torchFile][5:])
			return true
		},
		"416": func(h *testHub, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			h.before = func(w http.ResponseWriter, r *http.Request) bool {
				return strings.HasSuffix(r.URL.Path, torchFile) && answer(h, w, r)
			}
			o := h.options(t)
			leave(t, h.blob(o, torchFile)+".incomplete", make([]byte, 1000)) // of another content, too
			s, err := Fetch(t.Context(), testRepo, o)
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, s, o)
			if got := h.requests(torchFile); !strings.HasSuffix(got[0], " bytes=1000-") {
				t.Errorf("requests %q", got)
			}
		})
	}
}

// leave puts a file where a program that died may have left it.
func leave(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, b, 0o666)); err != nil {
		t.Fatal(err)
	}
}

// TestLeftBehind: what a dead program left is gone on with if it is right, and thrown away if it is not.
func TestLeftBehind(t *testing.T) {
	for name, c := range map[string]struct {
		left   []byte
		ranges []string
	}{
		"a beginning": {noise(300_000)[:123_456], []string{"bytes=123456-"}},
		"all":         {noise(300_000), nil},
		"too much":    {make([]byte, 300_001), []string{""}},
		"all wrong":   {make([]byte, 300_000), []string{""}},
		"wrong":       {make([]byte, 10), []string{"bytes=10-", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			o := h.options(t)
			leave(t, h.blob(o, torchFile)+".incomplete", c.left)
			s, err := Fetch(t.Context(), testRepo, o)
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, s, o)
			var ranges []string
			for _, r := range h.requests(torchFile) {
				_, r, _ = strings.Cut(r, " ")
				ranges = append(ranges, r)
			}
			if !slices.Equal(ranges, c.ranges) {
				t.Errorf("ranges %q, want %q", ranges, c.ranges)
			}
		})
	}
}

// TestDamagedCache: a blob or a link of another length than the Hub tells is replaced.
func TestDamagedCache(t *testing.T) {
	h := newTestHub(t)
	o := h.options(t)
	leave(t, h.blob(o, torchFile), []byte("short"))
	leave(t, filepath.Join(o.Cache, "models--o--n/snapshots", testCommit, configFile), []byte("short"))
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
}

// TestWrongDigest: what is not what the listing tells is asked for twice and never gets its name.
func TestWrongDigest(t *testing.T) {
	for _, name := range []string{configFile, torchFile} {
		h := newTestHub(t)
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, name) {
				w.Write(make([]byte, len(h.files[name])))
				return true
			}
			return false
		}
		o := h.options(t)
		_, err := Fetch(t.Context(), testRepo, o)
		if !errors.Is(err, schemas.ErrDamaged) || !strings.Contains(err.Error(), "weights hf:o/n: "+name+": what http") || !strings.Contains(err.Error(), h.digest(name)) {
			t.Errorf("%s: %v", name, err)
		}
		if got := h.requests(name); len(got) != 2 {
			t.Errorf("requests %q", got)
		}
		for _, f := range tree(t, o.Cache) {
			if strings.Contains(f, "refs") || strings.Contains(f, "incomplete") || strings.Contains(f, "blobs/"+h.digest(name)) {
				t.Errorf("left behind: %s", f)
			}
		}
	}
}

// TestLengths: neither more nor less than announced is taken.
func TestLengths(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, b []byte)
		want   string
	}{
		"announces more": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Length", "300001")
			w.Write(append(b[:len(b):len(b)], 'x'))
		}, "it answers 300001 bytes where 300000 are to come"},
		"sends more": {func(w http.ResponseWriter, b []byte) {
			w.(http.Flusher).Flush() // no length
			w.Write(append(b[:len(b):len(b)], 'x'))
		}, "sends more than the 300000 bytes that it tells"},
		"always less": {func(w http.ResponseWriter, b []byte) { cut(w, b, 10) }, "broke off after 10 of 300000 bytes: unexpected EOF: try again, or bring config.json"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			h.before = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, torchFile) {
					c.answer(w, h.files[torchFile])
					return true
				}
				return false
			}
			o := h.options(t)
			if _, err := Fetch(t.Context(), testRepo, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if got := h.requests(torchFile); len(got) > 6 {
				t.Errorf("%d requests", len(got))
			}
		})
	}
}

// TestStall: a connection that falls silent is given up and gone on with.
func TestStall(t *testing.T) {
	h := newTestHub(t)
	var times atomic.Int32
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, torchFile) && times.Add(1) == 1 {
			w.Header().Set("Content-Length", "300000")
			w.Write(h.files[torchFile][:5000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	}
	o := h.options(t)
	o.Stall = 300 * time.Millisecond
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if got := h.requests(torchFile); len(got) != 2 || !strings.HasSuffix(got[1], " bytes=5000-") {
		t.Errorf("requests %q", got)
	}
}

func TestCancel(t *testing.T) {
	h := newTestHub(t)
	ctx, cancel := context.WithCancel(t.Context())
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, torchFile) {
			w.Header().Set("Content-Length", "300000")
			w.Write(h.files[torchFile][:5000])
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done()
			return true
		}
		return false
	}
	o := h.options(t)
	if _, err := Fetch(ctx, testRepo, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestWithoutLinks: copies lie in the snapshot, and are not made again.
func TestWithoutLinks(t *testing.T) {
	h := newTestHub(t)
	o := h.options(t)
	o.symlink = func(_, name string) error { return &os.LinkError{Op: "symlink", New: name, Err: os.ErrPermission} }
	for range 2 {
		s, err := Fetch(t.Context(), testRepo, o)
		if err != nil {
			t.Fatal(err)
		}
		h.check(t, s, o)
		if info, err := os.Lstat(filepath.Join(s.Dir, torchFile)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%v, %v", info, err)
		}
	}
	if got := h.requests("resolve"); len(got) != 3 {
		t.Errorf("requests %q", got)
	}
}

// TestAtOnce: several fetches into one cache. With locks each file is sent once; without, as often as asked for, and all is
// right nevertheless.
func TestAtOnce(t *testing.T) {
	for name, try := range map[string]func(*os.File) (bool, error){"locks": tryLock, "no locks": func(*os.File) (bool, error) { return false, errors.ErrUnsupported }} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			h.before = func(w http.ResponseWriter, r *http.Request) bool {
				time.Sleep(5 * time.Millisecond)
				return false
			}
			o := h.options(t)
			o.tryLock = try
			var wg sync.WaitGroup
			var last Snapshot
			var mu sync.Mutex
			for range 6 {
				wg.Go(func() {
					s, err := Fetch(context.Background(), testRepo, o)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					last = s
					mu.Unlock()
				})
			}
			wg.Wait()
			h.check(t, last, o)
			if got := h.requests("resolve"); name == "locks" && runtime.GOOS != "windows" && len(got) != 3 {
				t.Errorf("%d requests, want 3", len(got))
			}
		})
	}
}

// TestKill kills a process in the middle of a download; the next one goes on where it was.
func TestKill(t *testing.T) {
	if endpoint := os.Getenv("HUB_TEST_ENDPOINT"); endpoint != "" {
		Fetch(context.Background(), testRepo, Options{Endpoint: endpoint, Cache: os.Getenv("HUB_TEST_CACHE")})
		return
	}
	h := newTestHub(t)
	o := h.options(t)
	const sent = 200_000
	var times atomic.Int32
	h.mu.Lock() // what another process asks for is in no order with this
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, torchFile) && times.Add(1) == 1 {
			w.Header().Set("Content-Length", "300000")
			w.Write(h.files[torchFile][:sent])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}
		return false
	}
	h.mu.Unlock()
	child := exec.Command(os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), "HUB_TEST_ENDPOINT="+h.URL, "HUB_TEST_CACHE="+o.Cache)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if info, err := os.Stat(h.blob(o, torchFile) + ".incomplete"); err == nil && info.Size() == sent {
			break
		}
		if time.Now().After(end) {
			child.Process.Kill()
			t.Fatal("nothing was downloaded")
		}
	}
	child.Process.Kill()
	child.Wait()
	h.requests("")
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if got := h.requests(torchFile); len(got) != 1 || !strings.HasSuffix(got[0], " bytes=200000-") {
		t.Errorf("requests %q", got)
	}
}
