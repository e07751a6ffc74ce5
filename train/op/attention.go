package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Attention is the first half of a pre-norm transformer block,
//
//	y = x + S3(Wo · attention(S2(Wqkv · S1(LayerNorm(x)) + bqkv)) + bo)
//
// with S1, S2, S3 the optional scale-and-shift pairs of SSF. Attention is within each sequence, over H heads, scaled by
// 1/sqrt(D/H) (Vaswani et al. 2017, eq. 1).
//
// Inputs: x [N,D]; norm weight, bias [D]; Wqkv [3D,D], bqkv [3D] (query, key, value); Wo [D,D], bo [D]; and where Tuned,
// gamma and beta of S1 [D], S2 [3D], S3 [D].
type Attention struct {
	p       *Packing
	scratch *Scratch
	width   int
	heads   int
	norm    norm
	qkv     linear
	proj    linear

	normed, projected, mixed []float32 // [N,D] S1's, S2's [N,3D] and attention's outputs
}

// Positions of Attention's inputs. Where a pair of scale and shift is, its gamma is named.
const (
	attentionX = iota
	attentionNormW
	attentionNormB
	attentionQKVW
	attentionQKVB
	attentionProjW
	attentionProjB
	attentionNormScale
	_
	attentionQKVScale
	_
	attentionProjScale
)

// NewAttention returns the layer for sequences packed by p.
func NewAttention(p *Packing, s *Scratch, width, heads int, eps float32, tuned bool) *Attention {
	n := p.MaxRows()
	a := &Attention{
		p: p, scratch: s, width: width, heads: heads,
		norm:      newNorm(s, width, n, eps, tuned),
		qkv:       newLinear(s, width, 3*width, n, tuned),
		proj:      newLinear(s, width, width, n, tuned),
		normed:    s.keep(n * width),
		projected: s.keep(n * 3 * width),
		mixed:     s.keep(n * width),
	}
	if a.projected == nil && s.KeepAttention {
		a.projected = make([]float32, n*3*width)
	}
	return a
}

func (a *Attention) Name() string           { return "attention" }
func (a *Attention) OutShape() tensor.Shape { return tensor.Shape{a.p.MaxRows(), a.width} }

func (a *Attention) views() (normed, projected, mixed kernel.Matrix) {
	n := a.p.Rows()
	return a.scratch.kept(a.normed, slotNormed, n, a.width),
		a.scratch.kept(a.projected, slotProjected, n, 3*a.width),
		a.scratch.kept(a.mixed, slotMixed, n, a.width)
}

func (a *Attention) Forward(out []float32, in [][]float32) {
	n := a.p.Rows()
	x, y := kernel.Mat(in[attentionX][:n*a.width], n, a.width), kernel.Mat(out[:n*a.width], n, a.width)
	normed, projected, mixed := a.views()
	a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	a.qkv.forward(projected, normed, in[attentionQKVW], in[attentionQKVB], pair(in, attentionQKVScale))
	kernel.Attention(mixed, projected, a.p.Offsets, a.heads)
	a.proj.forward(y, mixed, in[attentionProjW], in[attentionProjB], pair(in, attentionProjScale))
	kernel.Add(y.Data, y.Data, x.Data)
}

func (a *Attention) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d := a.p.Rows(), a.width
	x := kernel.Mat(in[attentionX][:n*d], n, d)
	normed, projected, mixed := a.views()

	dy := a.scratch.rows(0, n, d)
	copy(dy.Data, dout)
	dmixed := a.scratch.rows(1, n, d)
	a.proj.backward(dmixed, din[attentionProjW], din[attentionProjB], pair(din, attentionProjScale), dy, mixed, in[attentionProjW], pair(in, attentionProjScale))

	dqkv := a.scratch.rows(2, n, 3*d)
	kernel.AttentionBackward(dqkv, dmixed, projected, a.p.Offsets, a.heads)
	dnormed := a.scratch.rows(0, n, d)
	a.qkv.backward(dnormed, din[attentionQKVW], din[attentionQKVB], pair(din, attentionQKVScale), dqkv, normed, in[attentionQKVW], pair(in, attentionQKVScale))

	dx := a.scratch.rows(1, n, d)
	a.norm.backward(dx, din[attentionNormW], din[attentionNormB], pair(din, attentionNormScale), dnormed, x, in[attentionNormW], pair(in, attentionNormScale))
	if din[attentionX] != nil {
		kernel.Add(din[attentionX][:n*d], dx.Data, dout[:n*d])
	}
}

// Mean is the softmax probabilities of the last Forward, averaged over heads: for each sequence of S rows an S by S
// matrix whose row i holds the attention of token i to every token. The matrices follow one another in dst. In a
// forward-only graph the last attention that ran is the one that it speaks of.
func (a *Attention) Mean(dst []float32) []float32 {
	dst = grown(dst, a.p.pairs())
	_, projected, _ := a.views()
	kernel.AttentionMean(dst, projected, a.p.Offsets, a.heads)
	return dst
}

// Probabilities is what [Attention.Mean] averages: for each sequence of S rows H matrices of S by S, one a head.
func (a *Attention) Probabilities(dst []float32) []float32 {
	dst = grown(dst, a.heads*a.p.pairs())
	_, projected, _ := a.views()
	kernel.AttentionProbabilities(dst, projected, a.p.Offsets, a.heads)
	return dst
}

// Own says whether the probabilities are this layer's even after others of its graph have run.
func (a *Attention) Own() bool { return a.projected != nil }

// grown is dst with n values, elsewhere where it has no room for them.
func grown(dst []float32, n int) []float32 {
	if cap(dst) < n {
		return make([]float32, n)
	}
	return dst[:n]
}
