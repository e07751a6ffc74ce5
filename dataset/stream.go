package dataset

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/mcil/mcil/schemas"
)

// boundedBy is an allocator for reading a file of size bytes: no buffer of an uncompressed file is longer than the file,
// and the compressed text of a caption shrinks to no less than a sixteenth.
func boundedBy(size int64) *schemas.BoundedAllocator {
	return &schemas.BoundedAllocator{MaxBytes: 16*size + 1<<20}
}

// checkFraming walks over the messages of an IPC stream of size bytes without reading their bodies: a stream that was cut
// off between two messages looks whole to the Arrow reader, and a damaged length makes it ask for that much memory.
func checkFraming(f io.ReaderAt, size int64) error {
	const continuation = 0xFFFFFFFF
	for at, n := int64(0), 0; ; n++ {
		var prefix [8]byte
		if size-at < int64(len(prefix)) {
			if n == 0 {
				return fmt.Errorf("not an Arrow IPC stream: %d bytes: %w", size, ErrRefused)
			}
			return cutOff(n, size)
		}
		if _, err := f.ReadAt(prefix[:], at); err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(prefix[:]) != continuation {
			if n == 0 {
				return fmt.Errorf("not an Arrow IPC stream: it begins with %q: %w", prefix, ErrRefused)
			}
			return fmt.Errorf("damaged Arrow stream: message %d, at byte %d, has no mark: %w", n, at, ErrRefused)
		}
		at += int64(len(prefix))
		length := int64(binary.LittleEndian.Uint32(prefix[4:]))
		if length == 0 {
			return nil // the end mark
		}
		if length > size-at {
			return cutOff(n, size)
		}
		header := make([]byte, length)
		if _, err := f.ReadAt(header, at); err != nil {
			return err
		}
		at += length
		body, err := schemas.CheckArrowMessage(header)
		if err != nil {
			return fmt.Errorf("damaged Arrow stream: message %d, at byte %d: %w: %w", n, at-length, err, ErrRefused)
		}
		if body > size-at {
			return cutOff(n, size)
		}
		at += body
	}
}

func cutOff(messages int, size int64) error {
	return fmt.Errorf("the Arrow stream is cut off in message %d, at byte %d: copy or build it again: %w", messages, size, ErrRefused)
}

// checkRecord reads every value once, so that damaged offsets show here, in an error, and not in the middle of an epoch.
func checkRecord(rec arrow.Record, columns []int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged Arrow record: %v: %w", p, ErrRefused)
		}
	}()
	image := rec.Column(columns[schemas.ColImage]).(*array.Struct)
	for _, col := range [...]struct {
		name   string
		values arrow.Array
	}{
		{"id", rec.Column(columns[schemas.ColID])}, {"label", rec.Column(columns[schemas.ColLabel])},
		{"wnid", rec.Column(columns[schemas.ColWNID])}, {"image", image}, {"image.bytes", image.Field(0)},
	} {
		for j := range int(rec.NumRows()) {
			if col.values.IsNull(j) {
				return fmt.Errorf("column %s has no value in row %d: %w", col.name, j, ErrRefused)
			}
		}
	}
	for j := range int(rec.NumRows()) {
		rowAt(rec, columns, j)
	}
	return nil
}
