package kernel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Waking a sleeping thread takes the system some 50 µs, as long as many a kernel
// runs. So a goroutine that has helped stays awake for linger in the hope of the
// next job, as the threads of OpenMP do, and then ends: nothing is left behind.
const linger = 200 * time.Microsecond

// waiting counts helpers awake without a job and without the promise of one. A
// caller with a job takes one off and owes an offer; a helper that gives up takes
// itself off. One that finds the count empty has been promised a job.
var (
	waiting atomic.Int64
	offers  = make(chan *job, 64)
)

// takeWaiting takes one helper off the count if there is one.
func takeWaiting() bool {
	for {
		n := waiting.Load()
		if n <= 0 {
			return false
		}
		if waiting.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// hire lets one more goroutine work on j.
func hire(j *job) {
	if takeWaiting() {
		offers <- j
		return
	}
	go help(j)
}

func help(j *job) {
	for ; j != nil; j = nextJob() {
		j.work()
	}
}

// nextJob lingers for a job; nil ends the helper.
func nextJob() *job {
	waiting.Add(1)
	for spin(func() bool { return len(offers) > 0 }) {
		select {
		case j := <-offers:
			return j
		default: // another helper was faster
		}
	}
	if takeWaiting() {
		return nil
	}
	return <-offers
}

// spin reports whether done came true within linger, letting others run meanwhile.
func spin(done func() bool) bool {
	var start time.Time
	for {
		for range 32 {
			if done() {
				return true
			}
		}
		runtime.Gosched()
		switch {
		case start.IsZero():
			start = time.Now()
		case time.Since(start) > linger:
			return false
		}
	}
}
