package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Prompting is what the layers of prompts read beside their inputs. It is set before each run of the graphs whose layers
// share it; nothing flows back to it.
type Prompting struct {
	Queries []float32 // [B,D] what the encoder without prompts says of each sequence
	Chosen  []int32   // [B,Top] rows of a pool, as [Prepend] and [Chosen] take them
	Top     int       // rows chosen for a sequence
	// The first To of the pool of [Components] are in use, and those from From on are learned: the others are older.
	From, To int
}

// Prepend fills the rows of the packing's prompts: for each sequence those of the pool that were chosen for it, in the order
// of Chosen (Wang et al., "Learning to Prompt for Continual Learning", CVPR 2022, eq. 2).
//
// Inputs: x [N,D], of which the rows of tokens are read; pool [M,L·D], with Top·L the packing's Prompts. Output [N,D], which
// may lie where x does.
type Prepend struct {
	p     *Packing
	s     *Prompting
	width int
}

// NewPrepend returns the layer for sequences packed by p.
func NewPrepend(p *Packing, s *Prompting, width int) *Prepend {
	return &Prepend{p: p, s: s, width: width}
}

func (l *Prepend) Name() string           { return "prepend prompts" }
func (l *Prepend) OutShape() tensor.Shape { return tensor.Shape{l.p.MaxRows(), l.width} }

// each calls f for the rows of each chosen prompt in m [N,D], and its number in the pool.
func (l *Prepend) each(m []float32, f func(rows []float32, prompt int)) {
	size := l.p.Prompts / l.s.Top * l.width
	for i := range l.p.Seqs {
		rows := m[(l.p.Offsets[i]+1)*l.width:]
		for k, prompt := range l.s.Chosen[i*l.s.Top : (i+1)*l.s.Top] {
			f(rows[k*size:(k+1)*size], int(prompt))
		}
	}
}

func (l *Prepend) Forward(out []float32, in [][]float32) {
	n := l.p.Rows() * l.width
	if &out[0] != &in[0][0] {
		copy(out[:n], in[0][:n])
	}
	l.each(out, func(rows []float32, prompt int) { copy(rows, in[1][prompt*len(rows):]) })
}

func (l *Prepend) Backward(din [][]float32, dout []float32, _ [][]float32) {
	if din[1] != nil {
		clear(din[1])
		l.each(dout, func(rows []float32, prompt int) {
			kernel.Axpy(din[1][prompt*len(rows):(prompt+1)*len(rows)], 1, rows)
		})
	}
	if din[0] != nil {
		n := l.p.Rows() * l.width
		if &din[0][0] != &dout[0] {
			copy(din[0][:n], dout[:n])
		}
		l.each(din[0], func(rows []float32, _ int) { clear(rows) })
	}
}

// PromptMean is the mean of the rows of a sequence's prompts after the final norm: what L2P reads of its encoder.
//
// Inputs: x [N,D]; norm weight, bias [D]. Output [B,D]. There is no derivative by the norm's parameters.
type PromptMean struct {
	p     *Packing
	width int
	norm  norm

	rows, normed, drows []float32 // [B·Prompts,D]
}

// NewPromptMean returns the layer for sequences packed by p.
func NewPromptMean(p *Packing, width int, eps float32) *PromptMean {
	return &PromptMean{p: p, width: width, norm: newNorm(width, p.MaxBatch*p.Prompts, eps)}
}

func (l *PromptMean) reserve(wanted []bool) (kept int) {
	n := l.p.MaxBatch * l.p.Prompts * l.width
	kept = keep(&l.rows, n) + keep(&l.normed, n)
	if wanted[0] {
		kept += keep(&l.drows, n)
	}
	return kept
}

func (l *PromptMean) Name() string           { return "mean of prompts" }
func (l *PromptMean) OutShape() tensor.Shape { return tensor.Shape{l.p.MaxBatch, l.width} }

func (l *PromptMean) view(m []float32) kernel.Matrix {
	n := len(l.p.Seqs) * l.p.Prompts
	return kernel.Mat(m[:n*l.width], n, l.width)
}

func (l *PromptMean) Forward(out []float32, in [][]float32) {
	d, size := l.width, l.p.Prompts*l.width
	for i := range l.p.Seqs {
		copy(l.rows[i*size:(i+1)*size], in[0][(l.p.Offsets[i]+1)*d:])
	}
	l.norm.forward(l.view(l.normed), l.view(l.rows), in[1], in[2], scaleShift{})
	for i := range l.p.Seqs {
		mean := out[i*d : (i+1)*d]
		clear(mean)
		for k := range l.p.Prompts {
			kernel.Axpy(mean, 1/float32(l.p.Prompts), l.normed[i*size+k*d:][:d])
		}
	}
}

func (l *PromptMean) Backward(din [][]float32, dout []float32, in [][]float32) {
	if din[0] == nil {
		return
	}
	d, size := l.width, l.p.Prompts*l.width
	clear(l.normed)
	for i := range l.p.Seqs {
		for k := range l.p.Prompts {
			kernel.Axpy(l.normed[i*size+k*d:][:d], 1/float32(l.p.Prompts), dout[i*d:(i+1)*d])
		}
	}
	l.norm.backward(l.view(l.drows), nil, nil, scaleShift{}, l.view(l.normed), l.view(l.rows), in[1], in[2], scaleShift{})
	clear(din[0][:l.p.Rows()*d])
	for i := range l.p.Seqs {
		copy(din[0][(l.p.Offsets[i]+1)*d:], l.drows[i*size:(i+1)*size])
	}
}
