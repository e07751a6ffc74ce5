package kernel

import "runtime"

// PackingBytes is about the most memory that products with matrices of at most so many
// elements keep at hand: the matrix in panels, and as much for every thread, since
// whichever buffer is free is taken and grows to what is asked of it.
func PackingBytes(elements int) int64 {
	return 4 * int64(min(elements, packedBLimit)*9/8) * int64(1+runtime.GOMAXPROCS(0))
}
