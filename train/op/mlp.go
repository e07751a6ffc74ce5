package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// MLP is the second half of a pre-norm transformer block,
//
//	y = x + S3(W2 · GELU(S2(W1 · S1(LayerNorm(x)) + b1)) + b2)
//
// with S1, S2, S3 the optional scale-and-shift pairs of SSF and GELU in its erf form.
//
// Inputs: x [N,D]; norm weight, bias [D]; W1 [M,D], b1 [M]; W2 [D,M], b2 [D]; and where tuned, gamma and beta of S1 [D],
// S2 [M], S3 [D].
type MLP struct {
	p       *Packing
	scratch *Scratch
	width   int
	hidden  int
	norm    norm
	fc1     linear
	fc2     linear

	normed, raised, active []float32 // [N,D] S1's, [N,M] S2's and GELU's outputs
}

// Positions of MLP's inputs. Where a pair of scale and shift is, its gamma is named.
const (
	mlpX = iota
	mlpNormW
	mlpNormB
	mlpFC1W
	mlpFC1B
	mlpFC2W
	mlpFC2B
	mlpNormScale
	_
	mlpFC1Scale
	_
	mlpFC2Scale
)

// NewMLP returns the layer for sequences packed by p.
func NewMLP(p *Packing, s *Scratch, width, hidden int, eps float32, tuned bool) *MLP {
	n := p.MaxRows()
	return &MLP{
		p: p, scratch: s, width: width, hidden: hidden,
		norm:   newNorm(s, width, n, eps, tuned),
		fc1:    newLinear(s, width, hidden, n, tuned),
		fc2:    newLinear(s, hidden, width, n, tuned),
		normed: s.keep(n * width),
		raised: s.keep(n * hidden),
		active: s.keep(n * hidden),
	}
}

func (m *MLP) Name() string           { return "mlp" }
func (m *MLP) OutShape() tensor.Shape { return tensor.Shape{m.p.MaxRows(), m.width} }

func (m *MLP) views() (normed, raised, active kernel.Matrix) {
	n := m.p.Rows()
	return m.scratch.kept(m.normed, slotNormed, n, m.width),
		m.scratch.kept(m.raised, slotRaised, n, m.hidden),
		m.scratch.kept(m.active, slotActive, n, m.hidden)
}

func (m *MLP) Forward(out []float32, in [][]float32) {
	n := m.p.Rows()
	x, y := kernel.Mat(in[mlpX][:n*m.width], n, m.width), kernel.Mat(out[:n*m.width], n, m.width)
	normed, raised, active := m.views()
	m.norm.forward(normed, x, in[mlpNormW], in[mlpNormB], pair(in, mlpNormScale))
	m.fc1.forward(raised, normed, in[mlpFC1W], in[mlpFC1B], pair(in, mlpFC1Scale))
	kernel.GELU(active.Data, raised.Data)
	m.fc2.forward(y, active, in[mlpFC2W], in[mlpFC2B], pair(in, mlpFC2Scale))
	kernel.Add(y.Data, y.Data, x.Data)
}

func (m *MLP) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d := m.p.Rows(), m.width
	x := kernel.Mat(in[mlpX][:n*d], n, d)
	normed, raised, active := m.views()

	dy := m.scratch.rows(0, n, d)
	copy(dy.Data, dout)
	draised := m.scratch.rows(2, n, m.hidden)
	m.fc2.backward(draised, din[mlpFC2W], din[mlpFC2B], pair(din, mlpFC2Scale), dy, active, in[mlpFC2W], pair(in, mlpFC2Scale))
	kernel.GELUBackward(draised.Data, draised.Data, raised.Data)

	dnormed := m.scratch.rows(0, n, d)
	m.fc1.backward(dnormed, din[mlpFC1W], din[mlpFC1B], pair(din, mlpFC1Scale), draised, normed, in[mlpFC1W], pair(in, mlpFC1Scale))
	dx := m.scratch.rows(1, n, d)
	m.norm.backward(dx, din[mlpNormW], din[mlpNormB], pair(din, mlpNormScale), dnormed, x, in[mlpNormW], pair(in, mlpNormScale))
	if din[mlpX] != nil {
		kernel.Add(din[mlpX][:n*d], dx.Data, dout[:n*d])
	}
}
