package layout

import (
	"encoding/binary"
	"fmt"

	"github.com/mcil/mcil/schemas"
)

// Parquet describes its files and pages in Thrift's compact protocol. This reads any such description into a tree; no
// number in it makes room for more than its bytes can hold.

// thrift is a value: of its fields one is in use.
type thrift struct {
	num    int64  // booleans, too: 0 and 1
	bin    []byte // part of what was read
	list   []thrift
	fields []thriftField
}

type thriftField struct {
	id int16
	thrift
}

// at is a field of a structure, empty where it is absent.
func (t *thrift) at(id int16) *thrift {
	if f := t.find(id); f != nil {
		return f
	}
	return &thrift{}
}

// find is nil where a field is absent.
func (t *thrift) find(id int16) *thrift {
	for i := range t.fields {
		if t.fields[i].id == id {
			return &t.fields[i].thrift
		}
	}
	return nil
}

// Types of the compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6 // and 4 and 5, the shorter ones
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12

	maxThriftDepth = 16 // Parquet's own descriptions are half as deep
)

// readThrift reads the structure with which b begins, and says how many bytes it takes.
func readThrift(b []byte) (t thrift, n int, err error) {
	r := thriftReader{b: b}
	t = r.structure(maxThriftDepth)
	if r.failed {
		return thrift{}, 0, fmt.Errorf("its description is damaged at byte %d: %w", r.at, schemas.ErrDamaged)
	}
	return t, r.at, nil
}

// thriftReader keeps its first failure; from then on it reads nothing.
type thriftReader struct {
	b      []byte
	at     int
	failed bool
}

func (r *thriftReader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.b)-r.at) {
		r.failed = true
		return nil
	}
	b := r.b[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *thriftReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.take(uint64(n))
	return v
}

func (r *thriftReader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *thriftReader) structure(depth int) (t thrift) {
	id := int16(0)
	for !r.failed {
		head := r.byte()
		kind := head & 15
		if kind == thriftStop {
			return t
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			id = int16(r.varint())
		}
		f := thriftField{id: id}
		if kind == thriftTrue || kind == thriftFalse { // the type is the value
			f.num = int64(thriftFalse - kind)
		} else {
			f.thrift = r.value(kind, depth)
		}
		t.fields = append(t.fields, f)
	}
	return t
}

func (r *thriftReader) value(kind byte, depth int) (t thrift) {
	if depth == 0 {
		r.failed = true
	}
	switch {
	case r.failed:
	case kind == thriftTrue || kind == thriftFalse || kind == thriftByte: // elements of a list
		t.num = int64(int8(r.byte()))
	case kind <= thriftI64:
		t.num = r.varint()
	case kind == thriftDouble:
		t.bin = r.take(8)
	case kind == thriftBinary:
		t.bin = r.take(r.uvarint())
	case kind == thriftList || kind == thriftSet:
		head := r.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = r.uvarint()
		}
		for ; n > 0 && !r.failed; n-- { // it grows as it is read: each element takes a byte at least
			t.list = append(t.list, r.value(head&15, depth-1))
		}
	case kind == thriftMap:
		n := r.uvarint()
		if n == 0 {
			return t
		}
		kinds := r.byte()
		for ; n > 0 && !r.failed; n-- {
			t.list = append(t.list, r.value(kinds>>4, depth-1), r.value(kinds&15, depth-1))
		}
	case kind == thriftStruct:
		return r.structure(depth - 1)
	default:
		r.failed = true
	}
	return t
}
