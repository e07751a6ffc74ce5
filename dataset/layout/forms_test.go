package layout_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
)

func TestOpenFileForms(t *testing.T) {
	ours, vilt := readSchema(t), readViLTSchema(true)
	large := readChange(ours, func(f []arrow.Field) []arrow.Field {
		f[schemas.ColImage].Type = arrow.BinaryTypes.LargeBinary
		f[schemas.ColCaption].Type = arrow.BinaryTypes.LargeString
		f[schemas.ColFlags].Type = arrow.ListOf(arrow.BinaryTypes.String)
		return f
	}, nil)
	few := readChange(ours, func(f []arrow.Field) []arrow.Field { // what save_to_disk leaves of any labelled pictures with texts
		return []arrow.Field{f[schemas.ColID], f[schemas.ColLabel], f[schemas.ColImage], f[schemas.ColCaption]}
	}, nil)
	pages := parquet.WithDataPageSize(40)
	for _, c := range []struct {
		name    string
		content []byte
		form    layout.Form
		rows    int
	}{
		{"stream", readStream(t, ours, 4, 0, 3), layout.Stream, 7},
		{"stream of few columns", readStream(t, few, 4, 3), layout.Stream, 7},
		{"stream of vilt columns", readStream(t, vilt, 5), layout.Stream, 5},
		{"stream of large columns", readStream(t, large, 5), layout.Stream, 5},
		{"file", readIPC(t, ours, 4, 3), layout.IPC, 7},
		{"file of vilt columns", readIPC(t, vilt, 1, 1, 9), layout.IPC, 11},
		{"file of large columns", readIPC(t, large, 5), layout.IPC, 5},
		{"parquet", readParquet(t, ours, []int{4, 3}), layout.Parquet, 7},
		{"parquet of vilt columns", readParquet(t, vilt, []int{9, 1}), layout.Parquet, 10},
		{"parquet snappy", readParquet(t, ours, []int{40, 3}, parquet.WithCompression(compress.Codecs.Snappy)), layout.Parquet, 43},
		{"parquet gzip", readParquet(t, ours, []int{40, 3}, parquet.WithCompression(compress.Codecs.Gzip)), layout.Parquet, 43},
		{"parquet zstd", readParquet(t, ours, []int{40, 3}, parquet.WithCompression(compress.Codecs.Zstd)), layout.Parquet, 43},
		{"parquet plain", readParquet(t, ours, []int{90}, parquet.WithDictionaryDefault(false)), layout.Parquet, 90},
		{"parquet small pages", readParquet(t, ours, []int{90}, pages, parquet.WithBatchSize(7)), layout.Parquet, 90},
		{"parquet pages 2", readParquet(t, ours, []int{90}, pages, parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithBatchSize(7),
			parquet.WithCompression(compress.Codecs.Snappy)), layout.Parquet, 90},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := readFile(t, c.content)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if want := []string{"goldfish", "shark"}; f.Form != c.form || !slices.Equal(f.ClassNames, want) {
				t.Errorf("form %s, classes %q, want %s, %q", f.Form, f.ClassNames, c.form, want)
			}
			readCheckRows(t, f.Rows, c.rows, f.Columns...)
		})
	}
}

func TestOpenFileColumns(t *testing.T) {
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"stream":  {readStream(t, readViLTSchema(false), 2), "image: binary text: list<item: utf8, nullable> label: int64 image_id: utf8 split: utf8"},
		"parquet": {readParquet(t, readViLTSchema(false), []int{2}), "image: binary text: list<element: utf8> label: int64 image_id: utf8 split: utf8"},
	} {
		f, err := readFile(t, c.content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer f.Close()
		if got := strings.Join(f.Columns, " "); got != c.want || f.ClassNames != nil {
			t.Errorf("%s: columns %s, want %s; classes %q", name, got, c.want, f.ClassNames)
		}
	}
}

// What is true of our own writer's folders, whichever of them is opened.
func TestOpenLayouts(t *testing.T) {
	dir := t.TempDir()
	rows := func(r dataset.Rows) (all []string) {
		for i := range r.Len() {
			row, err := r.Row(i)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%+v", row))
		}
		return all
	}
	w, err := layout.Create(dir, []layout.Kind{layout.HF, layout.ViLT, layout.Hub}, layout.Options{Name: "mm", ClassNames: []string{"goldfish", "shark", "none"}, ShardBytes: 150})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for split, n := range map[string]int{"train": 250, "validation": 1, "test": 5} {
		if err := w.Begin(split); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			wnid := []string{datasettest.Goldfish, datasettest.Shark}[i%2]
			r := dataset.Row{
				ID: dataset.ID(fmt.Sprintf("%s/%s_%d.jpg", wnid, split, i)), Image: []byte(fmt.Sprint("picture", i)), Label: i % 2, WNID: wnid,
				Caption: fmt.Sprint("caption ", i), ClassName: []string{"goldfish", "shark"}[i%2], Style: "sketch", Width: i, Height: 2 * i,
				Orientation: 1 + i%8, ImageSHA256: strings.Repeat("0a", 32),
				CaptionInfo: dataset.CaptionInfo{Raw: "raw", Model: "model", Prompt: "prompt", Fingerprint: "f"},
			}
			if i%3 == 1 {
				r.Flags, r.FlagValues = []string{"long", "names"}, []float64{float64(i), 0.5}
			}
			want[split] = append(want[split], fmt.Sprintf("%+v", r))
			if err := w.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
	}
	manifest := schemas.DatasetManifest{Header: schemas.DatasetHeader, Rows: map[string]int{"train": 250, "validation": 1, "test": 5}, Classes: []schemas.ClassSummary{
		{WNID: datasettest.Goldfish, Name: "goldfish"}, {WNID: datasettest.Shark, Name: "shark"}, {WNID: "n0", Name: "none"},
	}}
	if err := w.Finish(manifest); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "manifest.json")
	if err := schemas.WriteJSON(path, manifest); err != nil {
		t.Fatal(err)
	}
	check := func(path, base string) {
		t.Helper()
		d := readOpen(t, path)
		if filepath.Base(d.Dir) != base {
			t.Errorf("%s opens %s", path, d.Dir)
		}
		if want := []dataset.Class{{WNID: datasettest.Goldfish, Name: "goldfish"}, {WNID: datasettest.Shark, Name: "shark"}, {WNID: "n0", Name: "none"}}; !slices.Equal(d.Classes, want) {
			t.Errorf("%s: classes %v, want %v", base, d.Classes, want)
		}
		for split, want := range want {
			if got := rows(d.Splits[split]); !slices.Equal(got, want) {
				t.Errorf("%s: %s is\n%s, want\n%s", base, split, got[0], want[0])
			}
		}
	}
	for _, kind := range []string{"hf", "vilt", "hub"} {
		check(filepath.Join(dir, kind), kind)
		check(dir, kind)
		if err := os.Rename(filepath.Join(dir, kind), filepath.Join(dir, "old-"+kind)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, dataset.ErrNoSource, "dataset_dict.json", "parquet")
	back := func(kind string) string {
		if err := os.Rename(filepath.Join(dir, "old-"+kind), filepath.Join(dir, kind)); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, kind)
	}
	back("hub")
	shards, _ := filepath.Glob(filepath.Join(dir, "hub", "data", "train-*.parquet"))
	if len(shards) < 3 {
		t.Fatalf("shards %q, want three at least", shards)
	}
	for _, at := range []int{0, 1, len(shards) - 1} {
		if err := os.Rename(shards[at], "x"); err == nil {
			_, openErr := layout.Open(dir)
			datasettest.WantError(t, openErr, dataset.ErrRefused, "missing")
			if err := os.Rename("x", shards[at]); err != nil {
				t.Fatal(err)
			}
		}
	}
	manifest.Rows["train"]++
	if err := schemas.WriteJSON(path, manifest); err != nil {
		t.Fatal(err)
	}
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, dataset.ErrRefused, "train", "250 rows, and 251 by the manifest")
	manifest.Version++
	if err := schemas.WriteJSON(path, manifest); err != nil {
		t.Fatal(err)
	}
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, nil, "manifest.json", "use a newer mcil")
}

// Files of another program: no metadata, so the classes' names are in the rows, or in no place.
func TestOpenViLT(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, content []byte) { readPut(t, filepath.Join(dir, "vilt", name), content) }
	named := readIPC(t, readViLTSchema(true), 2, 3)
	put("food101_train.arrow", named)
	_, err := layout.Open(dir)
	datasettest.WantError(t, err, dataset.ErrRefused, "no splits called train and test")
	put("food101_test.arrow", readIPC(t, readViLTSchema(false), 3))
	put("food101_val.arrow", named)
	d := readOpen(t, dir)
	if want := []dataset.Class{{WNID: datasettest.Goldfish, Name: "goldfish"}, {WNID: datasettest.Shark, Name: "shark"}}; !slices.Equal(d.Classes, want) || len(d.Splits) != 3 {
		t.Errorf("classes %v, want %v; %d splits", d.Classes, want, len(d.Splits))
	}
	readCheckRows(t, d.Splits[dataset.Validation], 5, "class_name:")
	put("food101_train.arrow", readIPC(t, readViLTSchema(false), 3))
	put("food101_val.arrow", readIPC(t, readViLTSchema(false), 3))
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, dataset.ErrRefused, "labels have no names", "class_name")
	readWriteJSON(t, filepath.Join(dir, "manifest.json"), map[string]any{
		"schema": "mcil.dataset", "version": schemas.DatasetHeader.Version, "classes": []any{map[string]any{"name": "a", "wnid": datasettest.Goldfish}, map[string]any{"name": "b"}}})
	if d := readOpen(t, dir); d.Classes[1] != (dataset.Class{WNID: datasettest.Shark, Name: "b"}) {
		t.Errorf("classes %v", d.Classes)
	}
	put("food101_test.arrow", readStream(t, readViLTSchema(true), 3))
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, dataset.ErrRefused, "food101_test.arrow", "not an Arrow IPC file, as its folder has, but an Arrow IPC stream")
	put("mmimdb_test.arrow", named)
	_, err = layout.Open(dir)
	datasettest.WantError(t, err, dataset.ErrRefused, "food101", "mmimdb")
}

func TestOpenNoDataset(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	readPut(t, file, nil)
	_, err := layout.Open(file)
	datasettest.WantError(t, err, dataset.ErrNoSource, "is a file")
	_, err = layout.Open(file + "y")
	datasettest.WantError(t, err, dataset.ErrNoSource, "xy")
	if _, err := layout.OpenFile(file + "y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	_, err = layout.OpenFile(filepath.Dir(file))
	datasettest.WantError(t, err, dataset.ErrRefused, "is a folder")
	_, err = layout.Open(filepath.Join(readSaved(t, readStream(t, readSchema(t), 1)), "train"))
	datasettest.WantError(t, err, dataset.ErrNoSource, "single split")
}

// readForms are small files of all forms.
func readForms(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"stream": readStream(t, readViLTSchema(true), 3, 2), "file": readIPC(t, readSchema(t), 3), "parquet": readParquet(t, readViLTSchema(true), []int{3, 2}),
		"snappy": readParquet(t, readViLTSchema(true), []int{9}, parquet.WithCompression(compress.Codecs.Snappy)),
		"zstd":   readParquet(t, readViLTSchema(true), []int{9}, parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDataPageVersion(parquet.DataPageV2)),
	}
}

// readAll reads all of a file, and says how many bytes of memory that took.
func readAll(content []byte) (allocated uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := layout.OpenBytes(content)
	if err == nil {
		for i := range f.Rows.Len() {
			f.Rows.Row(i)
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// Whatever byte of a file is damaged, reading it neither panics nor takes much memory.
func TestOpenDamagedFiles(t *testing.T) {
	for name, good := range readForms(t) {
		refused := 0
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= []byte{0xFF, 0x01, 0x80}[at%3]
			allocated, err := readAll(bad)
			if allocated > 32<<20 {
				t.Errorf("%s: byte %d: %d bytes of memory", name, at, allocated)
			}
			if err != nil {
				refused++
			}
		}
		if refused < len(good)/40 {
			t.Errorf("%s: only %d damages noticed", name, refused)
		}
		for n := range good {
			if _, err := layout.OpenBytes(good[:n:n]); err == nil {
				t.Fatalf("%s: cut off at byte %d of %d is read", name, n, len(good))
			} else if !errors.Is(err, dataset.ErrRefused) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s: cut off at byte %d of %d: %q", name, n, len(good), err)
			}
		}
	}
}

func TestOpenConcurrently(t *testing.T) {
	for name, content := range readForms(t) {
		f, err := readFile(t, content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { readCheckRows(t, f.Rows, f.Rows.Len(), f.Columns...) })
		}
		wg.Wait()
		f.Close()
	}
}

// Texts outlive the file, because they are copies.
func TestTextsOutliveClose(t *testing.T) {
	for name, content := range readForms(t) {
		f, err := readFile(t, content)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := f.Rows.Row(1)
		if err != nil {
			t.Fatal(err)
		}
		id, caption := f.Rows.ID(1), f.Rows.Caption(1)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if r.ID != id || r.Caption != caption || r.Caption != "a drawing 1" {
			t.Errorf("%s: %q %q %q %q", name, r.ID, id, r.Caption, caption)
		}
	}
}
