package kernel

import (
	"fmt"
	"math"
	"testing"
)

// TestProductEveryShape multiplies every shape from 1x1x1 to 70x70x70 with gaps between
// rows, the three transpositions in turn. The largest product is held to the reference;
// the smaller ones to its bytes, as an element does not depend on the shape around it.
func TestProductEveryShape(t *testing.T) {
	const most = 70
	onEveryPath(t, func(t *testing.T) {
		step := 1
		if testing.Short() || raceEnabled || currentPath() == portable {
			step = 11 // no divisor of a tile's side: every side is met still
		}
		r := newRand(7)
		got := make([]float32, most*(most+3))
		for k := 1; k <= most; k++ {
			type large struct {
				a, b, c Matrix
			}
			var whole [3]large
			for i, p := range products {
				a, b, av, bv := operands(r, most, most, k, 1+i, p.ta, p.tb)
				c, want := randomMatrix(r, most, most, 0), randomMatrix(r, most, most, 0)
				p.f(c, a, b, false)
				refProduct(want, av, bv, false)
				near(t, fmt.Sprintf("%s 70x70x%d", p.name, k), c.part(0, 0, most, most).Data[:most*most], want.Data[:most*most], 4e-7*float64(k)+1e-7)
				whole[i] = large{a, b, c}
			}
			for shape := k % step; shape < most*most; shape += step {
				m, n := 1+shape/most, 1+shape%most
				i := (m + n + k) % 3
				p, w := products[i], whole[i]
				a, b := w.a, w.b
				if a.Rows = m; p.ta {
					a.Rows, a.Cols = k, m
				}
				if b.Cols = n; p.tb {
					b.Rows, b.Cols = n, k
				}
				dst := Matrix{Rows: m, Cols: n, Stride: n + shape%4, Data: got}
				for i := range got[:m*dst.Stride] {
					got[i] = 42
				}
				p.f(dst, a, b, false)
				for i := range m {
					row, want := got[i*dst.Stride:][:dst.Stride], w.c.row(i)
					for j, v := range row {
						if j < n && math.Float32bits(v) != math.Float32bits(want[j]) {
							t.Fatalf("%s %dx%dx%d: element %d, %d is %v, want exactly %v", p.name, m, n, k, i, j, v, want[j])
						}
						if j >= n && v != 42 {
							t.Fatalf("%s %dx%dx%d: column %d of row %d, which is none, became %v", p.name, m, n, k, j, i, v)
						}
					}
				}
			}
		}
	})
}

// sameNumbers is sameBytes but for the bits of a NaN.
func sameNumbers(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d is %v, want exactly %v", name, i, got[i], want[i])
		}
	}
}

// TestFusedSpecialValues has zeros of both signs, denormals, infinities and NaN anywhere.
func TestFusedSpecialValues(t *testing.T) {
	const m, n, k = 17, 45, 9
	inf := float32(math.Inf(1))
	special := []float32{0, float32(math.Copysign(0, -1)), math.Float32frombits(1), -math.Float32frombits(7), 1e-38, inf, -inf, float32(math.NaN()), 3e38, -3e38}
	onEveryPath(t, func(t *testing.T) {
		r := newRand(8)
		strew := func(x []float32) []float32 {
			for range 1 + len(x)/20 {
				x[r.IntN(len(x))] = special[r.IntN(len(special))]
			}
			return x
		}
		for round := range 30 {
			x, w := randomMatrix(r, m, k, 1), randomMatrix(r, n, k, 0)
			strew(x.Data)
			e := Epilogue{Bias: strew(randomSlice(r, n)), Gamma: strew(randomSlice(r, n)), Beta: strew(randomSlice(r, n)), GELU: round%2 == 0, Residual: randomMatrix(r, m, n, 0)}
			strew(e.Residual.Data)
			got := Mat(make([]float32, m*n), m, n)
			want := clone(got)
			LinearFused(got, x, w, e)
			passes(want, x, w, e)
			sameNumbers(t, "LinearFused", got.Data, want.Data)

			pre, dy := randomMatrix(r, m, n, 0), randomMatrix(r, m, n, 0)
			strew(pre.Data)
			strew(dy.Data)
			z, dpre := clone(pre), clone(pre)
			dg, db, dg2, db2 := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			ScaleShiftGELUBackward(dpre, dy, pre, e.Gamma, e.Beta, dg, db)
			ScaleShift(z, pre, e.Gamma, e.Beta)
			GELUBackward(z.Data, dy.Data, z.Data)
			ScaleShiftBackward(got, z, pre, e.Gamma, dg2, db2)
			sameNumbers(t, "dpre", dpre.Data[:m*n], got.Data)
			if currentPath() != portable {
				sameNumbers(t, "dgamma", dg, dg2)
				sameNumbers(t, "dbeta", db, db2)
			}
		}
	})
}
