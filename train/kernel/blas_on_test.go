//go:build openblas

package kernel

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/mcil/mcil/train/kernel/openblas"
)

// onLibrary runs f with large products through OpenBLAS; the test is skipped where there is none.
func onLibrary(t *testing.T, f func()) {
	t.Helper()
	p, err := choosePath("openblas")
	if err != nil {
		t.Skipf("no OpenBLAS here; %s may name one: %v", openblas.Environment, err)
	}
	onPath(p, f)
}

// largeShapes are (m, n, k) of more than serialWork multiply-adds: square, of edges, a single row, column and term.
var largeShapes = [][3]int{{65, 65, 65}, {185, 72, 24}, {1, 600, 501}, {600, 1, 501}, {600, 501, 1}, {37, 130, 71}}

// TestLibraryProducts holds every product to the reference, for rows that lie together and apart.
func TestLibraryProducts(t *testing.T) {
	onLibrary(t, func() {
		r := newRand(1)
		for _, s := range largeShapes {
			m, n, k := s[0], s[1], s[2]
			tol := 2e-6 * math.Sqrt(float64(k))
			for _, gap := range []int{0, 3} {
				for _, acc := range []bool{false, true} {
					got := randomMatrix(r, m, n, gap)
					want := clone(got)
					check := func(name string, product func(dst, a, b Matrix, acc bool), a, b Matrix, av, bv view) {
						t.Helper()
						if !libraryProduct(clone(got), av, bv, nil, acc, finish{}) {
							t.Fatalf("%s %v does not go through the library", name, s)
						}
						product(got, a, b, acc)
						refProduct(want, av, bv, acc)
						near(t, fmt.Sprintf("%s %v, gap %d, acc %v", name, s, gap, acc), got.Data, want.Data, tol)
						copy(got.Data, want.Data)
					}
					a, b := randomMatrix(r, m, k, gap), randomMatrix(r, k, n, gap)
					check("MatMul", MatMul, a, b, a.view(), b.view())
					bt := randomMatrix(r, n, k, gap)
					check("MatMulNT", MatMulNT, a, bt, a.view(), bt.view().t())
					at := randomMatrix(r, k, m, gap)
					check("MatMulTN", MatMulTN, at, b, at.view().t(), b.view())
				}
			}
		}
	})
}

// TestLibraryEpilogues holds products with what follows them to those of the CPU's own path.
func TestLibraryEpilogues(t *testing.T) {
	onLibrary(t, func() {
		r := newRand(2)
		const m, n, k = 130, 70, 40
		x, w := randomMatrix(r, m, k, 1), randomMatrix(r, n, k, 2)
		bias, gamma, beta := randomSlice(r, n), randomSlice(r, n), randomSlice(r, n)
		residual := randomMatrix(r, m, n, 5)
		for name, e := range map[string]Epilogue{
			"plain":              {},
			"bias":               {Bias: bias},
			"ssf":                {Bias: bias, Gamma: gamma, Beta: beta},
			"ssf, gelu":          {Bias: bias, Gamma: gamma, Beta: beta, GELU: true},
			"residual":           {Bias: bias, Residual: residual},
			"all":                {Bias: bias, Gamma: gamma, Beta: beta, GELU: true, Residual: residual},
			"shift":              {Beta: beta},
			"gelu then residual": {GELU: true, Residual: residual},
		} {
			for _, how := range []string{"", "pre", "in place"} {
				got, want := randomMatrix(r, m, n, 3), Matrix{}
				want = clone(got)
				eGot, eWant := e, e
				switch {
				case how == "pre":
					eGot.Pre, eWant.Pre = randomMatrix(r, m, n, 0), randomMatrix(r, m, n, 0)
					copy(eWant.Pre.Data, eGot.Pre.Data)
				case how == "in place" && e.Residual.Data != nil:
					got, want = clone(residual), clone(residual)
					eGot.Residual, eWant.Residual = got, want
				}
				LinearFused(got, x, w, eGot)
				onPath(bestPath(), func() { LinearFused(want, x, w, eWant) })
				near(t, name+" "+how, got.Data, want.Data, 2e-5)
				near(t, name+" "+how+": pre", eGot.Pre.Data, eWant.Pre.Data, 2e-5)
			}
		}
	})
}

// TestLibrarySmallProducts: what one goroutine does alone has the bytes of the CPU's own path, a batch's products too.
func TestLibrarySmallProducts(t *testing.T) {
	onLibrary(t, func() {
		r := newRand(3)
		a, b, c := randomMatrix(r, 64, 64, 0), randomMatrix(r, 64, 64, 0), randomMatrix(r, 64, 64, 0)
		large := randomMatrix(r, 80, 80, 0)
		run := func() (all []float32) {
			small, batch := clone(c), clone(large)
			MatMul(small, a, b, false)
			MatMulBatch([]Matrix{batch}, []Matrix{large}, []Matrix{large}, false, true, false)
			return append(small.Data, batch.Data...)
		}
		got := run()
		onPath(bestPath(), func() { sameBytes(t, "small products", got, run()) })
	})
}

// TestLibraryThreads: the library takes as many threads as the kernels have.
func TestLibraryThreads(t *testing.T) {
	onLibrary(t, func() {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
		x := randomMatrix(newRand(4), 80, 80, 0)
		for _, n := range []int{1, 2} {
			runtime.GOMAXPROCS(n)
			MatMul(clone(x), x, x, false)
			if got := blas.Threads(); got != n {
				t.Errorf("%d threads, want %d", got, n)
			}
		}
	})
}

// TestChosenLibrary has a process of its own choose: Path says openblas, or what to name where the file is not there.
func TestChosenLibrary(t *testing.T) {
	const variable = "MCIL_TEST_PATH"
	if os.Getenv(variable) != "" {
		name, err := Path()
		fmt.Printf("path %s, error %v\n", name, err)
		return
	}
	in := func(environment ...string) string {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChosenLibrary$")
		cmd.Env = append(append(os.Environ(), variable+"=1", "MCIL_CPU=openblas"), environment...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		return line
	}
	missing := in(openblas.Environment + "=/nowhere/libopenblas.so")
	for _, want := range []string{"path " + bestPath().String() + ",", "kernel: MCIL_CPU=openblas: openblas: no library: set MCIL_OPENBLAS to the path of one", "/nowhere/libopenblas.so"} {
		if !strings.Contains(missing, want) {
			t.Errorf("%q does not say %q", missing, want)
		}
	}
	onLibrary(t, func() {
		if got := in(); got != "path openblas, error <nil>" {
			t.Errorf("%q", got)
		}
	})
}
