package op

import (
	"math"

	"gorgonia.org/tensor"
)

// Keyed is [CrossEntropy] with a pull of the chosen keys to the queries (L2P, eq. 5; DualPrompt, eq. 6):
//
//	loss = cross-entropy - Weight · 1/B Σ_b Σ_k cos(query_b, key[chosen_bk])
//
// Keys that were chosen for no sequence get no gradient, and the queries are constants.
//
// Inputs: logits [B,K]; keys [M,D]. Output: a scalar.
type Keyed struct {
	CrossEntropy
	Weight float64

	s     *Prompting
	width int
}

// NewKeyed returns the loss over K classes, with the labels of p and the choice of s.
func NewKeyed(p *Packing, s *Prompting, classes, width int, weight float64) *Keyed {
	return &Keyed{CrossEntropy: *NewCrossEntropy(p, classes), Weight: weight, s: s, width: width}
}

func (l *Keyed) Name() string           { return "cross-entropy and keys" }
func (l *Keyed) OutShape() tensor.Shape { return tensor.Shape{} }

// each calls f for the query and the chosen keys of each sequence, and the number of the key.
func (l *Keyed) each(keys []float32, f func(query, key []float32, k int)) {
	d := l.width
	for i := range l.p.Seqs {
		for _, k := range l.s.Chosen[i*l.s.Top : (i+1)*l.s.Top] {
			f(l.s.Queries[i*d:(i+1)*d], keys[int(k)*d:(int(k)+1)*d], int(k))
		}
	}
}

func (l *Keyed) Forward(out []float32, in [][]float32) {
	l.CrossEntropy.Forward(out, in)
	var sum float64
	l.each(in[1], func(query, key []float32, _ int) { sum += AngleOf(query, key).Cos })
	out[0] -= float32(l.Weight * sum / float64(len(l.p.Seqs)))
}

func (l *Keyed) Backward(din [][]float32, dout []float32, in [][]float32) {
	if din[0] != nil {
		l.CrossEntropy.Backward(din, dout, in)
	}
	if din[1] == nil {
		return
	}
	clear(din[1])
	by := -l.Weight * float64(dout[0]) / float64(len(l.p.Seqs))
	l.each(in[1], func(query, key []float32, k int) {
		c := AngleOf(query, key)
		if c.A == 0 || c.B == 0 {
			return
		}
		grad := din[1][k*l.width : (k+1)*l.width]
		for j := range grad {
			grad[j] += float32(by * (float64(query[j])/(c.A*c.B) - c.Cos*float64(key[j])/(c.B*c.B)))
		}
	})
}

// Angle is the cosine of two vectors, and their lengths: 0 for one that has no direction, beside which the cosine is 0.
type Angle struct{ Cos, A, B float64 }

// AngleOf compares a and b, which are equally long, in float64.
func AngleOf(a, b []float32) Angle {
	var ab, aa, bb float64
	for i, v := range a {
		x, y := float64(v), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	c := Angle{A: math.Sqrt(aa), B: math.Sqrt(bb)}
	if c.A < leastNorm {
		c.A = 0
	}
	if c.B < leastNorm {
		c.B = 0
	}
	if c.A > 0 && c.B > 0 {
		c.Cos = ab / c.A / c.B
	}
	return c
}
