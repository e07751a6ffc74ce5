package layout

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/mcil/mcil/schemas"
)

func TestHubFiles(t *testing.T) {
	dir := t.TempDir()
	const size = 30_000 // pages of 1 MiB: several a row group
	written(t, dir, []Kind{Hub}, Options{ShardBytes: 5_000_000}, map[string]int{"train": 230}, size, schemas.DatasetManifest{})
	want, err := schemas.Rows(writtenNames)
	if err != nil {
		t.Fatal(err)
	}
	row, groups := 0, []int64(nil)
	for _, name := range []string{"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"} {
		r, err := file.OpenParquetFile(filepath.Join(dir, "hub/data", name), false)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for i := range r.NumRowGroups() {
			g := r.MetaData().RowGroup(i)
			groups = append(groups, g.NumRows())
			for j := range g.NumColumns() {
				c, err := g.ColumnChunk(j)
				if err != nil {
					t.Fatal(err)
				}
				set, err := c.StatsSet()
				if err != nil {
					t.Fatal(err)
				}
				picture := c.PathInSchema().String() == pictureLeaf
				if picture != (c.Compression() == compress.Codecs.Uncompressed) || picture == (c.Compression() == compress.Codecs.Snappy) ||
					picture == c.HasDictionaryPage() || picture == set {
					t.Errorf("column %s: %s, dictionary %v, statistics %v", c.PathInSchema(), c.Compression(), c.HasDictionaryPage(), set)
				}
			}
		}
		md := want.Metadata()
		huggingFace, _ := md.GetValue(schemas.HuggingFaceKey)
		if got := r.MetaData().KeyValueMetadata().FindValue(schemas.HuggingFaceKey); got == nil || *got != huggingFace {
			t.Errorf("%s: huggingface metadata %v", name, got)
		}
		pr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 50}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := pr.Schema()
		if err != nil || !slices.Equal(names(schema.Fields()), names(want.Fields())) {
			t.Errorf("schema %v, %v", schema, err)
		}
		rr, err := pr.GetRecordReader(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for rr.Next() {
			rec := rr.Record()
			for j := range int(rec.NumRows()) {
				x := writtenRow("train", row, size)
				var image struct {
					Bytes []byte
					Path  string
				}
				if err := json.Unmarshal([]byte(cellText(rec, "image", j)), &image); err != nil || !bytes.Equal(image.Bytes, x.Image) || image.Path != string(x.ID) {
					t.Fatalf("row %d: other picture or path %q, %v", row, image.Path, err)
				}
				flags, _ := json.Marshal(append([]string{}, x.Flags...))
				values, _ := json.Marshal(append([]float64{}, x.FlagValues...))
				if got := cellText(rec, "caption_flags", j); got != string(flags) || cellText(rec, "flag_values", j) != string(values) || cellText(rec, "caption", j) != x.Caption {
					t.Fatalf("row %d: flags %s, caption %s", row, got, cellText(rec, "caption", j))
				}
				row++
			}
		}
		rr.Release()
	}
	if row != 230 || !slices.Equal(groups, []int64{100, 100, 30}) {
		t.Errorf("%d rows in groups of %v", row, groups)
	}
}
