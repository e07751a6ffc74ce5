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

// PromptRows is the rows of layers behind [PromptsOnly]: for each sequence those of its prompts.
func (p *Packing) PromptRows() Rows { return promptRows{p} }

type promptRows struct{ p *Packing }

func (r promptRows) MaxRows() int { return r.p.MaxBatch * r.p.Prompts }
func (r promptRows) Rows() int    { return len(r.p.Seqs) * r.p.Prompts }

// PromptsOnly is the rows of each sequence's prompts.
//
// Input: x [N,D]. Output [B·Prompts,D].
type PromptsOnly struct {
	p     *Packing
	width int
}

// NewPromptsOnly returns the layer for sequences packed by p.
func NewPromptsOnly(p *Packing, width int) *PromptsOnly { return &PromptsOnly{p: p, width: width} }

func (l *PromptsOnly) Name() string { return "prompts only" }
func (l *PromptsOnly) OutShape() tensor.Shape {
	return tensor.Shape{l.p.PromptRows().MaxRows(), l.width}
}

// each calls f for the prompts' rows of each sequence: among all, and by themselves.
func (l *PromptsOnly) each(all, own []float32, f func(all, own []float32)) {
	size := l.p.Prompts * l.width
	for i := range l.p.Seqs {
		f(all[(l.p.Offsets[i]+1)*l.width:][:size], own[i*size:(i+1)*size])
	}
}

func (l *PromptsOnly) Forward(out []float32, in [][]float32) {
	l.each(in[0], out, func(all, own []float32) { copy(own, all) })
}

func (l *PromptsOnly) Backward(din [][]float32, dout []float32, _ [][]float32) {
	if din[0] == nil {
		return
	}
	clear(din[0][:l.p.Rows()*l.width])
	l.each(din[0], dout, func(all, own []float32) { copy(all, own) })
}

// PromptMean is the mean of the rows of a sequence's prompts after the final norm: what L2P reads of its encoder.
//
// Inputs: x [B·Prompts,D], as [PromptsOnly] has them; norm weight, bias [D]. Output [B,D]. There is no derivative by the norm's
// parameters.
type PromptMean struct {
	p     *Packing
	width int
	norm  norm

	normed []float32 // [B·Prompts,D]
}

// NewPromptMean returns the layer for sequences packed by p.
func NewPromptMean(p *Packing, width int, eps float32) *PromptMean {
	return &PromptMean{p: p, width: width, norm: newNorm(width, p.MaxBatch*p.Prompts, eps)}
}

func (l *PromptMean) reserve([]bool) (kept int) {
	return keep(&l.normed, l.p.MaxBatch*l.p.Prompts*l.width)
}

func (l *PromptMean) Name() string           { return "mean of prompts" }
func (l *PromptMean) OutShape() tensor.Shape { return tensor.Shape{l.p.MaxBatch, l.width} }

func (l *PromptMean) view(m []float32) kernel.Matrix {
	n := len(l.p.Seqs) * l.p.Prompts
	return kernel.Mat(m[:n*l.width], n, l.width)
}

// each calls f for every row of the prompts and the sequence's mean.
func (l *PromptMean) each(means []float32, f func(row, mean []float32)) {
	d := l.width
	for i := range len(l.p.Seqs) * l.p.Prompts {
		f(l.normed[i*d:(i+1)*d], means[i/l.p.Prompts*d:][:d])
	}
}

func (l *PromptMean) Forward(out []float32, in [][]float32) {
	l.norm.forward(l.view(l.normed), l.view(in[0]), in[1], in[2], scaleShift{})
	clear(out[:len(l.p.Seqs)*l.width])
	l.each(out, func(row, mean []float32) { kernel.Axpy(mean, 1/float32(l.p.Prompts), row) })
}

func (l *PromptMean) Backward(din [][]float32, dout []float32, in [][]float32) {
	if din[0] == nil {
		return
	}
	clear(l.view(l.normed).Data)
	l.each(dout, func(row, mean []float32) { kernel.Axpy(row, 1/float32(l.p.Prompts), mean) })
	l.norm.backward(l.view(din[0]), nil, nil, scaleShift{}, l.view(l.normed), l.view(in[0]), in[1], in[2], scaleShift{})
}
