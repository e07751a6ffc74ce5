//go:build bench

package peers_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/kernel/openblas"
	"github.com/mcil/mcil/train/vilt"
)

// form is which operand of a product is transposed.
type form string

const (
	nt form = "NT" // y = x wT: a linear layer; scores q kT
	nn form = "NN" // dx = dy w; mixed = p v
	tn form = "TN" // dv = pT dy
)

// shape is a product of m x k and k x n, batch times over.
type shape struct {
	form    form
	m, k, n int
	batch   int
}

func (s shape) String() string {
	name := fmt.Sprintf("%dx%dx%d %s", s.m, s.k, s.n, s.form)
	if s.batch > 1 {
		name += fmt.Sprintf(", %d of them", s.batch)
	}
	return name
}

func (s shape) flop() float64 {
	return 2 * float64(s.m) * float64(s.k) * float64(s.n) * float64(s.batch)
}

// step lists the products of a training step of SSF over b sequences of s rows, p of them patches, each with how often it
// is done.
func step(c vilt.Config, b, s, p int) map[shape]int {
	batch := make([]vilt.Sequence, b)
	for i := range batch {
		batch[i] = vilt.Sequence{Text: s - 1 - p, Patches: p}
	}
	all := map[shape]int{}
	for p, count := range c.Products(batch, classes, vilt.LearnsTuned) {
		all[shape{form(p.Form), p.M, p.K, p.N, p.Batch}] = count
	}
	return all
}

// totalFLOP is the operations of products.
func totalFLOP(products map[shape]int) (sum float64) {
	for s, count := range products {
		sum += s.flop() * float64(count)
	}
	return sum
}

// TestStepCount holds the count to numbers worked out by hand.
func TestStepCount(t *testing.T) {
	c := config(t)
	got := totalFLOP(step(c, pictures, 1+tokens+side*side, side*side))
	const rows, d, h = 1480, 768, 3072
	blocks := 11 * (2 * 2 * rows * (4*d*d + 2*d*h)) // forward and backward
	blocks += 2 * 2 * 8 * (4*d*d + 2*d*h)           // of the last one a row a sequence
	attention := 11*6*(96*2*185*185*64) + 6*(8*2*12*185*d)
	others := 2*1152*3072*768 + 2*2*8*768*768 + 3*2*8*768*200
	if want := float64(blocks + attention + others); got != want {
		t.Errorf("a step of %.0f operations, want %.0f", got, want)
	}
}

// operands of a product, drawn once.
type operands struct {
	shape
	a, b, c []float32
}

func newOperands(s shape) *operands {
	r := rand.New(rand.NewPCG(seed, uint64(s.m*s.k*s.n)))
	draw := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	return &operands{shape: s, a: draw(s.batch * s.m * s.k), b: draw(s.batch * s.k * s.n), c: make([]float32, s.batch*s.m*s.n)}
}

// matrices are the i-th product's.
func (o *operands) matrices(i int) (a, b, c kernel.Matrix) {
	m, k, n := o.m, o.k, o.n
	a, b = kernel.Mat(o.a[i*m*k:][:m*k], m, k), kernel.Mat(o.b[i*k*n:][:k*n], k, n)
	switch o.form {
	case nt:
		b = kernel.Mat(b.Data, n, k)
	case tn:
		a = kernel.Mat(a.Data, k, m)
	}
	return a, b, kernel.Mat(o.c[i*m*n:][:m*n], m, n)
}

// one is the i-th product by the kernels.
func (o *operands) one(i int) {
	a, b, c := o.matrices(i)
	switch o.form {
	case nt:
		kernel.MatMulNT(c, a, b, false)
	case nn:
		kernel.MatMul(c, a, b, false)
	case tn:
		kernel.MatMulTN(c, a, b, false)
	}
}

// blas is [openblas.Library.SGEMM]'s view of it: the transposed operands and their rows' lengths.
func (o *operands) blas() (transA, transB bool, lda, ldb int) {
	transA, transB, lda, ldb = o.form == tn, o.form == nt, o.k, o.n
	if transA {
		lda = o.m
	}
	if transB {
		ldb = o.k
	}
	return transA, transB, lda, ldb
}

// theirs is the i-th product by OpenBLAS.
func (o *operands) theirs(l *openblas.Library, i int) {
	m, k, n := o.m, o.k, o.n
	transA, transB, lda, ldb := o.blas()
	l.SGEMM(transA, transB, m, n, k, 1, o.a[i*m*k:], lda, o.b[i*k*n:], ldb, 0, o.c[i*m*n:], n)
}

// oursRate is the kernels' GFLOP/s; a batch is done as attention does its heads.
func (o *operands) oursRate() float64 {
	if o.batch == 1 {
		return o.rate(func() { o.one(0) })
	}
	a, b, c := make([]kernel.Matrix, o.batch), make([]kernel.Matrix, o.batch), make([]kernel.Matrix, o.batch)
	for i := range o.batch {
		a[i], b[i], c[i] = o.matrices(i)
	}
	return o.rate(func() { kernel.MatMulBatch(c, a, b, o.form == tn, o.form == nt, false) })
}

// theirRate is OpenBLAS's GFLOP/s. A batch is given the better of its own batched product, where it has one, and of a
// goroutine a core with a thread each.
func (o *operands) theirRate(l *openblas.Library, threads int) float64 {
	l.SetThreads(threads)
	if o.batch == 1 {
		return o.rate(func() { o.theirs(l, 0) })
	}
	var rate float64
	if l.HasBatch() {
		m, k, n := o.m, o.k, o.n
		transA, transB, lda, ldb := o.blas()
		rate = o.rate(func() {
			l.SGEMMBatch(transA, transB, m, n, k, 1, o.a, lda, m*k, o.b, ldb, k*n, 0, o.c, n, m*n, o.batch)
		})
		settle()
	}
	l.SetThreads(1)
	rate = max(rate, o.rate(func() { spread(o.batch, threads, func(i int) { o.theirs(l, i) }) }))
	l.SetThreads(threads)
	return rate
}

// turn is how long a product is repeated for at least.
const turn = 200 * time.Millisecond

// rate is the GFLOP/s of f, which does the whole of o, after once unmeasured.
func (o *operands) rate(f func()) float64 {
	f()
	began, n := time.Now(), 0
	for time.Since(began) < turn {
		f()
		n++
	}
	return o.flop() * float64(n) / time.Since(began).Seconds() / 1e9
}

// spread calls f for each of n from a goroutine a core.
func spread(n, cores int, f func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range cores {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	workers.Wait()
}

// settle waits until the threads of whoever worked last sleep: OpenBLAS's stay awake for some 30 ms, OpenMP's for less.
func settle() {
	runtime.GC()
	time.Sleep(100 * time.Millisecond)
}

// agree says whether OpenBLAS and the kernels give the same product.
func (o *operands) agree(l *openblas.Library) error {
	last := o.batch - 1
	o.one(last)
	got := append([]float32(nil), o.c[last*o.m*o.n:]...)
	clear(o.c)
	o.theirs(l, last)
	for i, want := range o.c[last*o.m*o.n:] {
		if diff := float64(got[i] - want); diff > 1e-3 || diff < -1e-3 {
			return fmt.Errorf("product %v, element %d: %g, and %g by OpenBLAS", o.shape, i, got[i], want)
		}
	}
	return nil
}
