package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/train/kernel"
)

// TestWideMLP: where the hidden rows have a gap behind them, the layer is still the sum of two layers of half the hidden
// units, whose rows have none: x and the second bias count once.
func TestWideMLP(t *testing.T) {
	const d, hidden = 8, 512
	if kernel.Stride(hidden) == hidden || kernel.Stride(hidden/2) != hidden/2 {
		t.Fatal("it is the whole layer alone whose rows have a gap")
	}
	p := testPacking()
	n := p.Rows() * d
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(scale * rng.NormFloat64())
		}
		return v
	}
	in := [][]float32{draw(p.MaxRows()*d, 1), draw(d, 1), draw(d, 1), draw(hidden*d, 0.3), draw(hidden, 1), draw(d*hidden, 0.1), draw(d, 1),
		draw(d, 1), draw(d, 1), draw(hidden, 1), draw(hidden, 1), draw(d, 1), draw(d, 1)}
	dout := draw(p.MaxRows()*d, 1)
	half := func(k int) [][]float32 {
		h := slices.Clone(in)
		units := func(v []float32, width int) []float32 { return v[k*hidden/2*width : (k+1)*hidden/2*width] }
		for _, i := range []int{mlpFC1B, mlpFC1Scale, mlpFC1Scale + 1} {
			h[i] = units(in[i], 1)
		}
		h[mlpFC1W], h[mlpFC2W] = units(in[mlpFC1W], d), nil
		for row := range d {
			h[mlpFC2W] = append(h[mlpFC2W], in[mlpFC2W][row*hidden:][k*hidden/2:(k+1)*hidden/2]...)
		}
		if k == 1 { // the bias behind the scale, and the shift, are the first half's
			h[mlpFC2B], h[mlpFC2Scale+1] = make([]float32, d), make([]float32, d)
		}
		return h
	}
	run := func(in [][]float32, hidden int) (y []float32, din [][]float32) {
		m := NewMLP(p, &Scratch{}, d, hidden, 1e-5)
		m.reserve(slices.Repeat([]bool{true}, len(in)))
		y = make([]float32, p.MaxRows()*d)
		m.Forward(y, in)
		for _, v := range in {
			din = append(din, make([]float32, len(v)))
		}
		m.Backward(din, dout, in)
		return y, din
	}
	y, din := run(in, hidden)
	y0, din0 := run(half(0), hidden/2)
	y1, din1 := run(half(1), hidden/2)
	near := func(name string, got, want float32) {
		t.Helper()
		if math.Abs(float64(got-want)) > 2e-4*(1+math.Abs(float64(want))) {
			t.Fatalf("%s is %v, want %v", name, got, want)
		}
	}
	for i := range n {
		near("y", y[i], y0[i]+y1[i]-in[mlpX][i])
		near("its gradient by x", din[mlpX][i], din0[mlpX][i]+din1[mlpX][i]-dout[i])
	}
	for _, i := range []int{mlpNormW, mlpNormB, mlpNormScale, mlpNormScale + 1} {
		for k := range din[i] {
			near("the gradient by the norm's", din[i][k], din0[i][k]+din1[i][k])
		}
	}
	for _, i := range []int{mlpFC1W, mlpFC1B, mlpFC1Scale, mlpFC1Scale + 1} {
		for k, want := range slices.Concat(din0[i], din1[i]) {
			near("the gradient by the first map's", din[i][k], want)
		}
	}
	for row := range d {
		for k, want := range slices.Concat(din0[mlpFC2W][row*hidden/2:][:hidden/2], din1[mlpFC2W][row*hidden/2:][:hidden/2]) {
			near("the gradient by the second map", din[mlpFC2W][row*hidden+k], want)
		}
	}
}
