package hub

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcil/mcil/schemas"
)

func TestFetch(t *testing.T) {
	h := newTestHub(t)
	o := h.options(t)
	last := map[string][2]int64{}
	o.Progress = func(file string, done, total int64) { last[file] = [2]int64{done, total} }
	o.Notice = func(line string) { t.Errorf("notice %q", line) }
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if got := h.requests(""); len(got) != 4 || got[0] != "/api/models/o/n/revision/main?blobs=true" {
		t.Errorf("requests %q", got)
	}
	if last[torchFile] != [2]int64{300_000, 300_000} || last[configFile] != [2]int64{21, 21} || len(last) != 3 {
		t.Errorf("progress ended with %v", last)
	}
	// What is there is not downloaded again, and a whole commit is not asked for.
	if s, err = Fetch(t.Context(), testRepo, o); err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if got := h.requests("resolve"); len(got) > 0 {
		t.Errorf("asked again: %q", got)
	}
	if s, err = Fetch(t.Context(), Repo{"o", "n", testCommit}, o); err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if got := h.requests(""); len(got) > 0 {
		t.Errorf("a commit is asked for: %q", got)
	}
	// Another name of the commit, with slashes.
	if s, err = Fetch(t.Context(), Repo{"o", "n", "refs/pr/1"}, o); err != nil || s.Commit != testCommit {
		t.Fatal(s, err)
	}
	if b, err := os.ReadFile(filepath.Join(o.Cache, "models--o--n/refs/refs/pr/1")); string(b) != testCommit {
		t.Errorf("ref %q, %v", b, err)
	}
	if got := h.requests(""); !slices.Equal(got, []string{"/api/models/o/n/revision/refs%2Fpr%2F1?blobs=true"}) {
		t.Errorf("requests %q", got)
	}
}

// TestChoice: safetensors are preferred, and the classes of pretraining come along.
func TestChoice(t *testing.T) {
	h := newTestHub(t)
	h.files[tensorFile], h.files[seenFile] = noise(5000), []byte("{}")
	o := h.options(t)
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if got := h.requests(torchFile); len(got) > 0 {
		t.Errorf("fetched too: %q", got)
	}
	for _, missing := range []string{vocabFile, configFile} {
		h := newTestHub(t)
		delete(h.files, missing)
		if _, err := Fetch(t.Context(), testRepo, h.options(t)); !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), "has no "+missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		code        int
		token, mark string
		want        string
		requests    int
	}{
		{401, "", "", "/o/n: look at the name, or set HF_TOKEN", 1},
		{401, "secret", "", "the token is not valid, or may not read", 1},
		{403, "secret", "GatedRepo", "is gated or private: ask for access on its page", 1},
		{404, "", "RepoNotFound", "there is no http", 1},
		{404, "", "RevisionNotFound", "has no revision main", 1},
		{400, "", "", "answers 400: not what the Hub does", 1},
		{500, "secret", "", "cannot be reached: it answers 500: try again, or bring config.json, vocab.txt and pytorch_model.bin (or model.safetensors) from http", 3},
		{429, "", "", "it answers 429", 3},
	} {
		h := newTestHub(t)
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Code", c.mark)
			w.Header().Set("X-Error-Message", "your header is "+r.Header.Get("Authorization"))
			w.WriteHeader(c.code)
			fmt.Fprintf(w, "secret")
			return true
		}
		o := h.options(t)
		o.Token = c.token
		_, err := Fetch(t.Context(), testRepo, o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v, want %q", c.code, err, c.want)
		}
		if got, want := errors.Is(err, schemas.ErrRefused), c.code < 500 && c.code != 429; got != want {
			t.Errorf("%d: refused is %v, want %v", c.code, got, want)
		}
		if got := h.requests(""); len(got) != c.requests {
			t.Errorf("%d: %d requests, want %d", c.code, len(got), c.requests)
		}
	}
}

// TestWithoutNetwork: a whole snapshot does; without one the error says what to bring, and where to.
func TestWithoutNetwork(t *testing.T) {
	h := newTestHub(t)
	full := h.options(t)
	if _, err := Fetch(t.Context(), testRepo, full); err != nil {
		t.Fatal(err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>log in</html>") }))
	defer login.Close()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer down.Close()
	for name, c := range map[string]struct {
		endpoint string
		offline  string
		notice   string
		want     string
	}{
		"offline":     {h.URL, "HF_HUB_OFFLINE", "commit 0123456789ab from the cache, not asked for: HF_HUB_OFFLINE is set", "not in the cache, and HF_HUB_OFFLINE is set: bring "},
		"closed":      {closed.URL, "", "commit 0123456789ab from the cache: " + closed.URL + " cannot be reached: dial tcp", "cannot be reached: dial tcp"},
		"login page":  {login.URL, "", "it answers, but not as the Hub does", "it answers, but not as the Hub does"},
		"bad gateway": {down.URL, "", "it answers 502", "it answers 502"},
	} {
		t.Run(name, func(t *testing.T) {
			o, told := full, ""
			o.Endpoint, o.Offline = c.endpoint, c.offline
			o.Notice = func(line string) { told += line }
			s, err := Fetch(t.Context(), testRepo, o)
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, s, o)
			if !strings.Contains(told, c.notice) || strings.Contains(told, "\n") {
				t.Errorf("notice %q, want %q", told, c.notice)
			}
			told = ""
			if _, err := Fetch(t.Context(), Repo{"o", "n", testCommit}, o); err != nil || told != "" {
				t.Errorf("a whole commit: %v, %q", err, told)
			}
			o.Cache = filepath.Join(t.TempDir(), "empty")
			_, err = Fetch(t.Context(), testRepo, o)
			if err == nil {
				t.Fatal("weights out of nothing")
			}
			bring := "bring config.json, vocab.txt and pytorch_model.bin (or model.safetensors) from " + c.endpoint + "/o/n/tree/main into a folder and give --weights FOLDER, " +
				"or copy the folder models--o--n of a machine that has them to " + filepath.Join(o.Cache, "models--o--n")
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), bring) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if got := tree(t, o.Cache); len(got) > 0 {
				t.Errorf("made %v", got)
			}
		})
	}
	// A snapshot that lacks a file is none.
	if err := os.Remove(h.blob(full, vocabFile)); err != nil {
		t.Fatal(err)
	}
	full.Offline = "TRANSFORMERS_OFFLINE"
	if _, err := Fetch(t.Context(), testRepo, full); err == nil || !strings.Contains(err.Error(), "not in the cache, and TRANSFORMERS_OFFLINE is set: bring ") {
		t.Errorf("a snapshot whose vocabulary is a link to nothing: %v", err)
	}
}

// TestToken: it goes to the endpoint, at every request, and to no host that the endpoint redirects to, not even to another
// port of the same address.
func TestToken(t *testing.T) {
	h := newTestHub(t)
	var mu sync.Mutex
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		elsewhere = append(elsewhere, fmt.Sprint(r.Header["Authorization"], r.Header["Referer"], r.Header["Cookie"], r.Header["Range"]))
		mu.Unlock()
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(h.files[torchFile])))
	}))
	defer other.Close()
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "Bearer hf_secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		switch r.URL.Path {
		case "/o/n/resolve/" + testCommit + "/" + torchFile:
			http.Redirect(w, r, "/step", http.StatusTemporaryRedirect)
		case "/step":
			http.Redirect(w, r, other.URL+"/signed?key=1", http.StatusFound)
		default:
			return false
		}
		return true
	}
	o := h.options(t)
	o.Token = "hf_secret"
	leave(t, h.blob(o, torchFile)+".incomplete", noise(300_000)[:7])
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, s, o)
	if want := []string{"[] [] [] [bytes=7-]"}; !slices.Equal(elsewhere, want) {
		t.Errorf("the other host saw %q, want %q", elsewhere, want)
	}
	// A signed address that has run out is not the user's access that is refused.
	h2 := newTestHub(t)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer gone.Close()
	h2.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, configFile) {
			http.Redirect(w, r, gone.URL+"/signed?key=1", http.StatusFound)
			return true
		}
		return false
	}
	if _, err := Fetch(t.Context(), testRepo, h2.options(t)); err == nil || !strings.Contains(err.Error(), "the host that it redirects to answers 403") || strings.Contains(err.Error(), "key=1") {
		t.Errorf("%v", err)
	}
}

func TestRedirectLoop(t *testing.T) {
	h := newTestHub(t)
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "/again", http.StatusFound)
		return true
	}
	o := h.options(t)
	o.Attempts = 1
	if _, err := Fetch(t.Context(), testRepo, o); err == nil || !strings.Contains(err.Error(), "redirects more than 10 times") {
		t.Errorf("%v", err)
	}
}

// TestReadOnly: a cache that is whole needs no writing.
func TestReadOnly(t *testing.T) {
	h := newTestHub(t)
	o := h.options(t)
	if _, err := Fetch(t.Context(), testRepo, o); err != nil {
		t.Fatal(err)
	}
	refs := filepath.Join(o.Cache, "models--o--n", "refs")
	if err := errors.Join(os.RemoveAll(refs), os.WriteFile(refs, nil, 0o666)); err != nil { // root writes anywhere but into a file
		t.Fatal(err)
	}
	told := ""
	o.Notice = func(line string) { told += line }
	if s, err := Fetch(t.Context(), testRepo, o); err != nil || s.Commit != testCommit || !strings.Contains(told, "cannot note what main is") {
		t.Errorf("%+v, %v, notice %q", s, err, told)
	}
}
