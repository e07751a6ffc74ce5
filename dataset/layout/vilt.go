package layout

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// viltName is what ViLT calls a split.
func viltName(split string) string {
	if split == dataset.Validation {
		return "val"
	}
	return split
}

// vilt writes a split as the readers of ViLT and missing_aware_prompts expect it: one file of Arrow's file format.
type vilt struct {
	schema *arrow.Schema
	split  string // as ViLT calls it
	shards
}

// endOfStream closes the stream inside an Arrow file. The library leaves it out (apache/arrow#43837), and readers that go
// through the stream stumble.
const endOfStream = "\xff\xff\xff\xff\x00\x00\x00\x00"

type viltEncoder struct {
	*ipc.FileWriter
	f *output
}

func (e *viltEncoder) Close() error {
	if e.f.written > 0 { // else there is no stream yet to close
		if _, err := e.f.Write([]byte(endOfStream)); err != nil {
			return err
		}
	}
	return e.FileWriter.Close()
}

func newViLT(w *Writer, s *split) (layout, error) {
	schema, err := schemas.ViLT(w.o.ClassNames)
	if err != nil {
		return nil, err
	}
	name := viltName(s.name)
	return &vilt{schema: schema, split: name, shards: shards{
		disk: w.disk, root: w.dir,
		name: func(int, int) string { return fmt.Sprintf("vilt/%s_%s.arrow", w.o.Name, name) },
		encode: func(f *output) (encoder, error) {
			fw, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
			return &viltEncoder{FileWriter: fw, f: f}, err
		},
	}}, nil
}

func (l *vilt) write(c *columns) error {
	// one text a row: item i begins at i
	offsets := make([]int32, c.rows+1)
	for i := range offsets {
		offsets[i] = int32(i)
	}
	list := array.NewData(arrow.ListOf(arrow.BinaryTypes.String), c.rows,
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))},
		[]arrow.ArrayData{c.rest[schemas.ColCaption].Data()}, 0, 0)
	text := array.NewListData(list)
	list.Release()
	defer text.Release()
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	for range c.rows {
		b.Append(l.split)
	}
	split := b.NewArray()
	defer split.Release()
	cols := []arrow.Array{c.picture, text, c.rest[schemas.ColLabel], c.rest[schemas.ColID], split}
	for _, col := range schemas.ViLTExtras {
		cols = append(cols, c.rest[col])
	}
	rec := array.NewRecord(l.schema, cols, int64(c.rows))
	defer rec.Release()
	return l.shards.write(rec, c.pictureBytes)
}
