package kernel

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) }

func randomSlice(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// randomMatrix has gaps of the given width between rows and after the last row.
func randomMatrix(r *rand.Rand, rows, cols, gap int) Matrix {
	m := Matrix{Rows: rows, Cols: cols, Stride: cols + gap}
	m.Data = randomSlice(r, (rows+1)*m.Stride)
	return m
}

func clone(m Matrix) Matrix {
	m.Data = append([]float32(nil), m.Data...)
	return m
}

// onPath runs f with the kernels on one CPU path.
func onPath(p cpuPath, f func()) {
	old := forced.Swap(int32(p) + 1)
	defer forced.Store(old)
	f()
}

// onEveryPath runs f as a subtest for each CPU path of this machine.
func onEveryPath(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for p := portable; p <= bestPath(); p++ {
		t.Run(p.String(), func(t *testing.T) { onPath(p, func() { f(t) }) })
	}
}

// sameOnAnyThreads checks that f returns the same bytes on 1 and on 4 threads.
func sameOnAnyThreads(t *testing.T, name string, f func() []float32) {
	t.Helper()
	old := runtime.GOMAXPROCS(1)
	one := f()
	runtime.GOMAXPROCS(4)
	four := f()
	runtime.GOMAXPROCS(old)
	sameBytes(t, name, four, one)
}

func sameBytes(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want exactly %v", name, i, got[i], want[i])
		}
	}
}

// near checks |got-want| <= tol (1+|want|) for each element.
func near(t *testing.T, name string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	worst, at := 0.0, -1
	for i := range got {
		d := math.Abs(float64(got[i])-float64(want[i])) / (1 + math.Abs(float64(want[i])))
		if d > worst || math.IsNaN(d) {
			worst, at = d, i
			if math.IsNaN(d) {
				break
			}
		}
	}
	if !(worst <= tol) {
		t.Fatalf("%s: element %d is %v, want %v (deviation %.3g, allowed %.3g)", name, at, got[at], want[at], worst, tol)
	}
}

func mustPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		s, ok := recover().(string)
		if !ok || len(s) < 8 || s[:8] != "kernel: " {
			t.Errorf("%s: want a panic that begins with \"kernel: \", got %q", name, s)
		}
	}()
	f()
}
