package caption

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// waiter spaces calls by exponential backoff with full jitter: waits drawn evenly from nought to the bound keep pictures
// that failed together from being asked again together.
type waiter struct {
	base, limit time.Duration
	seed        uint64
}

// pause is how long to wait after so many failures, where the endpoint asks for retryAfter. Each draw has a number of its
// own.
func (w waiter) pause(draw uint64, failures int, retryAfter time.Duration) time.Duration {
	bound := w.base
	for range failures - 1 {
		if bound *= 2; bound >= w.limit {
			break
		}
	}
	random := rand.New(rand.NewPCG(w.seed, draw))
	jitter := time.Duration(random.Int64N(int64(min(bound, w.limit)) + 1))
	return min(w.limit, retryAfter+jitter)
}

// sleep waits, or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// quiet is the time until which an endpoint that has no [Scheduler] asked to be left alone: by every picture, not only by
// the one that it told so.
type quiet struct{ until atomic.Int64 } // Unix nanoseconds

func (q *quiet) extend(d time.Duration) {
	until := time.Now().Add(d).UnixNano()
	for was := q.until.Load(); was < until && !q.until.CompareAndSwap(was, until); was = q.until.Load() {
	}
}

func (q *quiet) wait(ctx context.Context) error {
	for {
		until := q.until.Load()
		if until == 0 {
			return nil
		}
		d := time.Until(time.Unix(0, until))
		if d <= 0 {
			return nil
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

// slots are the calls that may be under way at a time. Pictures that were asked before come first, so that as few as
// possible are neither new nor done, whatever the endpoint does; otherwise it is first come, first served.
type slots struct {
	mu     sync.Mutex
	free   int
	queues [2][]chan struct{} // those asked before, and the others; closed when the slot is theirs
}

func newSlots(n int) *slots { return &slots{free: n} }

func (s *slots) acquire(ctx context.Context, again bool) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	queue := &s.queues[1]
	if again {
		queue = &s.queues[0]
	}
	mine := make(chan struct{})
	*queue = append(*queue, mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-mine: // came in between
		s.pass()
	default:
		for i, c := range *queue {
			if c == mine {
				*queue = append((*queue)[:i], (*queue)[i+1:]...)
				break
			}
		}
	}
	return ctx.Err()
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to who waits for it. It is called with mu held.
func (s *slots) pass() {
	for i := range s.queues {
		if q := s.queues[i]; len(q) > 0 {
			close(q[0])
			s.queues[i] = q[1:]
			return
		}
	}
	s.free++
}
