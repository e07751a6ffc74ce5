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
	messageHeaderType, messageHeader, messageBodyLength = 1, 2, 3
	schemaFields, schemaMetadata                        = 1, 2
	fieldChildren, fieldMetadata                        = 5, 6
	footerSchema                                        = 1

	headerIsSchema = 1
	maxFieldDepth  = 64
)

var errFlatbuffer = fmt.Errorf("a length or an offset in its description leads out of it: %w", ErrDamaged)

// CheckArrowMessage looks at the description of one message of an Arrow stream and returns the length of the body after it.
func CheckArrowMessage(description []byte) (bodyBytes int64, err error) {
	defer func() { // an index beyond description, from the functions below
		if p := recover(); p != nil {
			err = errFlatbuffer
		}
	}()
	b := flatbuffer(description)
	message := b.table(0)
	if at := b.field(message, messageBodyLength); at != 0 {
		bodyBytes = int64(binary.LittleEndian.Uint64(b[at:]))
	}
	if bodyBytes < 0 {
		return 0, errFlatbuffer
	}
	kind, header := b.field(message, messageHeaderType), b.field(message, messageHeader)
	if kind == 0 || header == 0 || b[kind] != headerIsSchema {
		return bodyBytes, nil
	}
	return bodyBytes, b.checkSchema(b.table(header))
}

// checkArrowFooter looks at the footer of an Arrow file of size bytes: description, its length in 4 bytes, ARROW1.
func checkArrowFooter(f io.ReaderAt, size int64) (err error) {
	const magic = "ARROW1"
	var end [4 + len(magic)]byte
	if size < int64(len(end)) {
		return fmt.Errorf("%d bytes: %w", size, ErrDamaged)
	}
	if _, err := f.ReadAt(end[:], size-int64(len(end))); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != magic || length > size-int64(len(end)) {
		return fmt.Errorf("it does not end in an Arrow footer: it was cut off, or is something else: %w", ErrDamaged)
	}
	b := make(flatbuffer, length)
	if _, err := f.ReadAt(b, size-int64(len(end))-length); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = errFlatbuffer
		}
	}()
	if at := b.field(b.table(0), footerSchema); at != 0 {
		return b.checkSchema(b.table(at))
	}
	return nil
}

// flatbuffer is a buffer of tables. Its methods panic where an offset leads out of it.
type flatbuffer []byte

func (b flatbuffer) u32(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }

// table is the place of the table or vector that the offset at a place leads to.
func (b flatbuffer) table(at int) int { return at + b.u32(at) }

// field is the place of field n of the table at a place, or 0.
func (b flatbuffer) field(table, n int) int {
	vtable := table - int(int32(b.u32(table)))
	slot := 4 + 2*n
	if int(binary.LittleEndian.Uint16(b[vtable:])) < slot+2 {
		return 0
	}
	if offset := int(binary.LittleEndian.Uint16(b[vtable+slot:])); offset != 0 {
		return table + offset
	}
	return 0
}

// vector is the place of the first element and the number of elements of a vector of tables in field n; each takes 4 bytes.
func (b flatbuffer) vector(table, n int) (first, length int) {
	at := b.field(table, n)
	if at == 0 {
		return 0, 0
	}
	at = b.table(at)
	length = b.u32(at)
	if length > (len(b)-at-4)/4 {
		panic(errFlatbuffer)
	}
	return at + 4, length
}

func (b flatbuffer) checkSchema(schema int) error {
	b.vector(schema, schemaMetadata)
	left := len(b) / 4 // fields: tables may share children, and then a small buffer describes very many
	return b.checkFields(schema, schemaFields, maxFieldDepth, &left)
}

func (b flatbuffer) checkFields(table, n, depth int, left *int) error {
	first, length := b.vector(table, n)
	if *left -= length; *left < 0 || depth == 0 {
		return errFlatbuffer
	}
	for i := range length {
		field := b.table(first + 4*i)
		b.vector(field, fieldMetadata)
		if err := b.checkFields(field, fieldChildren, depth-1, left); err != nil {
			return err
		}
	}
	return nil
}
