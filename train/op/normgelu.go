package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// NormGELU is what lies between the two maps of a classifier with a hidden layer: y = GELU(LayerNorm(x)), GELU in its erf
// form.
//
// Inputs: x [B,M]; norm weight, bias [M]. Output [B,M].
type NormGELU struct {
	p      *Packing
	norm   norm
	normed []float32 // [B,M]
	dy     []float32 // [B,M]
}

// NewNormGELU returns the layer for rows of the given width.
func NewNormGELU(p *Packing, width int, eps float32) *NormGELU {
	return &NormGELU{p: p, norm: newNorm(width, p.MaxBatch, eps)}
}

func (l *NormGELU) Name() string           { return "norm and gelu" }
func (l *NormGELU) OutShape() tensor.Shape { return tensor.Shape{l.p.MaxBatch, l.norm.width} }

func (l *NormGELU) reserve([]bool) (kept int) {
	n := l.p.MaxBatch * l.norm.width
	return keep(&l.normed, n) + keep(&l.dy, n)
}

func (l *NormGELU) view(m []float32) kernel.Matrix {
	b := len(l.p.Seqs)
	return kernel.Mat(m[:b*l.norm.width], b, l.norm.width)
}

func (l *NormGELU) Forward(out []float32, in [][]float32) {
	normed := l.view(l.normed)
	l.norm.forward(normed, l.view(in[0]), in[1], in[2], scaleShift{})
	kernel.GELU(out[:len(normed.Data)], normed.Data)
}

func (l *NormGELU) Backward(din [][]float32, dout []float32, in [][]float32) {
	dy := l.view(l.dy)
	kernel.GELUBackward(dy.Data, dout[:len(dy.Data)], l.view(l.normed).Data)
	dx := l.view(l.normed) // which is read no more
	if din[0] != nil {
		dx = l.view(din[0])
	}
	l.norm.backward(dx, din[1], din[2], scaleShift{}, dy, l.view(in[0]), in[1], in[2], scaleShift{})
}
