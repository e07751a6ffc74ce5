package dataset_test

import (
	"bytes"
	"encoding/json"
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
	"github.com/mcil/mcil/schemas"
)

// stream is an IPC stream of rows goldfish_0, shark_1, goldfish_2, ... of the given schema, n a batch. Columns are found by
// name, so their order is the schema's.
func stream(t testing.TB, schema *arrow.Schema, batches ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	row := 0
	for _, n := range batches {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range n {
			for i, f := range schema.Fields() {
				appendValue(b.Field(i), f.Name, row)
			}
			row++
		}
		rec := b.NewRecord()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		b.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func appendValue(b array.Builder, name string, row int) {
	wnid := []string{goldfish, shark}[row%2]
	text := map[string]string{
		"id": fmt.Sprintf("%s/sketch_%d.jpg", wnid, row), "wnid": wnid, "class_name": []string{"goldfish", "shark"}[row%2],
		"caption": fmt.Sprintf("a drawing %d", row), "style": "sketch",
	}
	switch b := b.(type) {
	case *array.StructBuilder:
		b.Append(true)
		b.FieldBuilder(0).(*array.BinaryBuilder).Append([]byte{1, 2, byte(row)})
		b.FieldBuilder(1).AppendNull()
	case *array.Int64Builder:
		b.Append(int64(row % 2))
	case *array.Int32Builder:
		b.Append(int32(100 + row))
	case *array.ListBuilder:
		b.Append(true)
		b.ValueBuilder().(*array.StringBuilder).Append("flag")
	case *array.StringBuilder:
		b.Append(text[name])
	default:
		b.AppendNull()
	}
}

func rowSchema(t testing.TB) *arrow.Schema {
	t.Helper()
	s, err := schemas.Rows([]string{"goldfish", "shark"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// change is schema with other fields and metadata; a nil argument keeps what is there.
func change(schema *arrow.Schema, fields func([]arrow.Field) []arrow.Field, metadata map[string]string) *arrow.Schema {
	f, md := slices.Clone(schema.Fields()), schema.Metadata()
	if fields != nil {
		f = fields(f)
	}
	if metadata != nil {
		md = arrow.MetadataFrom(metadata)
	}
	return arrow.NewSchema(f, &md)
}

// saved is a folder as save_to_disk leaves it, with the given shards in both splits.
func saved(t testing.TB, shards ...[]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "saved")
	for _, split := range []string{"train", "test"} {
		var files []map[string]string
		if err := os.MkdirAll(filepath.Join(dir, split), 0o777); err != nil {
			t.Fatal(err)
		}
		for i, body := range shards {
			name := fmt.Sprintf("part %d.arrow", i)
			files = append(files, map[string]string{"filename": name})
			if err := os.WriteFile(filepath.Join(dir, split, name), body, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		writeJSON(t, filepath.Join(dir, split, "state.json"), map[string]any{"_data_files": files})
	}
	writeJSON(t, filepath.Join(dir, "dataset_dict.json"), map[string]any{"splits": []string{"train", "test"}})
	return dir
}

func writeJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// Another program may order the columns otherwise, add its own, split rows into any batches and know nothing of mcil.
func TestOpenAnotherWritersDataset(t *testing.T) {
	ours := rowSchema(t)
	hf, _ := ours.Metadata().GetValue(schemas.HuggingFaceKey)
	theirs := change(ours, func(f []arrow.Field) []arrow.Field {
		slices.Reverse(f)
		extra := []arrow.Field{
			{Name: "split", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		}
		return slices.Concat(extra[:1], f, extra[1:2])
	}, map[string]string{schemas.HuggingFaceKey: hf})
	dir := saved(t, stream(t, theirs, 3, 0, 1, 2), stream(t, theirs, 5))
	d := open(t, dir)
	if want := []dataset.Class{{goldfish, "goldfish"}, {shark, "shark"}}; !slices.Equal(d.Classes, want) {
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
		r := rows.Row(i)
		if r.Caption != fmt.Sprintf("a drawing %d", n) || r.Label != n%2 || r.Width != 100+n || !bytes.Equal(r.Image, []byte{1, 2, byte(n)}) ||
			!slices.Equal(r.Flags, []string{"flag"}) || r.ID.WNID() != r.WNID {
			t.Errorf("row %d: %+v", i, r)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	ours := rowSchema(t)
	good := stream(t, ours, 4, 3)
	hf, _ := ours.Metadata().GetValue(schemas.HuggingFaceKey)
	own := func(header string) *arrow.Schema {
		return change(ours, nil, map[string]string{schemas.HuggingFaceKey: hf, schemas.MetadataKey: header})
	}
	without := func(name string) *arrow.Schema {
		return change(ours, func(f []arrow.Field) []arrow.Field {
			return slices.DeleteFunc(f, func(f arrow.Field) bool { return f.Name == name })
		}, nil)
	}
	retyped := func(name string, typ arrow.DataType) *arrow.Schema {
		return change(ours, func(f []arrow.Field) []arrow.Field {
			f[slices.IndexFunc(f, func(f arrow.Field) bool { return f.Name == name })].Type = typ
			return f
		}, nil)
	}
	renamed := change(ours, nil, map[string]string{schemas.HuggingFaceKey: strings.Replace(hf, `"goldfish","shark"`, `"shark","goldfish"`, 1)})
	var inFile bytes.Buffer
	inFile.WriteString("ARROW1\x00\x00")
	inFile.Write(good)
	for _, c := range []struct {
		name   string
		shards [][]byte
		target error
		words  []string
	}{
		{"newer rows", [][]byte{stream(t, own(`{"schema":"mcil.rows","version":2}`), 2)}, nil, []string{"version 2", "use a newer mcil"}},
		{"other schema", [][]byte{stream(t, own(`{"schema":"mcil.exemplars","version":1}`), 2)}, nil, []string{`"mcil.exemplars"`}},
		{"damaged header", [][]byte{stream(t, own(`{`), 2)}, nil, []string{`"mcil" metadata`}},
		{"no names", [][]byte{stream(t, change(ours, nil, map[string]string{"x": "y"}), 2)}, dataset.ErrRefused, []string{`no "huggingface" metadata`}},
		{"no label names", [][]byte{stream(t, change(ours, nil, map[string]string{schemas.HuggingFaceKey: "{}"}), 2)}, dataset.ErrRefused, []string{"ClassLabel"}},
		{"missing column", [][]byte{stream(t, without("caption"), 2)}, dataset.ErrRefused, []string{"column caption", "mcil build"}},
		{"missing picture", [][]byte{stream(t, without("image"), 2)}, dataset.ErrRefused, []string{"column image"}},
		{"wrong type", [][]byte{stream(t, retyped("label", arrow.PrimitiveTypes.Int32), 2)}, dataset.ErrRefused, []string{"column label is int32, want int64"}},
		{"picture as binary", [][]byte{stream(t, retyped("image", arrow.BinaryTypes.Binary), 2)}, dataset.ErrRefused, []string{"column image is binary"}},
		{"no rows", [][]byte{stream(t, ours)}, dataset.ErrRefused, []string{"has no rows"}},
		{"no shards", nil, dataset.ErrRefused, []string{"has no rows"}},
		{"empty file", [][]byte{{}}, dataset.ErrRefused, []string{"not an Arrow IPC stream"}},
		{"text", [][]byte{[]byte("hello, this is no arrow")}, dataset.ErrRefused, []string{"not an Arrow IPC stream"}},
		{"file format", [][]byte{inFile.Bytes()}, dataset.ErrRefused, []string{"not an Arrow IPC stream", "ARROW1"}},
		{"shards of other classes", [][]byte{good, stream(t, renamed, 2)}, dataset.ErrRefused, []string{"part 1.arrow", "other classes"}},
		{"cut off", [][]byte{good[:len(good)-100]}, dataset.ErrRefused, []string{"part 0.arrow", "cut off"}},
		{"without the end mark", [][]byte{good[:len(good)-8]}, dataset.ErrRefused, []string{"cut off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dataset.Open(saved(t, c.shards...))
			wantError(t, err, c.target, c.words...)
		})
	}
}

// However a stream is cut, the missing rows are noticed.
func TestOpenCutAnywhere(t *testing.T) {
	good := stream(t, rowSchema(t), 3, 2)
	dir := saved(t, good)
	open(t, dir)
	for n := 0; n < len(good); n += 1 + n%97 {
		for _, split := range []string{"train", "test"} {
			if err := os.WriteFile(filepath.Join(dir, split, "part 0.arrow"), good[:n], 0o666); err != nil {
				t.Fatal(err)
			}
		}
		_, err := dataset.Open(dir)
		wantError(t, err, dataset.ErrRefused, "part 0.arrow")
	}
}

func TestOpenDamagedValues(t *testing.T) {
	ours := rowSchema(t)
	record := func(edit func(*array.RecordBuilder)) []byte {
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(ours))
		b := array.NewRecordBuilder(memory.DefaultAllocator, ours)
		for i, f := range ours.Fields() {
			appendValue(b.Field(i), f.Name, 0)
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
					appendValue(b.Field(i), f.Name, 1)
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
		"other label": {func(b *array.RecordBuilder) { rowOf(b, ours, 1, 2) }, "label 2 of 2 classes"},
		"negative":    {func(b *array.RecordBuilder) { rowOf(b, ours, 1, -1) }, "label -1 of 2 classes"},
		"other wnid":  {func(b *array.RecordBuilder) { rowOf(b, ours, 1, 0) }, "label 0 is " + shark + " here and " + goldfish + " elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dataset.Open(saved(t, record(c.edit)))
			wantError(t, err, dataset.ErrRefused, c.words)
		})
	}
	// Offsets that lead out of the text: the damage is one byte of the stream and shows when it is opened.
	good := stream(t, ours, 3)
	found := 0
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 0x7F
		if at%5 != 0 { // all of them would take too long
			continue
		}
		d, err := dataset.Open(saved(t, bad))
		if err != nil {
			found++
			continue
		}
		for _, rows := range d.Splits {
			for i := range rows.Len() {
				rows.Row(i)
			}
		}
		d.Close()
	}
	if found < 20 {
		t.Errorf("only %d damages noticed", found)
	}
}

// rowOf appends row with another label.
func rowOf(b *array.RecordBuilder, schema *arrow.Schema, row, label int) {
	for i, f := range schema.Fields() {
		if f.Name == "label" {
			b.Field(i).(*array.Int64Builder).Append(int64(label))
		} else {
			appendValue(b.Field(i), f.Name, row)
		}
	}
}

func TestOpenDamagedFolders(t *testing.T) {
	good := stream(t, rowSchema(t), 3)
	_, err := dataset.Open(t.TempDir())
	wantError(t, err, dataset.ErrNoSource, "dataset_dict.json", "mcil build")
	for name, c := range map[string]struct {
		edit   func(dir string)
		target error
		words  []string
	}{
		"damaged dict": {func(dir string) { os.WriteFile(filepath.Join(dir, "dataset_dict.json"), []byte("{"), 0o666) }, nil, []string{"dataset_dict.json", "damaged JSON"}},
		"split outside": {func(dir string) {
			writeJSON(t, filepath.Join(dir, "dataset_dict.json"), map[string]any{"splits": []string{"../train", "test"}})
		}, dataset.ErrRefused, []string{"../train"}},
		"no test": {func(dir string) {
			writeJSON(t, filepath.Join(dir, "dataset_dict.json"), map[string]any{"splits": []string{"train"}})
		}, dataset.ErrRefused, []string{"train and test"}},
		"missing folder": {func(dir string) { os.RemoveAll(filepath.Join(dir, "test")) }, fs.ErrNotExist, []string{"test"}},
		"missing shard":  {func(dir string) { os.Remove(filepath.Join(dir, "test", "part 0.arrow")) }, fs.ErrNotExist, []string{"part 0.arrow"}},
		"damaged state":  {func(dir string) { os.WriteFile(filepath.Join(dir, "train", "state.json"), nil, 0o666) }, nil, []string{"state.json", "damaged JSON"}},
		"shard outside": {func(dir string) {
			writeJSON(t, filepath.Join(dir, "train", "state.json"), map[string]any{"_data_files": []any{map[string]string{"filename": "/etc/passwd"}}})
		}, dataset.ErrRefused, []string{"/etc/passwd", "outside the folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := saved(t, good)
			c.edit(dir)
			_, err := dataset.Open(dir)
			wantError(t, err, c.target, c.words...)
		})
	}
}
