package pool

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcil/mcil/caption"
)

// fake is an endpoint that takes some time and answers as told.
type fake struct {
	takes time.Duration
	say   func(n int) error // to the nth call, from 0; nil: always an answer
	usage int               // tokens of an answer

	mu    sync.Mutex
	start time.Time
	began []time.Duration // of the calls, since start
	under int             // calls under way
	most  int             // at a time
}

func (f *fake) Caption(ctx context.Context, _ caption.Request) (caption.Answer, error) {
	f.mu.Lock()
	n := len(f.began)
	f.began = append(f.began, time.Since(f.start))
	f.under++
	f.most = max(f.most, f.under)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.under--
		f.mu.Unlock()
	}()
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return caption.Answer{}, ctx.Err()
		}
		return caption.Answer{}, &caption.Error{Class: caption.Timeout, Retry: true, Err: ctx.Err()}
	}
	if f.say != nil {
		if err := f.say(n); err != nil {
			return caption.Answer{}, err
		}
	}
	return caption.Answer{Raw: "A fish.", PromptTokens: f.usage}, nil
}

func (f *fake) Fingerprint(r caption.Request) (string, error) { return "of " + r.Prompt, nil }

func (f *fake) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.began)
}

func failing(class caption.Class) func(int) error {
	return func(int) error { return &caption.Error{Class: class, Retry: true} }
}

// in runs a test on a clock that moves only when everybody waits.
func in(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func newPool(o Options, fakes ...*fake) *Pool {
	var members []Member
	for i, f := range fakes {
		f.start = time.Now()
		members = append(members, Member{Name: string(rune('a' + i)), Captioner: f})
	}
	return New(members, o)
}

var request = caption.Request{Model: "m", Prompt: "Describe."}

func ask(t *testing.T, p *Pool) error {
	t.Helper()
	_, err := p.Caption(t.Context(), request)
	return err
}

// askAll makes n calls by so many workers and returns how many answers there were.
func askAll(t *testing.T, p *Pool, workers, n int) (answers int) {
	t.Helper()
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				mu.Lock()
				n--
				done := n < 0
				mu.Unlock()
				if done {
					return
				}
				if err := ask(t, p); err == nil {
					mu.Lock()
					answers++
					mu.Unlock()
				}
			}
		})
	}
	wait.Wait()
	return answers
}

func TestWeights(t *testing.T) {
	in(t, func(t *testing.T) {
		var order []string
		var members []Member
		for name, weight := range map[string]float64{"a": 5, "b": 1, "c": 0} { // 0: 1
			members = append(members, Member{Name: name, Weight: weight, Captioner: &fake{}})
		}
		slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
		p := New(members, Options{})
		for range 14 {
			c, err := p.Admit(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			order = append(order, c.(*Place).Endpoint())
			if _, err := c.Caption(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := strings.Join(order, ""), "aabacaa"+"aabacaa"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

func TestSlowEndpointTakesNoCallsFromAFastOne(t *testing.T) {
	in(t, func(t *testing.T) {
		slow, fast := &fake{takes: 10 * time.Second}, &fake{takes: 100 * time.Millisecond}
		p := newPool(Options{StartConcurrent: 2, MaxConcurrent: 2}, slow, fast)
		began := time.Now()
		if n := askAll(t, p, 8, 200); n != 200 {
			t.Errorf("%d answers", n)
		}
		// 20 calls a second of the fast one and 0.2 of the slow one; and the last of the slow one's.
		if took := time.Since(began); took > 20*time.Second || slow.calls() > 4 {
			t.Errorf("took %v, %d calls of the slow one", took, slow.calls())
		}
	})
}

func TestFingerprintDoesNotDependOnTheEndpoint(t *testing.T) {
	in(t, func(t *testing.T) {
		p := newPool(Options{}, &fake{}, &fake{})
		for range 3 {
			c, err := p.Admit(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			here, _ := c.Fingerprint(request)
			all, err := p.Fingerprint(request)
			if here != "of Describe." || all != here || err != nil {
				t.Errorf("%q, %q, %v", here, all, err)
			}
		}
	})
}

func TestConcurrencyIsAdditiveIncreaseMultiplicativeDecrease(t *testing.T) {
	in(t, func(t *testing.T) {
		var bear int // calls at a time that the endpoint bears
		f := &fake{takes: time.Second}
		f.say = func(int) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.under > bear {
				return &caption.Error{Class: caption.Rate, Retry: true}
			}
			return nil
		}
		p := newPool(Options{StartConcurrent: 4, MaxConcurrent: 12, RatePause: time.Millisecond}, f)
		bear = 100
		for i, want := range []int{4, 4, 5, 6, 7} { // every success adds about two to the square: 16, 24, 32, 42, 54
			got := p.Stats()[0].Limit
			if got != want {
				t.Errorf("after %d rounds: limit %d, want %d", i, got, want)
			}
			askAll(t, p, got, got)
		}
		askAll(t, p, 32, 300)
		if got := p.Stats()[0].Limit; got != 12 || f.most != 12 {
			t.Errorf("limit %d, %d at a time, want the bound 12", got, f.most)
		}
		bear = 0
		askAll(t, p, 12, 12) // all at once: together they halve it once
		if got := p.Stats()[0].Limit; got != 6 {
			t.Errorf("limit %d after 12 rate answers in one round, want 6", got)
		}
		askAll(t, p, 6, 12) // two rounds
		if got := p.Stats()[0].Limit; got != 1 {
			t.Errorf("limit %d, want 6/2/2 = 1", got)
		}
		bear = 100
		askAll(t, p, 4, 40)
		if got := p.Stats()[0].Limit; got < 3 {
			t.Errorf("limit %d after 40 successes", got)
		}
	})
}

func TestTimeoutsHalveAndOtherFailuresDoNot(t *testing.T) {
	for class, want := range map[caption.Class]int{
		caption.Timeout: 4, caption.Rate: 4,
		caption.Server: 8, caption.Network: 8, caption.Refused: 8, caption.Malformed: 8, caption.Empty: 8,
	} {
		in(t, func(t *testing.T) {
			p := newPool(Options{StartConcurrent: 8, BreakAfter: 100}, &fake{takes: time.Second, say: failing(class)})
			askAll(t, p, 8, 8)
			if got := p.Stats()[0].Limit; got != want {
				t.Errorf("%s: limit %d, want %d", class, got, want)
			}
		})
	}
}

func TestUnusedBoundDoesNotGrow(t *testing.T) {
	in(t, func(t *testing.T) {
		p := newPool(Options{StartConcurrent: 8}, &fake{takes: time.Second})
		askAll(t, p, 2, 100)
		if got := p.Stats()[0].Limit; got != 8 {
			t.Errorf("limit %d after calls of two at a time, want 8", got)
		}
	})
}

func TestRetryAfterPausesThatEndpointOnly(t *testing.T) {
	in(t, func(t *testing.T) {
		busy := &fake{takes: time.Second, say: func(n int) error {
			if n == 0 {
				return &caption.Error{Class: caption.Rate, Retry: true, RetryAfter: 30 * time.Second}
			}
			return nil
		}}
		idle := &fake{takes: time.Second}
		p := newPool(Options{StartConcurrent: 1, MaxConcurrent: 1}, busy, idle)
		if n := askAll(t, p, 2, 50); n != 49 {
			t.Errorf("%d answers, want all but one", n)
		}
		if len(busy.began) < 2 || busy.began[1] != 31*time.Second {
			t.Errorf("the endpoint that asked for 30 s at 1 s was asked at %v", busy.began)
		}
		for i, at := range idle.began[:30] {
			if at != time.Duration(i)*time.Second {
				t.Fatalf("call %d of the other at %v: it lost time", i, at)
			}
		}
	})
}

func TestRetryAfterIsBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{say: func(n int) error {
			if n == 0 {
				return &caption.Error{Class: caption.Server, Status: 503, Retry: true, RetryAfter: time.Hour}
			}
			return nil
		}}
		p := newPool(Options{PauseLimit: time.Minute}, f)
		askAll(t, p, 1, 2)
		if f.began[1] != time.Minute {
			t.Errorf("asked again after %v, want the bound of 1m", f.began[1])
		}
	})
}

// An endpoint that answers 429 to one call at a time, without a Retry-After, is not asked as fast as it refuses.
func TestRateWithoutRetryAfter(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{say: func(n int) error {
			if n < 5 {
				return &caption.Error{Class: caption.Rate, Retry: true}
			}
			return nil
		}}
		p := newPool(Options{StartConcurrent: 1}, f)
		askAll(t, p, 1, 7)
		want := []time.Duration{0, 1, 3, 7, 15, 31, 31}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(f.began, want) {
			t.Errorf("asked at %v, want %v", f.began, want)
		}
	})
}

func TestRequestsPerMinute(t *testing.T) {
	in(t, func(t *testing.T) {
		one, two := &fake{}, &fake{}
		p := newPool(Options{RequestsPerMin: 120}, one, two) // two a second each, two at once
		askAll(t, p, 8, 44)
		for _, f := range []*fake{one, two} {
			for i, at := range f.began {
				if want := time.Duration(max(0, i-1)) * 500 * time.Millisecond; at < want || at > want+time.Millisecond {
					t.Fatalf("call %d at %v, want %v", i, at, want)
				}
			}
			if len(f.began) != 22 {
				t.Errorf("%d calls of 44", len(f.began))
			}
		}
	})
}

func TestTokensPerMinute(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{usage: 300}
		p := newPool(Options{TokensPerMin: 6000}, f) // a hundred a second, a thousand at once
		// The first call is thought to take 558; then 300 are known. After the thousand, a call every three seconds.
		askAll(t, p, 4, 33)
		last := f.began[32]
		if want := (33*300 - 1000) / 100 * time.Second; last < want-3*time.Second || last > want+3*time.Second {
			t.Errorf("33 calls of 300 tokens took %v, want about %v", last, want)
		}
		if s := p.Stats()[0]; s.Tokens != 33*300 {
			t.Errorf("%d tokens", s.Tokens)
		}
	})
}

// One call that takes more than ten seconds' worth still goes, and is paid for.
func TestTokensOfALargeCall(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{usage: 600}
		p := newPool(Options{TokensPerMin: 600}, f) // ten a second, a hundred at once
		askAll(t, p, 1, 5)
		if last, want := f.began[4], 4*time.Minute; last < want-20*time.Second || last > want+20*time.Second {
			t.Errorf("the fifth call of 600 tokens at %v, want about %v", last, want)
		}
	})
}

func TestRefusedCallsCostNoTokens(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{usage: 500, say: func(n int) error {
			if n > 0 && n < 50 {
				return &caption.Error{Class: caption.Refused}
			}
			return nil
		}}
		p := newPool(Options{TokensPerMin: 6000}, f)
		askAll(t, p, 1, 51)
		if last := f.began[50]; last > 5*time.Second {
			t.Errorf("49 refusals took %v of tokens", last)
		}
	})
}

func TestAdmitEndsWithItsContext(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{takes: time.Minute}
		p := newPool(Options{MaxConcurrent: 1}, f)
		held, err := p.Admit(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Admit(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		if _, err := p.Admit(cancelled, request); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		_, err = p.Caption(ctx, request)
		var e *caption.Error
		if !errors.As(err, &e) || e.Class != caption.Timeout {
			t.Errorf("Caption: %v", err)
		}
		held.(interface{ Discard() }).Discard()
		held.(interface{ Discard() }).Discard() // frees nothing twice
		if s := p.Stats()[0]; s.InFlight != 0 || s.Calls != 0 {
			t.Errorf("%+v", s)
		}
		if _, err := held.Caption(t.Context(), request); err == nil {
			t.Error("a place was used after it was given back")
		}
		if err := ask(t, p); err != nil || f.calls() != 1 {
			t.Errorf("%v, %d calls", err, f.calls())
		}
	})
}

func TestFirstComeFirstServed(t *testing.T) {
	in(t, func(t *testing.T) {
		p := newPool(Options{MaxConcurrent: 1}, &fake{takes: time.Second})
		var mu sync.Mutex
		var order []int
		for i := range 10 {
			go func() {
				if err := ask(t, p); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			}()
			synctest.Wait() // it is in the queue
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if !slices.IsSorted(order) || len(order) != 10 {
			t.Errorf("order %v", order)
		}
	})
}

func TestPanicOfACaptionerFreesThePlace(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{say: func(n int) error {
			if n == 0 {
				panic("broken")
			}
			return nil
		}}
		p := newPool(Options{MaxConcurrent: 1}, f)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_ = ask(t, p)
		}()
		if err := ask(t, p); err != nil {
			t.Error(err)
		}
	})
}

func TestNoMembers(t *testing.T) {
	p := New(nil, Options{})
	if _, err := p.Admit(t.Context(), request); !errors.Is(err, caption.ErrEndpoint) {
		t.Errorf("Admit: %v", err)
	}
	if _, err := p.Fingerprint(request); !errors.Is(err, caption.ErrEndpoint) {
		t.Errorf("Fingerprint: %v", err)
	}
}

// Cancelled calls say nothing of the endpoint.
func TestCancelledCallIsNobodysFault(t *testing.T) {
	in(t, func(t *testing.T) {
		p := newPool(Options{BreakAfter: 1}, &fake{takes: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		if _, err := p.Caption(ctx, request); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if s := p.Stats()[0]; s.Breaker != Closed || s.InFlight != 0 || s.Calls != 0 {
			t.Errorf("%+v", s)
		}
	})
}
