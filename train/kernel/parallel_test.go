package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var sharedClosures sharing[func(lo, hi int)]

// parallel is sharing with a closure.
func parallel(n, grain int, f func(lo, hi int)) {
	sharedClosures.parallel(n, grain, f, func(f func(lo, hi int), lo, hi int) { f(lo, hi) })
}

// Every index is visited exactly once, from any number of callers, nested or not,
// with fewer or more threads than helpers left over from before.
func TestParallelCovers(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		var callers sync.WaitGroup
		for caller := range 5 {
			callers.Go(func() {
				for round := range 40 {
					n, grain := 1+round*7, 1+(round+caller)%5
					visits := make([]atomic.Int32, n)
					parallel(n, grain, func(lo, hi int) {
						parallel(hi-lo, 2, func(a, b int) {
							for i := lo + a; i < lo+b; i++ {
								visits[i].Add(1)
							}
						})
					})
					for i := range visits {
						if v := visits[i].Load(); v != 1 {
							t.Errorf("index %d of %d visited %d times", i, n, v)
						}
					}
				}
			})
		}
		callers.Wait()
	}
	parallel(0, 1, func(lo, hi int) { t.Errorf("called with %d, %d for nothing", lo, hi) })
}

// Helpers end by themselves.
func TestHelpersEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		parallel(8, 1, func(lo, hi int) { time.Sleep(10 * time.Microsecond) })
	}
	for range 200 {
		if crewSpare() == 0 && runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before; %d spare", runtime.NumGoroutine(), before, crewSpare())
}

// crewSpare is the helpers without a job; there must be no offers left.
func crewSpare() int {
	crew.Lock()
	defer crew.Unlock()
	return crew.spare + len(crew.offers)
}
