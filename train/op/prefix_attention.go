package op

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// PrefixAttention is [Attention] of a frozen block whose rows also look at Length keys and values that a prefix gives
// (prefix tuning; Wang et al., "DualPrompt", ECCV 2022, eq. 4):
//
//	softmax(q [Pk; k]ᵀ / √(D/H)) [Pv; v]
//
// with as many queries as there were, so that the sequence stays as long as it was. Prefixes are of keys and values after
// their map: no weight is applied to them.
//
// Inputs: Attention's without pairs, and the prefix [B,2·L·D]: of each sequence L keys and after them L values, each with its
// heads one after another. Output [N,D]. There is no derivative by the block's parameters.
type PrefixAttention struct {
	p       *Packing
	scratch *Scratch
	width   int
	heads   int
	length  int
	norm    norm
	qkv     linear
	proj    linear

	// Prefix rows come before those of their sequence, with queries of zero, the attention of which nothing reads.
	longer    []int     // [B+1] first row of each sequence, its prefix included, and N+BL
	projected []float32 // [N+BL,3D] of the last Forward; nil where it is in the scratch
}

// attentionPrefix is the position of the prefix among PrefixAttention's inputs.
const attentionPrefix = attentionProjB + 1

// NewPrefixAttention returns the layer for sequences packed by p and prefixes of length keys and values.
func NewPrefixAttention(p *Packing, s *Scratch, width, heads, length int, eps float32) *PrefixAttention {
	return &PrefixAttention{
		p: p, scratch: s, width: width, heads: heads, length: length,
		norm: newNorm(width, p.MaxRows(), eps),
		qkv:  linear{in: width, out: 3 * width},
		proj: linear{in: width, out: width},
	}
}

func (a *PrefixAttention) Name() string           { return "attention with prefixes" }
func (a *PrefixAttention) OutShape() tensor.Shape { return tensor.Shape{a.p.MaxRows(), a.width} }

func (a *PrefixAttention) reserve(wanted []bool) (kept int) {
	n, d, s := a.p.MaxRows(), a.width, a.scratch
	more := n + a.p.MaxBatch*a.length
	s.reserve(slotNormed, n*d)
	s.reserve(slotMixed, more*d)
	s.reserve(slotWideGrad, 3*more*d)
	s.reserve(slotProjected, 3*more*d)
	if !s.ForwardOnly || s.KeepAttention {
		kept = keep(&a.projected, 3*more*d)
	}
	if !s.ForwardOnly && slices.Contains(wanted, true) {
		s.reserve(slotGrad, more*d)
		s.reserve(slotGrad2, n*d)
	}
	return kept
}

// lengthen says where sequences are that have their prefix.
func (a *PrefixAttention) lengthen() {
	a.longer = a.longer[:0]
	for i, offset := range a.p.Offsets {
		a.longer = append(a.longer, offset+i*a.length)
	}
}

// own calls f for each sequence's own rows: of N, and of those with prefixes.
func (a *PrefixAttention) own(f func(lo, hi, longer int)) {
	for i := range a.p.Seqs {
		f(a.p.Offsets[i], a.p.Offsets[i+1], a.longer[i]+a.length)
	}
}

// all is the rows with prefixes of the last Forward.
func (a *PrefixAttention) all() kernel.Matrix {
	return a.scratch.kept(a.projected, slotProjected, a.p.Rows()+len(a.p.Seqs)*a.length, 3*a.width)
}

func (a *PrefixAttention) Forward(out []float32, in [][]float32) {
	n, d, s := a.p.Rows(), a.width, a.scratch
	a.lengthen()
	x, y := kernel.Mat(in[attentionX][:n*d], n, d), kernel.Mat(out[:n*d], n, d)
	normed, qkv, all := s.rows(slotNormed, n, d), s.rows(slotWideGrad, n, 3*d), a.all()
	a.norm.forward(normed, x, in[attentionNormW], in[attentionNormB], scaleShift{})
	a.qkv.forward(qkv, normed, in[attentionQKVW], in[attentionQKVB], scaleShift{}, kernel.Epilogue{})
	a.own(func(lo, hi, longer int) { copy(all.Data[longer*3*d:], qkv.Data[lo*3*d:hi*3*d]) })
	for i := range a.p.Seqs {
		keys, values := a.prefix(in[attentionPrefix], i)
		for k := range a.length {
			row := all.Data[(a.longer[i]+k)*3*d:][:3*d]
			clear(row[:d])
			copy(row[d:], keys[k*d:(k+1)*d])
			copy(row[2*d:], values[k*d:(k+1)*d])
		}
	}
	mixed := s.rows(slotMixed, all.Rows, d)
	kernel.Attention(mixed, all, a.longer, a.heads)
	a.own(func(lo, hi, longer int) { copy(normed.Data[lo*d:hi*d], mixed.Data[longer*d:]) })
	a.proj.forward(y, normed, in[attentionProjW], in[attentionProjB], scaleShift{}, kernel.Epilogue{Residual: x})
}

// prefix is the keys and the values [L,D] of sequence i.
func (a *PrefixAttention) prefix(m []float32, i int) (keys, values []float32) {
	size := a.length * a.width
	m = m[2*i*size : 2*(i+1)*size]
	return m[:size], m[size:]
}

func (a *PrefixAttention) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, d, s := a.p.Rows(), a.width, a.scratch
	x, dy, all := kernel.Mat(in[attentionX][:n*d], n, d), kernel.Mat(dout[:n*d], n, d), a.all()
	dmixed := s.rows(slotGrad2, n, d)
	a.proj.maps(dmixed, nil, nil, dy, kernel.Matrix{}, in[attentionProjW])
	dall, dqkv := s.rows(slotGrad, all.Rows, d), s.rows(slotWideGrad, all.Rows, 3*d)
	clear(dall.Data)
	a.own(func(lo, hi, longer int) { copy(dall.Data[longer*d:], dmixed.Data[lo*d:hi*d]) })
	kernel.AttentionBackward(dqkv, dall, all, a.longer, a.heads)
	if dprefix := din[attentionPrefix]; dprefix != nil {
		for i := range a.p.Seqs {
			keys, values := a.prefix(dprefix, i)
			for k := range a.length {
				row := dqkv.Data[(a.longer[i]+k)*3*d:]
				copy(keys[k*d:(k+1)*d], row[d:2*d])
				copy(values[k*d:(k+1)*d], row[2*d:3*d])
			}
		}
	}
	if din[attentionX] == nil {
		return
	}
	// rows move towards the front only, so they may move where they lie
	a.own(func(lo, hi, longer int) { copy(dqkv.Data[lo*3*d:hi*3*d], dqkv.Data[longer*3*d:]) })
	dnormed, dx := s.rows(slotGrad, n, d), s.rows(slotGrad2, n, d)
	a.qkv.maps(dnormed, nil, nil, kernel.Mat(dqkv.Data, n, 3*d), kernel.Matrix{}, in[attentionQKVW])
	a.norm.backward(dx, nil, nil, scaleShift{}, dnormed, x, in[attentionNormW], in[attentionNormB], scaleShift{})
	kernel.Add(din[attentionX][:n*d], dx.Data, dout[:n*d])
}

// Mean is [Attention.Mean] among a sequence's own rows: what they look at in the prefix is left out, so that rows add up to
// less than one.
func (a *PrefixAttention) Mean(dst []float32) []float32 {
	dst = grown(dst, a.p.pairs())
	all := make([]float32, a.squares())
	kernel.AttentionMean(all, a.all(), a.longer, a.heads)
	a.cut(dst, all, 1)
	return dst
}

// Probabilities is what Mean averages: see [Attention.Probabilities].
func (a *PrefixAttention) Probabilities(dst []float32) []float32 {
	dst = grown(dst, a.heads*a.p.pairs())
	all := make([]float32, a.heads*a.squares())
	kernel.AttentionProbabilities(all, a.all(), a.longer, a.heads)
	a.cut(dst, all, a.heads)
	return dst
}

// squares is how many pairs there are of rows of a sequence, prefixes included.
func (a *PrefixAttention) squares() (sum int) {
	for i := range a.p.Seqs {
		n := a.longer[i+1] - a.longer[i]
		sum += n * n
	}
	return sum
}

// cut leaves prefixes out of blocks of probabilities, of which each sequence has so many.
func (a *PrefixAttention) cut(dst, all []float32, blocks int) {
	for i := range a.p.Seqs {
		own := a.p.Offsets[i+1] - a.p.Offsets[i]
		n := own + a.length
		for range blocks {
			for r := range own {
				copy(dst[r*own:(r+1)*own], all[(r+a.length)*n+a.length:])
			}
			dst, all = dst[own*own:], all[n*n:]
		}
	}
}

// Own is [Attention.Own].
func (a *PrefixAttention) Own() bool { return a.projected != nil }
