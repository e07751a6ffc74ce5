package hub

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRefs: nothing but refs ever lies in refs, for huggingface_hub takes all that does for one.
func TestRefs(t *testing.T) {
	h := newTestHub(t)
	o := h.options(t)
	c, err := newClient(Repo{"o", "n", "a/b"}, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	found := make(chan []string)
	go func() {
		others := map[string]bool{}
		for ctx.Err() == nil {
			entries, _ := os.ReadDir(filepath.Dir(c.refFile()))
			for _, e := range entries {
				others[e.Name()] = true
			}
		}
		delete(others, "b")
		found <- slices.Sorted(maps.Keys(others))
	}()
	for i := range 50 {
		commit := strings.Repeat("0123456789abcdef"[i%16:][:1], 40)
		c.writeRef(commit)
		if b, err := os.ReadFile(c.refFile()); err != nil || string(b) != commit {
			t.Fatalf("ref %q, %v", b, err)
		}
	}
	stop()
	if names := <-found; len(names) > 0 {
		t.Errorf("refs held %q, too", names)
	}
	if got, want := tree(t, o.Cache), []string{"models--o--n/refs/a/b"}; !slices.Equal(got, want) {
		t.Errorf("the cache holds %q, want %q", got, want)
	}
}

// TestSweep: what killed programs left goes with the next download: a copy for which there is a lock at once, the rest when
// it is old enough to be no running program's. Others' files stay.
func TestSweep(t *testing.T) {
	h := newTestHub(t)
	o := h.options(t)
	o.symlink = func(_, name string) error { return &os.LinkError{Op: "symlink", New: name, Err: os.ErrPermission} }
	repo := filepath.Join(o.Cache, "models--o--n")
	snapshot := filepath.Join(repo, "snapshots", testCommit)
	own := h.digest(torchFile) + ".123456.incomplete"
	gone := []string{filepath.Join(repo, "blobs", own), filepath.Join(repo, ".ref.tmp-1"), filepath.Join(snapshot, "."+seenFile+".tmp-1")}
	young := filepath.Join(repo, "blobs", h.digest(configFile)+".7.incomplete")
	other := filepath.Join(repo, "blobs", h.digest(configFile)+".0a1b2c3d.incomplete")
	for _, path := range append(gone, young, other) {
		leave(t, path, []byte("x"))
		if old := time.Now().Add(-25 * time.Hour); path != young {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	leave(t, filepath.Join(snapshot, "."+torchFile+".tmp-1"), []byte("x"))
	s, err := Fetch(t.Context(), testRepo, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{young, other} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%v", err)
		}
		os.Remove(path)
	}
	h.check(t, s, o)
	// Without locks it may be another program's.
	o.tryLock = func(*os.File) (bool, error) { return false, errors.ErrUnsupported }
	copying := filepath.Join(snapshot, "."+torchFile+".tmp-1")
	leave(t, copying, []byte("x"))
	if err := os.Remove(filepath.Join(snapshot, torchFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(t.Context(), testRepo, o); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(copying); err != nil {
		t.Error(err)
	}
}
