package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/endian"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// An Arrow message: the mark, the length of the description, the description, the body. A length of 0 ends a stream.
const (
	continuation = "\xFF\xFF\xFF\xFF"
	prefixBytes  = len(continuation) + 4
	endMark      = continuation + "\x00\x00\x00\x00"
	magicIPC     = "ARROW1"
	headBytes    = 8  // of an IPC file: the magic and padding
	tailBytes    = 10 // the length of the footer and the magic
)

// message is one message of a stream or file.
type message struct {
	schemas.ArrowMessage
	whole []byte // prefix and description
	body  []byte
}

// cutOff is the error for what ends too early.
func cutOff(what string, size int) error {
	return fmt.Errorf("%s is cut off at byte %d: copy or build it again: %w", what, size, dataset.ErrRefused)
}

// messageAt reads the message that begins at a byte. Its end is the first byte after it; a message without a description
// marks the end of a stream. A body is not looked at. A file's block says how long its description is, else that is 0.
func messageAt(content []byte, at int, descriptionBytes int64) (m message, end int, err error) {
	left := content[at:]
	if len(left) < prefixBytes {
		return m, 0, cutOff("it", len(content))
	}
	if string(left[:len(continuation)]) != continuation {
		return m, 0, fmt.Errorf("damaged: no Arrow message begins at byte %d: %w", at, dataset.ErrRefused)
	}
	length := int64(binary.LittleEndian.Uint32(left[len(continuation):]))
	if length == 0 {
		return m, at + prefixBytes, nil
	}
	if length > int64(len(left)-prefixBytes) || descriptionBytes > int64(len(left)) {
		return m, 0, cutOff("it", len(content))
	}
	if descriptionBytes != 0 && descriptionBytes < length+int64(prefixBytes) {
		return m, 0, fmt.Errorf("damaged: the footer gives the message at byte %d %d bytes, and it has %d: %w",
			at, descriptionBytes, length+int64(prefixBytes), dataset.ErrRefused)
	}
	m.whole = left[:prefixBytes+int(length)]
	if m.ArrowMessage, err = schemas.ReadArrowMessage(m.whole[prefixBytes:]); err != nil {
		return m, 0, fmt.Errorf("damaged: the message at byte %d: %w: %w", at, err, dataset.ErrRefused)
	}
	left = left[max(len(m.whole), int(descriptionBytes)):]
	if m.BodyBytes > int64(len(left)) {
		return m, 0, cutOff("it", len(content))
	}
	m.body = left[:m.BodyBytes]
	return m, len(content) - len(left) + len(m.body), nil
}

// readStream reads an IPC stream, as Hugging Face's datasets writes it.
func (s *shard) readStream(content []byte) (md arrow.Metadata, err error) {
	var b *batchReader
	for at, n := 0, 0; ; n++ {
		m, end, err := messageAt(content, at, 0)
		if err != nil {
			return md, fmt.Errorf("message %d: %w", n, err)
		}
		at = end
		switch {
		case n == 0:
			if b, err = s.newBatchReader(m); err != nil {
				return md, err
			}
		case m.whole == nil:
			return b.metadata, nil
		default:
			if err := b.read(m); err != nil {
				return md, fmt.Errorf("message %d: %w", n, err)
			}
		}
	}
}

// readFile reads an IPC file, as ViLT has it.
func (s *shard) readFile(content []byte) (md arrow.Metadata, err error) {
	footerBytes, err := schemas.ArrowFooterBytes(content, int64(len(content)))
	if err != nil {
		return md, fmt.Errorf("%w: %w", err, dataset.ErrRefused)
	}
	footerAt := len(content) - tailBytes - int(footerBytes)
	blocks, dictionaries, err := schemas.ReadArrowFooter(content[footerAt : len(content)-tailBytes])
	if err != nil {
		return md, fmt.Errorf("damaged: its footer: %w: %w", err, dataset.ErrRefused)
	}
	if dictionaries > 0 {
		return md, errDictionary
	}
	if footerAt < headBytes {
		return md, cutOff("it", len(content))
	}
	content = content[:footerAt]
	m, end, err := messageAt(content, headBytes, 0)
	if err != nil {
		return md, fmt.Errorf("its schema: %w", err)
	}
	b, err := s.newBatchReader(m)
	if err != nil {
		return md, err
	}
	for n, block := range blocks { // writers write them in order, and blocks in one place would let a few bytes be very many rows
		if block.Offset < int64(end) || block.Offset > int64(len(content)) || block.DescriptionBytes <= 0 {
			return md, fmt.Errorf("damaged: the footer puts batch %d at byte %d, not after byte %d: %w", n, block.Offset, end, dataset.ErrRefused)
		}
		if m, end, err = messageAt(content, int(block.Offset), block.DescriptionBytes); err != nil {
			return md, fmt.Errorf("batch %d: %w", n, err)
		}
		if m.BodyBytes != block.BodyBytes {
			return md, fmt.Errorf("damaged: batch %d has %d bytes, and %d by the footer: %w", n, m.BodyBytes, block.BodyBytes, dataset.ErrRefused)
		}
		if err := b.read(m); err != nil {
			return md, fmt.Errorf("batch %d: %w", n, err)
		}
	}
	return b.metadata, nil
}

var errDictionary = fmt.Errorf("it has dictionary-encoded columns, which are not read: write texts as they are: %w", dataset.ErrRefused)

// readSchema reads the message with which a stream or file begins.
func readSchema(m message) (schema *arrow.Schema, err error) {
	defer func() { // the Arrow reader panics on some damaged schemas
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: its schema: %v: %w", p, dataset.ErrRefused)
		}
	}()
	if m.Kind != schemas.ArrowSchema {
		return nil, fmt.Errorf("damaged: it does not begin with a schema: %w", dataset.ErrRefused)
	}
	prefix := bytes.NewReader(append(bytes.Clone(m.whole), endMark...))
	r, err := ipc.NewReader(prefix, ipc.WithEnsureNativeEndian(false),
		ipc.WithAllocator(&schemas.BoundedAllocator{MaxBytes: int64(len(m.whole)) + 1<<20}))
	if err != nil {
		return nil, fmt.Errorf("damaged: its schema: %w: %w", err, dataset.ErrRefused)
	}
	defer r.Release()
	if schema = r.Schema(); schema.Endianness() != endian.LittleEndian {
		return nil, fmt.Errorf("it is big-endian, which is not read: write it on another machine: %w", dataset.ErrRefused)
	}
	return schema, nil
}
