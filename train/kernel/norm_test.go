package kernel

import (
	"fmt"
	"math"
	"testing"
)

var normShapes = [][2]int{{1, 1}, {1, 7}, {3, 8}, {2, 9}, {5, 15}, {6, 25}, {4, 50}, {4, 16}, {7, 64}, {33, 100}, {200, 128}, {65, 192}, {9, 768}}

func TestLayerNormKnown(t *testing.T) {
	// Row 1 3: mean 2, variance 1. Row 0 0: variance 0, eps decides.
	x := Mat([]float32{1, 3, 0, 0}, 2, 2)
	onEveryPath(t, func(t *testing.T) {
		dst := Mat(make([]float32, 4), 2, 2)
		mean, rstd := make([]float32, 2), make([]float32, 2)
		LayerNorm(dst, x, []float32{10, 100}, []float32{1, 2}, 0.25, mean, rstd)
		r := float32(1 / math.Sqrt(1.25))
		near(t, "dst", dst.Data, []float32{1 - 10*r, 2 + 100*r, 1, 2}, 1e-6)
		near(t, "mean", mean, []float32{2, 0}, 1e-7)
		near(t, "rstd", rstd, []float32{r, 2}, 1e-6)
	})
}

func TestLayerNorm(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(11)
		for _, s := range normShapes {
			rows, cols := s[0], s[1]
			name := fmt.Sprint(s)
			x, dy := randomMatrix(r, rows, cols, 3), randomMatrix(r, rows, cols, 2)
			for i := range x.Data {
				x.Data[i] = 3*x.Data[i] + 5
			}
			gamma, beta := randomSlice(r, cols), randomSlice(r, cols)
			for _, affine := range []bool{true, false} {
				if !affine {
					gamma, beta = nil, nil
				}
				got, want := randomMatrix(r, rows, cols, 1), Matrix{}
				want = clone(got)
				mean, rstd := make([]float32, rows), make([]float32, rows)
				mean2, rstd2 := make([]float32, rows), make([]float32, rows)
				LayerNorm(got, x, gamma, beta, 1e-5, mean, rstd)
				refLayerNorm(want, x, gamma, beta, 1e-5, mean2, rstd2)
				near(t, name, got.Data, want.Data, 1e-5)
				near(t, name+" mean", mean, mean2, 1e-6)
				if cols > 1 {
					near(t, name+" rstd", rstd, rstd2, 1e-5)
				}
				other := clone(got)
				LayerNorm(other, x, gamma, beta, 1e-5, nil, nil)
				sameBytes(t, name+" without statistics", other.Data, got.Data)

				dx, dx2 := randomMatrix(r, rows, cols, 1), Matrix{}
				dx2 = clone(dx)
				dg, db, dg2, db2 := make([]float32, cols), make([]float32, cols), make([]float32, cols), make([]float32, cols)
				LayerNormBackward(dx, dy, x, gamma, mean2, rstd2, dg, db)
				refLayerNormBackward(dx2, dy, x, gamma, mean2, rstd2, dg2, db2)
				scale := 1 + float64(rstd2[0]) // one column: rstd is 1/√eps and amplifies roundings
				near(t, name+" dx", dx.Data, dx2.Data, 1e-5*scale)
				near(t, name+" dgamma", dg, dg2, 1e-4)
				near(t, name+" dbeta", db, db2, 1e-4)
				clear(dg2)
				LayerNormBackward(dx, dy, x, gamma, mean2, rstd2, dg2, nil)
				sameBytes(t, name+" dgamma alone", dg2, dg)
				LayerNormBackward(dx, dy, x, gamma, mean2, rstd2, nil, db2)
			}
		}
	})
}

func TestLayerNormGradient(t *testing.T) {
	r := newRand(12)
	const rows, cols, eps = 3, 6, 1e-5
	x, dy := randomMatrix(r, rows, cols, 0), randomMatrix(r, rows, cols, 0)
	gamma, beta := randomSlice(r, cols), randomSlice(r, cols)
	loss := func() float64 { // sum dy · LayerNorm(x), in float64
		var s float64
		for i := range rows {
			var mu, v float64
			for _, a := range x.row(i) {
				mu += float64(a) / cols
			}
			for _, a := range x.row(i) {
				v += (float64(a) - mu) * (float64(a) - mu) / cols
			}
			for j, a := range x.row(i) {
				s += float64(dy.row(i)[j]) * ((float64(a)-mu)/math.Sqrt(v+eps)*float64(gamma[j]) + float64(beta[j]))
			}
		}
		return s
	}
	mean, rstd := make([]float32, rows), make([]float32, rows)
	dx := Mat(make([]float32, rows*cols), rows, cols)
	dg, db := make([]float32, cols), make([]float32, cols)
	onEveryPath(t, func(t *testing.T) {
		LayerNorm(dx, x, gamma, beta, eps, mean, rstd)
		LayerNormBackward(dx, dy, x, gamma, mean, rstd, dg, db)
		near(t, "dx", dx.Data, differences(x.Data[:rows*cols], loss), 2e-4)
		near(t, "dgamma", dg, differences(gamma, loss), 2e-4)
		near(t, "dbeta", db, differences(beta, loss), 2e-4)
	})
}

func TestScaleShift(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(13)
		for _, s := range normShapes {
			rows, cols := s[0], s[1]
			name := fmt.Sprint(s)
			x, dy := randomMatrix(r, rows, cols, 3), randomMatrix(r, rows, cols, 2)
			for _, gamma := range [][]float32{randomSlice(r, cols), nil} {
				for _, beta := range [][]float32{randomSlice(r, cols), nil} {
					got := randomMatrix(r, rows, cols, 1)
					want := clone(got)
					ScaleShift(got, x, gamma, beta)
					refScaleShift(want, x, gamma, beta)
					near(t, name, got.Data, want.Data, 1e-6)
				}
				dx := randomMatrix(r, rows, cols, 1)
				dx2 := clone(dx)
				dg, db, dg2, db2 := make([]float32, cols), make([]float32, cols), make([]float32, cols), make([]float32, cols)
				ScaleShiftBackward(dx, dy, x, gamma, dg, db)
				refScaleShiftBackward(dx2, dy, x, gamma, dg2, db2)
				near(t, name+" dx", dx.Data, dx2.Data, 1e-6)
				near(t, name+" dgamma", dg, dg2, 1e-4)
				near(t, name+" dbeta", db, db2, 1e-4)
				inPlace := clone(dy)
				ScaleShiftBackward(inPlace, inPlace, x, gamma, dg2, db2)
				for i := range rows {
					sameBytes(t, name+" dx in place of dy", inPlace.row(i), dx.row(i))
				}
				sameBytes(t, name+" dgamma in place", dg2, dg)
				sameBytes(t, name+" dbeta in place", db2, db)
				clear(dg2)
				clear(db2)
				ScaleShiftBackward(Matrix{}, dy, x, gamma, dg2, nil)
				ScaleShiftBackward(Matrix{}, dy, Matrix{}, gamma, nil, db2)
				sameBytes(t, name+" dgamma alone", dg2, dg)
				sameBytes(t, name+" dbeta alone", db2, db)
				guarded := make([]float32, cols+40)
				ColSum(guarded[:cols], dy)
				sameBytes(t, name+" ColSum", guarded[:cols], db)
				sameBytes(t, name+" behind ColSum", guarded[cols:], make([]float32, 40))
			}
		}
	})
}

func TestScaleShiftKnown(t *testing.T) {
	x, dy := Mat([]float32{1, 2, 3, 4}, 2, 2), Mat([]float32{1, 10, 2, 20}, 2, 2)
	dst, dx := Mat(make([]float32, 4), 2, 2), Mat(make([]float32, 4), 2, 2)
	dg, db := make([]float32, 2), make([]float32, 2)
	onEveryPath(t, func(t *testing.T) {
		ScaleShift(dst, x, []float32{2, 3}, []float32{5, 7})
		sameBytes(t, "dst", dst.Data, []float32{7, 13, 11, 19})
		ScaleShiftBackward(dx, dy, x, []float32{2, 3}, dg, db)
		sameBytes(t, "dx", dx.Data, []float32{2, 30, 4, 60})
		sameBytes(t, "dgamma", dg, []float32{1*1 + 2*3, 10*2 + 20*4})
		sameBytes(t, "dbeta", db, []float32{3, 30})
	})
}

func TestNormThreads(t *testing.T) {
	r := newRand(14)
	const rows, cols = 700, 130
	x, dy := randomMatrix(r, rows, cols, 1), randomMatrix(r, rows, cols, 1)
	gamma, beta := randomSlice(r, cols), randomSlice(r, cols)
	onEveryPath(t, func(t *testing.T) {
		sameOnAnyThreads(t, "LayerNorm and back", func() []float32 {
			y, dx := Mat(make([]float32, rows*cols), rows, cols), Mat(make([]float32, rows*cols), rows, cols)
			mean, rstd := make([]float32, rows), make([]float32, rows)
			dg, db, cs := make([]float32, cols), make([]float32, cols), make([]float32, cols)
			LayerNorm(y, x, gamma, beta, 1e-5, mean, rstd)
			LayerNormBackward(dx, dy, x, gamma, mean, rstd, dg, db)
			ColSum(cs, x)
			out := append(y.Data, dx.Data...)
			out = append(append(append(out, dg...), db...), cs...)
			ScaleShift(y, x, gamma, beta)
			return append(out, y.Data...)
		})
	})
}

func TestNormMistakes(t *testing.T) {
	x := Mat(make([]float32, 6), 2, 3)
	v := make([]float32, 3)
	mustPanic(t, "gamma", func() { LayerNorm(x, x, v[:2], v, 0, nil, nil) })
	mustPanic(t, "mean", func() { LayerNormBackward(x, x, x, v, nil, v[:2], nil, nil) })
	mustPanic(t, "dst", func() { ScaleShift(Mat(v, 1, 3), x, v, v) })
	mustPanic(t, "sum", func() { ColSum(v[:1], x) })
}

func TestEmptyShapes(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		none, v := Mat(nil, 0, 3), []float32{1, 2, 3}
		LayerNorm(none, none, v, v, 1e-5, []float32{}, []float32{})
		LayerNormBackward(none, none, none, v, []float32{}, []float32{}, v, v)
		sameBytes(t, "dgamma of no rows", v, []float32{0, 0, 0})
		ScaleShift(none, none, v, v)
		GELU(nil, nil)
		Add(nil, nil, nil)
		Attention(none, Mat(nil, 0, 9), []int{0, 0}, 3)
		Attention(none, Mat(nil, 0, 9), nil, 3)
	})
}
