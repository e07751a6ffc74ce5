package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const testCommit = "0123456789abcdef0123456789abcdef01234567"

// testHub is a Hub with one repository, o/n.
type testHub struct {
	*httptest.Server
	files map[string][]byte
	large map[string]bool // in large-file storage
	// before answers a request in place of the Hub if it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
	// change edits the listing before it is sent.
	change func(l map[string]any)

	mu   sync.Mutex
	seen []string // METHOD PATH RANGE of each request
}

func newTestHub(t testing.TB) *testHub {
	t.Helper()
	h := &testHub{
		files: map[string][]byte{configFile: []byte(`{"model_type":"vilt"}`), vocabFile: []byte("[PAD]\n[UNK]\n"), torchFile: noise(300_000), "README.md": []byte("hello")},
		large: map[string]bool{torchFile: true},
	}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// digest is a file's name in the cache.
func (h *testHub) digest(name string) string {
	b := h.files[name]
	if h.large[name] {
		return fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...)))
}

func (h *testHub) listing() map[string]any {
	var siblings []any
	for _, name := range []string{"README.md", configFile, torchFile, tensorFile, vocabFile, seenFile} {
		b, ok := h.files[name]
		if !ok {
			continue
		}
		s := map[string]any{"rfilename": name, "size": len(b), "blobId": h.digest(name)}
		if h.large[name] {
			s["blobId"] = strings.Repeat("e", 40) // of the pointer
			s["lfs"] = map[string]any{"sha256": h.digest(name), "size": len(b), "pointerSize": 134}
		}
		siblings = append(siblings, s)
	}
	l := map[string]any{"id": "o/n", "sha": testCommit, "siblings": siblings}
	if h.change != nil {
		h.change(l)
	}
	return l
}

func (h *testHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.seen = append(h.seen, strings.TrimSpace(r.URL.RequestURI()+" "+r.Header.Get("Range")))
	before := h.before
	h.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	for _, revision := range []string{"main", "refs/pr/1", testCommit} {
		if r.URL.Path == "/api/models/o/n/revision/"+revision && r.URL.Query().Get("blobs") == "true" {
			json.NewEncoder(w).Encode(h.listing())
			return
		}
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/o/n/resolve/"+testCommit+"/")
	b, found := h.files[name]
	if !ok || !found {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(b)))
}

// requests are those so far whose path contains part; they are forgotten.
func (h *testHub) requests(part string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.seen {
		if strings.Contains(s, part) {
			out = append(out, s)
		}
	}
	h.seen = nil
	return out
}

// cut sends the first n bytes of a file and breaks the connection.
func cut(w http.ResponseWriter, b []byte, n int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func (h *testHub) options(t testing.TB) Options {
	return Options{Endpoint: h.URL, Cache: filepath.Join(t.TempDir(), "cache"), Backoff: time.Millisecond, Stall: 5 * time.Second}
}

// blob is where a file lies.
func (h *testHub) blob(o Options, name string) string {
	return filepath.Join(o.Cache, "models--o--n", "blobs", h.digest(name))
}

var testRepo = Repo{"o", "n", "main"}

// check holds the cache to what the Hub has: content, links, the ref, and nothing else.
func (h *testHub) check(t *testing.T, s Snapshot, o Options) {
	t.Helper()
	want := filepath.Join(o.Cache, "models--o--n", "snapshots", testCommit)
	if s.Dir != want || s.Commit != testCommit {
		t.Errorf("snapshot %+v, want %s in %s", s, testCommit, want)
	}
	weights := torchFile
	if h.files[tensorFile] != nil {
		weights = tensorFile
	}
	var expect []string
	for _, name := range []string{configFile, vocabFile, weights, seenFile} {
		if h.files[name] == nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil || string(b) != string(h.files[name]) {
			t.Errorf("%s: %d bytes (%v), want the %d of the Hub", name, len(b), err, len(h.files[name]))
		}
		if o.symlink == nil {
			if target, err := os.Readlink(filepath.Join(s.Dir, name)); target != "../../blobs/"+h.digest(name) {
				t.Errorf("%s leads to %q (%v)", name, target, err)
			}
		}
		expect = append(expect, "models--o--n/snapshots/"+testCommit+"/"+name, "models--o--n/blobs/"+h.digest(name), ".locks/models--o--n/"+h.digest(name)+".lock")
	}
	if h.files[seenFile] == nil {
		expect = append(expect, "models--o--n/.no_exist/"+testCommit+"/"+seenFile)
	}
	if b, err := os.ReadFile(filepath.Join(o.Cache, "models--o--n/refs/main")); err == nil && string(b) != testCommit {
		t.Errorf("ref %q", b)
	} else if err == nil {
		expect = append(expect, "models--o--n/refs/main")
	}
	if got := tree(t, o.Cache); !slices.Equal(got, sorted(expect)) {
		t.Errorf("the cache holds\n%v, want\n%v", got, expect)
	}
}

func sorted(s []string) []string { slices.Sort(s); return s }

func tree(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return sorted(files)
}
