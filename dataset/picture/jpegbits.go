package picture

import (
	"encoding/binary"
	"errors"
)

// Errors of a scan's data. They are values, because the inner loops return them.
var (
	errCode  = errors.New("the JPEG has a bad Huffman code")
	errCoefs = errors.New("the JPEG has a block with too many coefficients")
	errShort = errors.New("the JPEG's pixels end too early")
)

// lookupBits is how many bits one look into a table of codes takes: nearly all codes are shorter.
const lookupBits = 10

// huffman is a table of codes (T.81, annexes C and F.2.2.3).
type huffman struct {
	counts  [17]int // codes by length; from 1
	symbols [256]uint8
	built   bool

	lookup [1 << lookupBits]uint16 // symbol<<8 | length by the next bits; 0 where the code is longer
	direct [1 << lookupBits]int32  // of AC: value<<16 | run<<8 | length of code and value; 0 where they are longer
	limit  [17]uint32              // the first 16 bits that belong to a longer code, by length
	offset [17]int                 // what a code of that length lacks to its place in symbols
}

// build makes the tables from counts and symbols.
func (h *huffman) build() error {
	if h.built {
		return nil
	}
	h.lookup, h.direct = [1 << lookupBits]uint16{}, [1 << lookupBits]int32{}
	code, at := 0, 0
	for length := 1; length <= 16; length++ {
		h.offset[length] = at - code
		for range h.counts[length] {
			if code >= 1<<length {
				return errors.New("the JPEG has more Huffman codes than fit")
			}
			if rest := lookupBits - length; rest >= 0 {
				h.enter(code<<rest, 1<<rest, length, h.symbols[at])
			}
			code++
			at++
		}
		h.limit[length] = uint32(code) << (16 - length)
		code <<= 1
	}
	h.built = true
	return nil
}

// enter enters one code at all bits that begin with it.
func (h *huffman) enter(first, n, length int, symbol uint8) {
	run, size := int32(symbol>>4), int(symbol&15)
	for i := first; i < first+n; i++ {
		h.lookup[i] = uint16(symbol)<<8 | uint16(length)
		if rest := lookupBits - length - size; size > 0 && rest >= 0 {
			value := extend(uint64(i>>rest&(1<<size-1)), size)
			h.direct[i] = value<<16 | run<<8 | int32(length+size)
		}
	}
}

// extend is the value of size bits (T.81, table F.1 and F.2.2.1's EXTEND).
func extend(bits uint64, size int) int32 {
	v := int32(bits)
	if v < 1<<(size-1) {
		v -= 1<<size - 1
	}
	return v
}

// bitReader reads the bits of a scan, from the highest down, and stops before a marker.
type bitReader struct {
	data []byte
	at   int    // the next byte to take into acc
	acc  uint64 // bits not yet read, on top
	n    int    // how many they are; below them acc may hold the beginning of data[at:]
	over int    // how many zeros were put behind the data's end; short tells whether one was read
}

// fill makes n at least 57.
func (r *bitReader) fill() {
	const low, high = 0x0101010101010101, 0x8080808080808080
	if r.at+8 <= len(r.data) {
		v := binary.BigEndian.Uint64(r.data[r.at:])
		if (^v-low)&v&high == 0 { // no byte is FF
			r.acc |= v >> r.n
			whole := (64 - r.n) / 8
			r.at += whole
			r.n += 8 * whole
			return
		}
	}
	for r.n <= 56 {
		var b byte
		switch {
		case r.at >= len(r.data):
			r.pad()
			return
		case r.data[r.at] != 0xFF:
			b = r.data[r.at]
			r.at++
		default:
			next := r.at + 1
			for next < len(r.data) && r.data[next] == 0xFF { // any number of FF may stand before a marker
				next++
			}
			if next >= len(r.data) || r.data[next] != 0 {
				r.pad()
				return
			}
			b = 0xFF
			r.at = next + 1
		}
		r.acc |= uint64(b) << (56 - r.n)
		r.n += 8
	}
}

func (r *bitReader) pad() {
	r.over += 64 - r.n
	r.n = 64
}

// short reports that more was read than there is.
func (r *bitReader) short() bool { return r.n < r.over }

// restart drops what is left of the bits.
func (r *bitReader) restart() { r.acc, r.n, r.over = 0, 0, 0 }

// bits reads size bits, at most 16.
func (r *bitReader) bits(size int) uint64 {
	if r.n < 16 {
		r.fill()
	}
	v := r.acc >> 1 >> (63 - size)
	r.acc <<= size
	r.n -= size
	return v
}

// symbol reads one code.
func (r *bitReader) symbol(h *huffman) (uint8, error) {
	if r.n < 16 {
		r.fill()
	}
	if e := h.lookup[r.acc>>(64-lookupBits)]; e != 0 {
		r.acc <<= e & 0xFF
		r.n -= int(e & 0xFF)
		return uint8(e >> 8), nil
	}
	symbol, length := h.long(r.acc)
	if length == 0 {
		return 0, errCode
	}
	r.acc <<= length
	r.n -= length
	return symbol, nil
}

// long finds a code that lookup does not have; length is 0 where there is none.
func (h *huffman) long(acc uint64) (symbol uint8, length int) {
	top := uint32(acc >> 48)
	for length := lookupBits + 1; length <= 16; length++ {
		if top < h.limit[length] {
			return h.symbols[(int(top>>(16-length))+h.offset[length])&0xFF], length
		}
	}
	return 0, 0
}
