package caption

import (
	"context"
	"math/rand/v2"
	"time"
)

// waiter spaces one worker's calls by exponential backoff with full jitter: waits drawn evenly from nought to the bound
// keep workers that failed together from asking again together.
type waiter struct {
	base, limit time.Duration
	random      *rand.Rand
}

func newWaiter(o Options, worker int) *waiter {
	return &waiter{o.Backoff, o.BackoffLimit, rand.New(rand.NewPCG(o.Seed, uint64(worker)))}
}

// pause is how long to wait after so many calls, where the endpoint asks for retryAfter.
func (w *waiter) pause(calls int, retryAfter time.Duration) time.Duration {
	bound := w.base
	for range calls - 1 {
		if bound *= 2; bound >= w.limit {
			break
		}
	}
	jitter := time.Duration(w.random.Int64N(int64(min(bound, w.limit)) + 1))
	return min(w.limit, retryAfter+jitter)
}

// after waits, or returns ctx's error.
func (w *waiter) after(ctx context.Context, calls int, retryAfter time.Duration) error {
	t := time.NewTimer(w.pause(calls, retryAfter))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
