package kernel

import "fmt"

// AttentionOver is softmax(scale q xᵀ) x for each sequence: rows that are both key and
// value, and H queries as wide as they are. x is (N, D); dst and q are (BH, D), of
// sequence s rows sH to (s+1)H. A sequence without rows has a sum of no values: zeros.
// dst must not overlap q or x.
func AttentionOver(dst, q, x Matrix, offsets []int, heads int, scale float32) {
	checkAttentionOver(q, x, offsets, heads)
	dst.checkShape("dst", q.Rows, q.Cols)
	parallel(sequences(offsets), 1, func(first, last int) {
		for s := first; s < last; s++ {
			a := overView{q.rowRange(s*heads, (s+1)*heads), x.rowRange(offsets[s], offsets[s+1]), scale}
			y := dst.rowRange(s*heads, (s+1)*heads)
			if a.x.Rows == 0 {
				clearRows(y)
				continue
			}
			buf := borrow(heads * a.ld())
			gemm(y, a.probabilities(buf.data).view(), a.x.view(), nil, false, true)
			buf.giveBack()
		}
	})
}

// AttentionOverBackward overwrites dq (BH, D) and dx (N, D) with the gradients, given dy
// (BH, D). It computes the probabilities again from q and x. Rows of dx outside every
// sequence are left as they are.
func AttentionOverBackward(dq, dx, dy, q, x Matrix, offsets []int, heads int, scale float32) {
	checkAttentionOver(q, x, offsets, heads)
	dq.checkShape("dq", q.Rows, q.Cols)
	dx.checkShape("dx", x.Rows, x.Cols)
	dy.checkShape("dy", q.Rows, q.Cols)
	parallel(sequences(offsets), 1, func(first, last int) {
		for s := first; s < last; s++ {
			a := overView{q.rowRange(s*heads, (s+1)*heads), x.rowRange(offsets[s], offsets[s+1]), scale}
			out, dqs, dxs := dy.rowRange(s*heads, (s+1)*heads), dq.rowRange(s*heads, (s+1)*heads), dx.rowRange(offsets[s], offsets[s+1])
			if a.x.Rows == 0 {
				clearRows(dqs)
				continue
			}
			buf := borrow(2 * heads * a.ld())
			p := a.probabilities(buf.data)
			ds := Matrix{Rows: p.Rows, Cols: p.Cols, Stride: p.Stride, Data: buf.data[heads*a.ld():]}
			gemm(ds, out.view(), a.x.view().t(), nil, false, true)
			softmaxBackRows(ds, p, scale)
			gemm(dqs, ds.view(), a.x.view(), nil, false, true)
			gemm(dxs, p.view().t(), out.view(), nil, false, true)
			gemm(dxs, ds.view().t(), a.q.view(), nil, true, true)
			buf.giveBack()
		}
	})
}

func checkAttentionOver(q, x Matrix, offsets []int, heads int) {
	x.check("x")
	if heads <= 0 {
		panic(fmt.Sprintf("kernel: attention of %d queries a sequence", heads))
	}
	q.checkShape("q", sequences(offsets)*heads, x.Cols)
	for s := range sequences(offsets) {
		if offsets[s] < 0 || offsets[s+1] < offsets[s] || offsets[s+1] > x.Rows {
			panic(fmt.Sprintf("kernel: sequence %d is rows %d to %d of %d", s, offsets[s], offsets[s+1], x.Rows))
		}
	}
}

func clearRows(m Matrix) {
	for i := range m.Rows {
		clear(m.row(i))
	}
}

// overView is one sequence: its queries and its rows, where they lie.
type overView struct {
	q, x  Matrix
	scale float32
}

// ld is the stride of a row of probabilities, whole vectors.
func (a overView) ld() int { return (a.x.Rows + 7) &^ 7 }

// probabilities writes softmax(scale q xᵀ) into buf.
func (a overView) probabilities(buf []float32) Matrix {
	p := Matrix{Rows: a.q.Rows, Cols: a.x.Rows, Stride: a.ld(), Data: buf}
	gemm(p, a.q.view(), a.x.view().t(), nil, false, true)
	softmaxRows(p, a.scale)
	return p
}
