package kernel

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Waking a sleeping thread takes the system some 50 µs, as long as many a kernel
// runs. So a goroutine that has helped stays awake for linger in the hope of the
// next job, as the threads of OpenMP do, and then ends: nothing is left behind.
const linger = 200 * time.Microsecond

// helping is a job as a helper sees it.
type helping interface {
	work()
	letGo(holders int)
}

// crew is the helpers of all callers. One without a job has an offer or is spare, so a
// helper that comes late, as the system has held it up, is not hired a second time.
var crew struct {
	sync.Mutex
	offers []helping    // a job as often as helpers may still come to it
	spare  int          // helpers without a job beyond those that offers await
	open   atomic.Int64 // len(offers), for those who poll
}

// hire offers j to n helpers.
func hire(j helping, n int) {
	crew.Lock()
	defer crew.Unlock()
	for range n {
		if crew.spare > 0 {
			crew.spare--
		} else {
			go help()
		}
		crew.offers = append(crew.offers, j)
	}
	crew.open.Store(int64(len(crew.offers)))
}

// dismiss takes back the offers of j that nobody came for, and says how many.
func dismiss(j helping) int {
	crew.Lock()
	defer crew.Unlock()
	n := len(crew.offers)
	crew.offers = slices.DeleteFunc(crew.offers, func(o helping) bool { return o == j })
	n -= len(crew.offers)
	crew.spare += n
	crew.open.Store(int64(len(crew.offers)))
	return n
}

// takeOffer returns nil where there is none; a helper that leaves then is counted off.
func takeOffer(leave bool) helping {
	crew.Lock()
	defer crew.Unlock()
	last := len(crew.offers) - 1
	if last < 0 {
		if leave {
			crew.spare--
		}
		return nil
	}
	j := crew.offers[last]
	crew.offers = slices.Delete(crew.offers, last, last+1)
	crew.open.Store(int64(last))
	return j
}

func help() {
	for j := nextJob(); j != nil; j = nextJob() {
		j.work()
		j.letGo(1)
		crew.Lock()
		crew.spare++
		crew.Unlock()
	}
}

// nextJob lingers for a job; nil ends the helper.
func nextJob() helping {
	for spin(func() bool { return crew.open.Load() > 0 }) {
		if j := takeOffer(false); j != nil { // else another helper was faster
			return j
		}
	}
	return takeOffer(true)
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
