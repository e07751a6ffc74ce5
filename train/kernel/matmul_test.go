package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var productSizes = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70}

// products are the three transpositions: how a and b are stored for an m x k by
// k x n product.
var products = []struct {
	name   string
	f      func(dst, a, b Matrix, acc bool)
	ta, tb bool
}{
	{"nn", MatMul, false, false},
	{"nt", MatMulNT, false, true},
	{"tn", MatMulTN, true, false},
}

func operands(r *rand.Rand, m, n, k, gap int, ta, tb bool) (a, b Matrix, av, bv view) {
	if a = randomMatrix(r, m, k, gap); ta {
		a = randomMatrix(r, k, m, gap)
	}
	if b = randomMatrix(r, k, n, gap); tb {
		b = randomMatrix(r, n, k, gap)
	}
	av, bv = a.view(), b.view()
	if ta {
		av = av.t()
	}
	if tb {
		bv = bv.t()
	}
	return a, b, av, bv
}

func compareProduct(t *testing.T, r *rand.Rand, m, n, k, gap int) {
	t.Helper()
	for _, p := range products {
		for _, acc := range []bool{false, true} {
			a, b, av, bv := operands(r, m, n, k, gap, p.ta, p.tb)
			got := randomMatrix(r, m, n, gap)
			want := clone(got)
			refProduct(want, av, bv, acc)
			p.f(got, a, b, acc)
			// k float32 roundings of sums that grow like √k.
			tol := 4e-7 * math.Sqrt(float64(k)) * math.Sqrt(float64(k))
			name := fmt.Sprintf("%s %dx%dx%d gap %d acc %v", p.name, m, n, k, gap, acc)
			near(t, name, got.Data, want.Data, max(tol, 1e-6))
		}
	}
}

func TestProductSmall(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(1)
		rounds := 700
		if raceEnabled {
			rounds = 120
		}
		for range rounds {
			pick := func() int { return productSizes[r.IntN(len(productSizes))] }
			compareProduct(t, r, pick(), pick(), pick(), r.IntN(4))
		}
	})
}

func TestProductBlocked(t *testing.T) {
	shapes := [][3]int{{300, 200, 150}, {129, 65, 900}, {1, 500, 400}, {500, 1, 400}, {40, 33, 1200}, {257, 131, 385}}
	if testing.Short() || raceEnabled {
		shapes = [][3]int{{1, 200, 400}, {130, 1, 400}, {40, 33, 800}, {129, 66, 385}}
	}
	onEveryPath(t, func(t *testing.T) {
		r := newRand(2)
		for _, s := range shapes {
			compareProduct(t, r, s[0], s[1], s[2], 3)
		}
	})
}

func TestProductEmptyInner(t *testing.T) {
	dst := Mat([]float32{1, 2, 3, 4}, 2, 2)
	a, b := Mat(nil, 2, 0), Mat(nil, 0, 2)
	MatMul(dst, a, b, true)
	sameBytes(t, "acc", dst.Data, []float32{1, 2, 3, 4})
	MatMul(dst, a, b, false)
	sameBytes(t, "overwrite", dst.Data, []float32{0, 0, 0, 0})
	MatMul(Mat(nil, 0, 2), Mat(nil, 0, 3), Mat(make([]float32, 6), 3, 2), false)
}

// The chain of one element does not depend on the shape around it, and the fused
// chain of the two assembly paths is the same.
func TestProductBytes(t *testing.T) {
	r := newRand(3)
	const m, n, k = 131, 75, 800
	for _, p := range products {
		a, b, av, bv := operands(r, m, n, k, 1, p.ta, p.tb)
		run := func() []float32 {
			dst := Mat(make([]float32, m*n), m, n)
			p.f(dst, a, b, false)
			return dst.Data
		}
		var first []float32
		for q := portable; q <= bestPath(); q++ {
			onPath(q, func() {
				whole := run()
				sameOnAnyThreads(t, p.name, run)
				for _, i := range []int{0, 13, 14, 130} {
					// Row i alone, column by column group.
					row := Mat(make([]float32, n), 1, n)
					one := av
					one.data, one.rows = av.data[i*av.rs:], 1
					gemm(row, one, bv, nil, false, true)
					sameBytes(t, p.name+" row alone", row.Data, whole[i*n:][:n])
				}
				if q == avx2 {
					first = whole
				}
				if q == avx512 {
					sameBytes(t, p.name+" avx512 against avx2", whole, first)
				}
			})
		}
	}
}

func TestProductSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	tiny := math.Float32frombits(3) // denormal
	onEveryPath(t, func(t *testing.T) {
		for _, n := range []int{1, 5, 16, 33} {
			a := Mat([]float32{0, 1, inf, 0, tiny, 0}, 3, 2)
			b := Mat(make([]float32, 2*n), 2, n)
			for j := range n {
				b.Data[j] = inf // row 0
				b.Data[n+j] = 2
			}
			dst := Mat(make([]float32, 3*n), 3, n)
			for i := range dst.Data {
				dst.Data[i] = nan // must not be read
			}
			MatMul(dst, a, b, false)
			for j := range n {
				if x := dst.Data[j]; x == x {
					t.Fatalf("0*inf+1*2 = %v, want NaN", x)
				}
				if x := dst.Data[n+j]; x != inf {
					t.Fatalf("inf*inf+0*2 = %v, want +Inf", x)
				}
			}
			for j := range n {
				b.Data[j] = 1
			}
			MatMul(dst, a, b, false)
			if x := dst.Data[2*n+n-1]; x != tiny {
				t.Fatalf("denormal*1 = %v, want %v", x, tiny)
			}
			if x := dst.Data[n-1]; x != 2 {
				t.Fatalf("0*1+1*2 = %v, want 2", x)
			}
		}
	})
}

func TestLinear(t *testing.T) {
	// Known answer: x = [1 2; 3 4], w = [1 0; 0 1; 1 1], bias = [10 20 30].
	dst := Mat(make([]float32, 6), 2, 3)
	x, w := Mat([]float32{1, 2, 3, 4}, 2, 2), Mat([]float32{1, 0, 0, 1, 1, 1}, 3, 2)
	onEveryPath(t, func(t *testing.T) {
		Linear(dst, x, w, []float32{10, 20, 30})
		sameBytes(t, "with bias", dst.Data, []float32{11, 22, 33, 13, 24, 37})
		Linear(dst, x, w, nil)
		sameBytes(t, "without bias", dst.Data, []float32{1, 2, 3, 3, 4, 7})
		Linear(dst, Mat(nil, 2, 0), Mat(nil, 3, 0), []float32{10, 20, 30})
		sameBytes(t, "bias alone", dst.Data, []float32{10, 20, 30, 10, 20, 30})
	})
}

// The bias begins the chain: the same bytes as a product added to rows of it.
func TestLinearBlocked(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(4)
		for _, s := range [][3]int{{150, 70, 400}, {3, 300, 20}, {90, 128, 64}} {
			x, w, bias := randomMatrix(r, s[0], s[2], 1), randomMatrix(r, s[1], s[2], 2), randomSlice(r, s[1])
			got := randomMatrix(r, s[0], s[1], 3)
			want := clone(got)
			for i := range s[0] {
				copy(want.row(i), bias)
			}
			MatMulNT(want, x, w, true)
			Linear(got, x, w, bias)
			sameBytes(t, "Linear", got.Data, want.Data)
		}
	})
}

// A batch gives the bytes of its products one by one.
func TestMatMulBatch(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(6)
		for _, p := range products {
			for _, acc := range []bool{false, true} {
				var got, want, a, b []Matrix
				for i := range 9 {
					m, n, k := 1+r.IntN(70), 1+r.IntN(200), r.IntN(90)
					x, y, _, _ := operands(r, m, n, k, i%3, p.ta, p.tb)
					d := randomMatrix(r, m, n, i%2)
					got, want, a, b = append(got, d), append(want, clone(d)), append(a, x), append(b, y)
				}
				MatMulBatch(got, a, b, p.ta, p.tb, acc)
				for i := range got {
					p.f(want[i], a[i], b[i], acc)
					sameBytes(t, p.name, got[i].Data, want[i].Data)
				}
			}
		}
	})
	one := []Matrix{Mat(make([]float32, 4), 2, 2)}
	mustPanic(t, "count", func() { MatMulBatch(one, one, nil, false, false, false) })
	mustPanic(t, "shape", func() { MatMulBatch(one, []Matrix{Mat(make([]float32, 6), 2, 3)}, one, false, false, false) })
}

func TestProductMistakes(t *testing.T) {
	m := func(r, c int) Matrix { return Mat(make([]float32, r*c), r, c) }
	mustPanic(t, "inner", func() { MatMul(m(2, 2), m(2, 3), m(2, 2), false) })
	mustPanic(t, "outer", func() { MatMulNT(m(2, 2), m(2, 3), m(4, 3), false) })
	mustPanic(t, "short", func() { Mat(make([]float32, 3), 2, 2) })
	mustPanic(t, "stride", func() { MatMul(m(2, 2), Matrix{Rows: 2, Cols: 2, Stride: 1, Data: make([]float32, 9)}, m(2, 2), false) })
	mustPanic(t, "bias", func() { Linear(m(2, 2), m(2, 2), m(2, 2), make([]float32, 3)) })
}
