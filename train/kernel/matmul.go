package kernel

import "fmt"

// view is a matrix with any two strides: element (i, j) is data[i*rs+j*cs].
// Transposing swaps the strides.
type view struct {
	data       []float32
	rows, cols int
	rs, cs     int
}

func (m Matrix) view() view {
	return view{data: m.Data, rows: m.Rows, cols: m.Cols, rs: m.Stride, cs: 1}
}

func (v view) t() view {
	return view{data: v.data, rows: v.cols, cols: v.rows, rs: v.cs, cs: v.rs}
}

// MatMul computes dst = a b, or dst += a b with acc. dst must not overlap a or b.
func MatMul(dst, a, b Matrix, acc bool) {
	product(dst, a, b, a.view(), b.view(), acc)
}

// MatMulNT computes dst = a bᵀ, or dst += a bᵀ with acc: for b the weight (out, in)
// of a linear layer.
func MatMulNT(dst, a, b Matrix, acc bool) {
	product(dst, a, b, a.view(), b.view().t(), acc)
}

// MatMulTN computes dst = aᵀ b, or dst += aᵀ b with acc: the gradient of a weight.
func MatMulTN(dst, a, b Matrix, acc bool) {
	product(dst, a, b, a.view().t(), b.view(), acc)
}

// Linear computes dst = x wᵀ + bias: x is (N, K), w is (out, K), bias is (out) or nil.
func Linear(dst, x, w Matrix, bias []float32) {
	checkLenOrNil("bias", bias, dst.Cols)
	checkProduct(dst, x, w, x.view(), w.view().t())
	gemm(dst, x.view(), w.view().t(), bias, false, false)
}

// MatMulBatch computes dst[i] = op(a[i]) op(b[i]) for small matrices of any shapes and
// strides, or adds to dst[i] with acc; op transposes where transA or transB says so. Each
// product runs whole on one thread, as those of Attention's heads do. No dst may overlap
// another matrix.
func MatMulBatch(dst, a, b []Matrix, transA, transB, acc bool) {
	if len(a) != len(dst) || len(b) != len(dst) {
		panic(fmt.Sprintf("kernel: products of %d and %d matrices into %d", len(a), len(b), len(dst)))
	}
	m := batch{dst: dst, a: a, b: b, transA: transA, transB: transB, acc: acc}
	for i := range dst {
		av, bv := m.views(i)
		checkProduct(dst[i], a[i], b[i], av, bv)
	}
	sharedBatches.parallel(len(dst), 1, m, func(m batch, lo, hi int) {
		for i := lo; i < hi; i++ {
			av, bv := m.views(i)
			if !m.acc {
				m.dst[i].clear()
			}
			gemm(m.dst[i], av, bv, nil, m.acc, true)
		}
	})
}

// batch is a call of MatMulBatch.
type batch struct {
	dst, a, b           []Matrix
	transA, transB, acc bool
}

var sharedBatches sharing[batch]

// views are the factors of product i.
func (m batch) views(i int) (a, b view) {
	if a, b = m.a[i].view(), m.b[i].view(); m.transA {
		a = a.t()
	}
	if m.transB {
		b = b.t()
	}
	return a, b
}

func product(dst, a, b Matrix, av, bv view, acc bool) {
	checkProduct(dst, a, b, av, bv)
	gemm(dst, av, bv, nil, acc, false)
}

func checkProduct(dst, a, b Matrix, av, bv view) {
	dst.check("dst")
	a.check("a")
	b.check("b")
	if av.cols != bv.rows || dst.Rows != av.rows || dst.Cols != bv.cols {
		panic(fmt.Sprintf("kernel: product of %dx%d and %dx%d into %dx%d",
			av.rows, av.cols, bv.rows, bv.cols, dst.Rows, dst.Cols))
	}
}
