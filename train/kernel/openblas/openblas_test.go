package openblas_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/kernel/openblas"
)

func library(t *testing.T) *openblas.Library {
	t.Helper()
	l, err := openblas.Open("")
	if err != nil {
		t.Skipf("no OpenBLAS here; %s may name one: %v", openblas.Environment, err)
	}
	t.Logf("%s: %s", l.Path(), l.Config())
	return l
}

func TestMissingLibrary(t *testing.T) {
	_, err := openblas.Open("/nowhere/libopenblas.so")
	if err == nil {
		t.Fatal("opened a file that is not there")
	}
	for _, want := range []string{"/nowhere/libopenblas.so", openblas.Environment, "scipy-openblas32"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	if _, err := openblas.Open(""); err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the error takes several lines: %v", err)
	}
}

func TestKnownProduct(t *testing.T) {
	l := library(t)
	if !strings.HasPrefix(l.Version(), "OpenBLAS") {
		t.Errorf("version %q of %q", l.Version(), l.Config())
	}
	a, b, c := []float32{1, 2, 3, 4}, []float32{5, 6, 7, 8}, []float32{1, 1, 1, 1}
	l.SGEMM(false, false, 2, 2, 2, 1, a, 2, b, 2, 0, c, 2)
	equal(t, "a b", c, []float32{19, 22, 43, 50})
	l.SGEMM(false, true, 2, 2, 2, 1, a, 2, b, 2, 1, c, 2)
	equal(t, "a b + a bT", c, []float32{19 + 17, 22 + 23, 43 + 39, 50 + 53})
	l.SGEMM(true, false, 2, 2, 2, 2, a, 2, b, 2, 0, c, 2)
	equal(t, "2 aT b", c, []float32{52, 60, 76, 88})
	c = []float32{1, 2}
	l.SGEMM(false, false, 1, 2, 0, 1, nil, 1, nil, 2, 3, c, 2)
	equal(t, "3 c", c, []float32{3, 6})
}

// TestProducts compares every transposition with the kernel's, rows lying apart included.
func TestProducts(t *testing.T) {
	l := library(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {17, 31, 33}, {64, 64, 64}, {185, 185, 64}, {70, 129, 300}} {
		m, n, k := s[0], s[1], s[2]
		for _, form := range []struct{ transA, transB bool }{{false, false}, {false, true}, {true, false}} {
			a, b := matrix(r, m, k, form.transA), matrix(r, k, n, form.transB)
			got, want := matrix(r, m, n, false), matrix(r, m, n, false)
			copy(want.Data, got.Data)
			for _, beta := range []float32{0, 1} {
				l.SGEMM(form.transA, form.transB, m, n, k, 1, a.Data, a.Stride, b.Data, b.Stride, beta, got.Data, got.Stride)
				switch {
				case form.transA:
					kernel.MatMulTN(want, a, b, beta == 1)
				case form.transB:
					kernel.MatMulNT(want, a, b, beta == 1)
				default:
					kernel.MatMul(want, a, b, beta == 1)
				}
				near(t, got.Data, want.Data, 1e-5*math.Sqrt(float64(k)))
			}
		}
	}
}

func TestBatch(t *testing.T) {
	l := library(t)
	if !l.HasBatch() {
		t.Skip("this OpenBLAS has no cblas_sgemm_batch_strided")
	}
	const m, n, k, count = 9, 11, 5, 7
	r := rand.New(rand.NewPCG(3, 4))
	a, b := matrix(r, count*m, k, false), matrix(r, count*n, k, false)
	got, want := matrix(r, count*m, n, false), matrix(r, count*m, n, false)
	copy(want.Data, got.Data)
	l.SGEMMBatch(false, true, m, n, k, 1, a.Data, a.Stride, m*a.Stride, b.Data, b.Stride, n*b.Stride, 0, got.Data, got.Stride, m*got.Stride, count)
	for i := range count {
		l.SGEMM(false, true, m, n, k, 1, a.Data[i*m*a.Stride:], a.Stride, b.Data[i*n*b.Stride:], b.Stride, 0, want.Data[i*m*want.Stride:], want.Stride)
	}
	near(t, got.Data, want.Data, 1e-6)
}

// TestGoroutines has several goroutines multiply at a time, each on one thread.
func TestGoroutines(t *testing.T) {
	l := library(t)
	before := l.Threads()
	t.Cleanup(func() { l.SetThreads(before) })
	l.SetThreads(1)
	if l.Threads() != 1 {
		t.Fatalf("%d threads, want 1", l.Threads())
	}
	const n = 50
	r := rand.New(rand.NewPCG(5, 6))
	a, b := matrix(r, n, n, false), matrix(r, n, n, false)
	want := matrix(r, n, n, false)
	kernel.MatMul(want, a, b, false)
	var workers sync.WaitGroup
	results := make([]kernel.Matrix, 4)
	for i := range results {
		results[i] = kernel.Matrix{Rows: n, Cols: n, Stride: want.Stride, Data: append([]float32(nil), want.Data...)}
		workers.Go(func() {
			for range 20 {
				l.SGEMM(false, false, n, n, n, 1, a.Data, a.Stride, b.Data, b.Stride, 0, results[i].Data, results[i].Stride)
			}
		})
	}
	workers.Wait()
	for _, got := range results {
		near(t, got.Data, want.Data, 1e-4)
	}
}

func TestImpossibleShapes(t *testing.T) {
	l := library(t)
	x := make([]float32, 6)
	for name, f := range map[string]func(){
		"a too short":    func() { l.SGEMM(false, false, 3, 1, 3, 1, x, 3, x, 1, 0, x, 1) },
		"c too short":    func() { l.SGEMM(false, false, 3, 3, 1, 1, x, 1, x, 3, 0, x, 3) },
		"rows overlap":   func() { l.SGEMM(false, false, 2, 3, 1, 1, x, 1, x, 2, 0, x, 3) },
		"negative shape": func() { l.SGEMM(false, false, -1, 1, 1, 1, x, 1, x, 1, 0, x, 1) },
		"no threads":     func() { l.SetThreads(0) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "openblas: ") {
					t.Errorf("%s: panic %q", name, s)
				}
			}()
			f()
		}()
	}
}

// matrix is rows x cols, or its transposed, stored with three unused elements after each row.
func matrix(r *rand.Rand, rows, cols int, transposed bool) kernel.Matrix {
	if transposed {
		rows, cols = cols, rows
	}
	m := kernel.Matrix{Rows: rows, Cols: cols, Stride: cols + 3, Data: make([]float32, rows*(cols+3))}
	for i := range m.Data {
		m.Data[i] = float32(r.NormFloat64())
	}
	return m
}

func equal(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", name, got, want)
			return
		}
	}
}

func near(t *testing.T, got, want []float32, tolerance float64) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i])-float64(want[i])) > tolerance {
			t.Errorf("element %d: %g, want %g", i, got[i], want[i])
			return
		}
	}
}
