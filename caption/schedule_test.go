package caption_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/schemas"
)

// asked counts the calls for each picture, by its bytes.
type asked struct {
	mu    sync.Mutex
	calls map[string]int
	order []string
}

func (a *asked) call(r caption.Request) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls == nil {
		a.calls = map[string]int{}
	}
	a.calls[string(r.Image)]++
	a.order = append(a.order, string(r.Image))
	return a.calls[string(r.Image)]
}

// original is a store whose pictures are sent as they are.
func original(t *testing.T) *caption.Store {
	t.Helper()
	s, err := caption.CreateStore(t.TempDir(), caption.Recipe{Model: "m", Picture: caption.Picture{Original: true}}, "memory", schemas.Program{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A picture that waits to be asked again leaves its slot to others, and has the first claim when it comes back.
func TestRunWaitingHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen asked
		f := fake{answer: func(_ context.Context, n int, r caption.Request) (caption.Answer, error) {
			seen.call(r)
			time.Sleep(time.Second)
			if n == 2 {
				return caption.Answer{}, &caption.Error{Class: caption.Server, Retry: true}
			}
			return caption.Answer{Raw: "text"}, nil
		}}
		r, err := caption.Run(t.Context(), caption.Options{
			Source: captiontest.Pictures(t, 10), Captioner: &f, Store: original(t), Workers: 1, Backoff: 1e6 * time.Second, BackoffLimit: 1e6 * time.Second,
		})
		if err != nil || r.Asked != 10 || r.Retries != 1 || r.Failed != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if len(seen.order) != 11 || seen.order[10] != seen.order[1] {
			t.Error("others waited for a picture that waits to be asked again")
		}
	})
}

func TestRunBoundsWaiting(t *testing.T) {
	source := makes(t, 1500)
	synctest.Test(t, func(t *testing.T) {
		var seen asked
		var waiting, most atomic.Int64
		f := fake{answer: func(_ context.Context, n int, r caption.Request) (caption.Answer, error) {
			switch again := seen.call(r) > 1; {
			case again:
				waiting.Add(-1)
			case n > 1:
				if w := waiting.Add(1); w > most.Load() {
					most.Store(w)
				}
				return caption.Answer{}, &caption.Error{Class: caption.Server, Retry: true}
			}
			return caption.Answer{Raw: "text"}, nil
		}}
		r, err := caption.Run(t.Context(), caption.Options{
			Source: source, Captioner: &f, Store: original(t), Workers: 2, Backoff: time.Hour, BackoffLimit: time.Hour,
		})
		if err != nil || r.Asked != 1500 || r.Retries != 1499 || r.Failed != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		if m := most.Load(); m < 1000 || m > 1024 {
			t.Errorf("%d pictures waited at a time, want at most 1024", m)
		}
	})
}

// Without a scheduler, Retry-After holds for all pictures: they go to the same endpoint.
func TestRunLeavesTheEndpointAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		f := fake{answer: func(_ context.Context, n int, _ caption.Request) (caption.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
			if n == 2 {
				return caption.Answer{}, &caption.Error{Class: caption.Rate, Retry: true, RetryAfter: 30 * time.Second}
			}
			return caption.Answer{Raw: "text"}, nil
		}}
		r, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 6), Captioner: &f, Store: original(t), Workers: 1})
		if err != nil || r.Asked != 6 || len(at) != 7 {
			t.Fatalf("%+v, %v, calls at %v", r, err, at)
		}
		for i, d := range at {
			if early := i < 2; early && d != 0 || !early && (d < 30*time.Second || d > 31*time.Second) {
				t.Errorf("call %d at %v", i+1, d)
			}
		}
	})
}

func TestRunRetryBudget(t *testing.T) {
	broken := func(context.Context, int, caption.Request) (caption.Answer, error) {
		return caption.Answer{}, &caption.Error{Class: caption.Server, Status: 503, Retry: true}
	}
	for _, c := range []struct {
		name            string
		budget, retries int
		spent           bool
	}{
		{"small", 7, 7, true},
		{"default", 0, 100, true},
		{"none", -1, 30 * 9, false},
	} {
		f := fake{answer: broken}
		store := original(t)
		r, err := caption.Run(t.Context(), caption.Options{
			Source: captiontest.Pictures(t, 30), Captioner: &f, Store: store, GiveUpAfter: -1,
			Attempts: 10, RetryBudget: c.budget, Backoff: time.Microsecond,
		})
		if err != nil || r.Failed != 30 || r.Failures[caption.Server] != 30 || r.Retries != c.retries || r.BudgetSpent != c.spent {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
		if n := int(f.calls.Load()); n != 30+c.retries {
			t.Errorf("%s: %d calls", c.name, n)
		}
		for _, c := range records(t, store.Failures()) {
			if c.ErrorClass != "server" || c.HTTPStatus != 503 {
				t.Errorf("record %+v", c)
			}
		}
	}
}

// A server that cannot decode a picture says 500 too (vllm#47163): asking once more is enough.
func TestRunDoesNotInsistWhereThePictureIsBlamed(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		calls  int
	}{
		{500, "cannot identify image file", 2}, {500, "out of memory", 5}, {200, "cannot identify image file", 2},
		{503, `<html><img alt="image of a broken server">`, 5}, // a gateway's page says nothing of the picture
	} {
		store := original(t)
		f := fake{answer: func(_ context.Context, n int, _ caption.Request) (caption.Answer, error) {
			if n == 1 {
				return caption.Answer{Raw: "text"}, nil
			}
			return caption.Answer{}, &caption.Error{Class: caption.Server, Status: c.status, Body: c.body, Retry: true}
		}}
		_, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 2), Captioner: &f, Store: store, Workers: 1, Backoff: time.Microsecond})
		failed := records(t, store.Failures())
		if err != nil || len(failed) != 1 || failed[0].Attempts != c.calls || failed[0].HTTPStatus != c.status {
			t.Errorf("%s: %v, %+v", c.body, err, failed)
		}
	}
}

// turnstile is a scheduler that lets one request pass every so often.
type turnstile struct {
	fake
	every      time.Duration
	deaf       bool // does not hear that ctx ended
	admissions atomic.Int64
	discarded  atomic.Int64
}

func (s *turnstile) Admit(ctx context.Context, _ caption.Request) (caption.Captioner, error) {
	s.admissions.Add(1)
	select {
	case <-time.After(s.every):
	case <-ctx.Done():
		if !s.deaf {
			return nil, ctx.Err()
		}
		time.Sleep(time.Second)
	}
	return place{s}, nil
}

type place struct{ *turnstile }

func (p place) Discard() { p.discarded.Add(1) }

func TestRunScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &turnstile{every: time.Hour}
		s.answer = func(ctx context.Context, n int, _ caption.Request) (caption.Answer, error) {
			if d, ok := ctx.Deadline(); !ok || time.Until(d) != 2*time.Second {
				t.Errorf("call %d has %v left: the time for one call counts from admission", n, time.Until(d))
			}
			time.Sleep(time.Second)
			if n == 1 {
				return caption.Answer{}, &caption.Error{Class: caption.Rate, Retry: true, RetryAfter: 30 * time.Minute}
			}
			return caption.Answer{Raw: "text"}, nil
		}
		began := time.Now()
		store := original(t)
		r, err := caption.Run(t.Context(), caption.Options{Source: captiontest.Pictures(t, 2), Captioner: s, Store: store, Workers: 1, AttemptTimeout: 2 * time.Second})
		if err != nil || r.Asked != 2 || r.Failed != 0 || s.admissions.Load() != 3 || s.discarded.Load() != 0 {
			t.Errorf("%+v, %v, %d admissions", r, err, s.admissions.Load())
		}
		// Three admissions and calls, and jitter: the scheduler minds Retry-After, not the run.
		if took := time.Since(began); took < 3*(time.Hour+time.Second) || took > 3*time.Hour+4*time.Second {
			t.Errorf("took %v", took)
		}
		for _, c := range records(t, store.Captions()) {
			if c.LatencyMS != 1000 {
				t.Errorf("record %+v", c)
			}
		}
	})
}

func TestRunSchedulerWhenTheRunIsStopped(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &turnstile{every: time.Hour, deaf: deaf}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			r, err := caption.Run(ctx, caption.Options{Source: captiontest.Pictures(t, 20), Captioner: s, Store: original(t), Workers: 3})
			if !errors.Is(err, context.DeadlineExceeded) || r.Done != 0 || s.calls.Load() != 0 || s.admissions.Load() != 3 {
				t.Errorf("%+v, %v, %d calls, %d admissions", r, err, s.calls.Load(), s.admissions.Load())
			}
			want := int64(0)
			if deaf {
				want = 3
			}
			if n := s.discarded.Load(); n != want {
				t.Errorf("deaf %v: %d places given back, want %d", deaf, n, want)
			}
		})
	}
}

func TestRunSchedulerWithoutAPlace(t *testing.T) {
	source, store := captiontest.Pictures(t, 20), original(t)
	r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: &closed{}, Store: store, Workers: 2, Attempts: 2, Backoff: time.Microsecond})
	if !errors.Is(err, caption.ErrEndpoint) || r.Failures[caption.Network] != r.Failed || r.Failed < 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

// closed is a scheduler that has no endpoint left.
type closed struct{ fake }

func (*closed) Admit(context.Context, caption.Request) (caption.Captioner, error) {
	return nil, &caption.Error{Class: caption.Network, Retry: true, Err: errors.New("no endpoint is left")}
}
