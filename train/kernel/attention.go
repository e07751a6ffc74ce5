package kernel

import (
	"fmt"
	"math"
)

// Attention is softmax(q kᵀ/√(D/H)) v for each sequence and head. qkv is (N, 3D),
// its columns q, k, v, each D wide and split into heads; sequence s is rows
// offsets[s]..offsets[s+1]. dst is (N, D). Rows outside every sequence are left
// as they are. dst must not overlap qkv.
func Attention(dst, qkv Matrix, offsets []int, heads int) {
	AttentionKeeping(nil, dst, qkv, offsets, heads)
}

// AttentionKeeping is Attention that writes the probabilities to kept, for
// [AttentionBackwardKept]: [AttentionKeeps] values, or nil to keep none.
func AttentionKeeping(kept []float32, dst, qkv Matrix, offsets []int, heads int) {
	d := checkAttention(qkv, offsets, heads)
	dst.checkShape("dst", qkv.Rows, d)
	packed{dst: dst, qkv: qkv, offsets: offsets, heads: heads}.keeping(kept).eachHead(packed.forward)
}

func (t packed) forward(first, last int) {
	for i := first; i < last; i++ {
		a := t.head(i)
		if a.n == 0 {
			continue
		}
		s := borrow(a.n * a.ld)
		p := a.probabilities(s.data)
		if kept := t.kept(i, a); kept != nil {
			stream(currentPath(), kept, s.data[:len(kept)])
		}
		gemm(a.columns(t.dst, 0), p.view(), a.v.view(), nil, false, true)
		s.giveBack()
	}
}

// stream copies src, which has whole cache lines, to dst, which is not read for a while: written where it lies, dst would
// be fetched from memory first, and take the place of what is needed in the caches.
func stream(p cpuPath, dst, src []float32) {
	if p == portable || len(src) == 0 {
		copy(dst, src)
		return
	}
	_ = dst[len(src)-1]
	streamAVX2(&dst[0], &src[0], len(src)/16)
}

// AttentionBackward overwrites dqkv (N, 3D) with the gradient, given dy (N, D).
// It computes the probabilities again from qkv.
func AttentionBackward(dqkv, dy, qkv Matrix, offsets []int, heads int) {
	AttentionBackwardKept(dqkv, dy, qkv, nil, offsets, heads)
}

// AttentionBackwardKept is AttentionBackward with the probabilities that AttentionKeeping
// kept of the same qkv: the same bytes for a product and a softmax less. nil: none were kept.
func AttentionBackwardKept(dqkv, dy, qkv Matrix, kept []float32, offsets []int, heads int) {
	d := checkAttention(qkv, offsets, heads)
	dy.checkShape("dy", qkv.Rows, d)
	dqkv.checkShape("dqkv", qkv.Rows, 3*d)
	packed{dst: dqkv, dy: dy, qkv: qkv, offsets: offsets, heads: heads}.keeping(kept).eachHead(packed.backward)
}

func (t packed) backward(first, last int) {
	d := t.dy.Cols
	for i := first; i < last; i++ {
		a := t.head(i)
		if a.n == 0 {
			continue
		}
		s := borrow(2 * a.n * a.ld)
		var p Matrix
		if kept := t.kept(i, a); kept != nil {
			p = Matrix{Rows: a.n, Cols: a.n, Stride: a.ld, Data: kept}
		} else {
			p = a.probabilities(s.data)
		}
		ds := Matrix{Rows: a.n, Cols: a.n, Stride: a.ld, Data: s.data[a.n*a.ld:]}
		out := a.columns(t.dy, 0)
		gemm(a.columns(t.dst, 2*d), p.view().t(), out.view(), nil, false, true)
		gemm(ds, out.view(), a.v.view().t(), nil, false, true)
		softmaxBackRows(ds, p, a.scale)
		gemm(a.columns(t.dst, 0), ds.view(), a.k.view(), nil, false, true)
		gemm(a.columns(t.dst, d), ds.view().t(), a.q.view(), nil, false, true)
		s.giveBack()
	}
}

// AttentionKeeps is how many values AttentionKeeping keeps of such sequences.
func AttentionKeeps(offsets []int, heads int) (n int) {
	for s := range sequences(offsets) {
		n += heads * AttentionBlock(offsets[s+1]-offsets[s])
	}
	return n
}

// AttentionBlock is how many values AttentionKeeping keeps of one head of a sequence of n rows.
func AttentionBlock(n int) int { return n * probabilityStride(n) }

// probabilityStride is from one row of n probabilities to the next: whole cache lines, an
// odd number of them, as rows would share cache sets otherwise.
func probabilityStride(n int) int { return (n+15)&^15 | 16 }

// AttentionMean writes the probabilities averaged over heads: for each sequence
// its S x S block (row: query, column: key), one block after another, so dst has
// the sum of S² elements.
func AttentionMean(dst []float32, qkv Matrix, offsets []int, heads int) {
	checkAttention(qkv, offsets, heads)
	t := packed{blocks: dst, qkv: qkv, offsets: offsets, heads: heads}
	checkLen("dst", dst, t.squares(sequences(offsets)))
	sharedPacked.parallel(sequences(offsets), 1, t, func(t packed, first, last int) {
		for s := first; s < last; s++ {
			attentionMean(t.blocks[t.squares(s):], t.qkv, t.offsets[s], t.offsets[s+1], t.heads)
		}
	})
}

// AttentionProbabilities writes the probabilities of every head: for each sequence of
// S rows H blocks of S x S (row: query, column: key), so dst has H times the sum of
// S² elements.
func AttentionProbabilities(dst []float32, qkv Matrix, offsets []int, heads int) {
	checkAttention(qkv, offsets, heads)
	t := packed{blocks: dst, qkv: qkv, offsets: offsets, heads: heads}
	checkLen("dst", dst, heads*t.squares(sequences(offsets)))
	t.eachHead(func(t packed, first, last int) {
		for i := first; i < last; i++ {
			a := t.head(i)
			if a.n == 0 {
				continue
			}
			block := t.blocks[t.heads*t.squares(i/t.heads)+a.head*a.n*a.n:]
			s := borrow(a.n * a.ld)
			p := a.probabilities(s.data)
			for r := range a.n {
				copy(block[r*a.n:], p.row(r))
			}
			s.giveBack()
		}
	})
}

// packed is a call of a function of attention: sequences one after another, and what is
// written for them, rows or blocks of probabilities.
type packed struct {
	dst, dy, qkv Matrix
	blocks       []float32
	keep         []float32 // of Attention, or nil
	offsets      []int
	heads        int
}

// keeping is t with memory for the probabilities, or without where that is nil.
func (t packed) keeping(kept []float32) packed {
	if kept != nil {
		checkLen("kept", kept, AttentionKeeps(t.offsets, t.heads))
	}
	t.keep = kept
	return t
}

// kept is what is kept of the i-th head, which is a, or nil.
func (t packed) kept(i int, a headView) []float32 {
	if t.keep == nil {
		return nil
	}
	s := i / t.heads
	from := AttentionKeeps(t.offsets[:s+1], t.heads) + a.head*a.n*a.ld
	return t.keep[from:][:a.n*a.ld]
}

var sharedPacked sharing[packed]

// eachHead calls f for ranges of the heads of all sequences, on all cores.
func (t packed) eachHead(f func(t packed, first, last int)) {
	sharedPacked.parallel(sequences(t.offsets)*t.heads, 1, t, f)
}

// head is the i-th of eachHead.
func (t packed) head(i int) headView {
	s := i / t.heads
	return newHeadView(t.qkv, t.offsets[s], t.offsets[s+1], t.heads, i%t.heads)
}

// squares is the sum of S² over the first s sequences.
func (t packed) squares(s int) (sum int) {
	for i := range s {
		n := t.offsets[i+1] - t.offsets[i]
		sum += n * n
	}
	return sum
}

// sequences is how many sequences offsets bounds.
func sequences(offsets []int) int { return max(len(offsets)-1, 0) }

// checkAttention returns D.
func checkAttention(qkv Matrix, offsets []int, heads int) int {
	qkv.check("qkv")
	d := qkv.Cols / 3
	if heads <= 0 || qkv.Cols != 3*d || d%heads != 0 {
		panic(fmt.Sprintf("kernel: qkv has %d columns, want three times a multiple of %d heads", qkv.Cols, heads))
	}
	for s := range sequences(offsets) {
		if offsets[s] < 0 || offsets[s+1] < offsets[s] || offsets[s+1] > qkv.Rows {
			panic(fmt.Sprintf("kernel: sequence %d is rows %d to %d of %d", s, offsets[s], offsets[s+1], qkv.Rows))
		}
	}
	return d
}

// attentionMean adds heads in order, then divides.
func attentionMean(dst []float32, qkv Matrix, lo, hi, heads int) {
	n := hi - lo
	if n == 0 {
		return
	}
	dst = dst[:n*n]
	clear(dst)
	var s *scratch
	for h := range heads {
		a := newHeadView(qkv, lo, hi, heads, h)
		if s == nil {
			s = borrow(n * a.ld)
		}
		p := a.probabilities(s.data)
		for i := range n {
			out := dst[i*n:][:n]
			for j, v := range p.row(i) {
				out[j] += v
			}
		}
	}
	s.giveBack()
	for i := range dst {
		dst[i] /= float32(heads)
	}
}

// headView is one head of one sequence: n rows of q, k and v, read in place.
type headView struct {
	q, k, v   Matrix
	n, lo, dh int
	head      int
	ld        int // stride of an n x n scratch, whole vectors
	scale     float32
}

func newHeadView(qkv Matrix, lo, hi, heads, head int) headView {
	d := qkv.Cols / 3
	a := headView{n: hi - lo, lo: lo, dh: d / heads, head: head}
	a.scale = float32(1 / math.Sqrt(float64(a.dh)))
	a.ld = probabilityStride(a.n)
	if a.n > 0 {
		a.q, a.k, a.v = a.columns(qkv, 0), a.columns(qkv, d), a.columns(qkv, 2*d)
	}
	return a
}

// columns is the part of m that belongs to the head, from the given column on.
func (a headView) columns(m Matrix, from int) Matrix {
	return Matrix{Rows: a.n, Cols: a.dh, Stride: m.Stride, Data: m.Data[a.lo*m.Stride+from+a.head*a.dh:]}
}

// probabilities writes softmax(scale q kᵀ) into buf, n x n with stride ld.
func (a headView) probabilities(buf []float32) Matrix {
	p := Matrix{Rows: a.n, Cols: a.n, Stride: a.ld, Data: buf}
	gemm(p, a.q.view(), a.k.view().t(), nil, false, true)
	softmaxRows(p, a.scale)
	return p
}
