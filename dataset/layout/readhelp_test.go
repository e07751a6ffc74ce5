package layout_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
)

// readBatches are rows goldfish_0, shark_1, goldfish_2, ... of the given schema, n a batch. Columns are found by name, so
// their order is the schema's.
func readBatches(t testing.TB, schema *arrow.Schema, batches []int, write func(arrow.Record) error) {
	t.Helper()
	row := 0
	for _, n := range batches {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range n {
			for i, f := range schema.Fields() {
				readAppend(b.Field(i), f.Name, row)
			}
			row++
		}
		rec := b.NewRecord()
		if err := write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		b.Release()
	}
}

func readStream(t testing.TB, schema *arrow.Schema, batches ...int) []byte {
	t.Helper()
	return readStreamOf(t, schema, batches)
}

func readStreamOf(t testing.TB, schema *arrow.Schema, batches []int, o ...ipc.Option) []byte {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append(o, ipc.WithSchema(schema))...)
	readBatches(t, schema, batches, w.Write)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readIPC is the same as an IPC file.
func readIPC(t testing.TB, schema *arrow.Schema, batches ...int) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	readBatches(t, schema, batches, w.Write)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readRecords are records as an IPC stream and as an IPC file.
func readRecords(t testing.TB, schema *arrow.Schema, records func(func(arrow.Record) error)) (stream, file []byte) {
	t.Helper()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	records(w.Write)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fw, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	records(fw.Write)
	if err := fw.Close(); err != nil {
		t.Fatal(err)
	}
	file, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), file
}

// readParquet is the same as a Parquet file, a row group a batch.
func readParquet(t testing.TB, schema *arrow.Schema, batches []int, o ...parquet.WriterProperty) []byte {
	t.Helper()
	return readParquetOf(t, schema, func(write func(arrow.Record) error) { readBatches(t, schema, batches, write) }, o...)
}

func readParquetOf(t testing.TB, schema *arrow.Schema, records func(func(arrow.Record) error), o ...parquet.WriterProperty) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(o...), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		t.Fatal(err)
	}
	records(w.Write)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAppend(b array.Builder, name string, row int) {
	wnid := []string{datasettest.Goldfish, datasettest.Shark}[row%2]
	id := fmt.Sprintf("%s/sketch_%d.jpg", wnid, row)
	text := map[string]string{
		"id": id, "image_id": id, "wnid": wnid, "class_name": []string{"goldfish", "shark"}[row%2],
		"caption": fmt.Sprintf("a drawing %d", row), "style": "sketch", "caption_prompt": "describe it",
	}
	switch b := b.(type) {
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			if f, ok := b.FieldBuilder(i).(*array.BinaryBuilder); ok {
				readAppend(f, "bytes", row)
			} else {
				b.FieldBuilder(i).AppendNull()
			}
		}
	case *array.BinaryBuilder:
		b.Append([]byte{1, 2, byte(row)})
	case *array.Int64Builder:
		b.Append(int64(row % 2))
	case *array.Int32Builder:
		b.Append(int32(100 + row))
	case *array.ListBuilder:
		b.Append(true)
		items, ok := b.ValueBuilder().(*array.StringBuilder)
		if values, number := b.ValueBuilder().(*array.Float64Builder); number {
			for k := range row % 3 {
				values.Append(float64(row) + float64(k)/4)
			}
		} else if !ok {
			b.ValueBuilder().AppendNull()
		} else if name == "text" {
			items.Append(text["caption"])
			items.Append("another caption")
		} else {
			for k := range row % 3 {
				items.Append(fmt.Sprintf("flag %d", k))
			}
		}
	case *array.StringBuilder:
		b.Append(text[name])
	case *array.LargeStringBuilder:
		b.Append(text[name])
	default:
		b.AppendNull()
	}
}

// readCheckRows asserts that rows are those of [readBatches]; columns that a file has not are not looked at.
func readCheckRows(t testing.TB, rows dataset.Rows, n int, columns ...string) {
	t.Helper()
	if rows.Len() != n {
		t.Fatalf("%d rows, want %d", rows.Len(), n)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(columns, func(c string) bool { return strings.HasPrefix(c, name+":") })
	}
	for i := range n {
		r, err := rows.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		image, err := rows.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		wnid := []string{datasettest.Goldfish, datasettest.Shark}[i%2]
		want := dataset.Row{
			ID: dataset.ID(fmt.Sprintf("%s/sketch_%d.jpg", wnid, i)), Image: []byte{1, 2, byte(i)}, Label: i % 2,
			Caption: fmt.Sprintf("a drawing %d", i), WNID: wnid, Orientation: 1,
		}
		if has("class_name") {
			want.ClassName = []string{"goldfish", "shark"}[i%2]
		}
		if has("style") {
			want.Style = "sketch"
		}
		if has("width") {
			want.Width, want.Height, want.Orientation = 100+i, 100+i, 100+i
		}
		if has("caption_prompt") {
			want.Prompt = "describe it"
		}
		if has("caption_flags") {
			for k := range i % 3 {
				want.Flags = append(want.Flags, fmt.Sprintf("flag %d", k))
			}
		}
		if has("flag_values") {
			for k := range i % 3 {
				want.FlagValues = append(want.FlagValues, float64(i)+float64(k)/4)
			}
		}
		if got, want := fmt.Sprintf("%+v", r), fmt.Sprintf("%+v", want); got != want {
			t.Errorf("row %d is\n%s, want\n%s", i, got, want)
		}
		if rows.ID(i) != want.ID || rows.Label(i) != want.Label || rows.Caption(i) != want.Caption || !bytes.Equal(image, want.Image) {
			t.Errorf("row %d: %s, %d, %q, % x", i, rows.ID(i), rows.Label(i), rows.Caption(i), image)
		}
	}
}

// readFile opens content as a file of one shard.
func readFile(t testing.TB, content []byte) (*layout.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shard")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return layout.OpenFile(path)
}

func readSchema(t testing.TB) *arrow.Schema {
	t.Helper()
	s, err := schemas.Rows([]string{"goldfish", "shark"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// readViLTSchema is that of a ViLT file of Food-101's, with class names.
func readViLTSchema(names bool) *arrow.Schema {
	fields := []arrow.Field{
		{Name: "image", Type: arrow.BinaryTypes.Binary, Nullable: true}, {Name: "text", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
		{Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "image_id", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "split", Type: arrow.BinaryTypes.String, Nullable: true},
	}
	if names {
		fields = append(fields, arrow.Field{Name: "class_name", Type: arrow.BinaryTypes.String, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// readChange is schema with other fields and metadata; a nil argument keeps what is there.
func readChange(schema *arrow.Schema, fields func([]arrow.Field) []arrow.Field, metadata map[string]string) *arrow.Schema {
	f, md := slices.Clone(schema.Fields()), schema.Metadata()
	if fields != nil {
		f = fields(f)
	}
	if metadata != nil {
		md = arrow.MetadataFrom(metadata)
	}
	return arrow.NewSchema(f, &md)
}

// readSaved is a folder as save_to_disk leaves it, with the given shards in both splits.
func readSaved(t testing.TB, shards ...[]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "saved")
	for _, split := range []string{"train", "test"} {
		var files []map[string]string
		for i, body := range shards {
			name := fmt.Sprintf("part %d.arrow", i)
			files = append(files, map[string]string{"filename": name})
			readPut(t, filepath.Join(dir, split, name), body)
		}
		readWriteJSON(t, filepath.Join(dir, split, "state.json"), map[string]any{"_data_files": files})
	}
	readWriteJSON(t, filepath.Join(dir, "dataset_dict.json"), map[string]any{"splits": []string{"train", "test"}})
	return dir
}

func readPut(t testing.TB, path string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o666); err != nil {
		t.Fatal(err)
	}
}

func readWriteJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	readPut(t, path, b)
}

func readOpen(t testing.TB, path string) *dataset.Dataset {
	t.Helper()
	d, err := layout.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
