package layout_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/layout"
)

// valuesSchema is ViLT's with flags and their values.
func valuesSchema(values arrow.DataType) *arrow.Schema {
	return readChange(readViLTSchema(true), func(f []arrow.Field) []arrow.Field {
		return append(f, arrow.Field{Name: "caption_flags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
			arrow.Field{Name: "flag_values", Type: values, Nullable: true})
	}, nil)
}

// valuesFiles are files of two rows, the second one with the given flags and values. A value that is infinite is null.
func valuesFiles(t *testing.T, values arrow.DataType, flags []string, measured []float64) map[string][]byte {
	t.Helper()
	schema := valuesSchema(values)
	records := func(write func(arrow.Record) error) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		for row := range 2 {
			for i, f := range schema.Fields()[:6] {
				readAppend(b.Field(i), f.Name, row)
			}
			if row == 0 {
				b.Field(6).AppendNull()
				b.Field(7).AppendNull()
				continue
			}
			texts, numbers := b.Field(6).(*array.ListBuilder), b.Field(7).(array.ListLikeBuilder)
			texts.Append(true)
			for _, f := range flags {
				texts.ValueBuilder().(*array.StringBuilder).Append(f)
			}
			numbers.Append(true)
			for _, v := range measured {
				if math.IsInf(v, -1) {
					numbers.ValueBuilder().AppendNull()
				} else {
					numbers.ValueBuilder().(*array.Float64Builder).Append(v)
				}
			}
		}
		rec := b.NewRecord()
		defer rec.Release()
		if err := write(rec); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string][]byte{}
	if values.ID() == arrow.LIST { // there is no other in Parquet
		files["parquet"] = readParquetOf(t, schema, records)
		files["plain parquet"] = readParquetOf(t, schema, records, parquet.WithDictionaryDefault(false))
	}
	files["stream"], files["file"] = readRecords(t, schema, records)
	return files
}

func TestFlagValues(t *testing.T) {
	null := math.Inf(-1)
	for _, typ := range []arrow.DataType{arrow.ListOf(arrow.PrimitiveTypes.Float64), arrow.LargeListOf(arrow.PrimitiveTypes.Float64)} {
		for _, c := range []struct {
			flags  []string
			values []float64
			words  string
		}{
			{nil, nil, ""},
			{[]string{"cut_off"}, []float64{0}, ""},
			{[]string{"cut_off", "empty", "x"}, []float64{1e300, -0.125, 3}, ""},
			{[]string{"cut_off"}, nil, "row 1: 0 flag_values for 1 caption_flags"},
			{nil, []float64{1}, "row 1: 1 flag_values for 0 caption_flags"},
			{[]string{"cut_off", "empty"}, []float64{1, null}, "row 1: one of its flag_values is no number"},
			{[]string{"cut_off"}, []float64{math.NaN()}, "row 1: one of its flag_values is no number"},
			{[]string{"cut_off"}, []float64{math.Inf(1)}, "row 1: one of its flag_values is no number"},
		} {
			for form, content := range valuesFiles(t, typ, c.flags, c.values) {
				at := fmt.Sprintf("%s, %s of %q and %v", typ, form, c.flags, c.values)
				f, err := layout.OpenBytes(content)
				if c.words != "" {
					datasettest.WantError(t, err, dataset.ErrRefused, c.words)
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				for i, want := range []dataset.CaptionInfo{{}, {Flags: c.flags, FlagValues: c.values}} {
					if r, err := f.Rows.Row(i); err != nil || !reflect.DeepEqual(r.CaptionInfo, want) {
						t.Errorf("%s: row %d: %+v, %v, want %+v", at, i, r.CaptionInfo, err, want)
					}
				}
			}
		}
	}
	_, err := layout.OpenBytes(readStream(t, valuesSchema(arrow.ListOf(arrow.PrimitiveTypes.Float32)), 2))
	datasettest.WantError(t, err, dataset.ErrRefused, "column flag_values is list<item: float32, nullable>, want list<item: double>")
}
