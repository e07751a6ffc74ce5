package layout

import (
	"cmp"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// batchReader makes chunks of the record batches of one file. Its columns are slices of the file's bytes: Arrow's own
// readers copy a batch to give one row of it.
type batchReader struct {
	rows     *shardRows
	schema   *arrow.Schema
	metadata arrow.Metadata
	columns  columnMap
}

func (s *shard) newBatchReader(first message) (*batchReader, error) {
	schema, err := readSchema(first)
	if err != nil {
		return nil, err
	}
	for _, f := range schema.Fields() {
		s.fields = append(s.fields, field{f.Name, f.Type.String(), kindOf(f.Type)})
	}
	b := &batchReader{rows: s.rows, schema: schema, metadata: schema.Metadata()}
	if err := checkHeader(b.metadata); err != nil {
		return nil, err
	}
	b.columns, err = matchColumns(s.fields)
	return b, err
}

func kindOf(t arrow.DataType) kind {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.LargeStringType:
		return kindText
	case *arrow.BinaryType, *arrow.LargeBinaryType:
		return kindBytes
	case *arrow.Int32Type:
		return kindInt32
	case *arrow.Int64Type:
		return kindInt64
	case *arrow.ListType:
		return kindOfList(t.Elem())
	case *arrow.LargeListType:
		return kindOfList(t.Elem())
	case *arrow.StructType:
		found := 0
		for _, f := range t.Fields() {
			if f.Name != "bytes" {
				continue
			}
			if found++; kindOf(f.Type) != kindBytes {
				return kindOther
			}
		}
		if found == 1 {
			return kindPicture
		}
	}
	return kindOther
}

func kindOfList(item arrow.DataType) kind {
	switch {
	case kindOf(item) == kindText:
		return kindTexts
	case item.ID() == arrow.FLOAT64:
		return kindNumbers
	}
	return kindOther
}

// read appends the rows of a record batch.
func (b *batchReader) read(m message) error {
	switch {
	case m.Kind == schemas.ArrowDictionary:
		return errDictionary
	case m.Kind != schemas.ArrowBatch:
		return fmt.Errorf("damaged: a message of kind %d, want a record batch: %w", m.Kind, dataset.ErrRefused)
	case m.Compressed:
		return fmt.Errorf("its batches are compressed, which is not read, since rows are read in place: write it without compression: %w", dataset.ErrRefused)
	case m.Rows < 0 || m.Rows > int64(len(m.body)): // a label takes 8 bytes
		return fmt.Errorf("damaged: a batch of %d rows in %d bytes: %w", m.Rows, len(m.body), dataset.ErrRefused)
	case m.Rows == 0:
		return nil
	}
	c := &chunk{rows: int(m.Rows)}
	cursor := &batchCursor{message: m, noPicture: -1}
	for i, f := range b.schema.Fields() {
		if err := b.column(c, cursor, i, f.Type); err != nil {
			return fmt.Errorf("column %s, after %d rows: %w: %w", f.Name, b.rows.n, err, dataset.ErrRefused)
		}
	}
	if cursor.noPicture >= 0 {
		return noValue("image", b.rows.n+cursor.noPicture)
	}
	if err := cmp.Or(c.checkNulls(b.rows.n), c.checkValues(b.rows.n)); err != nil {
		return err
	}
	b.rows.add(c)
	return nil
}

// column reads field i, or steps over it.
func (b *batchReader) column(c *chunk, cursor *batchCursor, i int, t arrow.DataType) (err error) {
	col := b.columns.of(i)
	switch {
	case col < 0:
		return cursor.skip(t, maxNesting)
	case col == schemas.ColImage:
		var images *textColumn
		if images, err = cursor.images(t, c.rows); err == nil {
			c.images = images
		}
	case col == schemas.ColCaption && b.columns.captions:
		c.list, err = cursor.texts(t, c.rows)
	case col == schemas.ColFlags:
		c.flags, err = cursor.texts(t, c.rows)
	case col == schemas.ColFlagValues:
		c.values, err = cursor.numbers(t, c.rows)
	case col == schemas.ColLabel:
		c.ints[col], err = cursor.ints(c.rows, 8)
	case kindOf(t) == kindInt32:
		c.ints[col], err = cursor.ints(c.rows, 4)
	default:
		c.texts[col], err = cursor.text(t, c.rows)
	}
	return err
}

// batchCursor goes through the columns of a record batch, in each the node and then the buffers.
type batchCursor struct {
	message
	noPicture int // the first row without a picture, or -1
}

func damaged(format string, a ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, a...), schemas.ErrDamaged)
}

// node takes the next node.
func (c *batchCursor) node() (n schemas.ArrowNode, err error) {
	if len(c.Nodes) == 0 {
		return n, damaged("it has fewer columns than its schema")
	}
	n, c.Nodes = c.Nodes[0], c.Nodes[1:]
	if n.Values < 0 || n.Nulls < 0 || n.Nulls > n.Values {
		return n, damaged("%d values, %d of them null", n.Values, n.Nulls)
	}
	return n, nil
}

// nodeOf takes the next node, which must have n values at least, and its bitmap of what is there.
func (c *batchCursor) nodeOf(n int) (valid []byte, err error) {
	node, err := c.node()
	if err != nil {
		return nil, err
	}
	if node.Values < int64(n) {
		return nil, damaged("%d values for %d rows", node.Values, n)
	}
	if valid, err = c.buffer(); err != nil {
		return nil, err
	}
	if node.Nulls == 0 {
		return nil, nil
	}
	if len(valid) < n/8+min(1, n%8) {
		return nil, damaged("it says too little of which of %d values are there", n)
	}
	return valid, nil
}

// buffer takes the next buffer.
func (c *batchCursor) buffer() ([]byte, error) {
	if len(c.Buffers) == 0 {
		return nil, damaged("it has fewer buffers than its schema")
	}
	b := c.Buffers[0]
	c.Buffers = c.Buffers[1:]
	if size := int64(len(c.body)); b.Offset < 0 || b.Bytes < 0 || b.Offset > size || b.Bytes > size-b.Offset {
		return nil, damaged("a buffer of %d bytes at %d of %d", b.Bytes, b.Offset, size)
	}
	return c.body[b.Offset : b.Offset+b.Bytes : b.Offset+b.Bytes], nil
}

// offsetsFor takes the next buffer, of the offsets of n values.
func (c *batchCursor) offsetsFor(n int, wide bool) ([]byte, error) {
	offsets, err := c.buffer()
	if err != nil {
		return nil, err
	}
	size := 4
	if wide {
		size = 8
	}
	if len(offsets)/size < n+1 {
		return nil, damaged("%d bytes of offsets for %d values", len(offsets), n)
	}
	return offsets[: size*(n+1) : size*(n+1)], nil
}

// text takes a column of texts or bytes with n values at least.
func (c *batchCursor) text(t arrow.DataType, n int) (col textColumn, err error) {
	col.wide = t.ID() == arrow.LARGE_STRING || t.ID() == arrow.LARGE_BINARY
	if col.valid, err = c.nodeOf(n); err != nil {
		return col, err
	}
	if n == 0 { // of no list: there may be no offsets at all
		c.Buffers = c.Buffers[min(2, len(c.Buffers)):]
		return textColumn{}, nil
	}
	if col.offsets, err = c.offsetsFor(n, col.wide); err != nil {
		return col, err
	}
	if col.data, err = c.buffer(); err != nil {
		return col, err
	}
	return col, checkOffsets(col.offsets, col.wide, n, len(col.data))
}

// list takes what a column of n lists at least has before their items, and says how many items there are.
func (c *batchCursor) list(t arrow.DataType, n int) (col textColumn, items int, err error) {
	col.wide = t.ID() == arrow.LARGE_LIST
	if col.valid, err = c.nodeOf(n); err != nil {
		return col, 0, err
	}
	if col.offsets, err = c.offsetsFor(n, col.wide); err != nil {
		return col, 0, err
	}
	if len(c.Nodes) == 0 || c.Nodes[0].Values < 0 || c.Nodes[0].Values > int64(len(c.body)) {
		return col, 0, damaged("it has fewer columns than its schema")
	}
	items = int(c.Nodes[0].Values)
	return col, items, checkOffsets(col.offsets, col.wide, n, items)
}

// texts takes a column of lists of texts with n values at least.
func (c *batchCursor) texts(t arrow.DataType, n int) (col listColumn, err error) {
	items := 0
	if col.textColumn, items, err = c.list(t, n); err == nil {
		col.items, err = c.text(t.(arrow.ListLikeType).Elem(), items)
	}
	return col, err
}

// numbers takes a column of lists of numbers with n values at least.
func (c *batchCursor) numbers(t arrow.DataType, n int) (col numbersColumn, err error) {
	items := 0
	if col.textColumn, items, err = c.list(t, n); err == nil {
		col.items, err = c.ints(items, bytesFloat64)
	}
	return col, err
}

// ints takes a column of n numbers of some bytes each.
func (c *batchCursor) ints(n, size int) (col intColumn, err error) {
	col.size = size
	if col.valid, err = c.nodeOf(n); err != nil {
		return col, err
	}
	if col.values, err = c.buffer(); err != nil {
		return col, err
	}
	if len(col.values)/size < n {
		return col, damaged("%d bytes for %d numbers", len(col.values), n)
	}
	return col, nil
}

// images takes the column of pictures.
func (c *batchCursor) images(t arrow.DataType, n int) (images *textColumn, err error) {
	whole, isStruct := t.(*arrow.StructType)
	var valid []byte
	if isStruct {
		if valid, err = c.nodeOf(n); err != nil {
			return nil, err
		}
		for _, f := range whole.Fields() {
			if f.Name != "bytes" {
				err = c.skip(f.Type, maxNesting)
			} else {
				images = new(textColumn)
				*images, err = c.text(f.Type, n)
			}
			if err != nil {
				return nil, err
			}
		}
	} else {
		images = new(textColumn)
		if *images, err = c.text(t, n); err != nil {
			return nil, err
		}
	}
	for i := range n {
		if images.isNull(i) || !isSet(valid, i) {
			c.noPicture = i
			break
		}
	}
	return images, nil
}

// maxNesting is how deep a column may be nested.
const maxNesting = 64

// skip steps over a column that is not wanted. Dictionaries, unions and views do not occur in prepared datasets.
func (c *batchCursor) skip(t arrow.DataType, depth int) error {
	if depth == 0 {
		return damaged("it is nested too deeply")
	}
	if e, ok := t.(arrow.ExtensionType); ok {
		return c.skip(e.StorageType(), depth-1)
	}
	buffers := 2 // what is there, and values or offsets
	switch t.ID() {
	case arrow.NULL:
		buffers = 0
	case arrow.STRUCT, arrow.FIXED_SIZE_LIST:
		buffers = 1
	case arrow.STRING, arrow.BINARY, arrow.LARGE_STRING, arrow.LARGE_BINARY:
		buffers = 3
	case arrow.DICTIONARY, arrow.SPARSE_UNION, arrow.DENSE_UNION, arrow.RUN_END_ENCODED, arrow.STRING_VIEW, arrow.BINARY_VIEW,
		arrow.LIST_VIEW, arrow.LARGE_LIST_VIEW:
		return fmt.Errorf("its type %s is not read: leave the column out", t)
	}
	if _, err := c.node(); err != nil {
		return err
	}
	for range buffers {
		if _, err := c.buffer(); err != nil {
			return err
		}
	}
	if nested, ok := t.(arrow.NestedType); ok {
		for _, f := range nested.Fields() {
			if err := c.skip(f.Type, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}
