package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
)

// Any file may be asked about: only the beginning of one that can be a manifest is read.
func TestIsEmbedding(t *testing.T) {
	dir := t.TempDir()
	head := `{"version": 1, "schema": "mcil.embedding", "settings": {}, "refused": [`
	for name, content := range map[string]string{
		"yes.json": head + "]}", "long.json": head + strings.Repeat(" ", 1<<20) + "]}", "late.json": `{"a": "` + strings.Repeat("a", 1<<20) + `", "schema": "mcil.embedding"}`,
		"other.json": `{"schema": "mcil.run"}`, "list.json": `["schema", "mcil.embedding"]`, "empty.json": "", "pictures.tar": head + "]}",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if want := name == "yes.json" || name == "long.json"; isEmbedding(path) != want {
			t.Errorf("%s: want %t", name, want)
		}
	}
	if !isEmbedding(filepath.Join(dir, "yes.npy")) || isEmbedding(filepath.Join(dir, "none.npy")) || isEmbedding(dir) {
		t.Error("features are told by the manifest beside them")
	}
}

// Without thresholds captions are made as with them, and nothing is looked for in them.
func TestCaptionsUnchecked(t *testing.T) {
	dir := t.TempDir()
	picture := "\xff\xd8\xff\xe0"
	for _, name := range []string{"n1/a.jpg", "n2/b.jpg"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(picture), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s, err := source.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	find := func(dataset.Entry) (dataset.Caption, string, bool) { return plainCaption("ha ha  ha ha ha"), "", true }
	for _, thresholds := range []*caption.Thresholds{{}, nil} {
		captions, about := checked(s, thresholds, schemas.CaptionsSummary{}, find)
		c, ok := captions(s.Entries()[1].ID)
		if !ok || c.Text != "ha ha ha ha ha" || (len(c.Flags) > 0) != (thresholds != nil) || (about.Duplicates.Exact.Captions == 2) != (thresholds != nil) {
			t.Errorf("thresholds %v: %+v, %+v", thresholds, c, about.Duplicates)
		}
	}
}
