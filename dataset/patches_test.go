package dataset_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/dataset/datasettest"
)

// The cache on disk changes how often a picture is decoded, and nothing else.
func TestEncodingDisk(t *testing.T) {
	rows := datasettest.SomeRows(t, 6)
	dir := t.TempDir()
	open := func() *cache.Folder {
		f, err := cache.Open(dir, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	encoding := func(p dataset.Processor, disk *cache.Folder) *dataset.Encoding {
		return &dataset.Encoding{Processor: p, Tokenizer: tokenizer(t, smallVocabulary), MaxText: 8, Disk: disk}
	}
	all := func(e *dataset.Encoding) (samples []dataset.Sample) {
		for i := range rows.Len() {
			s, err := e.Sample(rows, i)
			if err != nil {
				t.Fatal(err)
			}
			again, err := e.Encode(rows.All[i].Image, rows.Caption(i))
			if err != nil {
				t.Fatal(err)
			}
			if again.ID, again.Label = s.ID, s.Label; !reflect.DeepEqual(s, again) {
				t.Errorf("row %d: Encode gives another sample", i)
			}
			// Dropping at random comes after the cache.
			thin, err := dataset.Thin{Items: dataset.Subset{Encoding: e, Rows: rows, Indices: []int{i}}, Drop: 0.5}.Sample(context.Background(), 0, rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			samples = append(samples, s, thin)
		}
		return samples
	}
	turned, long := tiny, tiny
	turned.ApplyOrientation, long.Long = true, 24
	pictures := map[string]bool{} // some rows may have the same
	for _, r := range rows.All {
		pictures[string(r.Image)] = true
	}
	n := len(pictures)
	for k, p := range []dataset.Processor{tiny, turned, long} {
		want := all(encoding(p, nil))
		first, second := open(), open()
		for round, f := range []*cache.Folder{first, second} {
			if !reflect.DeepEqual(all(encoding(p, f)), want) {
				t.Errorf("processor %d, round %d: the cache gives other samples", k, round)
			}
		}
		if a, b := first.Stats(), second.Stats(); a.Added != n || b.Added != 0 || b.Found != 3*rows.Len() || a.Found != 3*rows.Len()-n {
			t.Errorf("processor %d: first %+v, then %+v, of %d pictures", k, a, b, n)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "??", "*"))
	if err != nil || len(files) != 3*n {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, file := range files {
		if err := os.Truncate(file, 60); err != nil {
			t.Fatal(err)
		}
	}
	f := open()
	if !reflect.DeepEqual(all(encoding(tiny, f)), all(encoding(tiny, nil))) {
		t.Error("a damaged cache gives other samples")
	}
	if s := f.Stats(); s.Damaged != n || s.Added != n {
		t.Errorf("of %d damaged pictures: %+v", n, s)
	}

	broken := rows.All[0].Image[:700]
	for range 2 {
		_, want := encoding(tiny, nil).Encode(broken, "")
		_, got := encoding(tiny, f).Encode(broken, "")
		if want == nil || got == nil || got.Error() != want.Error() {
			t.Errorf("a broken picture: %v, want %v", got, want)
		}
	}
}
