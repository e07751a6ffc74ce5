package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Pool is ViLT's final norm and pooler on the first row ([CLS]) of each sequence: f = tanh(Wp · S(LayerNorm(x)) + bp).
//
// Inputs: x [B,D]; norm weight, bias [D]; Wp [D,D], bp [D]; and where tuned, gamma and beta of S [D]. Output [B,D].
type Pool struct {
	p       *Packing
	scratch *Scratch
	width   int
	norm    norm
	dense   linear

	normed, out []float32 // [B,D]
}

// NewPool returns the layer for sequences packed by p.
func NewPool(p *Packing, s *Scratch, width int, eps float32) *Pool {
	b := p.MaxBatch
	return &Pool{
		p: p, scratch: s, width: width,
		norm:   newNorm(width, b, eps),
		dense:  linear{in: width, out: width},
		normed: make([]float32, b*width),
		out:    make([]float32, b*width),
	}
}

// reserve: the rows are few, one a sequence.
func (l *Pool) reserve([]bool) (kept int) {
	n := len(l.out)
	for _, slot := range []int{slotGrad, slotGrad2} {
		l.scratch.reserve(slot, n)
	}
	return 2 * n
}

func (l *Pool) Name() string           { return "pool" }
func (l *Pool) OutShape() tensor.Shape { return tensor.Shape{l.p.MaxBatch, l.width} }

func (l *Pool) view(m []float32) kernel.Matrix {
	b := len(l.p.Seqs)
	return kernel.Mat(m[:b*l.width], b, l.width)
}

func (l *Pool) Forward(out []float32, in [][]float32) {
	l.norm.forward(l.view(l.normed), l.view(in[0]), in[1], in[2], pair(in, 5))
	y := l.view(out)
	l.dense.forward(y, l.view(l.normed), in[3], in[4], scaleShift{}, kernel.Epilogue{})
	kernel.Tanh(y.Data, y.Data)
	copy(l.out, y.Data)
}

func (l *Pool) Backward(din [][]float32, dout []float32, in [][]float32) {
	b, d := len(l.p.Seqs), l.width
	dy := l.scratch.rows(slotGrad, b, d)
	kernel.TanhBackward(dy.Data, dout[:b*d], l.out[:b*d])
	dnormed := l.scratch.rows(slotGrad2, b, d)
	l.dense.maps(dnormed, din[3], din[4], dy, l.view(l.normed), in[3])
	dx := l.scratch.rows(slotGrad, b, d)
	if din[0] != nil {
		dx = l.view(din[0])
	}
	l.norm.backward(dx, din[1], din[2], pair(din, 5), dnormed, l.view(in[0]), in[1], in[2], pair(in, 5))
}
