package layout_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
)

// Another program may order the columns otherwise, add its own, split rows into any batches and know nothing of mcil.
func TestOpenAnotherWritersDataset(t *testing.T) {
	ours := readSchema(t)
	hf, _ := ours.Metadata().GetValue(schemas.HuggingFaceKey)
	theirs := readChange(ours, func(f []arrow.Field) []arrow.Field {
		slices.Reverse(f)
		extra := []arrow.Field{
			{Name: "split", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		}
		return slices.Concat(extra[:1], f, extra[1:2])
	}, map[string]string{schemas.HuggingFaceKey: hf})
	dir := readSaved(t, readStream(t, theirs, 3, 0, 1, 2), readStream(t, theirs, 5))
	d := readOpen(t, dir)
	if want := []dataset.Class{{WNID: datasettest.Goldfish, Name: "goldfish"}, {WNID: datasettest.Shark, Name: "shark"}}; !slices.Equal(d.Classes, want) {
		t.Errorf("classes %v, want %v", d.Classes, want)
	}
	rows := d.Splits[dataset.Test]
	if rows.Len() != 11 {
		t.Fatalf("%d rows, want 11", rows.Len())
	}
	for i := range rows.Len() {
		n := i
		if i >= 6 {
			n = i - 6 // the second shard counts afresh
		}
		r, err := rows.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		if r.Caption != fmt.Sprintf("a drawing %d", n) || r.Label != n%2 || r.Width != 100+n || !bytes.Equal(r.Image, []byte{1, 2, byte(n)}) ||
			len(r.Flags) != n%3 || r.ID.WNID() != r.WNID {
			t.Errorf("row %d: %+v", i, r)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	ours := readSchema(t)
	good := readStream(t, ours, 4, 3)
	hf, _ := ours.Metadata().GetValue(schemas.HuggingFaceKey)
	own := func(header string) *arrow.Schema {
		return readChange(ours, nil, map[string]string{schemas.HuggingFaceKey: hf, schemas.MetadataKey: header})
	}
	without := func(name string) *arrow.Schema {
		return readChange(ours, func(f []arrow.Field) []arrow.Field {
			return slices.DeleteFunc(f, func(f arrow.Field) bool { return f.Name == name })
		}, nil)
	}
	retyped := func(name string, typ arrow.DataType) *arrow.Schema {
		return readChange(ours, func(f []arrow.Field) []arrow.Field {
			f[slices.IndexFunc(f, func(f arrow.Field) bool { return f.Name == name })].Type = typ
			return f
		}, nil)
	}
	renamed := readChange(ours, nil, map[string]string{schemas.HuggingFaceKey: strings.Replace(hf, `"goldfish","shark"`, `"shark","goldfish"`, 1)})
	var inFile bytes.Buffer
	inFile.WriteString("ARROW1\x00\x00")
	inFile.Write(good)
	for _, c := range []struct {
		name   string
		shards [][]byte
		target error
		words  []string
	}{
		{"newer rows", [][]byte{readStream(t, own(`{"schema":"mcil.rows","version":4}`), 2)}, nil, []string{"version 4", "use a newer mcil"}},
		{"older rows", [][]byte{readStream(t, own(`{"schema":"mcil.rows","version":2}`), 2)}, nil, []string{"version 2", "reads version 3 and later: make it again"}},
		{"older ViLT", [][]byte{readStream(t, own(`{"schema":"mcil.vilt","version":1}`), 2)}, nil, []string{"version 1", "reads version 2 and later: make it again"}},
		{"other schema", [][]byte{readStream(t, own(`{"schema":"mcil.exemplars","version":1}`), 2)}, nil, []string{`"mcil.exemplars"`}},
		{"damaged header", [][]byte{readStream(t, own(`{`), 2)}, nil, []string{`"mcil" metadata`}},
		{"no names", [][]byte{readStream(t, readChange(without("class_name"), nil, map[string]string{"x": "y"}), 2)}, dataset.ErrRefused, []string{"labels have no names", `"huggingface" metadata`}},
		{"no label names", [][]byte{readStream(t, readChange(ours, nil, map[string]string{schemas.HuggingFaceKey: "{}"}), 2)}, dataset.ErrRefused, []string{"ClassLabel"}},
		{"missing column", [][]byte{readStream(t, without("caption"), 2)}, dataset.ErrRefused, []string{"column caption", "mcil build"}},
		{"missing picture", [][]byte{readStream(t, without("image"), 2)}, dataset.ErrRefused, []string{"column image"}},
		{"wrong type", [][]byte{readStream(t, retyped("label", arrow.PrimitiveTypes.Int32), 2)}, dataset.ErrRefused, []string{"column label is int32, want int64"}},
		{"picture as text", [][]byte{readStream(t, retyped("image", arrow.BinaryTypes.String), 2)}, dataset.ErrRefused, []string{"column image is utf8"}},
		{"optional of another type", [][]byte{readStream(t, retyped("style", arrow.PrimitiveTypes.Int32), 2)}, dataset.ErrRefused, []string{"column style is int32, want utf8"}},
		{"no id", [][]byte{readStream(t, without("id"), 2)}, dataset.ErrRefused, []string{"column id or image_id", "mcil build"}},
		{"no rows", [][]byte{readStream(t, ours)}, dataset.ErrRefused, []string{"has no rows"}},
		{"no shards", nil, dataset.ErrRefused, []string{"has no rows"}},
		{"empty file", [][]byte{{}}, dataset.ErrRefused, []string{"not an Arrow IPC stream"}},
		{"text", [][]byte{[]byte("hello, this is no arrow")}, dataset.ErrRefused, []string{"not an Arrow IPC stream"}},
		{"begun as a file", [][]byte{inFile.Bytes()}, dataset.ErrRefused, []string{"does not end in an Arrow footer"}},
		{"file format", [][]byte{readIPC(t, ours, 2)}, dataset.ErrRefused, []string{"not an Arrow IPC stream", "but an Arrow IPC file"}},
		{"compressed", [][]byte{readStreamOf(t, ours, []int{20}, ipc.WithZstd())}, dataset.ErrRefused, []string{"part 0.arrow", "compressed", "write it without"}},
		{"shards of other classes", [][]byte{good, readStream(t, renamed, 2)}, dataset.ErrRefused, []string{"part 1.arrow", "other classes"}},
		{"cut off", [][]byte{good[:len(good)-100]}, dataset.ErrRefused, []string{"part 0.arrow", "cut off"}},
		{"without the end mark", [][]byte{good[:len(good)-8]}, dataset.ErrRefused, []string{"cut off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := layout.Open(readSaved(t, c.shards...))
			datasettest.WantError(t, err, c.target, c.words...)
		})
	}
}

// However a stream is cut, the missing rows are noticed.
func TestOpenCutAnywhere(t *testing.T) {
	good := readStream(t, readSchema(t), 3, 2)
	dir := readSaved(t, good)
	readOpen(t, dir)
	for n := 0; n < len(good); n += 1 + n%97 {
		for _, split := range []string{"train", "test"} {
			if err := os.WriteFile(filepath.Join(dir, split, "part 0.arrow"), good[:n], 0o666); err != nil {
				t.Fatal(err)
			}
		}
		_, err := layout.Open(dir)
		datasettest.WantError(t, err, dataset.ErrRefused, "part 0.arrow")
	}
}

func TestOpenDamagedValues(t *testing.T) {
	ours := readSchema(t)
	record := func(edit func(*array.RecordBuilder)) []byte {
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(ours))
		b := array.NewRecordBuilder(memory.DefaultAllocator, ours)
		for i, f := range ours.Fields() {
			readAppend(b.Field(i), f.Name, 0)
		}
		edit(b)
		rec := b.NewRecord()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return out.Bytes()
	}
	row := func(null int) func(*array.RecordBuilder) { // a second row with one null
		return func(b *array.RecordBuilder) {
			for i, f := range ours.Fields() {
				if i == null {
					b.Field(i).AppendNull()
				} else {
					readAppend(b.Field(i), f.Name, 1)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		edit  func(*array.RecordBuilder)
		words string
	}{
		"null id":     {row(schemas.ColID), "column id has no value in row 1"},
		"null label":  {row(schemas.ColLabel), "column label has no value in row 1"},
		"null image":  {row(schemas.ColImage), "column image has no value in row 1"},
		"other label": {func(b *array.RecordBuilder) { readRowOf(b, ours, 1, 2) }, "label 2 of 2 classes"},
		"negative":    {func(b *array.RecordBuilder) { readRowOf(b, ours, 1, -1) }, "label -1 of 2 classes"},
		"other wnid":  {func(b *array.RecordBuilder) { readRowOf(b, ours, 1, 0) }, "label 0 is " + datasettest.Shark + " here and " + datasettest.Goldfish + " elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := layout.Open(readSaved(t, record(c.edit)))
			datasettest.WantError(t, err, dataset.ErrRefused, c.words)
		})
	}
}

// readRowOf appends row with another label.
func readRowOf(b *array.RecordBuilder, schema *arrow.Schema, row, label int) {
	for i, f := range schema.Fields() {
		if f.Name == "label" {
			b.Field(i).(*array.Int64Builder).Append(int64(label))
		} else {
			readAppend(b.Field(i), f.Name, row)
		}
	}
}

func TestOpenDamagedFolders(t *testing.T) {
	good := readStream(t, readSchema(t), 3)
	_, err := layout.Open(t.TempDir())
	datasettest.WantError(t, err, dataset.ErrNoSource, "dataset_dict.json", "mcil build")
	for name, c := range map[string]struct {
		edit   func(dir string)
		target error
		words  []string
	}{
		"damaged dict": {func(dir string) { os.WriteFile(filepath.Join(dir, "dataset_dict.json"), []byte("{"), 0o666) }, nil, []string{"dataset_dict.json", "damaged JSON"}},
		"split outside": {func(dir string) {
			readWriteJSON(t, filepath.Join(dir, "dataset_dict.json"), map[string]any{"splits": []string{"../train", "test"}})
		}, dataset.ErrRefused, []string{"../train"}},
		"no test": {func(dir string) {
			readWriteJSON(t, filepath.Join(dir, "dataset_dict.json"), map[string]any{"splits": []string{"train"}})
		}, dataset.ErrRefused, []string{"train and test"}},
		"missing folder": {func(dir string) { os.RemoveAll(filepath.Join(dir, "test")) }, fs.ErrNotExist, []string{"test"}},
		"missing shard":  {func(dir string) { os.Remove(filepath.Join(dir, "test", "part 0.arrow")) }, fs.ErrNotExist, []string{"part 0.arrow"}},
		"damaged state":  {func(dir string) { os.WriteFile(filepath.Join(dir, "train", "state.json"), nil, 0o666) }, nil, []string{"state.json", "damaged JSON"}},
		"shard outside": {func(dir string) {
			readWriteJSON(t, filepath.Join(dir, "train", "state.json"), map[string]any{"_data_files": []any{map[string]string{"filename": "/etc/passwd"}}})
		}, dataset.ErrRefused, []string{"/etc/passwd", "outside the folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := readSaved(t, good)
			c.edit(dir)
			_, err := layout.Open(dir)
			datasettest.WantError(t, err, c.target, c.words...)
		})
	}
}
