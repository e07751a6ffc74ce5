package schemas

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// BoundedAllocator is Go's allocator with a bound on one buffer: a damaged length in an Arrow file would otherwise end the
// program for lack of memory. It panics beyond the bound, which the readers of Arrow files here turn into an error.
type BoundedAllocator struct {
	memory.GoAllocator
	MaxBytes int64 // of one buffer
}

// allocatorSlack is for the rounding up of buffers, to 64 bytes.
const allocatorSlack = 1 << 10

func (a *BoundedAllocator) check(size int) {
	if size < 0 || int64(size) > a.MaxBytes+allocatorSlack {
		panic(fmt.Errorf("a buffer of %d bytes, and the file allows for %d", size, a.MaxBytes))
	}
}

// Allocate returns size zero bytes.
func (a *BoundedAllocator) Allocate(size int) []byte {
	a.check(size)
	return a.GoAllocator.Allocate(size)
}

// Reallocate returns b with another length.
func (a *BoundedAllocator) Reallocate(size int, b []byte) []byte {
	a.check(size)
	return a.GoAllocator.Reallocate(size, b)
}

var _ memory.Allocator = (*BoundedAllocator)(nil)
