package pool

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/schemas"
)

func seconds(s ...int) []time.Duration {
	d := make([]time.Duration, len(s))
	for i := range s {
		d[i] = time.Duration(s[i]) * time.Second
	}
	return d
}

func TestBreakerOpensProbesAndCloses(t *testing.T) {
	for _, class := range []caption.Class{caption.Network, caption.Timeout, caption.Server} {
		in(t, func(t *testing.T) {
			f := &fake{say: func(n int) error {
				if n < 6 {
					return &caption.Error{Class: class, Retry: true}
				}
				return nil
			}}
			p := newPool(Options{BreakAfter: 3, CoolDown: 5 * time.Second, NeverAnswered: time.Hour}, f)
			askAll(t, p, 1, 3)
			if s := p.Stats()[0]; s.Breaker != Open || s.Failures[class] != 3 {
				t.Errorf("%s: after three failures: %+v", class, s)
			}
			askAll(t, p, 4, 10)
			// Probes after 5, then 10, 20 and 40 seconds; the fourth succeeds and lets all go.
			if want := seconds(0, 0, 0, 5, 15, 35, 75, 75, 75, 75, 75, 75, 75); !slices.Equal(f.began, want) {
				t.Errorf("%s: asked at %v, want %v", class, f.began, want)
			}
			if s := p.Stats()[0]; s.Breaker != Closed || s.Answers != 7 {
				t.Errorf("%s: at the end: %+v", class, s)
			}
		})
	}
}

func TestCoolDownIsBoundedAndStartsAnew(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{say: func(n int) error {
			if n == 5 {
				return nil
			}
			return &caption.Error{Class: caption.Server, Retry: true}
		}}
		p := newPool(Options{BreakAfter: 1, CoolDown: 10 * time.Second, CoolDownLimit: 30 * time.Second, NeverAnswered: time.Hour}, f)
		askAll(t, p, 1, 8)
		if want := seconds(0, 10, 30, 60, 90, 120, 120, 130); !slices.Equal(f.began, want) {
			t.Errorf("asked at %v, want %v", f.began, want)
		}
	})
}

// An answer of any kind shows that an endpoint works.
func TestAnswersDoNotOpenTheBreaker(t *testing.T) {
	for _, class := range []caption.Class{caption.Refused, caption.Malformed, caption.Empty} {
		in(t, func(t *testing.T) {
			f := &fake{say: failing(class)}
			p := newPool(Options{BreakAfter: 2}, f)
			askAll(t, p, 1, 20)
			if s := p.Stats()[0]; s.Breaker != Closed || f.began[19] != 0 {
				t.Errorf("%s: %+v", class, s)
			}
		})
	}
	in(t, func(t *testing.T) { // nor failures that are not in a row
		f := &fake{say: func(n int) error {
			if n%3 == 2 {
				return nil
			}
			return &caption.Error{Class: caption.Server}
		}}
		p := newPool(Options{BreakAfter: 3}, f)
		if n := askAll(t, p, 1, 30); n != 10 || p.Stats()[0].Breaker != Closed {
			t.Errorf("%d answers, %+v", n, p.Stats()[0])
		}
	})
}

func TestDeadEndpointCostsTheOthersNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		dead, well := &fake{say: failing(caption.Network)}, &fake{takes: time.Second}
		p := newPool(Options{CoolDown: 5 * time.Second, StartConcurrent: 1, MaxConcurrent: 1}, dead, well)
		answers := askAll(t, p, 4, 200)
		if failed := 200 - answers; failed != dead.calls() || failed > 5+6 { // five, and the probes of 200 seconds
			t.Errorf("%d failures, %d calls of the dead one", failed, dead.calls())
		}
	})
}

func TestProbeIsOneCall(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{takes: time.Second, say: func(n int) error {
			if n < 7 {
				return &caption.Error{Class: caption.Server}
			}
			return nil
		}}
		p := newPool(Options{BreakAfter: 4, CoolDown: 5 * time.Second, StartConcurrent: 4}, f)
		askAll(t, p, 8, 20)
		// Four at 0 fail at 1, where three begin before the fourth failure is known; the probe at 6 answers at 7.
		if want := seconds(0, 0, 0, 0, 1, 1, 1, 6, 7); !slices.Equal(f.began[:9], want) {
			t.Errorf("asked at %v, want %v", f.began, want)
		}
	})
}

// A probe that its caller gives up, or never makes, leaves room for the next.
func TestProbeGivenUp(t *testing.T) {
	in(t, func(t *testing.T) {
		f := &fake{say: func(n int) error {
			if n == 0 {
				return &caption.Error{Class: caption.Server}
			}
			return nil
		}}
		p := newPool(Options{BreakAfter: 1}, f)
		askAll(t, p, 1, 1)
		c, err := p.Admit(t.Context(), request)
		if err != nil || p.Stats()[0].Breaker != HalfOpen {
			t.Fatalf("%v, %+v", err, p.Stats()[0])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := p.Admit(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second probe: %v", err)
		}
		cancel()
		c.(*Place).Discard()
		if err := ask(t, p); err != nil || p.Stats()[0].Breaker != Closed {
			t.Errorf("%v, %+v", err, p.Stats()[0])
		}
	})
}

// When every breaker is open, Admit waits for the earliest probe.
func TestAllOpenWaitsForTheEarliestProbe(t *testing.T) {
	in(t, func(t *testing.T) {
		one := &fake{say: failing(caption.Network)}
		two := &fake{takes: 3 * time.Second, say: func(n int) error {
			if n == 0 {
				return &caption.Error{Class: caption.Network}
			}
			return nil
		}}
		p := newPool(Options{BreakAfter: 1, CoolDown: 5 * time.Second}, one, two)
		askAll(t, p, 2, 2)    // the first opens at 0, the second at 3
		if ask(t, p) == nil { // the first's probe at 5, which fails
			t.Error("the probe of the first was not the first")
		}
		if err := ask(t, p); err != nil { // the second's at 8
			t.Error(err)
		}
		if !slices.Equal(one.began, seconds(0, 5)) || !slices.Equal(two.began, seconds(0, 8)) {
			t.Errorf("asked at %v and %v", one.began, two.began)
		}
	})
}

func TestSilenceEndsAdmit(t *testing.T) {
	for _, c := range []struct {
		name   string
		class  caption.Class
		worked int // answers before the silence
		after  time.Duration
	}{
		{"never answered", caption.Network, 0, 20 * time.Second},
		{"never worked", caption.Server, 0, 20 * time.Second},
		{"stopped answering", caption.Network, 3, 10 * time.Minute},
		{"asked too often for ever", caption.Rate, 3, 10 * time.Minute},
	} {
		in(t, func(t *testing.T) {
			f := &fake{say: func(n int) error {
				if n < c.worked {
					return nil
				}
				return &caption.Error{Class: c.class, Retry: true, Endpoint: "a", Err: errors.New("connection refused")}
			}}
			p := newPool(Options{}, f)
			askAll(t, p, 1, c.worked)
			var err error
			for time.Since(f.start) < time.Hour {
				place, admitErr := p.Admit(t.Context(), request)
				if err = admitErr; err != nil {
					break
				}
				_, _ = place.Caption(t.Context(), request)
			}
			var e *caption.Error
			if !errors.As(err, &e) || e.Class != c.class || !e.Retry || e.Endpoint != "a" || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%s: %v", c.name, err)
			}
			// An endpoint that is paused is looked at when its pause ends, of a few minutes at most.
			if took := time.Since(f.start); took != c.after && (c.class != caption.Rate || took < c.after || took > c.after+5*time.Minute) {
				t.Errorf("%s: gave up after %v, want %v", c.name, took, c.after)
			}
		})
	}
}

// An endpoint behind a gateway that answers 503 for it is as silent as one that answers nothing: the run ends, and does not
// book every picture that is left as a failure.
func TestSilenceBehindAGatewayEndsTheRun(t *testing.T) {
	source := captiontest.Pictures(t, 600)
	in(t, func(t *testing.T) {
		f := &fake{takes: 10 * time.Millisecond, say: func(n int) error {
			if n < 20 {
				return nil
			}
			return &caption.Error{Class: caption.Server, Status: 503, Retry: true, Endpoint: "a"}
		}}
		store, err := caption.CreateStore(t.TempDir(), caption.Recipe{Model: "m", Picture: caption.Picture{Original: true}}, "memory", schemas.Program{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		r, err := caption.Run(t.Context(), caption.Options{Source: source, Captioner: newPool(Options{}, f), Store: store})
		if !errors.Is(err, caption.ErrEndpoint) || r.Asked-r.Failed != 20 || r.Failed > 100 || r.Failures[caption.Server] != r.Failed {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
