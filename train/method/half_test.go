package method

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestHalf holds single values to known ones: IEEE 754 binary16, to nearest, ties to even.
func TestHalf(t *testing.T) {
	for _, x := range []struct {
		value float32
		half  uint16
		back  float32
	}{
		{0, 0x0000, 0},
		{float32(math.Copysign(0, -1)), 0x8000, 0},
		{1, 0x3c00, 1},
		{-2, 0xc000, -2},
		{65504, 0x7bff, 65504},     // the largest
		{0x1p-14, 0x0400, 0x1p-14}, // the smallest that is normal
		{0x1p-24, 0x0001, 0x1p-24}, // the smallest
		{1023 * 0x1p-24, 0x03ff, 1023 * 0x1p-24},
		{1.0 / 3, 0x3555, 0.333251953125},
		{1 + 0x1p-11, 0x3c00, 1},               // half way: down to even
		{1 + 3*0x1p-11, 0x3c02, 1 + 2*0x1p-10}, // half way: up to even
		{1 + 0x1p-11 + 0x1p-23, 0x3c01, 1 + 0x1p-10},
		{2 - 0x1p-11, 0x4000, 2}, // into the next binade
		{0x1p-25, 0x0000, 0},     // half way between 0 and the smallest
		{0x1p-25 + 0x1p-40, 0x0001, 0x1p-24},
		{3 * 0x1p-25, 0x0002, 0x1p-23},
		{0x1p-14 - 0x1p-25, 0x0400, 0x1p-14}, // from subnormal to normal
		{-0x1p-30, 0x8000, 0},
		{math.SmallestNonzeroFloat32, 0, 0},
	} {
		if got := toHalf(x.value); got != x.half {
			t.Errorf("%g becomes %#04x, not %#04x", x.value, got, x.half)
		}
		if got := fromHalf(x.half); got != x.back {
			t.Errorf("%#04x is %g, not %g", x.half, got, x.back)
		}
	}
}

// TestEveryHalf: each of the finite values is what the standard says, and is found again.
func TestEveryHalf(t *testing.T) {
	for h := range uint16(0x7c00) {
		exponent, fraction := int(h>>10), float64(h&0x3ff)
		want := math.Ldexp(1024+fraction, exponent-25)
		if exponent == 0 {
			want = math.Ldexp(fraction, -24)
		}
		for _, sign := range []uint16{0, 0x8000} {
			got := fromHalf(sign | h)
			if math.Abs(float64(got)) != want || math.Signbit(float64(got)) != (sign > 0) || toHalf(got) != sign|h {
				t.Fatalf("%#04x is %g, not ±%g, and becomes %#04x", sign|h, got, want, toHalf(got))
			}
		}
	}
}

// TestHalfRounds: no value of half precision is nearer than the one that is taken, for bits of any kind.
func TestHalfRounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		v := math.Float32frombits(rng.Uint32())
		if !(math.Abs(float64(v)) < 65504) {
			continue
		}
		h := toHalf(v)
		off := math.Abs(float64(v) - float64(fromHalf(h)))
		for _, near := range []uint16{h - 1, h + 1} {
			if near&0x7fff >= 0x7c00 || near&0x8000 != h&0x8000 {
				continue
			}
			if other := math.Abs(float64(v) - float64(fromHalf(near))); other < off || other == off && h&1 == 1 {
				t.Fatalf("%g becomes %g, and %g is as near", v, fromHalf(h), fromHalf(near))
			}
		}
	}
}

// TestHalfRow: a row's own power of two leaves every value 11 bits, whatever the row's size and however far one value lies
// out.
func TestHalfRow(t *testing.T) {
	for _, size := range []float32{1, 1e-30, 1e-3, 3e4, 65504, 1e6, 1e30} {
		row := []float32{1, -0.3, 0.0123, 0.5, 0, -1e-4}
		for i := range row {
			row[i] *= size
		}
		b, ok := appendHalf(nil, row)
		if !ok || len(b) != halfBytes(len(row)) {
			t.Fatalf("of %g: %d bytes, %t", size, len(b), ok)
		}
		got := make([]float32, len(row))
		readHalf(got, b)
		for i, v := range row {
			if off := math.Abs(float64(got[i] - v)); off > 0x1p-11*math.Abs(float64(v)) {
				t.Errorf("%g became %g", v, got[i])
			}
		}
		again, _ := appendHalf(nil, got)
		if string(again) != string(b) {
			t.Errorf("of %g: rounded twice is not rounded once", size)
		}
	}
	row := []float32{70000, 1, 0.001, 1e-6} // an outlier beyond what half precision has
	b, _ := appendHalf(nil, row)
	if want := []byte{16, 0, 0x46, 0x74, 0x00, 0x34, 0x19, 0x0c, 0x04, 0x00}; string(b) != string(want) {
		t.Errorf("% x, not % x", b, want)
	}
	for _, bad := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat32} {
		if _, ok := appendHalf(nil, []float32{1, float32(bad)}); ok {
			t.Errorf("a row with %g is kept", bad)
		}
	}
	zeros, ok := appendHalf(nil, make([]float32, 3))
	got := []float32{1, 1, 1}
	readHalf(got, zeros)
	if !ok || got[0] != 0 || got[2] != 0 {
		t.Errorf("zeros became %v", got)
	}
}

// BenchmarkHalf is one picture of 144 patches and 40 tokens at ViT-B's width.
func BenchmarkHalf(b *testing.B) {
	const width, rows = 768, 185
	x, rng := make([]float32, width), rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	half, _ := appendHalf(nil, x)
	b.Run("to", func(b *testing.B) {
		buf := make([]byte, 0, rows*len(half))
		for b.Loop() {
			buf = buf[:0]
			for range rows {
				buf, _ = appendHalf(buf, x)
			}
		}
	})
	b.Run("from", func(b *testing.B) {
		for b.Loop() {
			for range rows {
				readHalf(x, half)
			}
		}
	})
}
