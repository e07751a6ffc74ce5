package layout

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Bounds of a batch. Arrow's arrays count bytes in 32 bits and the library wraps silently at 2 GiB: what is one row is at
// most half of that, and what is several is far below.
const (
	maxBatchRows  = 100
	maxBatchBytes = 32 << 20
	maxRowBytes   = 1 << 30
)

// textColumns are the columns of text, in the order of a batch's builders.
var textColumns = [...]int{
	schemas.ColCaption, schemas.ColID, schemas.ColWNID, schemas.ColClassName, schemas.ColStyle, schemas.ColImageSHA256,
	schemas.ColCaptionRaw, schemas.ColCaptionModel, schemas.ColCaptionPrompt, schemas.ColFingerprint,
}

// texts are the values of textColumns.
func texts(r *dataset.Row) [len(textColumns)]string {
	return [...]string{
		r.Caption, string(r.ID), r.WNID, r.ClassName, r.Style, r.ImageSHA256, r.Raw, r.Model, r.Prompt, r.Fingerprint,
	}
}

var intColumns = [...]int{schemas.ColWidth, schemas.ColHeight, schemas.ColOrientation}

// batch gathers rows. Pictures lie behind one another in an arena that is used again for the next batch.
type batch struct {
	arena   []byte
	offsets []int32 // of the pictures in the arena, and their end
	rows    int
	bytes   int // of pictures and texts
	label   *array.Int64Builder
	ints    [len(intColumns)]*array.Int32Builder
	texts   [len(textColumns)]*array.StringBuilder
	flags   *array.ListBuilder
	values  *array.ListBuilder // of flags
}

func newBatch(mem memory.Allocator) *batch {
	b := &batch{
		offsets: append(make([]int32, 0, maxBatchRows+1), 0), label: array.NewInt64Builder(mem),
		flags:  array.NewListBuilder(mem, arrow.BinaryTypes.String),
		values: array.NewListBuilder(mem, arrow.PrimitiveTypes.Float64),
	}
	for i := range b.ints {
		b.ints[i] = array.NewInt32Builder(mem)
	}
	for i := range b.texts {
		b.texts[i] = array.NewStringBuilder(mem)
	}
	return b
}

func (b *batch) release() {
	b.label.Release()
	b.flags.Release()
	b.values.Release()
	for _, x := range b.ints {
		x.Release()
	}
	for _, x := range b.texts {
		x.Release()
	}
}

// rowBytes is what r takes of a batch. It is an error where r does not fit into the columns.
func rowBytes(r *dataset.Row, classes int) (int, error) {
	n := len(r.Image)
	for i, t := range texts(r) {
		if !utf8.ValidString(t) {
			return 0, fmt.Errorf("picture %q: the text of column %d is not UTF-8: %w", r.ID, textColumns[i], dataset.ErrRefused)
		}
		n += len(t)
	}
	for _, f := range r.Flags {
		if !utf8.ValidString(f) {
			return 0, fmt.Errorf("picture %q: a flag of the caption is not UTF-8: %w", r.ID, dataset.ErrRefused)
		}
		n += len(f)
	}
	if len(r.FlagValues) != len(r.Flags) {
		return 0, fmt.Errorf("picture %q: %d values for the %d flags of the caption: %w", r.ID, len(r.FlagValues), len(r.Flags), dataset.ErrRefused)
	}
	for i, v := range r.FlagValues {
		if math.IsNaN(v) || math.IsInf(v, 0) { // which JSON has no words for
			return 0, fmt.Errorf("picture %q: the value of flag %s of the caption is %g: %w", r.ID, r.Flags[i], v, dataset.ErrRefused)
		}
		n += bytesFloat64
	}
	switch {
	case n > maxRowBytes:
		return 0, fmt.Errorf("picture %q: %d bytes, and a row holds %d: make it smaller or leave it out: %w", r.ID, n, maxRowBytes, dataset.ErrRefused)
	case r.Label < 0 || r.Label >= classes:
		return 0, fmt.Errorf("picture %q: label %d of %d classes: %w", r.ID, r.Label, classes, dataset.ErrRefused)
	case uint(r.Width) > math.MaxInt32 || uint(r.Height) > math.MaxInt32:
		return 0, fmt.Errorf("picture %q: %d by %d pixels: %w", r.ID, r.Width, r.Height, dataset.ErrRefused)
	}
	return n, nil
}

// fits tells whether r, of which bytes is [rowBytes], can be added. shardBytes is of pictures: a batch is in one shard.
func (b *batch) fits(r *dataset.Row, bytes int, shardBytes int64) bool {
	return b.rows == 0 || b.rows < maxBatchRows && b.bytes+bytes <= maxBatchBytes && int64(len(b.arena)+len(r.Image)) <= shardBytes
}

// append copies r, of which bytes is [rowBytes].
func (b *batch) append(r *dataset.Row, bytes int) {
	b.arena = append(b.arena, r.Image...)
	b.offsets = append(b.offsets, int32(len(b.arena)))
	b.label.Append(int64(r.Label))
	for i, v := range [len(intColumns)]int{r.Width, r.Height, r.Orientation} {
		b.ints[i].Append(int32(v))
	}
	for i, t := range texts(r) {
		b.texts[i].Append(t)
	}
	b.flags.Append(true)
	flags := b.flags.ValueBuilder().(*array.StringBuilder)
	for _, f := range r.Flags {
		flags.Append(f)
	}
	b.values.Append(true)
	b.values.ValueBuilder().(*array.Float64Builder).AppendValues(r.FlagValues, nil)
	b.rows++
	b.bytes += bytes
}

// columns are the arrays of a batch, which all layouts share. The pictures are those of the arena.
type columns struct {
	rows         int
	pictureBytes int64
	bytes        int64       // in memory, as datasets counts them
	picture      arrow.Array // binary
	rest         [schemas.NumColumns]arrow.Array
}

const (
	bytesInt32   = 4 // of an offset and of a small integer
	bytesFloat64 = 8
)

// take makes arrays of the rows and empties the batch. Nothing may be appended before they are released.
func (b *batch) take() *columns {
	c := &columns{rows: b.rows, pictureBytes: int64(len(b.arena))}
	pictures := array.NewData(arrow.BinaryTypes.Binary, b.rows, []*memory.Buffer{
		nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.offsets)), memory.NewBufferBytes(b.arena),
	}, nil, 0, 0)
	c.picture = array.NewBinaryData(pictures)
	pictures.Release()
	c.rest[schemas.ColLabel] = b.label.NewArray()
	for i, col := range intColumns {
		c.rest[col] = b.ints[i].NewArray()
	}
	offsetBytes := int64(b.rows+1) * bytesInt32
	c.bytes = c.pictureBytes + offsetBytes + int64(b.rows)*(2+int64(len(intColumns)))*bytesInt32
	for i, col := range textColumns {
		a := b.texts[i].NewStringArray()
		c.rest[col] = a
		c.bytes += offsetBytes + int64(len(a.ValueBytes()))
		if col == schemas.ColID { // the picture's path, too
			c.bytes += offsetBytes + int64(len(a.ValueBytes()))
		}
	}
	flags := b.flags.NewListArray()
	c.rest[schemas.ColFlags] = flags
	values := flags.ListValues().(*array.String)
	c.bytes += offsetBytes + int64(values.Len()+1)*bytesInt32 + int64(len(values.ValueBytes()))
	measured := b.values.NewListArray()
	c.rest[schemas.ColFlagValues] = measured
	c.bytes += offsetBytes + int64(measured.ListValues().Len())*bytesFloat64
	image := array.NewData(imageType, b.rows, []*memory.Buffer{nil}, []arrow.ArrayData{c.picture.Data(), c.rest[schemas.ColID].Data()}, 0, 0)
	c.rest[schemas.ColImage] = array.NewStructData(image)
	image.Release()
	b.arena, b.offsets, b.rows, b.bytes = b.arena[:0], b.offsets[:1], 0, 0
	return c
}

var imageType = arrow.StructOf(
	arrow.Field{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
	arrow.Field{Name: "path", Type: arrow.BinaryTypes.String, Nullable: true})

func (c *columns) release() {
	c.picture.Release()
	for _, a := range c.rest {
		a.Release()
	}
}

// record has the columns of [schemas.Rows].
func (c *columns) record(s *arrow.Schema) arrow.Record {
	return array.NewRecord(s, c.rest[:], int64(c.rows))
}
