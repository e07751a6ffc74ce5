package op

import (
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// FirstAttention is [Attention] for the first row of each sequence alone: what a last block is asked for whose other rows
// nothing reads. It is the same function, by another order of products. With rows x of a sequence after the norm and S1, and
// for a head the query q of its first row, scores are
//
//	q · S2(Wk x + bk) = Wkᵀ(gamma∘q) · x + what is the same for every row, which softmax takes no notice of
//
// so that the query goes through Wkᵀ instead of every row through Wk; and as probabilities p add up to one,
//
//	Σ p S2(Wv x + bv) = S2(Wv Σ p x + bv)
//
// so that one row goes through Wv for them all. Keys and values are not made, but by Mean and Probabilities; backward the
// same holds. The gradients by bk and by the beta that follows it are zero, as scores do not depend on them.
//
// Inputs: Attention's. Output [B,D].
type FirstAttention struct {
	p       *Packing
	scratch *Scratch
	width   int
	heads   int
	norm    norm
	query   linear // the first D rows of Wqkv
	proj    linear

	// Of the last Forward, one row a sequence or, of what is as wide as x for each head, one a head: few.
	in      [][]float32
	queries []float32 // [B,D] after S2
	raised  []float32 // [B,D] gamma∘q
	through []float32 // [BH,D] Wkᵀ(gamma∘q)
	means   []float32 // [BH,D] Σ p x
	values  []float32 // [B,D] before S2
	mixed   []float32 // [B,D] attention's output

	dst, a, b []kernel.Matrix // by head: see byHead
}

// NewFirstAttention returns the layer for sequences packed by p.
func NewFirstAttention(p *Packing, s *Scratch, width, heads int, eps float32) *FirstAttention {
	return &FirstAttention{
		p: p, scratch: s, width: width, heads: heads,
		norm:  newNorm(width, p.MaxRows(), eps),
		query: linear{in: width, out: width},
		proj:  linear{in: width, out: width},
		dst:   make([]kernel.Matrix, heads), a: make([]kernel.Matrix, heads), b: make([]kernel.Matrix, heads),
	}
}

func (a *FirstAttention) Name() string           { return "attention of first rows" }
func (a *FirstAttention) OutShape() tensor.Shape { return tensor.Shape{a.p.MaxBatch, a.width} }

// reserve: nothing of N rows is kept, as what is made of them is the norm's.
func (a *FirstAttention) reserve(wanted []bool) (kept int) {
	n, b, d, s := a.p.MaxRows(), a.p.MaxBatch, a.width, a.scratch
	s.reserve(slotNormed, n*d)
	s.reserve(slotMixed, b*d)
	s.reserve(slotProjected, 3*n*d) // for Mean
	for _, own := range []*[]float32{&a.queries, &a.raised, &a.values, &a.mixed} {
		kept += keep(own, b*d)
	}
	kept += keep(&a.through, b*a.heads*d) + keep(&a.means, b*a.heads*d)
	if s.ForwardOnly || !slices.Contains(wanted, true) {
		return kept
	}
	s.reserve(slotGrad, n*d)
	s.reserve(slotGrad2, n*d)
	s.reserve(slotWide, b*a.heads*d)
	s.reserve(slotWideGrad, b*a.heads*d)
	if len(wanted) > attentionNormScale {
		kept += keep(&a.query.pre, b*d)
		if wanted[attentionProjScale] {
			kept += keep(&a.proj.pre, b*d)
		}
	}
	return kept
}

// scale is of scores.
func (a *FirstAttention) scale() float32 { return float32(1 / math.Sqrt(float64(a.width/a.heads))) }

// rows is a matrix of one row a sequence.
func (a *FirstAttention) rows(m []float32) kernel.Matrix {
	return kernel.Mat(m[:len(a.p.Seqs)*a.width], len(a.p.Seqs), a.width)
}

// wide is a matrix of one row a head, for each sequence.
func (a *FirstAttention) wide(m []float32) kernel.Matrix {
	n := len(a.p.Seqs) * a.heads
	return kernel.Mat(m[:n*a.width], n, a.width)
}

func (a *FirstAttention) Forward(out []float32, in [][]float32) {
	n, d := a.p.Rows(), a.width
	x, y := kernel.Mat(in[attentionX][:n*d], n, d), a.rows(out)
	normed, first := a.scratch.rows(slotNormed, n, d), a.scratch.rows(slotMixed, y.Rows, d)
	queries, values, mixed := a.rows(a.queries), a.rows(a.values), a.rows(a.mixed)
	s, w, bias := pair(in, attentionQKVScale), in[attentionQKVW], in[attentionQKVB]
	a.in = in
	a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	a.p.gather(first, normed)
	a.query.forward(queries, first, w[:d*d], bias[:d], s.channels(0, d), kernel.Epilogue{})
	kernel.ScaleShift(a.rows(a.raised), queries, part(s.gamma, d, 2*d), nil)
	a.widen(a.through, a.raised, w[d*d:2*d*d])
	kernel.AttentionOver(a.wide(a.means), a.wide(a.through), normed, a.p.Offsets, a.heads, a.scale())
	a.narrow(a.values, a.means, w[2*d*d:])
	kernel.ScaleShift(values, values, nil, bias[2*d:])
	kernel.ScaleShift(mixed, values, part(s.gamma, 2*d, 3*d), part(s.beta, 2*d, 3*d))
	a.p.gather(y, x)
	a.proj.forward(y, mixed, in[attentionProjW], in[attentionProjB], pair(in, attentionProjScale), kernel.Epilogue{Residual: y})
}

func (a *FirstAttention) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d, s := a.p.Rows(), a.width, a.scratch
	x, dy := kernel.Mat(in[attentionX][:n*d], n, d), a.rows(dout)
	normed, first := s.rows(slotNormed, n, d), s.rows(slotMixed, dy.Rows, d)
	a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	a.p.gather(first, normed)

	dvalues := s.rows(slotGrad2, dy.Rows, d)
	a.proj.backward(dvalues, din[attentionProjW], din[attentionProjB], pair(din, attentionProjScale), dy, s.rows(slotGrad, dy.Rows, d), a.rows(a.mixed), in[attentionProjW], pair(in, attentionProjScale))

	w, dw, db := in[attentionQKVW], din[attentionQKVW], din[attentionQKVB]
	scale, dscale := pair(in, attentionQKVScale), pair(din, attentionQKVScale)
	scale.channels(2*d, 3*d).backward(dvalues, dvalues, a.rows(a.values), dscale.channels(2*d, 3*d))
	if db != nil {
		kernel.ColSum(db[2*d:], dvalues)
		clear(db[d : 2*d])
	}
	dmeans, dthrough := s.rows(slotWideGrad, dy.Rows*a.heads, d), s.rows(slotWide, dy.Rows*a.heads, d)
	a.widen(dmeans.Data, dvalues.Data, w[2*d*d:])
	a.weights(part(dw, 2*d*d, 3*d*d), dvalues.Data, a.means)

	dnormed := s.rows(slotGrad, n, d)
	kernel.AttentionOverBackward(dthrough, dnormed, dmeans, a.wide(a.through), normed, a.p.Offsets, a.heads, a.scale())

	dquery := s.rows(slotGrad2, dy.Rows, d)
	a.narrow(dquery.Data, dthrough.Data, w[d*d:2*d*d])
	a.weights(part(dw, d*d, 2*d*d), a.raised, dthrough.Data)
	scale.channels(d, 2*d).backward(dquery, dquery, a.rows(a.queries), scaleShift{gamma: part(dscale.gamma, d, 2*d)})
	clear(part(dscale.beta, d, 2*d))
	dfirst := s.rows(slotWideGrad, dy.Rows, d)
	a.query.backward(dfirst, part(dw, 0, d*d), part(db, 0, d), dscale.channels(0, d), dquery, dquery, first, w[:d*d], scale.channels(0, d))
	a.p.scatterAdd(dnormed, dfirst)

	dx := s.rows(slotGrad2, n, d)
	if din[attentionX] != nil {
		dx = kernel.Mat(din[attentionX][:n*d], n, d)
	}
	a.norm.backward(dx, din[attentionNormW], din[attentionNormB], pair(din, attentionNormScale), dnormed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	if din[attentionX] != nil {
		a.p.scatterAdd(dx, dy)
	}
}

// widen takes each head's columns of x [B,D] through its rows of w [D,D]: dst [BH,D].
func (a *FirstAttention) widen(dst, x, w []float32) {
	for h := range a.heads {
		a.dst[h], a.a[h], a.b[h] = a.wideHead(dst, h), a.head(x, h), a.weightHead(w, h)
	}
	kernel.MatMulBatch(a.dst, a.a, a.b, false, false, false)
}

// narrow is the way back, each head's rows of x [BH,D] through its rows of w transposed: dst [B,D].
func (a *FirstAttention) narrow(dst, x, w []float32) {
	for h := range a.heads {
		a.dst[h], a.a[h], a.b[h] = a.head(dst, h), a.wideHead(x, h), a.weightHead(w, h)
	}
	kernel.MatMulBatch(a.dst, a.a, a.b, false, true, false)
}

// weights is the gradient by w of either, from what is on its narrow side and what is on its wide side.
func (a *FirstAttention) weights(dw, narrow, wide []float32) {
	if dw == nil {
		return
	}
	for h := range a.heads {
		a.dst[h], a.a[h], a.b[h] = a.weightHead(dw, h), a.head(narrow, h), a.wideHead(wide, h)
	}
	kernel.MatMulBatch(a.dst, a.a, a.b, true, false, false)
}

// head is the columns [B,D/H] of a head in m [B,D].
func (a *FirstAttention) head(m []float32, h int) kernel.Matrix {
	k := a.width / a.heads
	return kernel.Matrix{Rows: len(a.p.Seqs), Cols: k, Stride: a.width, Data: m[h*k:]}
}

// wideHead is the rows [B,D] of a head in m [BH,D].
func (a *FirstAttention) wideHead(m []float32, h int) kernel.Matrix {
	return kernel.Matrix{Rows: len(a.p.Seqs), Cols: a.width, Stride: a.heads * a.width, Data: m[h*a.width:]}
}

// weightHead is the rows [D/H,D] of a head in w [D,D].
func (a *FirstAttention) weightHead(w []float32, h int) kernel.Matrix {
	k := a.width / a.heads
	return kernel.Mat(w[h*k*a.width:(h+1)*k*a.width], k, a.width)
}

// Mean is [Attention.Mean]. Queries and keys of all rows are made for it, from the input of the last Forward.
func (a *FirstAttention) Mean(dst []float32) []float32 {
	dst = grown(dst, a.p.pairs())
	if len(dst) > 0 {
		kernel.AttentionMean(dst, a.projected(), a.p.Offsets, a.heads)
	}
	return dst
}

// Probabilities is [Attention.Probabilities], by way of the queries and keys of all rows.
func (a *FirstAttention) Probabilities(dst []float32) []float32 {
	dst = grown(dst, a.heads*a.p.pairs())
	if len(dst) > 0 {
		kernel.AttentionProbabilities(dst, a.projected(), a.p.Offsets, a.heads)
	}
	return dst
}

// Own says whether the probabilities are this layer's even after others of its graph have run, which they are as long as its
// input is there.
func (a *FirstAttention) Own() bool { return true }

// projected is query and key of every row, where Attention has them. The value's columns are undefined.
func (a *FirstAttention) projected() kernel.Matrix {
	n, d, in := a.p.Rows(), a.width, a.in
	normed, projected := a.scratch.rows(slotNormed, n, d), a.scratch.rows(slotProjected, n, 3*d)
	a.norm.forward(normed, kernel.Mat(in[attentionX][:n*d], n, d), in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	both := linear{in: d, out: 2 * d}
	y := kernel.Matrix{Rows: n, Cols: 2 * d, Stride: 3 * d, Data: projected.Data}
	both.forward(y, normed, in[attentionQKVW][:2*d*d], in[attentionQKVB][:2*d], pair(in, attentionQKVScale).channels(0, 2*d), kernel.Epilogue{})
	return projected
}

// part is v[lo:hi], or nil for nil.
func part(v []float32, lo, hi int) []float32 {
	if v == nil {
		return nil
	}
	return v[lo:hi]
}

// channels is the scale and shift of the channels [lo,hi).
func (s scaleShift) channels(lo, hi int) scaleShift {
	return scaleShift{part(s.gamma, lo, hi), part(s.beta, lo, hi)}
}
