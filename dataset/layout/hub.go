package layout

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/mcil/mcil/schemas"
)

// hub writes a split as a dataset repository of the Hugging Face Hub has it: shards of Parquet.
type hub struct {
	schema *arrow.Schema
	shards
}

// pictureLeaf is the Parquet column of the pictures' bytes.
const pictureLeaf = "image.bytes"

func newHub(w *Writer, s *split) (layout, error) {
	schema, err := schemas.Rows(w.o.ClassNames)
	if err != nil {
		return nil, err
	}
	props := parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy),
		// as datasets' own writer has it: encoded pictures do not shrink, and do not repeat
		parquet.WithCompressionFor(pictureLeaf, compress.Codecs.Uncompressed),
		parquet.WithDictionaryFor(pictureLeaf, false),
		parquet.WithStatsFor(pictureLeaf, false),
		// a page is held in memory: look after every row whether it is long enough
		parquet.WithBatchSize(1),
	)
	return &hub{schema: schema, shards: shards{
		disk: w.disk, root: w.dir, limitBytes: w.o.ShardBytes,
		skipEmpty: true, // load_dataset fails on a split without rows
		name:      func(i, n int) string { return fmt.Sprintf("hub/data/%s-%05d-of-%05d.parquet", s.name, i, n) },
		encode: func(f *output) (encoder, error) {
			return pqarrow.NewFileWriter(schema, f, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
		},
	}}, nil
}

func (l *hub) write(c *columns) error {
	rec := c.record(l.schema)
	defer rec.Release()
	return l.shards.write(rec, c.pictureBytes) // a row group a record: readers hold one at a time
}
