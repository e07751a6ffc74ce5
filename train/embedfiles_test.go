package train

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

func readEmbedding(t *testing.T, path string) (m schemas.Embedding) {
	t.Helper()
	if err := schemas.ReadJSON(path, schemas.EmbeddingHeader, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// wantRefused fails unless err is a refusal with the text, and nothing in dir has changed since before.
func wantRefused(t *testing.T, err error, text, dir string, before map[string]string) {
	t.Helper()
	if !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want a refusal: %q", err, text)
	}
	if after := files(t, dir); !maps.Equal(after, before) {
		t.Errorf("there is %q, want %q", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// embedFolder is a folder with files of one embedding that claim can be asked about.
type embedFolder struct {
	dir string
	embedFiles
	manifest schemas.Embedding // that claim is asked for
}

func newEmbedFolder(t *testing.T) *embedFolder {
	t.Helper()
	dir := t.TempDir()
	e := &embedFolder{dir: dir, embedFiles: newEmbedFiles(filepath.Join(dir, "f.npy"), filepath.Join(dir, "a.npy"))}
	e.manifest = schemas.Embedding{Header: schemas.EmbeddingHeader, Settings: map[string]any{"attention": "a.npy"}, Digest: "d", CPU: "avx2", Weights: "w"}
	return e
}

func (e *embedFolder) put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// begun claims the files and writes some of each.
func (e *embedFolder) begun(t *testing.T) {
	t.Helper()
	_, release, err := e.claim(e.manifest, false, nil)
	release()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range e.data() {
		e.put(t, filepath.Base(name)+partialFile, "some of "+filepath.Base(name))
	}
}

func (e *embedFolder) finished(t *testing.T) {
	t.Helper()
	e.begun(t)
	m := e.manifest
	if err := e.publish(&m); err != nil {
		t.Fatal(err)
	}
}

// try claims and releases.
func (e *embedFolder) try(force bool) (embedFound, error) {
	found, release, err := e.claim(e.manifest, force, func(string) {})
	release()
	return found, err
}

// Of two that write the same files at once, one is refused; afterwards no lock is left.
func TestEmbedClaimLocks(t *testing.T) {
	e := newEmbedFolder(t)
	_, release, err := e.claim(e.manifest, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := files(t, e.dir)
	_, err = e.try(false)
	wantRefused(t, err, "f.npy: another mcil embed is writing it", e.dir, before)
	_, err = e.try(true)
	wantRefused(t, err, "f.npy: another mcil embed is writing it", e.dir, before)
	crossed := newEmbedFiles(e.attention, e.features) // the other's attention is its features
	_, _, err = crossed.claim(e.manifest, false, nil)
	wantRefused(t, err, "a.npy: another mcil embed is writing it", e.dir, before)
	release()
	if _, err := e.try(false); err != nil {
		t.Error(err)
	}
	if left := slices.Sorted(maps.Keys(files(t, e.dir))); !slices.Equal(left, []string{"f.json.partial"}) {
		t.Errorf("left behind: %q", left)
	}
}

// What has a final name beside a run that was stopped is its own only by the digest.
func TestEmbedClaimForeign(t *testing.T) {
	for name, put := range map[string]map[string]string{
		"features": {"f.npy": "mine"}, "lines": {"f.jsonl": "mine"}, "attention": {"a.npy": "some of a.npy"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEmbedFolder(t)
			e.begun(t)
			for file, content := range put {
				if err := os.Remove(filepath.Join(e.dir, file+partialFile)); err != nil {
					t.Fatal(err)
				}
				e.put(t, file, content)
			}
			for _, force := range []bool{false, true} {
				before := files(t, e.dir)
				_, err := e.try(force)
				wantRefused(t, err, "is not from mcil embed with this --out", e.dir, before)
			}
		})
	}
	t.Run("partial of another", func(t *testing.T) {
		e := newEmbedFolder(t)
		e.begun(t)
		before := files(t, e.dir)
		other := embedFolder{e.dir, newEmbedFiles(filepath.Join(e.dir, "y.npy"), e.attention), e.manifest}
		for _, force := range []bool{false, true} {
			_, err := other.try(force)
			wantRefused(t, err, "a.npy.partial: is not from mcil embed with this --out", e.dir, before)
		}
	})
	t.Run("published", func(t *testing.T) { // the digests are there before the names
		e := newEmbedFolder(t)
		e.finished(t)
		if err := os.Rename(e.embedFiles.manifest, e.embedFiles.manifest+partialFile); err != nil {
			t.Fatal(err)
		}
		e.put(t, "a.npy", "mine of a.npy")
		before := files(t, e.dir)
		_, err := e.try(false)
		wantRefused(t, err, "a.npy: is not from mcil embed with this --out", e.dir, before)
		e.put(t, "a.npy", "some of a.npy")
		if found, err := e.try(false); err != nil || !found.begun {
			t.Errorf("%+v, %v", found, err)
		}
		if got := files(t, e.dir); got["a.npy"+partialFile] != "some of a.npy" || len(got) != 4 {
			t.Errorf("there is %q", slices.Sorted(maps.Keys(got)))
		}
	})
}

// A manifest that cannot be read is not known to be ours, whatever its name.
func TestEmbedClaimManifests(t *testing.T) {
	for content, text := range map[string]string{
		"[1,2,3]": "delete it and the files beside it if mcil embed made them", `{"schema": "mcil.embedding", "ver`: "delete it and the files beside it",
		`{"schema": "own"}`: "give another --out",
	} {
		for _, name := range []string{"f.json", "f.json" + partialFile} {
			e := newEmbedFolder(t)
			e.put(t, name, content)
			e.put(t, "f.npy", "mine")
			e.put(t, "f.jsonl", "mine")
			for _, force := range []bool{false, true} {
				before := files(t, e.dir)
				_, err := e.try(force)
				wantRefused(t, err, text, e.dir, before)
			}
		}
	}
	e := newEmbedFolder(t)
	e.finished(t)
	e.put(t, "f.json", `{"schema": "mcil.embedding", "version": 1, "settings": {"attention": "a.npy"}, "rows": "many"}`)
	if _, err := e.try(false); !errors.Is(err, schemas.ErrDamaged) || !strings.Contains(err.Error(), "give --force to start afresh") {
		t.Errorf("a manifest of ours with a wrong value: %v", err)
	}
	if _, err := e.try(true); err != nil {
		t.Error(err)
	}
	if left := slices.Sorted(maps.Keys(files(t, e.dir))); !slices.Equal(left, []string{"f.json.partial"}) {
		t.Errorf("left behind: %q", left)
	}
}

// By force without --attention the old attention goes, as far as it is what was published.
func TestEmbedClaimDropsAttention(t *testing.T) {
	for _, own := range []bool{true, false} {
		e := newEmbedFolder(t)
		e.finished(t)
		if !own {
			e.put(t, "a.npy", "mine of a.npy")
		}
		e.embedFiles, e.manifest.Settings = newEmbedFiles(e.features, ""), nil
		if _, err := e.try(true); err != nil {
			t.Fatal(err)
		}
		want := []string{"a.npy", "f.json.partial"}
		if own {
			want = want[1:]
		}
		if left := slices.Sorted(maps.Keys(files(t, e.dir))); !slices.Equal(left, want) {
			t.Errorf("own %t: left %q, want %q", own, left, want)
		}
	}
	e := newEmbedFolder(t)
	e.begun(t)
	e.embedFiles, e.manifest.Settings = newEmbedFiles(e.features, ""), nil
	if _, err := e.try(true); err != nil {
		t.Fatal(err)
	}
	if left := slices.Sorted(maps.Keys(files(t, e.dir))); !slices.Equal(left, []string{"f.json.partial"}) {
		t.Errorf("left behind: %q", left)
	}
}

// Where the Hub's weights have moved on, the refusal says how to go on with the old ones.
func TestEmbedClaimCommit(t *testing.T) {
	old, now := strings.Repeat("0123abcd", 5), strings.Repeat("89ef4567", 5)
	e := newEmbedFolder(t)
	e.manifest.Weights, e.manifest.WeightsCommit, e.manifest.WeightsDigest = "hf:owner/name", old, "1"
	e.begun(t)
	before := files(t, e.dir)
	e.manifest.Digest = "other"
	_, err := e.try(false)
	wantRefused(t, err, "was made with other settings", e.dir, before)
	e.manifest.WeightsCommit, e.manifest.WeightsDigest = now, "2"
	_, err = e.try(false)
	wantRefused(t, err, "hf:owner/name was at 0123abcd… and is at 89ef4567…: give --weights hf:owner/name@"+old+" to go on, or --force", e.dir, before)
}
