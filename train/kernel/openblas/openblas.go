package openblas

import (
	"fmt"
	"os"
	"strings"
)

// Environment is the variable that names a library where [Open] is given no path.
const Environment = "MCIL_OPENBLAS"

// usual are the names that the dynamic linker is asked for, in this order.
func usual() []string {
	return []string{
		"libopenblas.so.0", "libopenblas.so", "libopenblas64.so.0",
		"libopenblas.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib", "/usr/local/opt/openblas/lib/libopenblas.dylib",
	}
}

// Library is a loaded OpenBLAS. Its methods may be called from several goroutines; the number of threads is one for all.
type Library struct {
	path    string
	config  string
	symbols naming

	sgemm   func(g gemm)
	batched func(g gemm) // nil where the library has no cblas_sgemm_batch_strided

	setThreads func(n int32)
	getThreads func() int32
}

// gemm are the arguments of a product, row-major. Strides and count are read by the batched form only.
type gemm struct {
	transA, transB            int32
	m, n, k                   int
	alpha, beta               float32
	a, b, c                   *float32
	lda, ldb, ldc             int
	strideA, strideB, strideC int
	count                     int
}

// Values of CBLAS's enumerations.
const (
	rowMajor int32 = 101
	noTrans  int32 = 111
	trans    int32 = 112
)

func transposed(t bool) int32 {
	if t {
		return trans
	}
	return noTrans
}

// Open loads the library at path; where path is empty, the one that MCIL_OPENBLAS names; where that is empty too, the first
// of the usual names that there is. It stays loaded until the process ends.
func Open(path string) (*Library, error) {
	if path == "" {
		path = os.Getenv(Environment)
	}
	names := []string{path}
	if path == "" {
		names = usual()
	}
	var failed []string
	for _, name := range names {
		l, err := open(name)
		if err == nil {
			return l, nil
		}
		reason := strings.Join(strings.Fields(err.Error()), " ") // one line, whatever the linker writes
		if reason == "" {                                        // the linker's is of a thread, which need not be this one any more
			reason = "cannot be loaded"
		}
		if !strings.HasPrefix(reason, name) {
			reason = name + ": " + reason
		}
		failed = append(failed, reason)
	}
	return nil, fmt.Errorf("openblas: no library: set %s to the path of one (libopenblas0 of Debian, openblas of Homebrew, "+
		"scipy-openblas32 of PyPI have one); looked for %s", Environment, strings.Join(failed, "; "))
}

// naming is how a build spells its symbols.
type naming struct {
	prefix, suffix string
	wide           bool // integers have 64 bits
}

// namings are the known spellings, the plain one first.
func namings() (all []naming) {
	for _, prefix := range []string{"", "scipy_"} {
		for _, suffix := range []string{"", "64_", "_64"} {
			all = append(all, naming{prefix, suffix, suffix != ""})
		}
	}
	return all
}

func (n naming) symbol(name string) string { return n.prefix + name + n.suffix }

// Path is what was given to the dynamic linker.
func (l *Library) Path() string { return l.path }

// Config is the library's own line about itself: its version, options, and the processor that it takes this one for.
func (l *Library) Config() string { return l.config }

// Version is the first two words of [Library.Config]: "OpenBLAS 0.3.34".
func (l *Library) Version() string {
	words := strings.Fields(l.config)
	return strings.Join(words[:min(2, len(words))], " ")
}

// Threads is how many threads a product may use.
func (l *Library) Threads() int { return int(l.getThreads()) }

// SetThreads has products use n threads from now on, in every goroutine. OpenBLAS takes no more than it was built for.
func (l *Library) SetThreads(n int) {
	if n < 1 {
		panic(fmt.Sprintf("openblas: %d threads", n))
	}
	l.setThreads(int32(n))
}

// SGEMM computes c = alpha·op(a)·op(b) + beta·c in row-major order: op(a) is m x k, op(b) is k x n, c is m x n, and op
// transposes where transA or transB says so. lda, ldb and ldc are the distances between the rows of what is stored. With
// beta 0 what c held is not read. c must not overlap a or b. A shape that does not fit panics, as train/kernel's do.
func (l *Library) SGEMM(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	g := gemm{transA: transposed(transA), transB: transposed(transB), m: m, n: n, k: k, alpha: alpha, lda: lda, ldb: ldb, beta: beta, ldc: ldc}
	g.check(len(a), len(b), len(c))
	if m == 0 || n == 0 {
		return
	}
	g.a, g.b, g.c = first(a), first(b), &c[0]
	l.sgemm(g)
}

// HasBatch says whether the library has the product that [Library.SGEMMBatch] calls: OpenBLAS from 0.3.31 on.
func (l *Library) HasBatch() bool { return l.batched != nil }

// SGEMMBatch computes count products as [Library.SGEMM] does, each operand of the next one stride elements after that of
// the one before. The library must have it: see [Library.HasBatch].
func (l *Library) SGEMMBatch(transA, transB bool, m, n, k int, alpha float32, a []float32, lda, strideA int, b []float32, ldb, strideB int,
	beta float32, c []float32, ldc, strideC, count int) {
	if l.batched == nil {
		panic("openblas: " + l.path + " has no cblas_sgemm_batch_strided: ask HasBatch")
	}
	if count < 0 || strideA < 0 || strideB < 0 || strideC < 0 {
		panic(fmt.Sprintf("openblas: %d products at strides %d, %d, %d", count, strideA, strideB, strideC))
	}
	if count == 0 || m == 0 || n == 0 {
		return
	}
	g := gemm{
		transA: transposed(transA), transB: transposed(transB), m: m, n: n, k: k, alpha: alpha, lda: lda, ldb: ldb, beta: beta, ldc: ldc,
		strideA: strideA, strideB: strideB, strideC: strideC, count: count,
	}
	g.check(len(a)-(count-1)*strideA, len(b)-(count-1)*strideB, len(c)-(count-1)*strideC)
	g.a, g.b, g.c = first(a), first(b), &c[0]
	l.batched(g)
}

// first is the address of the first element, or nil: a product without terms has no operands.
func first(x []float32) *float32 {
	if len(x) == 0 {
		return nil
	}
	return &x[0]
}

// check panics unless the operands of one product lie within so many elements.
func (g gemm) check(lenA, lenB, lenC int) {
	if g.m < 0 || g.n < 0 || g.k < 0 {
		panic(fmt.Sprintf("openblas: a product of %dx%d and %dx%d", g.m, g.k, g.k, g.n))
	}
	stored := func(name string, rows, cols int, transposed int32, ld, length int) {
		if transposed == trans {
			rows, cols = cols, rows
		}
		if ld < max(1, cols) {
			panic(fmt.Sprintf("openblas: %s has rows of %d at a distance of %d", name, cols, ld))
		}
		if rows > 0 && cols > 0 && (rows-1)*ld+cols > length {
			panic(fmt.Sprintf("openblas: %s is %dx%d at a distance of %d but holds only %d elements", name, rows, cols, ld, length))
		}
	}
	stored("a", g.m, g.k, g.transA, g.lda, lenA)
	stored("b", g.k, g.n, g.transB, g.ldb, lenB)
	stored("c", g.m, g.n, noTrans, g.ldc, lenC)
}
