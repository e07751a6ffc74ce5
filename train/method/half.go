package method

import (
	"encoding/binary"
	"math"

	"github.com/mcil/mcil/train/vilt"
)

// Rows are kept in half precision (IEEE 754 binary16, rounded to nearest, ties to even) relative to a power of two of each
// row's own: its largest value is brought to 2^14 or more, below 2^15. Scaling by a power of two is exact, so a value keeps
// the 11 bits that half precision has, but no value of a row is too large for it, however far a channel of the stream lies
// out, and what is lost below is less than 2^-39 of the row's largest value. A row is its exponent, 2 bytes, and its values.

const (
	topExponent   = 14   // of a row's largest value, once scaled
	leastExponent = -100 // of a row's largest value: smaller rows are scaled as if they reached it
)

// halfBytes is the size of a row of n values.
func halfBytes(n int) int { return 2 + 2*n }

// KeptBytes is what a learner with [Options.TuneFromBlock] keeps of a sample of so many tokens and patches: dataset.Sample.Kept.
func KeptBytes(c vilt.Config, tokens, patches int) int64 {
	return int64(vilt.Sequence{Text: tokens, Patches: patches}.Rows()) * int64(halfBytes(c.Width))
}

// appendHalf appends a row; false where it has values beyond 2^127, infinite ones, or such that are no
// numbers: they cannot be kept.
func appendHalf(dst []byte, row []float32) ([]byte, bool) {
	var most uint32 // bits of the largest magnitude, which are ordered as magnitudes are
	for _, v := range row {
		most = max(most, math.Float32bits(v)&^(1<<31))
	}
	exponent := int(most>>23) - 127
	if exponent >= 127 { // the largest ones could be rounded to infinity
		return dst, false
	}
	exponent = max(exponent, leastExponent)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(int16(exponent)))
	scale := power(topExponent - exponent)
	for _, v := range row {
		dst = binary.LittleEndian.AppendUint16(dst, toHalf(v*scale))
	}
	return dst, true
}

// readHalf fills dst with a row that [appendHalf] made, of as many values.
func readHalf(dst []float32, src []byte) {
	exponent := int(int16(binary.LittleEndian.Uint16(src)))
	src = src[2:]
	scale := power(min(max(exponent, leastExponent), 127) - topExponent)
	for i := range dst {
		dst[i] = fromHalf(binary.LittleEndian.Uint16(src[2*i:])) * scale
	}
}

// power is 2^n, for n from -126 to 127.
func power(n int) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// toHalf rounds v, of a magnitude below 65520, to half precision.
func toHalf(v float32) uint16 {
	bits := math.Float32bits(v)
	sign := uint16(bits >> 16 & 0x8000)
	bits &^= 1 << 31
	if bits < 113<<23 { // below 2^-14: multiples of 2^-24, which is the last place of float32 from 0.5 to 1
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-math.Float32bits(0.5))
	}
	bits += 0xfff + bits>>13&1 // half of the last place that stays; a tie goes up where that is odd
	return sign | uint16((bits-112<<23)>>13)
}

// fromHalf is the value of h, which is finite.
func fromHalf(h uint16) float32 {
	const bias = 0x1p112 // what the exponents' biases differ by; of subnormals as well
	return math.Float32frombits(uint32(h&0x8000)<<16|uint32(h&0x7fff)<<13) * bias
}
