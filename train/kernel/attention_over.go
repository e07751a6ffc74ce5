package kernel

import "fmt"

// AttentionOver is softmax(scale q xᵀ) x for each sequence: rows that are both key and
// value, and H queries as wide as they are. x is (N, D); dst and q are (BH, D), of
// sequence s rows sH to (s+1)H. A sequence without rows has a sum of no values: zeros.
// dst must not overlap q or x.
func AttentionOver(dst, q, x Matrix, offsets []int, heads int, scale float32) {
	checkAttentionOver(q, x, offsets, heads)
	dst.checkShape("dst", q.Rows, q.Cols)
	t := over{dst: dst, q: q, x: x, offsets: offsets, heads: heads, scale: scale}
	sharedOver.parallel(sequences(offsets), 1, t, over.forward)
}

func (t over) forward(first, last int) {
	for s := first; s < last; s++ {
		a, y := t.view(s), t.queries(t.dst, s)
		if a.x.Rows == 0 {
			clearRows(y)
			continue
		}
		buf := borrow(t.heads * a.ld())
		gemm(y, a.probabilities(buf.data).view(), a.x.view(), nil, false, true)
		buf.giveBack()
	}
}

// AttentionOverBackward overwrites dq (BH, D) and dx (N, D) with the gradients, given dy
// (BH, D). It computes the probabilities again from q and x. Rows of dx outside every
// sequence are left as they are.
func AttentionOverBackward(dq, dx, dy, q, x Matrix, offsets []int, heads int, scale float32) {
	checkAttentionOver(q, x, offsets, heads)
	dq.checkShape("dq", q.Rows, q.Cols)
	dx.checkShape("dx", x.Rows, x.Cols)
	dy.checkShape("dy", q.Rows, q.Cols)
	t := over{dst: dq, dx: dx, dy: dy, q: q, x: x, offsets: offsets, heads: heads, scale: scale}
	sharedOver.parallel(sequences(offsets), 1, t, over.backward)
}

func (t over) backward(first, last int) {
	for s := first; s < last; s++ {
		a, dq, out := t.view(s), t.queries(t.dst, s), t.queries(t.dy, s)
		if a.x.Rows == 0 {
			clearRows(dq)
			continue
		}
		dx := t.dx.rowRange(t.offsets[s], t.offsets[s+1])
		buf := borrow(2 * t.heads * a.ld())
		p := a.probabilities(buf.data)
		ds := Matrix{Rows: p.Rows, Cols: p.Cols, Stride: p.Stride, Data: buf.data[t.heads*a.ld():]}
		gemm(ds, out.view(), a.x.view().t(), nil, false, true)
		softmaxBackRows(ds, p, a.scale)
		gemm(dq, ds.view(), a.x.view(), nil, false, true)
		gemm(dx, p.view().t(), out.view(), nil, false, true)
		gemm(dx, ds.view().t(), a.q.view(), nil, true, true)
		buf.giveBack()
	}
}

// over is the arguments of AttentionOver or AttentionOverBackward; dst is what queries get.
type over struct {
	dst, dx, dy, q, x Matrix
	offsets           []int
	heads             int
	scale             float32
}

var sharedOver sharing[over]

// queries is the part of m that belongs to the queries of sequence s.
func (t over) queries(m Matrix, s int) Matrix { return m.rowRange(s*t.heads, (s+1)*t.heads) }

func (t over) view(s int) overView {
	return overView{t.queries(t.q, s), t.x.rowRange(t.offsets[s], t.offsets[s+1]), t.scale}
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
