package layout_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
)

// findWritten is a folder with a row or more in each of the splits, in all layouts.
func findWritten(t *testing.T, name string, splits ...string) string {
	t.Helper()
	dir := t.TempDir()
	w, err := layout.Create(dir, layout.Kinds(), layout.Options{Name: name, ClassNames: []string{"goldfish", "shark"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for n, split := range splits {
		if err := w.Begin(split); err != nil {
			t.Fatal(err)
		}
		for i := range n + 1 {
			wnid := []string{datasettest.Goldfish, datasettest.Shark}[i%2]
			r := dataset.Row{
				ID: dataset.ID(fmt.Sprintf("%s/%s_%d.jpg", wnid, split, i)), Image: []byte("x"), Label: i % 2, WNID: wnid,
				ClassName: []string{"goldfish", "shark"}[i%2], Orientation: 1,
			}
			if err := w.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(schemas.DatasetManifest{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Every part that is written is read, also one whose name ends as another's, or goes on as the data set's does.
func TestOpenEveryPart(t *testing.T) {
	want := []string{"train", "validation", "test", "extra", "hard_train", "of_a_kind"}
	for _, name := range []string{"food101", "mm_x"} {
		dir := findWritten(t, name, want...)
		for _, kind := range layout.Kinds() {
			d := readOpen(t, filepath.Join(dir, string(kind)))
			if got := dataset.PartNames(maps.Keys(d.Splits)); !slices.Equal(got, want) {
				t.Errorf("%s, %s: splits %q, want %q", name, kind, got, want)
				continue
			}
			for n, split := range want {
				if got := d.Splits[split].Len(); got != n+1 {
					t.Errorf("%s, %s: %d rows in %s, want %d", name, kind, got, split, n+1)
				}
			}
		}
	}
}

func TestOpenSeveralDatasets(t *testing.T) {
	dir := filepath.Join(findWritten(t, "b", "train", "test"), "vilt")
	for _, other := range []string{"a", "b_2", "c"} {
		for _, part := range []string{"train", "test"} {
			if err := os.Link(filepath.Join(dir, "b_"+part+".arrow"), filepath.Join(dir, other+"_"+part+".arrow")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := layout.Open(dir)
		datasettest.WantError(t, err, dataset.ErrRefused, "several data sets", other, "keep one")
		for _, part := range []string{"train", "test"} {
			if err := os.Remove(filepath.Join(dir, other+"_"+part+".arrow")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.arrow"), nil, 0o666); err != nil { // of no data set
		t.Fatal(err)
	}
	if d := readOpen(t, dir); len(d.Splits) != 2 {
		t.Errorf("splits %v", d.Splits)
	}
}
