package op

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// FirstAttention is [Attention] for the first row of each sequence alone: what a last block is asked for whose other rows
// nothing reads. Key and value, and the norm before them, are made of every row; query, the map after attention and the
// residual of B rows. Each row is what Attention makes of it, byte for byte, and the gradients are the same function.
//
// Inputs: Attention's. Output [B,D].
type FirstAttention struct {
	p       *Packing
	scratch *Scratch
	width   int
	heads   int
	norm    norm
	query   linear // the first D rows of Wqkv
	kv      linear // the others
	proj    linear

	// Of the last Forward.
	in          [][]float32
	queries     []float32 // [B,D]
	mixed       []float32 // [B,D] attention's output
	keys        []float32 // [N,2D] key and value, or nil where kv.pre tells them or where they lie in the scratch
	scaledKV    scaleShift
	scaledQuery scaleShift
}

// NewFirstAttention returns the layer for sequences packed by p.
func NewFirstAttention(p *Packing, s *Scratch, width, heads int, eps float32) *FirstAttention {
	return &FirstAttention{
		p: p, scratch: s, width: width, heads: heads,
		norm:  newNorm(width, p.MaxRows(), eps),
		query: linear{in: width, out: width},
		kv:    linear{in: width, out: 2 * width},
		proj:  linear{in: width, out: width},
	}
}

func (a *FirstAttention) Name() string           { return "attention of first rows" }
func (a *FirstAttention) OutShape() tensor.Shape { return tensor.Shape{a.p.MaxBatch, a.width} }

// reserve: of N rows what Attention keeps, less the query; of B rows, which are few, what is read again.
func (a *FirstAttention) reserve(wanted []bool) (kept int) {
	n, b, d, s := a.p.MaxRows(), a.p.MaxBatch, a.width, a.scratch
	s.reserve(slotNormed, n*d)
	s.reserve(slotMixed, b*d)
	s.reserve(slotProjected, 3*n*d) // the query's columns are for Mean
	kept = keep(&a.queries, b*d) + keep(&a.mixed, b*d)
	if s.ForwardOnly {
		if s.KeepAttention {
			kept += keep(&a.keys, 2*n*d)
		}
		return kept
	}
	tuned := len(wanted) > attentionNormScale
	if tuned {
		kept += keep(&a.kv.pre, 2*n*d) + keep(&a.query.pre, b*d)
	} else {
		kept += keep(&a.keys, 2*n*d)
	}
	if !slices.Contains(wanted, true) {
		return kept
	}
	s.reserve(slotGrad, n*d)
	s.reserve(slotGrad2, n*d)
	s.reserve(slotWideGrad, 2*n*d)
	if tuned && wanted[attentionProjScale] {
		kept += keep(&a.proj.pre, b*d)
	}
	return kept
}

func (a *FirstAttention) Forward(out []float32, in [][]float32) {
	n, b, d := a.p.Rows(), len(a.p.Seqs), a.width
	x, y := kernel.Mat(in[attentionX][:n*d], n, d), kernel.Mat(out[:b*d], b, d)
	normed, first := a.scratch.rows(slotNormed, n, d), a.scratch.rows(slotMixed, b, d)
	queries, keys, mixed := kernel.Mat(a.queries[:b*d], b, d), a.keyValue(), kernel.Mat(a.mixed[:b*d], b, d)
	a.in, a.scaledQuery, a.scaledKV = in, pair(in, attentionQKVScale).channels(0, d), pair(in, attentionQKVScale).channels(d, 3*d)
	a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
	a.p.gather(first, normed)
	a.query.forward(queries, first, in[attentionQKVW][:d*d], in[attentionQKVB][:d], a.scaledQuery, kernel.Epilogue{})
	a.kv.forward(keys, normed, in[attentionQKVW][d*d:], in[attentionQKVB][d:], a.scaledKV, kernel.Epilogue{})
	kernel.AttentionFirst(mixed, queries, keys, a.p.Offsets, a.heads)
	a.p.gather(y, x)
	a.proj.forward(y, mixed, in[attentionProjW], in[attentionProjB], pair(in, attentionProjScale), kernel.Epilogue{Residual: y})
}

// keyValue is the memory of key and value: the layer's own, or in the columns that Attention has them in.
func (a *FirstAttention) keyValue() kernel.Matrix {
	n, d := a.p.Rows(), a.width
	if a.keys != nil {
		return kernel.Mat(a.keys[:n*2*d], n, 2*d)
	}
	return columns(a.scratch.rows(slotProjected, n, 3*d), d, 2*d)
}

// again is key and value of the last Forward.
func (a *FirstAttention) again() kernel.Matrix {
	keys := a.keyValue()
	if a.kv.pre != nil {
		kernel.ScaleShift(keys, a.kv.before(keys.Rows), a.scaledKV.gamma, a.scaledKV.beta)
	}
	return keys
}

func (a *FirstAttention) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, b, d, s := a.p.Rows(), len(a.p.Seqs), a.width, a.scratch
	x, dy := kernel.Mat(in[attentionX][:n*d], n, d), kernel.Mat(dout[:b*d], b, d)
	normed, first := s.rows(slotNormed, n, d), s.rows(slotMixed, b, d)
	if din[attentionQKVW] != nil {
		a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], pair(in, attentionNormScale))
		a.p.gather(first, normed)
	}

	dmixed := s.rows(slotGrad2, b, d)
	a.proj.backward(dmixed, din[attentionProjW], din[attentionProjB], pair(din, attentionProjScale), dy, s.rows(slotGrad, b, d), kernel.Mat(a.mixed[:b*d], b, d), in[attentionProjW], pair(in, attentionProjScale))

	dquery, dkv := s.rows(slotGrad, b, d), s.rows(slotWideGrad, n, 2*d)
	kernel.AttentionFirstBackward(dquery, dkv, dmixed, kernel.Mat(a.queries[:b*d], b, d), a.again(), a.p.Offsets, a.heads)
	w, dw, db, ds := in[attentionQKVW], din[attentionQKVW], din[attentionQKVB], pair(din, attentionQKVScale)
	dfirst := s.rows(slotGrad2, b, d)
	a.query.backward(dfirst, part(dw, 0, d*d), part(db, 0, d), ds.channels(0, d), dquery, dquery, first, w[:d*d], a.scaledQuery)
	dnormed := s.rows(slotGrad, n, d)
	a.kv.backward(dnormed, part(dw, d*d, 3*d*d), part(db, d, 3*d), ds.channels(d, 3*d), dkv, dkv, normed, w[d*d:], a.scaledKV)
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

// Mean is [Attention.Mean]. The queries of all rows are made for it, from the input of the last Forward.
func (a *FirstAttention) Mean(dst []float32) []float32 {
	dst = grown(dst, a.p.pairs())
	if len(dst) > 0 {
		kernel.AttentionMean(dst, a.whole(), a.p.Offsets, a.heads)
	}
	return dst
}

// Probabilities is [Attention.Probabilities], by way of the queries of all rows.
func (a *FirstAttention) Probabilities(dst []float32) []float32 {
	dst = grown(dst, a.heads*a.p.pairs())
	if len(dst) > 0 {
		kernel.AttentionProbabilities(dst, a.whole(), a.p.Offsets, a.heads)
	}
	return dst
}

// Own is [Attention.Own].
func (a *FirstAttention) Own() bool { return a.keys != nil || a.kv.pre != nil }

// whole is query, key and value of every row, as Attention has them.
func (a *FirstAttention) whole() kernel.Matrix {
	n, d := a.p.Rows(), a.width
	projected, normed := a.scratch.rows(slotProjected, n, 3*d), a.scratch.rows(slotNormed, n, d)
	keys := a.again()
	if a.keys != nil {
		kernel.ScaleShift(columns(projected, d, 2*d), keys, nil, nil) // a copy
	}
	a.norm.forward(normed, kernel.Mat(a.in[attentionX][:n*d], n, d), a.in[attentionNormW], a.in[attentionNormB], pair(a.in, attentionNormScale))
	query := linear{in: d, out: d} // a.query keeps B rows
	query.forward(columns(projected, 0, d), normed, a.in[attentionQKVW][:d*d], a.in[attentionQKVB][:d], a.scaledQuery, kernel.Epilogue{})
	return projected
}

// columns is m from the given column on, so many of them.
func columns(m kernel.Matrix, from, cols int) kernel.Matrix {
	return kernel.Matrix{Rows: m.Rows, Cols: cols, Stride: m.Stride, Data: m.Data[min(from, len(m.Data)):]}
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
