package vilt

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// stored is a tensor in a file, of which nothing but the place is read yet.
type stored struct {
	name  string
	shape []int
	dtype string // as safetensors names it: F32, F16, BF16, I64, …
	at    int    // of the first value in the file, bytes
	bytes int
}

// width is the size of one value in bytes, and 0 for types that are not known here.
func width(dtype string) int {
	switch dtype {
	case "F64", "I64", "U64":
		return 8
	case "F32", "I32", "U32":
		return 4
	case "F16", "BF16", "I16", "U16":
		return 2
	case "I8", "U8", "BOOL":
		return 1
	}
	return 0
}

// readable says whether values of a type become float32 without loss.
func readable(dtype string) bool { return dtype == "F32" || dtype == "F16" || dtype == "BF16" }

// whole says whether a type is of whole numbers: such tensors are indices and counters, not weights.
func whole(dtype string) bool {
	return dtype == "BOOL" || dtype != "" && (dtype[0] == 'I' || dtype[0] == 'U')
}

// size is the number of bytes of a shape and a type of known width, or -1 where it is more than most.
func size(shape []int, width, most int) int {
	n := width
	for _, s := range shape {
		if s < 0 || (s > 0 && n > most/s) {
			return -1
		}
		n *= s
	}
	return n
}

// read copies the first len(dst) values from the file, once, and lets go of the file's pages on the way.
func (s stored) read(m mapped, dst []float32) {
	const piece = 1 << 20 // values
	w := width(s.dtype)
	for at := 0; at < len(dst); at += piece {
		part := dst[at:min(len(dst), at+piece)]
		from := s.at + w*at
		decode(part, m.bytes[from:from+w*len(part)], s.dtype)
		if len(part) >= 1<<12 { // for less it is not worth the call
			m.forget()
		}
	}
}

// decode reads values of a readable type, little-endian as every format here has them.
func decode(dst []float32, src []byte, dtype string) {
	switch dtype {
	case "F32":
		if len(dst) > 0 && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 4*len(dst)), src)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case "F16":
		for i := range dst {
			dst[i] = half(binary.LittleEndian.Uint16(src[2*i:]))
		}
	case "BF16":
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
	}
}

// half is the value of an IEEE 754 binary16: 1 bit of sign, 5 of exponent with bias 15, 10 of fraction.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exponent {
	case 0: // zero and subnormals: fraction · 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 31: // infinities and NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
