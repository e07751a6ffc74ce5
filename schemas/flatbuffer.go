package schemas

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Arrow describes its messages in flatbuffers: a table is a set of numbered fields; it begins with the distance back to its
// vtable, which holds two sizes and then the place of each field in the table, 0 where a field is absent. The Arrow reader
// believes the lengths of the vectors in them and makes room for so many elements, which ends the program where a
// length is damaged. So the lengths are looked at first.

// Fields of the tables of Arrow's Message.fbs, Schema.fbs and File.fbs.
const (
	messageHeaderType, messageHeader, messageBodyLength      = 1, 2, 3
	schemaFields, schemaMetadata                             = 1, 2
	fieldChildren, fieldMetadata                             = 5, 6
	footerSchema, footerDictionaries, footerBatches          = 1, 2, 3
	batchRows, batchNodes, batchBuffers, batchCompression    = 0, 1, 2, 3
	nodeBytes, bufferBytes, blockBytes, offsetBytes, maxDeep = 16, 16, 24, 4, 64
)

// The kinds of Arrow messages that readers here tell apart.
const (
	ArrowSchema     = 1
	ArrowDictionary = 2
	ArrowBatch      = 3
)

// ArrowMessage is the description of one message of an Arrow stream or file. Numbers are as found: whoever uses them
// compares them with the body and the file.
type ArrowMessage struct {
	Kind      int
	BodyBytes int64 // that follow the description; never negative
	// The rest is of record batches only.
	Rows       int64
	Nodes      []ArrowNode   // one for each column and, after it, each of its children
	Buffers    []ArrowBuffer // of the columns, in the same order
	Compressed bool
}

// ArrowNode counts the values of a column in a record batch.
type ArrowNode struct{ Values, Nulls int64 }

// ArrowBuffer is the place of a buffer in the body of its message.
type ArrowBuffer struct{ Offset, Bytes int64 }

// ArrowBlock is the place of a message in an Arrow file.
type ArrowBlock struct{ Offset, DescriptionBytes, BodyBytes int64 }

var errFlatbuffer = fmt.Errorf("a length or an offset in its description leads out of it: %w", ErrDamaged)

// CheckArrowMessage looks at the description of one message of an Arrow stream and returns the length of the body after it.
func CheckArrowMessage(description []byte) (bodyBytes int64, err error) {
	m, err := ReadArrowMessage(description)
	return m.BodyBytes, err
}

// ReadArrowMessage reads the description of one message. That of a schema is checked, so that the Arrow reader may have it.
func ReadArrowMessage(description []byte) (m ArrowMessage, err error) {
	defer recoverFlatbuffer(&err)
	b := flatbuffer(description)
	message := b.table(0)
	if at := b.field(message, messageBodyLength); at != 0 {
		m.BodyBytes = b.i64(at)
	}
	if m.BodyBytes < 0 {
		return ArrowMessage{}, errFlatbuffer
	}
	kind, header := b.field(message, messageHeaderType), b.field(message, messageHeader)
	if kind == 0 || header == 0 {
		return m, nil
	}
	m.Kind = int(b[kind])
	switch header = b.table(header); m.Kind {
	case ArrowSchema:
		err = b.checkSchema(header)
	case ArrowBatch:
		b.readBatch(header, &m)
	}
	if err != nil {
		return ArrowMessage{}, err
	}
	return m, nil
}

func (b flatbuffer) readBatch(batch int, m *ArrowMessage) {
	if at := b.field(batch, batchRows); at != 0 {
		m.Rows = b.i64(at)
	}
	m.Compressed = b.field(batch, batchCompression) != 0
	first, n := b.vector(batch, batchNodes, nodeBytes)
	m.Nodes = make([]ArrowNode, n)
	for i := range m.Nodes {
		at := first + i*nodeBytes
		m.Nodes[i] = ArrowNode{Values: b.i64(at), Nulls: b.i64(at + 8)}
	}
	first, n = b.vector(batch, batchBuffers, bufferBytes)
	m.Buffers = make([]ArrowBuffer, n)
	for i := range m.Buffers {
		at := first + i*bufferBytes
		m.Buffers[i] = ArrowBuffer{Offset: b.i64(at), Bytes: b.i64(at + 8)}
	}
}

// ReadArrowFooter reads the footer of an Arrow file: the places of its record batches and the number of its dictionaries.
func ReadArrowFooter(footer []byte) (batches []ArrowBlock, dictionaries int, err error) {
	defer recoverFlatbuffer(&err)
	b := flatbuffer(footer)
	root := b.table(0)
	if at := b.field(root, footerSchema); at != 0 {
		if err := b.checkSchema(b.table(at)); err != nil {
			return nil, 0, err
		}
	}
	_, dictionaries = b.vector(root, footerDictionaries, blockBytes)
	first, n := b.vector(root, footerBatches, blockBytes)
	batches = make([]ArrowBlock, n)
	for i := range batches {
		at := first + i*blockBytes // int64, int32 and 4 unused bytes, int64
		batches[i] = ArrowBlock{Offset: b.i64(at), DescriptionBytes: int64(int32(b.u32(at + 8))), BodyBytes: b.i64(at + 16)}
	}
	return batches, dictionaries, nil
}

// ArrowFooterBytes is the length of the footer of an Arrow file of size bytes, of which end holds the last ten at least.
// The footer ends ten bytes before the file does.
func ArrowFooterBytes(end []byte, size int64) (int64, error) {
	if int64(len(end)) < arrowEndBytes {
		return 0, fmt.Errorf("%d bytes: %w", size, ErrDamaged)
	}
	end = end[int64(len(end))-arrowEndBytes:]
	length := int64(binary.LittleEndian.Uint32(end))
	if string(end[4:]) != arrowMagic || length > size-arrowEndBytes {
		return 0, fmt.Errorf("it does not end in an Arrow footer: it was cut off, or is something else: %w", ErrDamaged)
	}
	return length, nil
}

// An Arrow file ends in its footer's length and the magic.
const (
	arrowMagic    = "ARROW1"
	arrowEndBytes = 4 + int64(len(arrowMagic))
)

// checkArrowFooter looks at the footer of an Arrow file of size bytes.
func checkArrowFooter(f io.ReaderAt, size int64) error {
	end := make([]byte, min(size, arrowEndBytes))
	if _, err := f.ReadAt(end, size-int64(len(end))); err != nil && len(end) > 0 {
		return err
	}
	length, err := ArrowFooterBytes(end, size)
	if err != nil {
		return err
	}
	footer := make([]byte, length)
	if _, err := f.ReadAt(footer, size-arrowEndBytes-length); err != nil && length > 0 {
		return err
	}
	_, _, err = ReadArrowFooter(footer)
	return err
}

// flatbuffer is a buffer of tables. Its methods panic where an offset leads out of it.
type flatbuffer []byte

// recoverFlatbuffer makes an error of the panic of a method of flatbuffer.
func recoverFlatbuffer(err *error) {
	if p := recover(); p != nil {
		*err = errFlatbuffer
	}
}

func (b flatbuffer) u32(at int) int   { return int(binary.LittleEndian.Uint32(b[at:])) }
func (b flatbuffer) i64(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }

// table is the place of the table or vector that the offset at a place leads to.
func (b flatbuffer) table(at int) int { return at + b.u32(at) }

// field is the place of field n of the table at a place, or 0.
func (b flatbuffer) field(table, n int) int {
	vtable := table - int(int32(b.u32(table)))
	slot := 4 + 2*n
	if int(binary.LittleEndian.Uint16(b[vtable:])) <= slot { // as the Arrow reader has it, even where half a number is left
		return 0
	}
	if offset := int(binary.LittleEndian.Uint16(b[vtable+slot:])); offset != 0 {
		return table + offset
	}
	return 0
}

// vector is the place of the first element and the number of elements of the vector in field n; each takes size bytes.
func (b flatbuffer) vector(table, n, size int) (first, length int) {
	at := b.field(table, n)
	if at == 0 {
		return 0, 0
	}
	at = b.table(at)
	length = b.u32(at)
	if length > (len(b)-at-4)/size {
		panic(errFlatbuffer)
	}
	return at + 4, length
}

func (b flatbuffer) checkSchema(schema int) error {
	b.vector(schema, schemaMetadata, offsetBytes)
	left := len(b) / 4 // fields: tables may share children, and then a small buffer describes very many
	return b.checkFields(schema, schemaFields, maxDeep, &left)
}

func (b flatbuffer) checkFields(table, n, depth int, left *int) error {
	first, length := b.vector(table, n, offsetBytes)
	if *left -= length; *left < 0 || depth == 0 {
		return errFlatbuffer
	}
	for i := range length {
		field := b.table(first + offsetBytes*i)
		b.vector(field, fieldMetadata, offsetBytes)
		if err := b.checkFields(field, fieldChildren, depth-1, left); err != nil {
			return err
		}
	}
	return nil
}
