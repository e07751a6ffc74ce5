package op

import (
	"slices"

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
	p       Rows
	scratch *Scratch
	width   int
	hidden  int
	norm    norm
	fc1     linear
	fc2     linear
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

// NewMLP returns the layer for the rows of p: a [Packing], or its first ones ([Packing.First]).
func NewMLP(p Rows, s *Scratch, width, hidden int, eps float32) *MLP {
	return &MLP{
		p: p, scratch: s, width: width, hidden: hidden,
		norm: newNorm(width, p.MaxRows(), eps),
		fc1:  linear{in: width, out: hidden},
		fc2:  linear{in: hidden, out: width},
	}
}

func (m *MLP) Name() string           { return "mlp" }
func (m *MLP) OutShape() tensor.Shape { return tensor.Shape{m.p.MaxRows(), m.width} }

// reserve: what the two products make is kept; the norm's rows and GELU's, and the scaled and shifted ones, are computed
// again.
func (m *MLP) reserve(wanted []bool) (kept int) {
	n, s := m.p.MaxRows(), m.scratch
	s.reserve(slotNormed, n*m.width)
	s.reserveWide(slotWide, n, m.hidden)
	if s.ForwardOnly || !slices.Contains(wanted, true) {
		return 0
	}
	s.reserve(slotGrad, n*m.width)
	s.reserve(slotGrad2, n*m.width)
	s.reserveWide(slotWideGrad, n, m.hidden)
	kept = keep(&m.fc1.pre, n*m.hidden)
	if len(wanted) > mlpFC2Scale && wanted[mlpFC2Scale] {
		kept += keep(&m.fc2.pre, n*m.width)
	}
	return kept
}

func (m *MLP) Forward(out []float32, in [][]float32) {
	n := m.p.Rows()
	x, y := kernel.Mat(in[mlpX][:n*m.width], n, m.width), kernel.Mat(out[:n*m.width], n, m.width)
	normed, active := m.scratch.rows(slotNormed, n, m.width), m.scratch.wideRows(slotWide, n, m.hidden)
	m.norm.forward(normed, x, in[mlpNormW], in[mlpNormB], pair(in, mlpNormScale))
	m.fc1.forward(active, normed, in[mlpFC1W], in[mlpFC1B], pair(in, mlpFC1Scale), kernel.Epilogue{GELU: true})
	m.fc2.forward(y, active, in[mlpFC2W], in[mlpFC2B], pair(in, mlpFC2Scale), kernel.Epilogue{Residual: x})
}

func (m *MLP) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d, s := m.p.Rows(), m.width, m.scratch
	x := kernel.Mat(in[mlpX][:n*d], n, d)

	dfc1 := s.wideRows(slotWideGrad, n, m.hidden)
	pre, raise, draise := m.fc1.before(n), pair(in, mlpFC1Scale), pair(din, mlpFC1Scale)
	active := s.wideRows(slotWide, n, m.hidden)
	if din[mlpFC2W] != nil {
		kernel.ScaleShiftGELU(active, pre, raise.gamma, raise.beta)
	}
	m.fc2.backward(dfc1, din[mlpFC2W], din[mlpFC2B], pair(din, mlpFC2Scale), kernel.Mat(dout[:n*d], n, d), s.rows(slotGrad, n, d), active, in[mlpFC2W], pair(in, mlpFC2Scale))
	kernel.ScaleShiftGELUBackward(dfc1, dfc1, pre, raise.gamma, raise.beta, draise.gamma, draise.beta)

	normed := s.rows(slotNormed, n, d)
	if din[mlpFC1W] != nil {
		m.norm.forward(normed, x, in[mlpNormW], in[mlpNormB], pair(in, mlpNormScale))
	}
	dnormed := s.rows(slotGrad, n, d)
	m.fc1.maps(dnormed, din[mlpFC1W], din[mlpFC1B], dfc1, normed, in[mlpFC1W])
	dx := s.rows(slotGrad2, n, d)
	m.norm.backward(dx, din[mlpNormW], din[mlpNormB], pair(din, mlpNormScale), dnormed, x, in[mlpNormW], in[mlpNormB], pair(in, mlpNormScale))
	if din[mlpX] != nil {
		kernel.Add(din[mlpX][:n*d], dx.Data, dout[:n*d])
	}
}
