package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/schemas"
)

func TestParse(t *testing.T) {
	for spec, want := range map[string]Repo{
		"hf:dandelin/vilt-b32-mlm":              {"dandelin", "vilt-b32-mlm", "main"},
		"hf:dandelin/vilt-b32-mlm@v1.0":         {"dandelin", "vilt-b32-mlm", "v1.0"},
		"hf:o/n@refs/pr/1":                      {"o", "n", "refs/pr/1"},
		"hf:o_x/n.y@" + testCommit:              {"o_x", "n.y", testCommit},
		"hf:dandelin/vilt-b32-mlm@main":         {"dandelin", "vilt-b32-mlm", "main"},
		"hf:0/1":                                {"0", "1", "main"},
		"hf:o/" + strings.Repeat("n", 95):       {"o", strings.Repeat("n", 95), "main"},
		"hf:o/n@feature/long-name_with.dots+x1": {"o", "n", "feature/long-name_with.dots+x1"},
	} {
		if got, err := Parse(spec); err != nil || got != want {
			t.Errorf("%s: %+v, %v", spec, got, err)
		}
	}
	for _, spec := range []string{
		"", "hf:", "hf:n", "hf:o/", "hf:/n", "o/n", "hf:o/n/m", "hf:o/n@", "hf:o/n@..", "hf:o/n@a/../b", "hf:o/n@/a", "hf:o/n@a//b", "hf:o/n@a/.b", "hf:o/n@a/", "hf:o/n@x.lock",
		"hf:../n", "hf:o/..", "hf:o/n--m", "hf:o--p/n", "hf:.o/n", "hf:o/n.", "hf:-o/n", "hf:o/n-", "hf:o\\p/n", "hf:o/n@a b", "hf:o/n@a?b", "hf:o/n\n", "hf:ö/n", "hf:o/" + strings.Repeat("n", 96),
	} {
		if got, err := Parse(spec); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is %+v, %v: want one line of error", spec, got, err)
		}
	}
	for _, r := range []Repo{{"o", "n", "main"}, {"o", "n", "v1"}} {
		if got, err := Parse(r.String()); err != nil || got != r {
			t.Errorf("%+v: %s is read as %+v (%v)", r, r, got, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999999999999": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:03:05 GMT": 0,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
	h := newTestHub(t)
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "300")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	if _, err := Fetch(t.Context(), testRepo, h.options(t)); err == nil || !strings.Contains(err.Error(), "it answers 429 and asks to come back in 5m0s") || len(h.requests("")) != 1 {
		t.Errorf("a long wait: %v", err)
	}
}

// TestHostileListing: whatever a server tells, nothing is written outside the cache, and nothing of a wrong size.
func TestHostileListing(t *testing.T) {
	sibling := func(l map[string]any, name string) map[string]any {
		for _, s := range l["siblings"].([]any) {
			if m := s.(map[string]any); m["rfilename"] == name {
				return m
			}
		}
		return nil
	}
	for name, c := range map[string]struct {
		change func(l map[string]any)
		want   string
	}{
		"commit":         {func(l map[string]any) { l["sha"] = "../../../../outside" }, "not as the Hub does"},
		"no commit":      {func(l map[string]any) { delete(l, "sha") }, "not as the Hub does"},
		"types":          {func(l map[string]any) { l["siblings"] = 3 }, "not as the Hub does"},
		"names":          {func(l map[string]any) { sibling(l, configFile)["rfilename"] = "../../" + configFile }, "has no config.json"},
		"blob":           {func(l map[string]any) { sibling(l, configFile)["blobId"] = "../../../outside" }, "does not tell length and digest of config.json"},
		"no blob":        {func(l map[string]any) { delete(sibling(l, vocabFile), "blobId") }, "does not tell length and digest of vocab.txt"},
		"lfs":            {func(l map[string]any) { sibling(l, torchFile)["lfs"].(map[string]any)["sha256"] = "../../../outside" }, "does not tell length and digest"},
		"lfs of sha1":    {func(l map[string]any) { sibling(l, torchFile)["lfs"].(map[string]any)["sha256"] = testCommit }, "does not tell length and digest"},
		"no size":        {func(l map[string]any) { delete(sibling(l, configFile), "size") }, "does not tell length"},
		"size":           {func(l map[string]any) { sibling(l, configFile)["size"] = -1 }, "does not tell length"},
		"large config":   {func(l map[string]any) { sibling(l, configFile)["size"] = maxSmallBytes + 1 }, "is announced with 16777217 bytes"},
		"large weights":  {func(l map[string]any) { sibling(l, torchFile)["lfs"].(map[string]any)["size"] = maxTensorBytes + 1 }, "is announced with"},
		"another digest": {func(l map[string]any) { sibling(l, configFile)["blobId"] = strings.Repeat("a", 40) }, "has not the digest aaaa"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			h.change = c.change
			o := h.options(t)
			o.Attempts = 1
			o.Cache = filepath.Join(o.Cache, "deep", "down")
			if _, err := Fetch(t.Context(), testRepo, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			for _, f := range tree(t, filepath.Dir(filepath.Dir(filepath.Dir(o.Cache)))) {
				if !strings.HasPrefix(f, "cache/deep/down/") {
					t.Errorf("written outside the cache: %s", f)
				}
			}
		})
	}
	h := newTestHub(t)
	h.change = func(l map[string]any) { l["sha"] = strings.Repeat("b", 40) }
	if _, err := Fetch(t.Context(), Repo{"o", "n", testCommit}, h.options(t)); !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), "answers with commit bbbb") {
		t.Errorf("another commit than the one asked for: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "http://", "http://x?y", "://"} {
		if _, err := Fetch(t.Context(), testRepo, Options{Endpoint: endpoint, Cache: t.TempDir()}); !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), "HF_ENDPOINT") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	if _, err := Fetch(t.Context(), testRepo, Options{}); err == nil {
		t.Error("a cache without a folder")
	}
	if _, err := Fetch(t.Context(), Repo{"..", "n", "main"}, Options{Cache: t.TempDir()}); err == nil {
		t.Error("a repository outside the cache")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"hf:o/n", "hf:o/n@refs/pr/1", "hf:../n", "hf:o/n@../../x", "hf:o/n@a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		r, err := Parse(spec)
		if err != nil {
			return
		}
		if got, err := Parse(r.String()); err != nil || got != r {
			t.Errorf("%+v becomes %+v (%v)", r, got, err)
		}
		c := client{repo: r, dir: filepath.Join("cache", r.folder())}
		if !filepath.IsLocal(r.folder()) || !strings.HasPrefix(c.refFile(), filepath.Join("cache", r.folder(), "refs")+string(filepath.Separator)) {
			t.Errorf("%+v leads to %s", r, c.refFile())
		}
	})
}

func FuzzListing(f *testing.F) {
	h := newTestHub(f)
	good, _ := json.Marshal(h.listing())
	f.Add(good)
	f.Add([]byte(`{"sha":"..","siblings":[{"rfilename":"config.json","lfs":{}},null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l listing
		if json.Unmarshal(b, &l) != nil {
			return
		}
		files, err := l.choose()
		if err != nil {
			return
		}
		for _, f := range files {
			if f.size < 0 || f.size > maxTensorBytes || !commitPattern.MatchString(f.digest) && !sha256Pattern.MatchString(f.digest) {
				t.Errorf("%+v", f)
			}
		}
	})
}

// TestPortal: an answer that cannot be the file spoils nothing of what there is, and the next fetch goes on.
func TestPortal(t *testing.T) {
	const page = "<html>log in</html>"
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, b []byte)
		want   string
	}{
		"short page": {func(w http.ResponseWriter, b []byte) { io.WriteString(w, page) }, "it answers 19 bytes where 300000 are to come: a login page in between?: try again, or bring"},
		"empty":      {func(w http.ResponseWriter, b []byte) {}, "it answers 0 bytes where 300000 are to come"},
		"page of no length": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.(http.Flusher).Flush()
			io.WriteString(w, page)
		}, "it answers a page where 300000 bytes of a file are to come"},
		"gzip": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Encoding", "gzip")
			w.(http.Flusher).Flush()
			w.Write(make([]byte, 1000))
		}, `it answers in the encoding "gzip", which was not asked for`},
		"gzip part": {func(w http.ResponseWriter, b []byte) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Range", "bytes 290000-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(make([]byte, 10_000))
		}, `it answers in the encoding "gzip"`},
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
			partial := h.blob(o, torchFile) + ".incomplete"
			leave(t, partial, h.files[torchFile][:290_000])
			if _, err := Fetch(t.Context(), testRepo, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if b, err := os.ReadFile(partial); err != nil || !bytes.Equal(b, h.files[torchFile][:290_000]) {
				t.Errorf("the partial file has %d bytes (%v)", len(b), err)
			}
			h.before = nil
			h.requests("")
			s, err := Fetch(t.Context(), testRepo, o)
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, s, o)
			if got := h.requests(torchFile); len(got) != 1 || !strings.HasSuffix(got[0], " bytes=290000-") {
				t.Errorf("requests %q", got)
			}
		})
	}
}

// TestNoURL: an address to redirect to that cannot be parsed is shown without what is signed or secret in it.
func TestNoURL(t *testing.T) {
	for location, want := range map[string]string{
		`https://cdn.example/x%zz?Signature=SECRET`:       `it redirects to "https://cdn.example/x%zz", which is no URL`,
		`https://cdn.example/x%zz?a="b"&Signature=SECRET`: `it redirects to "https://cdn.example/x%zz", which is no URL`,
		`https://u:SECRET@cdn.example:x/y#SECRET`:         `it redirects to "cdn.example:x/y", which is no URL`,
	} {
		h := newTestHub(t)
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, torchFile) {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
				return true
			}
			return false
		}
		o := h.options(t)
		o.Attempts = 1
		if _, err := Fetch(t.Context(), testRepo, o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", location, err)
		}
	}
}
