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

// NewMLP returns the layer for sequences packed by p.
func NewMLP(p *Packing, s *Scratch, width, hidden int, eps float32, tuned bool) *MLP {
	n := p.MaxRows()
	return &MLP{
		p: p, scratch: s, width: width, hidden: hidden,
		norm:   newNorm(width, n, eps, tuned),
		fc1:    newLinear(width, hidden, n, tuned),
		fc2:    newLinear(hidden, width, n, tuned),
		normed: make([]float32, n*width),
		raised: make([]float32, n*hidden),
		active: make([]float32, n*hidden),
	}
}

func (m *MLP) Name() string           { return "mlp" }
func (m *MLP) OutShape() tensor.Shape { return tensor.Shape{m.p.MaxRows(), m.width} }

func (m *MLP) views() (normed, raised, active kernel.Matrix) {
	n := m.p.Rows()
	return kernel.Mat(m.normed[:n*m.width], n, m.width),
		kernel.Mat(m.raised[:n*m.hidden], n, m.hidden),
		kernel.Mat(m.active[:n*m.hidden], n, m.hidden)
}

func (m *MLP) Forward(out []float32, in [][]float32) {
	n := m.p.Rows()
	x, y := kernel.Mat(in[0][:n*m.width], n, m.width), kernel.Mat(out[:n*m.width], n, m.width)
	normed, raised, active := m.views()
	m.norm.forward(normed, x, in[1], in[2], pair(in, 7))
	m.fc1.forward(raised, normed, in[3], in[4], pair(in, 9))
	kernel.GELU(active.Data, raised.Data)
	m.fc2.forward(y, active, in[5], in[6], pair(in, 11))
	kernel.Add(y.Data, y.Data, x.Data)
}

func (m *MLP) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d := m.p.Rows(), m.width
	x := kernel.Mat(in[0][:n*d], n, d)
	normed, raised, active := m.views()

	dy := m.scratch.rows(0, n, d)
	copy(dy.Data, dout)
	draised := m.scratch.rows(2, n, m.hidden)
	m.fc2.backward(draised, din[5], din[6], pair(din, 11), dy, active, in[5], pair(in, 11))
	kernel.GELUBackward(draised.Data, draised.Data, raised.Data)

	dnormed := m.scratch.rows(0, n, d)
	m.fc1.backward(dnormed, din[3], din[4], pair(din, 9), draised, normed, in[3], pair(in, 9))
	dx := m.scratch.rows(1, n, d)
	m.norm.backward(dx, din[1], din[2], pair(din, 7), dnormed, x, in[1], pair(in, 7))
	if din[0] != nil {
		kernel.Add(din[0][:n*d], dx.Data, dout[:n*d])
	}
}
