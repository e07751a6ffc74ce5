//go:build openblas

package kernel

import (
	"runtime"
	"sync"

	"github.com/mcil/mcil/train/kernel/openblas"
)

// blas is the library, opened when MCIL_CPU first asks for it.
var blas struct {
	once sync.Once
	*openblas.Library
	err error

	mu      sync.Mutex // of what follows
	threads int        // that the library was last told to use
}

func openLibrary() error {
	blas.once.Do(func() { blas.Library, blas.err = openblas.Open("") })
	return blas.err
}

// finishing is what follows a library's product.
type finishing struct {
	path    cpuPath
	product Matrix
	then    finish
}

var sharedFinishes sharing[finishing]

// libraryProduct is gemmThen through OpenBLAS, one pass after another; false where that is not the path.
func libraryProduct(dst Matrix, a, b view, bias []float32, acc bool, then finish) bool {
	if chosenPath()&library == 0 {
		return false
	}
	useThreads(runtime.GOMAXPROCS(0))
	m, n, k := dst.Rows, dst.Cols, a.cols
	if then.apart {
		room := borrow(m * n)
		defer room.giveBack()
		dst = Mat(room.data, m, n)
	}
	beta := float32(0)
	if bias != nil {
		fillRows(dst, bias, false)
	}
	if bias != nil || acc {
		beta = 1
	}
	transA, lda := a.stored()
	transB, ldb := b.stored()
	blas.SGEMM(transA, transB, m, n, k, 1, a.data, lda, b.data, ldb, beta, dst.Data, max(dst.Stride, n))
	if then.any {
		sharedFinishes.parallelRows(m, n, finishing{currentPath(), dst, then}, func(f finishing, lo, hi int) {
			f.then.rows(f.path, f.product.rowRange(lo, hi), lo, 0)
		})
	}
	return true
}

// useThreads has the library take as many threads as the kernels.
func useThreads(n int) {
	blas.mu.Lock()
	defer blas.mu.Unlock()
	if n != blas.threads {
		blas.SetThreads(n)
		blas.threads = n
	}
}

// stored says whether v is the transposed of what lies in memory, and how far its rows lie apart there. A view has no other
// strides than these two.
func (v view) stored() (transposed bool, ld int) {
	if v.cs == 1 {
		return false, max(v.rs, v.cols)
	}
	return true, max(v.cs, v.rows)
}
