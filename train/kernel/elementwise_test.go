package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// differences are central finite differences of loss in each element of x. loss
// computes in float64; the step is a power of two that x takes exactly enough.
func differences(x []float32, loss func() float64) []float32 {
	g := make([]float32, len(x))
	for i, v := range x {
		hi, lo := v+1.0/512, v-1.0/512
		x[i] = hi
		up := loss()
		x[i] = lo
		down := loss()
		x[i] = v
		g[i] = float32((up - down) / (float64(hi) - float64(lo)))
	}
	return g
}

// grid covers [-limit, limit] evenly, then adds what breaks approximations.
func grid(limit float64, n int) []float32 {
	x := make([]float32, 0, n+12)
	for i := range n {
		x = append(x, float32(limit*(2*float64(i)/float64(n-1)-1)))
	}
	inf := float32(math.Inf(1))
	return append(x, 0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, 1e-44, 0.625, -0.625, 100, -100, 1e30, -1e30, inf)
}

// absolute checks |got-want| <= tol and that NaN meets NaN.
func absolute(t *testing.T, name string, x, got, want []float32, tol float64) {
	t.Helper()
	for i := range got {
		if got[i] == want[i] || got[i] != got[i] && want[i] != want[i] {
			continue
		}
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol) {
			t.Fatalf("%s(%v) = %v, want %v (off by %.3g, allowed %.3g)", name, x[i], got[i], want[i], d, tol)
		}
	}
}

func TestActivationAccuracy(t *testing.T) {
	dense := 200001
	if raceEnabled {
		dense = 20001
	}
	x := grid(12, dense)
	got, want := make([]float32, len(x)), make([]float32, len(x))
	ones := make([]float32, len(x))
	for i := range ones {
		ones[i] = 1
	}
	onEveryPath(t, func(t *testing.T) {
		GELU(got, x)
		refGELU(want, x)
		// Relative for large x, where a float32 itself is coarser than 1e-6.
		near(t, "GELU", got[:dense], want[:dense], 4e-7)
		absolute(t, "GELU", x[dense:], got[dense:], want[dense:], 1e-6)
		GELUBackward(got, ones, x)
		refGELUBackward(want, ones, x)
		absolute(t, "GELU'", x, got, want, 1e-6)
		Tanh(got, x)
		refTanh(want, x)
		absolute(t, "tanh", x, got, want, 3e-7)
	})
}

func TestActivationKnown(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	onEveryPath(t, func(t *testing.T) {
		y := make([]float32, 5)
		GELU(y, []float32{0, 1, -1, inf, nan})
		near(t, "GELU", y[:3], []float32{0, 0.841344746, -0.158655254}, 2e-7)
		if y[3] != inf || y[4] == y[4] {
			t.Errorf("GELU(inf, nan) = %v, %v", y[3], y[4])
		}
		GELUBackward(y, []float32{2, 2, 2, 2, 2}, []float32{0, 1, -1, inf, nan})
		near(t, "GELU'", y[:4], []float32{1, 2 * 1.083315471, 2 * -0.083315471, 2}, 3e-7)
		if y[4] == y[4] {
			t.Errorf("GELU'(nan) = %v", y[4])
		}
		Tanh(y, []float32{0, 0.5, -2, inf, nan})
		near(t, "tanh", y[:4], []float32{0, 0.462117157, -0.964027580, 1}, 1e-7)
		if y[4] == y[4] {
			t.Errorf("tanh(nan) = %v", y[4])
		}
		TanhBackward(y[:2], []float32{3, 4}, []float32{0.5, -1})
		sameBytes(t, "tanh'", y[:2], []float32{2.25, 0})
		Add(y[:2], []float32{1, 2}, []float32{10, 20})
		sameBytes(t, "Add", y[:2], []float32{11, 22})
		Axpy(y[:2], -2, []float32{1, 2})
		sameBytes(t, "Axpy", y[:2], []float32{9, 18})
	})
}

func TestElementwiseLengths(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(21)
		for n := range 40 {
			a, b := randomSlice(r, n), randomSlice(r, n)
			// A guard behind the end catches a store past it.
			got, want := randomSlice(r, n+9), make([]float32, n+9)
			check := func(name string, f, ref func(dst []float32)) {
				t.Helper()
				copy(want, got)
				f(got[:n])
				ref(want[:n])
				near(t, name, got, want, 1e-6)
			}
			check("Add", func(d []float32) { Add(d, a, b) }, func(d []float32) { refAdd(d, a, b) })
			check("Axpy", func(d []float32) { Axpy(d, 0.3, a) }, func(d []float32) { refAxpy(d, 0.3, a) })
			check("GELU", func(d []float32) { GELU(d, a) }, func(d []float32) { refGELU(d, a) })
			check("GELU'", func(d []float32) { GELUBackward(d, b, a) }, func(d []float32) { refGELUBackward(d, b, a) })
			check("tanh", func(d []float32) { Tanh(d, a) }, func(d []float32) { refTanh(d, a) })
			check("tanh'", func(d []float32) { TanhBackward(d, b, a) }, func(d []float32) { refTanhBackward(d, b, a) })
		}
	})
}

func TestActivationGradient(t *testing.T) {
	r := newRand(22)
	x, dy := randomSlice(r, 50), randomSlice(r, 50)
	sum := func(f func(float64) float64) func() float64 {
		return func() float64 {
			var s float64
			for i, v := range x {
				s += float64(dy[i]) * f(float64(v))
			}
			return s
		}
	}
	gelu := differences(x, sum(gelu64))
	tanh := differences(x, sum(math.Tanh))
	onEveryPath(t, func(t *testing.T) {
		dx, y := make([]float32, 50), make([]float32, 50)
		GELUBackward(dx, dy, x)
		near(t, "GELU'", dx, gelu, 1e-5)
		Tanh(y, x)
		TanhBackward(dx, dy, y)
		near(t, "tanh'", dx, tanh, 1e-5)
	})
}

func TestElementwiseThreads(t *testing.T) {
	r := newRand(23)
	const n = 5*elementGrain + 37
	x, dy := randomSlice(r, n), randomSlice(r, n)
	onEveryPath(t, func(t *testing.T) {
		sameOnAnyThreads(t, "GELU and others", func() []float32 {
			y, dx := make([]float32, n), make([]float32, n)
			GELU(y, x)
			GELUBackward(dx, dy, x)
			Add(y, y, dx)
			Tanh(dx, x)
			Axpy(y, 0.7, dx)
			return y
		})
	})
}

func TestElementwiseMistakes(t *testing.T) {
	a, b := make([]float32, 2), make([]float32, 3)
	mustPanic(t, "GELU", func() { GELU(a, b) })
	mustPanic(t, "Add", func() { Add(a, a, b) })
	mustPanic(t, "Axpy", func() { Axpy(a, 1, b) })
	mustPanic(t, "TanhBackward", func() { TanhBackward(a, b, b) })
}

func gelu64(v float64) float64 { return v * 0.5 * math.Erfc(-v/math.Sqrt2) }

// TestAdamWAll: vectors of any lengths at once give the bytes of each on its own.
func TestAdamWAll(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(62)
		var got, want [4][][]float32 // parameters, gradients, moments
		for _, n := range []int{1, 0, 768, 3, 9000, 17, 0, 30_000, 5, 8192, 1, 0} {
			for i := range got {
				x := randomSlice(r, n)
				if i == 3 {
					for j := range x {
						x[j] *= x[j] // squares
					}
				}
				got[i], want[i] = append(got[i], x), append(want[i], slices.Clone(x))
			}
		}
		o := AdamWStep{LR: 1e-2, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, WeightDecay: 0.1, Step: 4}
		AdamWAll(got[0], got[1], got[2], got[3], o)
		for i := range want[0] {
			AdamW(want[0][i], want[1][i], want[2][i], want[3][i], o)
		}
		for i := range got {
			for j := range got[i] {
				sameBytes(t, fmt.Sprintf("vector %d of %d elements, %d", j, len(got[i][j]), i), got[i][j], want[i][j])
			}
		}
		AdamWAll(nil, nil, nil, nil, o)
	})
	one, two := [][]float32{{1}}, [][]float32{{1, 2}}
	o := AdamWStep{Step: 1}
	mustPanic(t, "count", func() { AdamWAll(one, one, one, nil, o) })
	mustPanic(t, "length", func() { AdamWAll(one, one, two, one, o) })
	mustPanic(t, "step", func() { AdamWAll(one, one, one, one, AdamWStep{}) })
}
