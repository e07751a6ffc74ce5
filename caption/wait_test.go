package caption

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPause(t *testing.T) {
	w := waiter{base: time.Second, limit: 10 * time.Second, seed: 3}
	for failures, bound := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 6: 10, 60: 10} {
		bound *= time.Second
		var sum time.Duration
		for draw := range uint64(2000) {
			d := w.pause(draw, failures, 0)
			if d < 0 || d > bound || d != w.pause(draw, failures, 0) {
				t.Fatalf("%d failures: %v, then %v", failures, d, w.pause(draw, failures, 0))
			}
			sum += d
		}
		if mean := sum / 2000; mean < bound*45/100 || mean > bound*55/100 { // drawn evenly
			t.Errorf("%d failures: %v in the mean, bound %v", failures, mean, bound)
		}
	}
	if d := w.pause(1, 1, 5*time.Second); d < 5*time.Second || d > 6*time.Second {
		t.Errorf("asked for 5 s: %v", d)
	}
	if d := w.pause(1, 1, time.Hour); d != 10*time.Second {
		t.Errorf("asked for an hour: %v", d)
	}
}

func TestSlotsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		if err := s.acquire(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		var order []string
		var wait sync.WaitGroup
		for _, name := range []string{"new 1", "new 2", "again 1", "again 2"} {
			wait.Go(func() {
				if err := s.acquire(t.Context(), name[0] == 'a'); err != nil {
					t.Error(err)
				}
				order = append(order, name)
				s.release()
			})
			synctest.Wait()
		}
		s.release()
		wait.Wait()
		if want := []string{"again 1", "again 2", "new 1", "new 2"}; !slices.Equal(order, want) {
			t.Errorf("order %q, want %q", order, want)
		}
	})
}

// Nobody who left the queue takes a slot along.
func TestSlotsCancel(t *testing.T) {
	s := newSlots(2)
	var wait sync.WaitGroup
	for i := range 400 {
		wait.Go(func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Duration(i%7)*100*time.Microsecond)
			defer stop()
			if err := s.acquire(ctx, i%2 == 0); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				return
			}
			time.Sleep(50 * time.Microsecond)
			s.release()
		})
	}
	wait.Wait()
	if s.free != 2 || len(s.queues[0])+len(s.queues[1]) != 0 {
		t.Errorf("%d slots free, %d and %d wait", s.free, len(s.queues[0]), len(s.queues[1]))
	}
}
