package hub

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// leaveOthers fills a cache as transformers does: without mcil.json.
func leaveOthers(t *testing.T, h *testHub, o Options) {
	t.Helper()
	for _, name := range []string{configFile, vocabFile, torchFile} {
		leave(t, h.blob(o, name), h.files[name])
		pointer := filepath.Join(o.Cache, "models--o--n", "snapshots", testCommit, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(pointer), 0o777), os.Symlink("../../blobs/"+h.digest(name), pointer)); err != nil {
			t.Fatal(err)
		}
	}
	leave(t, filepath.Join(o.Cache, "models--o--n", "refs", "main"), []byte(testCommit))
}

// TestOthersCache: another program brought all but the classes of pretraining. They are fetched, or known not to be, by
// asking once; where that cannot be, it is told.
func TestOthersCache(t *testing.T) {
	const unknown = "it has no mcil.json, so its classes of pretraining, if any, are unknown"
	closed := httptest.NewServer(nil)
	closed.Close()
	asked := "/api/models/o/n/revision/" + testCommit + "?blobs=true"
	for _, revision := range []string{testCommit, "main"} {
		for name, seen := range map[string][]byte{"seen": []byte("{}"), "unseen": nil} {
			t.Run(name+" "+revision[:4], func(t *testing.T) {
				h := newTestHub(t)
				if seen != nil {
					h.files[seenFile] = seen
				}
				o, told := h.options(t), ""
				o.Notice = func(line string) { told += line }
				leaveOthers(t, h, o)
				fetch := func(o Options) error {
					t.Helper()
					told = ""
					s, err := Fetch(t.Context(), Repo{"o", "n", revision}, o)
					if err == nil && (s.Commit != testCommit || s.Dir != filepath.Join(o.Cache, "models--o--n/snapshots", testCommit)) {
						t.Errorf("%+v", s)
					}
					return err
				}
				offline, away := o, o
				offline.Offline, away.Endpoint = "HF_HUB_OFFLINE", closed.URL
				if err := fetch(offline); err != nil || !strings.Contains(told, "not asked for: HF_HUB_OFFLINE is set; "+unknown) {
					t.Errorf("offline: %v, notice %q", err, told)
				}
				if err := fetch(away); err != nil || !strings.Contains(told, "cannot be reached") || !strings.Contains(told, unknown) {
					t.Errorf("away: %v, notice %q", err, told)
				}
				if seen != nil { // one that exists and cannot be had is not left out
					h.before = func(w http.ResponseWriter, r *http.Request) bool {
						if strings.HasSuffix(r.URL.Path, seenFile) {
							w.WriteHeader(http.StatusForbidden)
							return true
						}
						return false
					}
					if err := fetch(o); !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), "mcil.json: http") {
						t.Errorf("without the classes: %v", err)
					}
					h.before = nil
				}
				h.requests("")
				if err := fetch(o); err != nil || told != "" {
					t.Fatalf("%v, notice %q", err, told)
				}
				if b, err := os.ReadFile(filepath.Join(o.Cache, "models--o--n/snapshots", testCommit, seenFile)); string(b) != string(seen) || (err == nil) != (seen != nil) {
					t.Errorf("classes of pretraining %q (%v), want %q", b, err, seen)
				}
				if got := h.requests(torchFile); len(got) > 0 {
					t.Errorf("downloaded again: %q", got)
				}
				if revision != testCommit {
					return
				}
				if err := os.RemoveAll(filepath.Join(o.Cache, "models--o--n/.no_exist")); err != nil {
					t.Fatal(err)
				}
				h.files[tensorFile] = noise(1000) // which would be the first choice
				if err := fetch(o); err != nil || len(h.requests(tensorFile)) > 0 {
					t.Errorf("other weights of the commit: %v", err)
				}
				if err := errors.Join(fetch(o), fetch(offline), fetch(away)); err != nil || told != "" {
					t.Errorf("%v, notice %q", err, told)
				}
				if got := h.requests(""); len(got) > 0 {
					t.Errorf("asked again: %q", got)
				}
			})
		}
	}
	// The Hub is asked once a fetch, and what it says of a commit that lies there whole matters no more.
	h := newTestHub(t)
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Error-Code", "RevisionNotFound")
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	o, told := h.options(t), ""
	o.Notice = func(line string) { told += line }
	leaveOthers(t, h, o)
	if _, err := Fetch(t.Context(), Repo{"o", "n", testCommit}, o); err != nil || !strings.Contains(told, "has no revision "+testCommit+"; "+unknown) {
		t.Errorf("%v, notice %q", err, told)
	}
	if got := h.requests(""); !slices.Equal(got, []string{asked}) {
		t.Errorf("requests %q", got)
	}
}

// TestDenied: where the Hub lets one in no more, a whole cache does, as it does for huggingface_hub 2.4.0. A revision that is
// gone is gone.
func TestDenied(t *testing.T) {
	for _, c := range []struct {
		code             int
		mark, want, fail string
	}{
		{401, "", "answers 401: the token is not valid", ""},
		{403, "GatedRepo", "answers 403: ", ""},
		{404, "RepoNotFound", "answers 404: there is no http", ""},
		{404, "", "answers 404: there is no http", ""},
		{404, "RevisionNotFound", "", "has no revision main"},
	} {
		h := newTestHub(t)
		o, told := h.options(t), ""
		if _, err := Fetch(t.Context(), testRepo, o); err != nil {
			t.Fatal(err)
		}
		h.before = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Code", c.mark)
			w.WriteHeader(c.code)
			return true
		}
		h.requests("")
		o.Token = "hf_expired"
		o.Notice = func(line string) { told += line }
		s, err := Fetch(t.Context(), testRepo, o)
		if c.fail != "" {
			if !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), c.fail) || told != "" {
				t.Errorf("%d %s: %v, notice %q", c.code, c.mark, err, told)
			}
			continue
		}
		if err != nil {
			t.Errorf("%d %s: %v", c.code, c.mark, err)
			continue
		}
		h.check(t, s, o)
		if !strings.HasPrefix(told, "commit 0123456789ab from the cache: http") || !strings.Contains(told, c.want) || strings.HasSuffix(told, "refused") || strings.Contains(told, "hf_expired") {
			t.Errorf("%d %s: notice %q", c.code, c.mark, told)
		}
		if got := h.requests(""); len(got) != 1 {
			t.Errorf("%d %s: requests %q", c.code, c.mark, got)
		}
	}
	// The listing of what is gated is for all, its files are not: the branch's last commit that could be had does.
	h := newTestHub(t)
	o, told := h.options(t), ""
	if _, err := Fetch(t.Context(), testRepo, o); err != nil {
		t.Fatal(err)
	}
	h.files[torchFile] = noise(200_000)
	h.change = func(l map[string]any) { l["sha"] = strings.Repeat("b", 40) }
	h.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "resolve") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	o.Notice = func(line string) { told += line }
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil || s.Commit != testCommit || !strings.HasPrefix(told, "commit 0123456789ab from the cache: pytorch_model.bin of commit bbbbbbbbbbbb: http") {
		t.Errorf("%+v, %v, notice %q", s, err, told)
	}
	if b, err := os.ReadFile(filepath.Join(o.Cache, "models--o--n/refs/main")); string(b) != testCommit {
		t.Errorf("ref %q, %v", b, err)
	}
}
