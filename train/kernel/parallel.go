package kernel

import (
	"runtime"
	"sync/atomic"
)

// elementGrain is how many elements one goroutine takes at a time in
// elementwise work; below it sharing costs more than it saves.
const elementGrain = 8 << 10

// parallel calls f on ranges that together cover [0, n) once, from at most
// GOMAXPROCS goroutines, each range at most grain long unless one goroutine does
// it all. Which goroutine takes which range varies, so f(lo, hi) must compute
// every index in a way that does not depend on lo, hi or other indices.
func parallel(n, grain int, f func(lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	ranges := (n + grain - 1) / grain
	workers := min(runtime.GOMAXPROCS(0), ranges)
	if workers <= 1 {
		f(0, n)
		return
	}
	j := &job{n: n, grain: grain, f: f, finished: make(chan struct{})}
	j.left.Store(int64(ranges))
	for range workers - 1 {
		hire(j)
	}
	j.work()
	spin(func() bool { return j.left.Load() == 0 })
	<-j.finished
}

// job is one call of parallel. The caller waits for ranges, not for goroutines:
// one that the system wakes too late to help finds nothing left and is not missed.
type job struct {
	n, grain int
	f        func(lo, hi int)
	next     atomic.Int64 // where the next range begins
	left     atomic.Int64 // ranges not finished
	finished chan struct{}
}

func (j *job) work() {
	for {
		hi := int(j.next.Add(int64(j.grain)))
		lo := hi - j.grain
		if lo >= j.n {
			return
		}
		j.f(lo, min(hi, j.n))
		if j.left.Add(-1) == 0 {
			close(j.finished)
			return
		}
	}
}

// parallelRows splits rows of width cols so that a range holds about
// elementGrain elements.
func parallelRows(rows, cols int, f func(lo, hi int)) {
	parallel(rows, max(1, elementGrain/max(cols, 1)), f)
}

// parallelCols splits the columns of a rows x cols matrix, in whole cache lines.
func parallelCols(rows, cols int, f func(lo, hi int)) {
	const line = 16 // floats
	lines := (cols + line - 1) / line
	workers := min(runtime.GOMAXPROCS(0), 1+rows*cols/elementGrain)
	parallel(lines, (lines+workers-1)/workers, func(lo, hi int) {
		f(lo*line, min(hi*line, cols))
	})
}
