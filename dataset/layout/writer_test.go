package layout

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

var allKinds = []Kind{HF, ViLT, Hub}

// writtenNames are the class names of [writtenRow].
var writtenNames = []string{"goldfish", `a "quoted: name`, "yes"}

// writtenRow is row i of a split, with a picture of size bytes.
func writtenRow(split string, i, size int) dataset.Row {
	label := i % len(writtenNames)
	r := dataset.Row{
		ID: dataset.ID(fmt.Sprintf("n%08d/%s_%d.jpg", label, split, i)), Image: bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size)[:size], Label: label,
		Caption: fmt.Sprintf("caption %d ü", i), WNID: fmt.Sprintf("n%08d", label), ClassName: writtenNames[label], Style: "sketch",
		Width: 40 + i, Height: 30 + i, Orientation: 1 + i%8, ImageSHA256: strings.Repeat("0", 64),
	}
	r.Raw, r.Model, r.Prompt, r.Fingerprint = r.Caption+".", "model", "a prompt", "f00"
	if i%2 == 1 {
		r.Flags = []string{"short", "names-class"}[:1+i%4/2]
		r.FlagValues = []float64{float64(i) / 4, 0.125}[:len(r.Flags)]
	}
	return r
}

// written writes counts rows a split.
func written(t testing.TB, dir string, kinds []Kind, o Options, counts map[string]int, size int, m schemas.DatasetManifest) []schemas.FileDigest {
	t.Helper()
	o.ClassNames = writtenNames
	w, err := Create(dir, kinds, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	buf := make([]byte, size)
	for _, split := range []string{"train", "validation", "test"} {
		n, ok := counts[split]
		if !ok {
			continue
		}
		if err := w.Begin(split); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			r := writtenRow(split, i, size)
			copy(buf, r.Image)
			r.Image = buf // is used again
			if err := w.Append(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(m); err != nil {
		t.Fatal(err)
	}
	return w.Files()
}

var someCounts = map[string]int{"train": 230, "validation": 5, "test": 101}

func TestWriterDigestsAndSameBytes(t *testing.T) {
	dir, again := t.TempDir(), t.TempDir()
	files := written(t, dir, allKinds, Options{Name: "mm_x", ShardBytes: 20_000}, someCounts, 300, schemas.DatasetManifest{})
	if other := written(t, again, allKinds, Options{Name: "mm_x", ShardBytes: 20_000}, someCounts, 300, schemas.DatasetManifest{}); !slices.Equal(files, other) {
		t.Errorf("the same input gave other bytes:\n%v\n%v", files, other)
	}
	var found []schemas.FileDigest
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		sum := sha256.Sum256(b)
		found = append(found, schemas.FileDigest{Path: filepath.ToSlash(rel), Bytes: int64(len(b)), SHA256: hex.EncodeToString(sum[:])})
		return err
	})
	slices.SortFunc(found, func(a, b schemas.FileDigest) int { return strings.Compare(a.Path, b.Path) })
	if err != nil || !slices.Equal(found, files) {
		t.Errorf("on disk %v, %v\nsaid %v", found, err, files)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	want := []string{
		"hf/dataset_dict.json",
		"hf/test/data-00000-of-00002.arrow", "hf/test/data-00001-of-00002.arrow", "hf/test/dataset_info.json", "hf/test/state.json",
		"hf/train/data-00000-of-00004.arrow", "hf/train/data-00001-of-00004.arrow", "hf/train/data-00002-of-00004.arrow", "hf/train/data-00003-of-00004.arrow",
		"hf/train/dataset_info.json", "hf/train/state.json",
		"hf/validation/data-00000-of-00001.arrow", "hf/validation/dataset_info.json", "hf/validation/state.json",
		"hub/README.md",
		"hub/data/test-00000-of-00002.parquet", "hub/data/test-00001-of-00002.parquet",
		"hub/data/train-00000-of-00004.parquet", "hub/data/train-00001-of-00004.parquet", "hub/data/train-00002-of-00004.parquet", "hub/data/train-00003-of-00004.parquet",
		"hub/data/validation-00000-of-00001.parquet",
		"vilt/mm_x_test.arrow", "vilt/mm_x_train.arrow", "vilt/mm_x_val.arrow",
	}
	if !slices.Equal(names, want) {
		t.Errorf("files\n%q, want\n%q", names, want)
	}
}

// streamRecords are the records of one stream.
func streamRecords(t *testing.T, path string) []arrow.Record {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := ipc.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var recs []arrow.Record
	for r.Next() {
		rec := r.Record()
		rec.Retain()
		recs = append(recs, rec)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return recs
}

// cellText is one value as Arrow prints it.
func cellText(rec arrow.Record, name string, i int) string {
	return rec.Column(rec.Schema().FieldIndices(name)[0]).ValueStr(i)
}

func TestHFFiles(t *testing.T) {
	dir := t.TempDir()
	written(t, dir, []Kind{HF}, Options{Fingerprint: "0123456789abcdef"}, map[string]int{"train": 230, "test": 2}, 300, schemas.DatasetManifest{})
	recs := streamRecords(t, filepath.Join(dir, "hf/train/data-00000-of-00001.arrow"))
	row := 0
	for i, rec := range recs {
		if want := []int64{100, 100, 30}[i]; rec.NumRows() != want {
			t.Errorf("batch %d has %d rows, want %d", i, rec.NumRows(), want)
		}
		for j := range int(rec.NumRows()) {
			r := writtenRow("train", row, 300)
			flags, _ := json.Marshal(r.Flags)
			values, _ := json.Marshal(r.FlagValues)
			if r.Flags == nil {
				flags, values = []byte("[]"), []byte("[]")
			}
			for name, want := range map[string]string{
				"id": string(r.ID), "label": fmt.Sprint(r.Label), "caption": r.Caption, "wnid": r.WNID, "class_name": r.ClassName, "style": r.Style,
				"width": fmt.Sprint(r.Width), "height": fmt.Sprint(r.Height), "orientation": fmt.Sprint(r.Orientation), "image_sha256": r.ImageSHA256,
				"caption_raw": r.Raw, "caption_model": r.Model, "caption_prompt": r.Prompt, "request_fingerprint": r.Fingerprint, "caption_flags": string(flags), "flag_values": string(values),
			} {
				if got := cellText(rec, name, j); got != want {
					t.Fatalf("row %d: %s is %q, want %q", row, name, got, want)
				}
			}
			var image struct {
				Bytes []byte
				Path  string
			}
			if err := json.Unmarshal([]byte(cellText(rec, "image", j)), &image); err != nil || !bytes.Equal(image.Bytes, r.Image) || image.Path != string(r.ID) {
				t.Fatalf("row %d: image %v, %v", row, image, err)
			}
			row++
		}
	}
	if row != 230 {
		t.Errorf("%d rows, want 230", row)
	}
	names, err := schemas.ClassNames(recs[0].Schema().Metadata())
	if err != nil || !slices.Equal(names, writtenNames) {
		t.Errorf("class names %q, %v", names, err)
	}
	for path, want := range map[string]string{
		"hf/dataset_dict.json": `{"splits":["train","test"]}`,
		"hf/train/state.json": `{"_data_files":[{"filename":"data-00000-of-00001.arrow"}],"_fingerprint":"74a8ba6e8abd264c","_format_columns":null,` +
			`"_format_kwargs":{},"_format_type":null,"_output_all_columns":false,"_split":"train"}`,
	} {
		b, err := os.ReadFile(filepath.Join(dir, path))
		var tight bytes.Buffer
		if err != nil || json.Compact(&tight, b) != nil || tight.String() != want+"\n" && tight.String() != want {
			t.Errorf("%s is %s, %v", path, tight.String(), err)
		}
	}
	var info hfInfo
	b, err := os.ReadFile(filepath.Join(dir, "hf/test/dataset_info.json"))
	if err != nil || json.Unmarshal(b, &info) != nil || len(info.Features) != schemas.NumColumns || info.Splits["train"].NumExamples != 230 || info.Splits["test"].NumExamples != 2 ||
		info.DatasetSize != info.Splits["train"].NumBytes+info.Splits["test"].NumBytes {
		t.Errorf("dataset_info.json: %s, %v", b, err)
	}
}

func TestBatchLimits(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, []Kind{HF}, Options{ClassNames: writtenNames})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Begin("train"); err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 40<<20)
	for i, size := range []int{10 << 20, 10 << 20, 10 << 20, 10 << 20, 40 << 20, 1, 2} {
		r := writtenRow("train", i, 0)
		r.Image = big[:size]
		if err := w.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	var rows []int64
	for _, rec := range streamRecords(t, filepath.Join(dir, "hf/train/data-00000-of-00001.arrow")) {
		rows = append(rows, rec.NumRows())
	}
	if want := []int64{3, 1, 1, 2}; !slices.Equal(rows, want) {
		t.Errorf("batches of %v rows, want %v", rows, want)
	}
}

func TestEmptySplit(t *testing.T) {
	dir := t.TempDir()
	files := written(t, dir, allKinds, Options{}, map[string]int{"train": 1, "test": 0}, 10, schemas.DatasetManifest{})
	if len(files) != 11 { // hub has none for test: load_dataset would fail on it
		t.Errorf("%d files: %v", len(files), files)
	}
	card, err := os.ReadFile(filepath.Join(dir, "hub/README.md"))
	if err != nil || bytes.Contains(card, []byte("data/test-")) || !bytes.Contains(card, []byte("data/train-*")) {
		t.Errorf("card %s, %v", card, err)
	}
	if recs := streamRecords(t, filepath.Join(dir, "hf/test/data-00000-of-00001.arrow")); len(recs) != 0 {
		t.Errorf("%d records", len(recs))
	}
}

func TestCreateErrors(t *testing.T) {
	for words, c := range map[string]struct {
		kinds []Kind
		o     Options
	}{
		"cannot begin a file name": {allKinds, Options{Name: "../x"}},
		"shards of -1 bytes":       {allKinds, Options{ShardBytes: -1}},
		"16 hexadecimal digits":    {allKinds, Options{Fingerprint: "x"}},
		"no layout asked for":      {nil, Options{}},
		`is called "lance"`:        {[]Kind{HF, "lance"}, Options{}},
		`two classes are called`:   {allKinds, Options{ClassNames: []string{"a", "a"}}},
	} {
		dir := t.TempDir()
		if _, err := Create(dir, c.kinds, c.o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v", words, left)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "hf"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, allKinds, Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder in the way: %v", err)
	}
}

func TestWriterErrors(t *testing.T) {
	good := writtenRow("train", 0, 5)
	with := func(edit func(*dataset.Row)) func(*Writer) error {
		r := good
		edit(&r)
		return func(w *Writer) error { return w.Append(r) }
	}
	for words, do := range map[string]func(*Writer) error{
		"label 3 of 3 classes":     with(func(r *dataset.Row) { r.Label = 3 }),
		"label -1 of":              with(func(r *dataset.Row) { r.Label = -1 }),
		"column 2 is not UTF-8":    with(func(r *dataset.Row) { r.Caption = "\xff" }),
		"flag of the caption":      with(func(r *dataset.Row) { r.Flags = []string{"\xff"} }),
		"1 values for the 2 flags": with(func(r *dataset.Row) { r.Flags, r.FlagValues = []string{"a", "b"}, []float64{1} }),
		"value of flag b of the caption is NaN": with(func(r *dataset.Row) {
			r.Flags, r.FlagValues = []string{"a", "b"}, []float64{1, math.NaN()}
		}),
		"a row holds 1073741824": with(func(r *dataset.Row) { r.Image = make([]byte, 1<<30) }), // its texts are too much
		"-1 by 30 pixels":        with(func(r *dataset.Row) { r.Width = -1 }),
		"out of order":           func(w *Writer) error { return w.Begin("test") },
		"of letters, digits":     func(w *Writer) error { return errors.Join(w.End(), w.Begin("a/b")) },
		`called "train" already`: func(w *Writer) error { return errors.Join(w.End(), w.Begin("train")) },
		`"validation" already`: func(w *Writer) error {
			return errors.Join(w.End(), w.Begin("validation"), w.End(), w.Begin("val"))
		},
	} {
		w, err := Create(t.TempDir(), allKinds, Options{ClassNames: writtenNames})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Begin("train"); err != nil {
			t.Fatal(err)
		}
		err = do(w)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
		for _, then := range []error{w.Append(good), w.End(), w.Begin("x"), w.Finish(schemas.DatasetManifest{})} {
			if then == nil {
				t.Errorf("%s: the writer goes on after it", words)
			}
		}
		w.Abort()
		w.Abort()
	}
}

// A disk that is full is reported by every encoder, whatever the library does with the error.
func TestFullDisk(t *testing.T) {
	for _, k := range allKinds {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip("there is no device that is always full: ", err)
		}
		w, err := Create(t.TempDir(), []Kind{k}, Options{ClassNames: writtenNames})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Begin("train"); err != nil {
			t.Fatal(err)
		}
		var s *shards
		switch l := w.current.layouts[0].(type) {
		case *hf:
			s = &l.shards
		case *vilt:
			s = &l.shards
		case *hub:
			s = &l.shards
		}
		if err := s.begin(); err != nil {
			t.Fatal(err)
		}
		s.f.f.Close()
		s.f.f = full
		for i := 0; i < 3 && err == nil; i++ {
			err = w.Append(writtenRow("train", i, 1000))
		}
		if err == nil {
			err = w.End()
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
			t.Errorf("%s: %v", k, err)
		}
		w.Abort()
	}
}

func openFiles(t *testing.T) int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("cannot count open files: ", err)
	}
	return len(d)
}

func TestAbortLeavesNothingOpen(t *testing.T) {
	files, routines := openFiles(t), runtime.NumGoroutine()
	for _, rows := range []int{0, 1, 250} {
		w, err := Create(t.TempDir(), allKinds, Options{ClassNames: writtenNames, ShardBytes: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Begin("train"); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := w.Append(writtenRow("train", i, 200)); err != nil {
				t.Fatal(err)
			}
		}
		w.Abort()
		if err := w.End(); err == nil {
			t.Error("goes on after Abort")
		}
	}
	for i := 0; i < 100 && runtime.NumGoroutine() > routines; i++ {
		time.Sleep(time.Millisecond)
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d files open, %d before", n, files)
	}
	if n := runtime.NumGoroutine(); n > routines {
		t.Errorf("%d goroutines, %d before", n, routines)
	}
}

func TestBatchReleasesAll(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	b := newBatch(mem)
	defer b.release()
	for range 2 {
		for i := range 10 {
			r := writtenRow("train", i, 10)
			b.append(&r, 10)
		}
		c := b.take()
		if c.rows != 10 || c.pictureBytes != 100 || b.rows != 0 {
			t.Errorf("%d rows, %d bytes of pictures, %d rows left", c.rows, c.pictureBytes, b.rows)
		}
		c.release()
	}
}
