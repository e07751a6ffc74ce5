package kernel

import (
	"fmt"
	"slices"
	"testing"
)

// passes is what LinearFused promises the bytes of: each step over the whole on its own.
func passes(y, x, w Matrix, e Epilogue) {
	pre := Mat(make([]float32, y.Rows*y.Cols), y.Rows, y.Cols)
	Linear(pre, x, w, e.Bias)
	for i := range y.Rows {
		if e.Pre.Data != nil {
			copy(e.Pre.row(i), pre.row(i))
		}
	}
	if e.Gamma != nil || e.Beta != nil {
		ScaleShift(pre, pre, e.Gamma, e.Beta)
	}
	if e.GELU {
		GELU(pre.Data, pre.Data)
	}
	for i := range y.Rows {
		if e.Residual.Data == nil {
			copy(y.row(i), pre.row(i))
			continue
		}
		Add(y.row(i), pre.row(i), e.Residual.row(i))
	}
}

// epilogues is every combination of what an Epilogue may hold, for an output of m x n.
func epilogues(m, n, gap int) []Epilogue {
	r := newRand(uint64(100*m + n))
	var all []Epilogue
	for bits := range 64 {
		e := Epilogue{GELU: bits&8 != 0}
		if bits&1 != 0 {
			e.Bias = randomSlice(r, n)
		}
		if bits&2 != 0 {
			e.Gamma = randomSlice(r, n)
		}
		if bits&4 != 0 {
			e.Beta = randomSlice(r, n)
		}
		if bits&16 != 0 {
			e.Residual = randomMatrix(r, m, n, gap)
		}
		if bits&32 != 0 {
			e.Pre = randomMatrix(r, m, n, gap+1)
		}
		all = append(all, e)
	}
	return all
}

func TestLinearFused(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {3, 5, 0}, {14, 32, 9}, {17, 33, 40}, {7, 600, 20}, {130, 75, 30}, {240, 65, 400}, {33, 300, 800}}
	if testing.Short() || raceEnabled {
		shapes = shapes[:6]
	}
	onEveryPath(t, func(t *testing.T) {
		r := newRand(41)
		for _, s := range shapes {
			m, n, k := s[0], s[1], s[2]
			x, w := randomMatrix(r, m, k, 1), randomMatrix(r, n, k, 2)
			for bits, e := range epilogues(m, n, 3) {
				name := fmt.Sprintf("%dx%dx%d epilogue %06b", m, n, k, bits)
				other, ref := e, e
				if e.Pre.Data != nil {
					other.Pre, ref.Pre = clone(e.Pre), clone(e.Pre)
				}
				got := randomMatrix(r, m, n, 2)
				want, plain := clone(got), clone(got)
				LinearFused(got, x, w, e)
				passes(want, x, w, other)
				sameBytes(t, name, got.Data, want.Data)
				sameBytes(t, name+", pre", e.Pre.Data, other.Pre.Data)
				refLinearFused(plain, x, w, ref)
				near(t, name+" against the reference", got.Data, plain.Data, max(4e-7*float64(k), 3e-6))
				near(t, name+" against the reference, pre", e.Pre.Data, ref.Pre.Data, max(4e-7*float64(k), 1e-6))

				if e.Residual.Data != nil { // in place
					into := clone(e.Residual)
					inPlace := e
					inPlace.Residual = into
					LinearFused(into, x, w, inPlace)
					for i := range m {
						sameBytes(t, name+" in place of the residual", into.row(i), want.row(i))
					}
				}
			}
		}
	})
}

func TestLinearFusedThreads(t *testing.T) {
	r := newRand(42)
	const m, n, k = 250, 330, 500
	x, w := randomMatrix(r, m, k, 0), randomMatrix(r, n, k, 0)
	e := Epilogue{Bias: randomSlice(r, n), Gamma: randomSlice(r, n), Beta: randomSlice(r, n), GELU: true, Residual: randomMatrix(r, m, n, 0)}
	onEveryPath(t, func(t *testing.T) {
		sameOnAnyThreads(t, "LinearFused", func() []float32 {
			y := Mat(make([]float32, m*n), m, n)
			LinearFused(y, x, w, e)
			return y.Data
		})
	})
}

func TestScaleShiftGELU(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(43)
		for _, s := range append(slices.Clone(normShapes), [2]int{0, 5}, [2]int{3, 0}, [2]int{70, 513}) {
			rows, cols := s[0], s[1]
			pre, dy := randomMatrix(r, rows, cols, 3), randomMatrix(r, rows, cols, 2)
			for bits := range 4 {
				name := fmt.Sprintf("%v %02b", s, bits)
				var gamma, beta []float32
				if bits&1 != 0 {
					gamma = randomSlice(r, cols)
				}
				if bits&2 != 0 {
					beta = randomSlice(r, cols)
				}
				got := randomMatrix(r, rows, cols, 1)
				want, plain := clone(got), clone(got)
				ScaleShiftGELU(got, pre, gamma, beta)
				ScaleShift(want, pre, gamma, beta)
				z := clone(want)
				for i := range rows {
					GELU(want.row(i), want.row(i))
				}
				sameBytes(t, name, got.Data, want.Data)
				refScaleShiftGELU(plain, pre, gamma, beta)
				near(t, name+" against the reference", got.Data, plain.Data, 1e-6)

				for i := range rows {
					GELUBackward(z.row(i), dy.row(i), z.row(i))
				}
				sums := func() (dg, db []float32) { return make([]float32, cols), make([]float32, cols) }
				dg, db := sums()
				dg2, db2 := sums()
				dg3, db3 := sums()
				want = clone(got)
				ScaleShiftBackward(want, z, pre, gamma, dg2, db2)
				plain = clone(got)
				refScaleShiftGELUBackward(plain, dy, pre, gamma, beta, dg3, db3)
				ScaleShiftGELUBackward(got, dy, pre, gamma, beta, dg, db)
				sameBytes(t, name+" dpre", got.Data, want.Data)
				near(t, name+" dpre against the reference", got.Data, plain.Data, 2e-6)
				near(t, name+" dgamma against the reference", dg, dg3, 1e-4)
				near(t, name+" dbeta against the reference", db, db3, 1e-4)
				if currentPath() != portable {
					sameBytes(t, name+" dgamma", dg, dg2)
					sameBytes(t, name+" dbeta", db, db2)
				}
				for _, into := range []Matrix{clone(dy), clone(pre)} {
					from, of := dy, into
					if into.Stride == dy.Stride {
						from, of = into, pre
					}
					ScaleShiftGELUBackward(into, from, of, gamma, beta, nil, db3)
					for i := range rows {
						sameBytes(t, name+" in place", into.row(i), want.row(i))
					}
					sameBytes(t, name+" dbeta alone", db3, db)
				}
			}
		}
	})
}

func TestScaleShiftGELUGradient(t *testing.T) {
	r := newRand(44)
	const rows, cols = 4, 6
	pre, dy := randomMatrix(r, rows, cols, 0), randomMatrix(r, rows, cols, 0)
	gamma, beta := randomSlice(r, cols), randomSlice(r, cols)
	loss := func() (s float64) {
		for i := range rows {
			for j, v := range pre.row(i) {
				s += float64(dy.row(i)[j]) * gelu64(float64(gamma[j])*float64(v)+float64(beta[j]))
			}
		}
		return s
	}
	onEveryPath(t, func(t *testing.T) {
		dpre := Mat(make([]float32, rows*cols), rows, cols)
		dg, db := make([]float32, cols), make([]float32, cols)
		ScaleShiftGELUBackward(dpre, dy, pre, gamma, beta, dg, db)
		near(t, "dpre", dpre.Data, differences(pre.Data[:rows*cols], loss), 2e-5)
		near(t, "dgamma", dg, differences(gamma, loss), 5e-5)
		near(t, "dbeta", db, differences(beta, loss), 5e-5)
	})
}

func TestFusedMistakes(t *testing.T) {
	m := func(r, c int) Matrix { return Mat(make([]float32, r*c), r, c) }
	v := make([]float32, 2)
	mustPanic(t, "gamma", func() { LinearFused(m(2, 3), m(2, 4), m(3, 4), Epilogue{Gamma: v}) })
	mustPanic(t, "residual", func() { LinearFused(m(2, 3), m(2, 4), m(3, 4), Epilogue{Residual: m(3, 2)}) })
	mustPanic(t, "pre", func() { LinearFused(m(2, 3), m(2, 4), m(3, 4), Epilogue{Pre: m(2, 2)}) })
	mustPanic(t, "y", func() { ScaleShiftGELU(m(2, 3), m(2, 2), v, v) })
	mustPanic(t, "dy", func() { ScaleShiftGELUBackward(m(2, 2), m(2, 3), m(2, 2), v, v, v, v) })
}
