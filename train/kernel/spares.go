package kernel

import (
	"slices"
	"sync"
)

// spares are values to be used again. Unlike those of a sync.Pool, any of them is found
// from any thread and none is lost to a collection, so a steady state makes no more; there
// are never more than were in use at once.
type spares[T any] struct {
	mu   sync.Mutex
	idle []*T
}

// take returns a value as it was left, or a new one.
func (s *spares[T]) take() *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.idle) - 1
	if last < 0 {
		return new(T)
	}
	v := s.idle[last]
	s.idle = s.idle[:last]
	return v
}

func (s *spares[T]) leave(v *T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, v)
}

// scratch is a buffer that is borrowed and given back.
type scratch struct{ data []float32 }

var scratches spares[scratch]

// borrow returns a scratch with at least n elements, contents undefined: the smallest at
// hand that has them, or else the largest, which then grows.
func borrow(n int) *scratch {
	s := fitting(n)
	if len(s.data) < n {
		s.data = make([]float32, n+n/8)
	}
	return s
}

func fitting(n int) *scratch {
	scratches.mu.Lock()
	defer scratches.mu.Unlock()
	best := -1
	for i, s := range scratches.idle {
		if best < 0 {
			best = i
			continue
		}
		had, has := len(scratches.idle[best].data), len(s.data)
		if had < n && has > had || has >= n && has < had {
			best = i
		}
	}
	if best < 0 {
		return new(scratch)
	}
	s := scratches.idle[best]
	scratches.idle = slices.Delete(scratches.idle, best, best+1)
	return s
}

func (s *scratch) giveBack() { scratches.leave(s) }
