//go:build readers

package build_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/schemas"
)

// TestReaders is `make test-readers`: what datasets and pyarrow read of every layout is what the source holds. It needs
// MCIL_PYTHON; MCIL_READERS_TAR may name an archive in ImageNet-R's layout to be tried as well.
func TestReaders(t *testing.T) {
	if os.Getenv("MCIL_PYTHON") == "" {
		t.Fatal("MCIL_PYTHON names no Python with datasets and pyarrow: run make test-readers")
	}
	t.Run("synth", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "pictures")
		if err := synth.Write(t.Context(), dir, synth.Options{Classes: 6, PerClass: 40, Seed: 1}); err != nil {
			t.Fatal(err)
		}
		checkReaders(t, openSource(t, dir), build.Options{Split: split.Options{Validation: 0.1}})
	})
	t.Run("quirks", func(t *testing.T) {
		checkReaders(t, openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 60))), build.Options{Name: "quirks"})
	})
	t.Run("food101", func(t *testing.T) {
		s := openSource(t, datasettest.WriteFolder(t, datasettest.Food101(t, 40)))
		titled := s.(dataset.Captioned)
		checkReaders(t, s, build.Options{Captions: func(id dataset.ID) (dataset.Caption, bool) {
			text, ok := titled.Text(id)
			return dataset.Caption{Text: strings.TrimSpace(text), CaptionInfo: dataset.CaptionInfo{Raw: text, Flags: []string{dataset.FlagNamesClass}, FlagValues: []float64{1}}}, ok // each title names its class, once
		}})
	})
	archive := os.Getenv("MCIL_READERS_TAR")
	if archive == "" {
		t.Log("MCIL_READERS_TAR names no archive")
		return
	}
	t.Run("archive", func(t *testing.T) {
		checkReaders(t, openSource(t, archive), build.Options{Split: split.Options{Validation: 0.1}})
	})
}

// checkReaders builds s in all layouts, in several shards, and lets the readers compare every row.
func checkReaders(t *testing.T, s dataset.Source, o build.Options) {
	t.Helper()
	o.Layouts, o.ShardBytes, o.Workers, o.ClassOrder = layout.Kinds(), 300_000, 2, "natural"
	if len(s.Entries()) > 1000 {
		o.ShardBytes = 5_000_000
	}
	if o.Captions == nil {
		o.Captions = captionsOf(t, s, nil)
	}
	dir, scratch := filepath.Join(t.TempDir(), "data"), t.TempDir()
	m := mustBuild(t, s, dir, o)
	parts := newSplit(t, s, o.Split)
	entries := map[dataset.ID]dataset.Entry{}
	for _, e := range s.Entries() {
		entries[e.ID] = e
	}
	rows, err := os.Create(filepath.Join(scratch, "rows.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	lines, n := json.NewEncoder(rows), 0
	for _, name := range parts.Names() {
		for _, id := range parts[name] {
			e := entries[id]
			encoded, err := s.Read(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			info, err := picture.Inspect(encoded)
			if err != nil {
				t.Fatal(err)
			}
			c, _ := o.Captions(id)
			class := s.Classes()[e.Label]
			err = lines.Encode(map[string]any{
				"split": name, "id": id, "label": e.Label, "caption": c.Text, "wnid": class.WNID, "class_name": class.Name, "style": e.Style,
				"width": info.Width, "height": info.Height, "orientation": info.Orientation, "image_sha256": dataset.Digest(encoded), "caption_raw": c.Raw,
				"caption_model": c.Model, "caption_prompt": c.Prompt, "request_fingerprint": c.Fingerprint, "caption_flags": append([]string{}, c.Flags...), "flag_values": append([]float64{}, c.FlagValues...),
			})
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if total := m.Rows[dataset.Train] + m.Rows[dataset.Validation] + m.Rows[dataset.Test]; total != n || len(m.Refused) != 0 {
		t.Fatalf("%d rows built of %d, refused %v", total, n, m.Refused)
	}
	var names []string
	for _, c := range s.Classes() {
		names = append(names, c.Name)
	}
	classes := filepath.Join(scratch, "classes.json")
	if err := schemas.WriteJSON(classes, names); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(os.Getenv("MCIL_PYTHON"), "testdata/readers.py", dir, m.Name, rows.Name(), classes).CombinedOutput()
	if err != nil {
		t.Fatalf("readers.py: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
