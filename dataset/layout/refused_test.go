package layout_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/endian"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
)

// readWith is the ViLT schema with another column in front.
func readWith(name string, typ arrow.DataType) *arrow.Schema {
	return readChange(readViLTSchema(true), func(f []arrow.Field) []arrow.Field {
		return append([]arrow.Field{{Name: name, Type: typ, Nullable: true}}, f...)
	}, nil)
}

// Columns that nobody asked for are stepped over, whatever they hold.
func TestOpenSkipsColumns(t *testing.T) {
	i32, text := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.String
	for _, typ := range []arrow.DataType{
		arrow.Null, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Timestamp_s, text, arrow.BinaryTypes.LargeBinary,
		arrow.ListOf(arrow.ListOf(i32)), arrow.LargeListOf(text), arrow.MapOf(text, i32), arrow.FixedSizeListOf(3, i32), &arrow.FixedSizeBinaryType{ByteWidth: 5},
		arrow.StructOf(arrow.Field{Name: "a", Type: text, Nullable: true}, arrow.Field{Name: "b", Type: arrow.ListOf(i32), Nullable: true}),
		&arrow.Decimal128Type{Precision: 10, Scale: 2},
	} {
		schema := readWith("more", typ)
		for form, content := range map[string][]byte{"stream": readStream(t, schema, 3, 4), "file": readIPC(t, schema, 7)} {
			f, err := layout.OpenBytes(content)
			if err != nil {
				t.Errorf("%s in a %s: %v", typ, form, err)
				continue
			}
			readCheckRows(t, f.Rows, 7, "class_name:")
		}
	}
	schema := readWith("more", arrow.ListOf(arrow.StructOf(arrow.Field{Name: "a", Type: text, Nullable: true})))
	f, err := layout.OpenBytes(readParquet(t, schema, []int{3, 4}))
	if err != nil {
		t.Fatal(err)
	}
	readCheckRows(t, f.Rows, 7, "class_name:")
}

func TestOpenFileRefused(t *testing.T) {
	vilt := readViLTSchema(true)
	swapped := readStream(t, vilt.WithEndianness(endian.BigEndian), 1)
	view := readStreamOf(t, readWith("more", arrow.BinaryTypes.StringView), nil)
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	withDictionary := func() []byte {
		var out bytes.Buffer
		schema := readWith("more", dictionary)
		w := ipc.NewWriter(&out, ipc.WithSchema(schema))
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i, f := range schema.Fields() {
			if d, ok := b.Field(i).(*array.BinaryDictionaryBuilder); ok {
				d.AppendString("x")
			} else {
				readAppend(b.Field(i), f.Name, 0)
			}
		}
		if err := w.Write(b.NewRecord()); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return out.Bytes()
	}
	twice := readChange(vilt, func(f []arrow.Field) []arrow.Field { return append(f, f[2]) }, nil)
	short := readStream(t, vilt, 3)
	binary.LittleEndian.PutUint32(short[4:], 1<<31) // of the schema's description
	for _, c := range []struct {
		name    string
		content []byte
		words   []string
	}{
		{"nothing", nil, []string{"not an Arrow IPC stream, an Arrow IPC file or a Parquet file"}},
		{"text", []byte("image,label\n"), []string{`it begins with "image,la"`}},
		{"big-endian", swapped, []string{"big-endian", "another machine"}},
		{"dictionary", withDictionary(), []string{"dictionary-encoded", "write texts as they are"}},
		{"view", append(view[:len(view)-8], readStream(t, vilt, 1)...), []string{"message 1", "schema"}},
		{"column twice", readStream(t, twice, 1), []string{"column label: 2 of them"}},
		{"long description", short, []string{"cut off"}},
		{"compressed file", readStreamOf(t, vilt, []int{99}, ipc.WithLZ4()), []string{"compressed", "write it without"}},
		{"text as a string", readStream(t, readChange(vilt, func(f []arrow.Field) []arrow.Field {
			f[1].Type = arrow.BinaryTypes.String
			return f
		}, nil), 1), []string{"column text is utf8, want list<item: utf8>"}},
		{"parquet of another type", readParquet(t, readChange(vilt, func(f []arrow.Field) []arrow.Field {
			f[2].Type = arrow.PrimitiveTypes.Int32
			return f
		}, nil), []int{1}), []string{"column label is int32, want int64"}},
		{"parquet in brotli", readParquet(t, vilt, []int{99}, parquet.WithCompression(compress.Codecs.Brotli)), []string{"Brotli", "write it with none"}},
		{"parquet in delta", readParquet(t, vilt, []int{99}, parquet.WithDictionaryDefault(false),
			parquet.WithEncodingFor("image_id", parquet.Encodings.DeltaByteArray)), []string{"column image_id", "DELTA_BYTE_ARRAY", "plain"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := layout.OpenBytes(c.content)
			if c.name == "view" && err != nil {
				return // any refusal will do
			}
			datasettest.WantError(t, err, dataset.ErrRefused, c.words...)
		})
	}
}

// Nulls: a caption or a size may be missing, a picture may not. In Parquet a missing one shows when it is asked for.
func TestOpenNulls(t *testing.T) {
	schema := readViLTSchema(true)
	records := func(null string) func(func(arrow.Record) error) {
		return func(write func(arrow.Record) error) {
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			for row := range 9 {
				for i, f := range schema.Fields() {
					if f.Name == null && row == 7 {
						b.Field(i).AppendNull()
					} else {
						readAppend(b.Field(i), f.Name, row)
					}
				}
			}
			if err := write(b.NewRecord()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, null := range []string{"image", "label", "image_id", "text", "class_name"} {
		var out bytes.Buffer
		w := ipc.NewWriter(&out, ipc.WithSchema(schema))
		records(null)(w.Write)
		w.Close()
		stream := out.Bytes()
		table := readParquetOf(t, schema, records(null))
		for form, content := range map[string][]byte{"stream": stream, "parquet": table} {
			f, err := layout.OpenBytes(content)
			name := map[string]string{"image_id": "id"}[null]
			if name == "" {
				name = null
			}
			switch {
			case null == "text" || null == "class_name":
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				r, err := f.Rows.Row(7)
				if err != nil || (r.Caption == "") != (null == "text") || (r.ClassName == "") != (null == "class_name") {
					t.Errorf("%s: no %s: %+v, %v", form, null, r, err)
				}
				continue
			case form == "parquet" && null == "image":
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.Rows.Image(6); err != nil {
					t.Error(err)
				}
				_, err = f.Rows.Row(7)
			}
			datasettest.WantError(t, err, dataset.ErrRefused, "column "+name+" has no value in row 7")
		}
	}
}
