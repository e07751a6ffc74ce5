package dataset

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/schemas"
)

// Bounds of what one Arrow array holds: the binary builders count in 32 bits and wrap silently at 2 GiB.
const (
	maxBatchRows  = 100
	maxBatchBytes = 64 << 20
	maxShardBytes = 500 << 20
)

// writeHF writes a split as Hugging Face's Dataset.save_to_disk does: shards of Arrow IPC stream and two JSON files.
// rows yields exactly the rows of the split, total of them, which the shards share out evenly.
func writeHF(ctx context.Context, dir, split string, classNames []string, total, shards int64, rows iter.Seq2[Row, error]) error {
	schema, err := schemas.Rows(classNames)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	next, stop := iter.Pull2(rows)
	defer stop()
	var files []map[string]string
	for i := range shards {
		name := fmt.Sprintf("data-%05d-of-%05d.arrow", i, shards)
		want := total*(i+1)/shards - total*i/shards // contiguous, nearly even
		err := schemas.WriteFile(filepath.Join(dir, name), func(w io.Writer) error {
			return writeStream(ctx, w, schema, want, next)
		})
		if err != nil {
			return err
		}
		files = append(files, map[string]string{"filename": name})
	}
	features, err := schemas.Features(classNames)
	if err != nil {
		return err
	}
	info := map[string]any{"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
	if err := schemas.WriteJSON(filepath.Join(dir, "dataset_info.json"), info); err != nil {
		return err
	}
	return schemas.WriteJSON(filepath.Join(dir, "state.json"), map[string]any{
		"_data_files": files, "_fingerprint": nil, "_format_columns": nil, "_format_kwargs": map[string]any{},
		"_format_type": nil, "_output_all_columns": false, "_split": split,
	})
}

// writeStream writes want rows as one IPC stream.
func writeStream(ctx context.Context, w io.Writer, schema *arrow.Schema, want int64, next func() (Row, error, bool)) error {
	buffered := bufio.NewWriterSize(w, 1<<20)
	stream := ipc.NewWriter(buffered, ipc.WithSchema(schema))
	b := newRowBuilder(schema)
	defer b.Release()
	flush := func() error {
		if b.rows == 0 {
			return nil
		}
		rec := b.newRecord()
		defer rec.Release()
		return stream.Write(rec)
	}
	for range want {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err, ok := next()
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("fewer rows than announced")
		}
		if b.rows == maxBatchRows || b.bytes+len(row.Image) > maxBatchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		b.append(row)
	}
	if err := flush(); err != nil {
		return err
	}
	if err := stream.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// rowBuilder gathers rows into a record.
type rowBuilder struct {
	*array.RecordBuilder
	rows, bytes int
}

func newRowBuilder(schema *arrow.Schema) *rowBuilder {
	return &rowBuilder{RecordBuilder: array.NewRecordBuilder(memory.DefaultAllocator, schema)}
}

func (b *rowBuilder) newRecord() arrow.Record {
	b.rows, b.bytes = 0, 0
	return b.NewRecord()
}

func (b *rowBuilder) append(r Row) {
	image := b.Field(schemas.ColImage).(*array.StructBuilder)
	image.Append(true)
	image.FieldBuilder(0).(*array.BinaryBuilder).Append(r.Image)
	image.FieldBuilder(1).(*array.StringBuilder).Append(string(r.ID))
	b.Field(schemas.ColLabel).(*array.Int64Builder).Append(int64(r.Label))
	b.Field(schemas.ColWidth).(*array.Int32Builder).Append(int32(r.Width))
	b.Field(schemas.ColHeight).(*array.Int32Builder).Append(int32(r.Height))
	for _, t := range [...]struct {
		col  int
		text string
	}{
		{schemas.ColCaption, r.Caption}, {schemas.ColID, string(r.ID)}, {schemas.ColWNID, r.WNID}, {schemas.ColClassName, r.ClassName},
		{schemas.ColStyle, r.Style}, {schemas.ColImageSHA256, r.ImageSHA256}, {schemas.ColCaptionRaw, r.Raw},
		{schemas.ColCaptionModel, r.Model}, {schemas.ColFingerprint, r.Fingerprint},
	} {
		b.Field(t.col).(*array.StringBuilder).Append(t.text)
	}
	flags := b.Field(schemas.ColFlags).(*array.ListBuilder)
	flags.Append(true)
	for _, f := range r.Flags {
		flags.ValueBuilder().(*array.StringBuilder).Append(f)
	}
	b.rows++
	b.bytes += len(r.Image)
}
