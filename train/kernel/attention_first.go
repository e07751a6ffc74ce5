package kernel

import (
	"fmt"
	"math"
)

// AttentionFirst is Attention for one query a sequence: dst and q are (B, D), one row
// for each sequence, and kv is (N, 2D), its columns k and v. It gives the bytes that
// Attention gives the row with that query. A sequence without rows has a sum of no
// values: zeros. dst must not overlap q or kv.
func AttentionFirst(dst, q, kv Matrix, offsets []int, heads int) {
	d := checkAttentionFirst(q, kv, offsets, heads)
	dst.checkShape("dst", q.Rows, d)
	eachFirst(q, kv, offsets, heads, func(a firstView) {
		y := a.row(dst)
		if a.k.Rows == 0 {
			clear(y.row(0))
			return
		}
		s := borrow(a.ld())
		defer s.giveBack()
		gemm(y, a.probabilities(s.data).view(), a.v.view(), nil, false, true)
	})
}

// AttentionFirstBackward overwrites dq (B, D) and dkv (N, 2D) with the gradients, given
// dy (B, D). It computes the probabilities again from q and kv. Rows of dkv outside
// every sequence are left as they are.
func AttentionFirstBackward(dq, dkv, dy, q, kv Matrix, offsets []int, heads int) {
	d := checkAttentionFirst(q, kv, offsets, heads)
	dq.checkShape("dq", q.Rows, d)
	dkv.checkShape("dkv", kv.Rows, 2*d)
	dy.checkShape("dy", q.Rows, d)
	eachFirst(q, kv, offsets, heads, func(a firstView) {
		din, out := a.row(dq), a.row(dy)
		if a.k.Rows == 0 {
			clear(din.row(0))
			return
		}
		s := borrow(2 * a.ld())
		defer s.giveBack()
		p := a.probabilities(s.data)
		ds := Matrix{Rows: 1, Cols: p.Cols, Stride: p.Stride, Data: s.data[a.ld():]}
		gemm(a.keys(dkv, d), p.view().t(), out.view(), nil, false, true)
		gemm(ds, out.view(), a.v.view().t(), nil, false, true)
		softmaxBackRows(ds, p, a.scale)
		gemm(din, ds.view(), a.k.view(), nil, false, true)
		gemm(a.keys(dkv, 0), ds.view().t(), a.q.view(), nil, false, true)
	})
}

// checkAttentionFirst returns D.
func checkAttentionFirst(q, kv Matrix, offsets []int, heads int) int {
	kv.check("kv")
	d := kv.Cols / 2
	if heads <= 0 || kv.Cols != 2*d || d%heads != 0 {
		panic(fmt.Sprintf("kernel: kv has %d columns, want twice a multiple of %d heads", kv.Cols, heads))
	}
	q.checkShape("q", sequences(offsets), d)
	for s := range sequences(offsets) {
		if offsets[s] < 0 || offsets[s+1] < offsets[s] || offsets[s+1] > kv.Rows {
			panic(fmt.Sprintf("kernel: sequence %d is rows %d to %d of %d", s, offsets[s], offsets[s+1], kv.Rows))
		}
	}
	return d
}

// eachFirst calls f for each sequence and head, on all cores.
func eachFirst(q, kv Matrix, offsets []int, heads int, f func(a firstView)) {
	d := q.Cols
	parallel(sequences(offsets)*heads, 1, func(first, last int) {
		for t := first; t < last; t++ {
			s := t / heads
			a := firstView{s: s, lo: offsets[s], n: offsets[s+1] - offsets[s], from: t % heads * (d / heads), dh: d / heads}
			a.scale = float32(1 / math.Sqrt(float64(a.dh)))
			a.q, a.k, a.v = a.row(q), a.keys(kv, 0), a.keys(kv, d)
			f(a)
		}
	})
}

// firstView is one head of one sequence: a row of q, n rows of k and v, read in place.
type firstView struct {
	q, k, v  Matrix
	s, lo, n int // the sequence and its rows
	from, dh int // the head's columns
	scale    float32
}

// row is the head's part of the sequence's row of m (B, D).
func (a firstView) row(m Matrix) Matrix { return m.part(a.s, a.from, 1, a.dh) }

// keys is the head's part of the sequence's rows of m (N, 2D), from the given column on.
func (a firstView) keys(m Matrix, from int) Matrix { return m.part(a.lo, from+a.from, a.n, a.dh) }

// ld is the room of a row of n values, whole vectors.
func (a firstView) ld() int { return (a.n + 7) &^ 7 }

// probabilities writes softmax(scale q kᵀ) into buf, one row.
func (a firstView) probabilities(buf []float32) Matrix {
	p := Matrix{Rows: 1, Cols: a.n, Stride: a.ld(), Data: buf}
	gemm(p, a.q.view(), a.k.view().t(), nil, false, true)
	softmaxRows(p, a.scale)
	return p
}
