package kernel

import (
	"runtime"
	"sync/atomic"
)

// elementGrain is how many elements one goroutine takes at a time in
// elementwise work; below it sharing costs more than it saves.
const elementGrain = 8 << 10

// sharing splits work of one kind over goroutines. The arguments that its ranges need are
// a T, handed over by value, and what does a range is a function that captures nothing:
// a closure would be made anew for every call.
type sharing[T any] struct{ jobs spares[job[T]] }

// parallel calls f on ranges that together cover [0, n) once, from at most GOMAXPROCS
// goroutines, each range at most grain long unless one goroutine does it all. A range
// begins at a multiple of grain. Which goroutine takes which range varies, so f must
// compute every index in a way that does not depend on lo, hi or other indices.
func (s *sharing[T]) parallel(n, grain int, args T, f func(args T, lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	ranges := (n + grain - 1) / grain
	workers := min(runtime.GOMAXPROCS(0), ranges)
	if workers <= 1 {
		f(args, 0, n)
		return
	}
	j := s.jobs.take()
	if j.finished == nil {
		j.finished = make(chan struct{}, 1)
	}
	j.home, j.n, j.grain, j.args, j.f = s, n, grain, args, f
	j.next.Store(0)
	j.left.Store(int64(ranges))
	j.holders.Store(int64(workers))
	hire(j, workers-1)
	j.work()
	spin(func() bool { return j.left.Load() == 0 })
	<-j.finished
	j.letGo(1 + dismiss(j))
}

// parallelRows splits rows of width cols so that a range holds about
// elementGrain elements.
func (s *sharing[T]) parallelRows(rows, cols int, args T, f func(args T, lo, hi int)) {
	s.parallel(rows, max(1, elementGrain/max(cols, 1)), args, f)
}

// parallelCols splits the columns of a rows x cols matrix, in whole cache lines.
func (s *sharing[T]) parallelCols(rows, cols int, args T, f func(args T, lo, hi int)) {
	const line = 16 // floats
	lines := (cols + line - 1) / line
	workers := min(runtime.GOMAXPROCS(0), 1+rows*cols/elementGrain)
	s.parallel(cols, (lines+workers-1)/workers*line, args, f)
}

// job is one call of parallel. The caller waits for ranges, not for goroutines:
// one that the system wakes too late to help is not missed.
type job[T any] struct {
	home     *sharing[T]
	n, grain int
	args     T
	f        func(args T, lo, hi int)
	next     atomic.Int64  // where the next range begins
	left     atomic.Int64  // ranges not finished
	holders  atomic.Int64  // goroutines that know it, or may come to; the last one gives it back
	finished chan struct{} // receives once a call
}

func (j *job[T]) work() {
	for {
		hi := int(j.next.Add(int64(j.grain)))
		lo := hi - j.grain
		if lo >= j.n {
			return
		}
		j.f(j.args, lo, min(hi, j.n))
		if j.left.Add(-1) == 0 {
			j.finished <- struct{}{}
			return
		}
	}
}

func (j *job[T]) letGo(holders int) {
	if j.holders.Add(int64(-holders)) > 0 {
		return
	}
	var none T
	j.args = none // it points at what the caller may want to see collected
	j.home.jobs.leave(j)
}
