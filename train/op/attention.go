package op

import (
	"slices"

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

	// What the derivative reads of the last Forward, or nil where it does not; see reserve.
	projected []float32  // [N,3D] query, key and value, where qkv.pre does not tell them
	mixed     []float32  // [N,D] attention's output
	looks     []float32  // the probabilities of every head, one sequence after another
	pair      scaleShift // of the last Forward: S2
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
func NewAttention(p *Packing, s *Scratch, width, heads int, eps float32) *Attention {
	return &Attention{
		p: p, scratch: s, width: width, heads: heads,
		norm: newNorm(width, p.MaxRows(), eps),
		qkv:  linear{in: width, out: 3 * width},
		proj: linear{in: width, out: width},
	}
}

func (a *Attention) Name() string           { return "attention" }
func (a *Attention) OutShape() tensor.Shape { return tensor.Shape{a.p.MaxRows(), a.width} }

// reserve: of the rows that Forward makes, a product's are kept where they cannot be had again without the product. The
// norm's and, where they are scaled and shifted, the projected ones are computed again.
func (a *Attention) reserve(wanted []bool) (kept int) {
	n, d, s := a.p.MaxRows(), a.width, a.scratch
	for _, slot := range []int{slotNormed, slotMixed} {
		s.reserve(slot, n*d)
	}
	s.reserve(slotProjected, 3*n*d)
	if s.ForwardOnly {
		if s.KeepAttention {
			kept += keep(&a.projected, 3*n*d)
		}
		return kept
	}
	tuned := len(wanted) > attentionNormScale
	if tuned {
		kept += keep(&a.qkv.pre, 3*n*d)
	} else {
		kept += keep(&a.projected, 3*n*d)
	}
	if !slices.Contains(wanted, true) {
		return kept
	}
	if !s.ForgetAttention {
		kept += keep(&a.looks, a.p.MaxBatch*a.heads*kernel.AttentionBlock(n/a.p.MaxBatch))
	}
	s.reserve(slotGrad, n*d)
	s.reserve(slotGrad2, n*d)
	s.reserve(slotWideGrad, 3*n*d)
	if wanted[attentionProjW] {
		kept += keep(&a.mixed, n*d)
	}
	if tuned && wanted[attentionProjScale] {
		kept += keep(&a.proj.pre, n*d)
	}
	return kept
}

func (a *Attention) Forward(out []float32, in [][]float32) {
	n := a.p.Rows()
	x, y := kernel.Mat(in[attentionX][:n*a.width], n, a.width), kernel.Mat(out[:n*a.width], n, a.width)
	normed := a.scratch.rows(slotNormed, n, a.width)
	projected := a.scratch.kept(a.projected, slotProjected, n, 3*a.width)
	mixed := a.scratch.kept(a.mixed, slotMixed, n, a.width)
	a.pair = pair(in, attentionQKVScale)
	a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	a.qkv.forward(projected, normed, in[attentionQKVW], in[attentionQKVB], a.pair, kernel.Epilogue{})
	kernel.AttentionKeeping(a.probabilities(), mixed, projected, a.p.Offsets, a.heads)
	a.proj.forward(y, mixed, in[attentionProjW], in[attentionProjB], pair(in, attentionProjScale), kernel.Epilogue{Residual: x})
}

// probabilities is where they are kept for the batch at hand, or nil where they are computed again.
func (a *Attention) probabilities() []float32 {
	if a.looks == nil {
		return nil
	}
	return a.looks[:kernel.AttentionKeeps(a.p.Offsets, a.heads)]
}

// again is query, key and value of the last Forward.
func (a *Attention) again() kernel.Matrix {
	n := a.p.Rows()
	projected := a.scratch.kept(a.projected, slotProjected, n, 3*a.width)
	if a.qkv.pre != nil && a.pair.gamma != nil {
		kernel.ScaleShift(projected, a.qkv.before(n), a.pair.gamma, a.pair.beta)
	}
	return projected
}

func (a *Attention) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d, s := a.p.Rows(), a.width, a.scratch
	x := kernel.Mat(in[attentionX][:n*d], n, d)

	dmixed := s.rows(slotGrad2, n, d)
	a.proj.backward(dmixed, din[attentionProjW], din[attentionProjB], pair(din, attentionProjScale), kernel.Mat(dout[:n*d], n, d), s.rows(slotGrad, n, d), s.kept(a.mixed, slotMixed, n, d), in[attentionProjW], pair(in, attentionProjScale))

	dqkv := s.rows(slotWideGrad, n, 3*d)
	kernel.AttentionBackwardKept(dqkv, dmixed, a.again(), a.probabilities(), a.p.Offsets, a.heads)
	normed := s.rows(slotNormed, n, d)
	if din[attentionQKVW] != nil {
		a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	}
	dnormed := s.rows(slotGrad, n, d)
	a.qkv.backward(dnormed, din[attentionQKVW], din[attentionQKVB], pair(din, attentionQKVScale), dqkv, dqkv, normed, in[attentionQKVW], pair(in, attentionQKVScale))

	dx := s.rows(slotGrad2, n, d)
	a.norm.backward(dx, din[attentionNormW], din[attentionNormB], pair(din, attentionNormScale), dnormed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	if din[attentionX] != nil {
		kernel.Add(din[attentionX][:n*d], dx.Data, dout[:n*d])
	}
}

// Mean is the softmax probabilities of the last Forward, averaged over heads: for each sequence of S rows an S by S
// matrix whose row i holds the attention of token i to every token. The matrices follow one another in dst. In a
// forward-only graph the last attention that ran is the one that it speaks of.
func (a *Attention) Mean(dst []float32) []float32 {
	dst = grown(dst, a.p.pairs())
	kernel.AttentionMean(dst, a.again(), a.p.Offsets, a.heads)
	return dst
}

// Probabilities is what [Attention.Mean] averages: for each sequence of S rows H matrices of S by S, one a head.
func (a *Attention) Probabilities(dst []float32) []float32 {
	dst = grown(dst, a.heads*a.p.pairs())
	kernel.AttentionProbabilities(dst, a.again(), a.p.Offsets, a.heads)
	return dst
}

// Own says whether the probabilities are this layer's even after others of its graph have run.
func (a *Attention) Own() bool { return a.projected != nil || a.qkv.pre != nil }

// grown is dst with n values, elsewhere where it has no room for them.
func grown(dst []float32, n int) []float32 {
	if cap(dst) < n {
		return make([]float32, n)
	}
	return dst[:n]
}
