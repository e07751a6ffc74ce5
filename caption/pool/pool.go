// Package pool makes one captioner out of several endpoints that serve the same model.
//
// # What it decides
//
// Which endpoint is asked next, and when. [Pool.Admit] waits until some endpoint may be asked and gives a place there for
// one call; among those that may be asked now, each gets calls in proportion to its weight. A pool of one endpoint is
// worth having too: everything below holds for it.
//
// # What it keeps for each endpoint
//
// A breaker: after so many network failures, timeouts and server errors in a row, the endpoint is left alone for a
// while, then asked once; while that fails, the while doubles. Any other answer, a refusal too, shows that it works.
//
// A bound on calls under way: a rate or timeout answer halves it, at most once for all calls that were under way
// together, and each success while it is in use adds one over itself, so that it grows by about one in the time of a call.
//
// Requests and tokens a minute. What a call takes in tokens is estimated by what those before took, and put right when
// the answer says it.
//
// Retry-After: the endpoint that asked for it is left alone for so long, and the others go on.
//
// # What it does not do
//
// Ask again. A call that failed is the caller's, who may ask for a place once more and get it elsewhere.
//
// # The same request everywhere
//
// A request's fingerprint is that of the first member: every member must send the same bytes for the same request, as
// clients of one kind do.
package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mcil/mcil/caption"
)

// Member is one endpoint.
type Member struct {
	Name      string // for people: of statistics and errors
	Captioner caption.Captioner
	Weight    float64 // share of the calls, relative to the others'; default 1
}

// Options hold for each endpoint by itself. The zero value is the default.
type Options struct {
	MaxConcurrent   int // calls under way at most; default 64
	StartConcurrent int // calls under way at most, before the endpoint has shown what it bears; default 16

	RequestsPerMin int // calls begun; in one second at most a sixtieth of it, or one; default 0: no limit
	TokensPerMin   int // of prompts and answers; in ten seconds at most a sixth of it, or one call; default 0: no limit

	BreakAfter    int           // failures in a row that open the breaker; default 5
	CoolDown      time.Duration // from the breaker's opening to the first probe; doubled by each probe that fails; default 1 s
	CoolDownLimit time.Duration // the longest cool-down; default 2 min
	PauseLimit    time.Duration // the longest Retry-After that is kept; default 5 min
	RatePause     time.Duration // pause after a rate answer that names none, where one call at a time is still too much; doubled in a row; default 1 s

	GiveUpAfter   time.Duration // [Pool.Admit] fails where every endpoint has been down, or has said nothing but that it is asked too often, for so long; default 10 min
	NeverAnswered time.Duration // the same where no endpoint has ever answered; default 20 s
}

func (o Options) withDefaults() Options {
	positive := func(v *int, otherwise int) { *v = cmp.Or(max(0, *v), otherwise) }
	positive(&o.MaxConcurrent, 64)
	positive(&o.StartConcurrent, 16)
	o.StartConcurrent = min(o.StartConcurrent, o.MaxConcurrent)
	positive(&o.BreakAfter, 5)
	duration := func(v *time.Duration, otherwise time.Duration) { *v = cmp.Or(max(0, *v), otherwise) }
	duration(&o.CoolDown, time.Second)
	duration(&o.CoolDownLimit, 2*time.Minute)
	o.CoolDownLimit = max(o.CoolDownLimit, o.CoolDown)
	duration(&o.PauseLimit, 5*time.Minute)
	duration(&o.RatePause, time.Second)
	duration(&o.GiveUpAfter, 10*time.Minute)
	duration(&o.NeverAnswered, 20*time.Second)
	return o
}

// Pool is several endpoints as one [caption.Captioner]. It is safe for concurrent use. It has no goroutine of its own
// and need not be closed; its members are their owner's to close.
type Pool struct {
	options Options

	mu        sync.Mutex
	endpoints []*endpoint
	queue     []*waiter // first come, first served
	wakeAt    time.Time // of the timer; zero: none is set
	wake      *time.Timer
	answered  bool // some endpoint, at some time
	usage     usage
}

var _ caption.Scheduler = (*Pool)(nil)

// New makes a pool. The order of members breaks ties.
func New(members []Member, o Options) *Pool {
	p := &Pool{options: o.withDefaults()}
	for _, m := range members {
		p.endpoints = append(p.endpoints, newEndpoint(m, p.options))
	}
	return p
}

var errNoMembers = fmt.Errorf("pool: no endpoints: name one at least: %w", caption.ErrEndpoint)

// Fingerprint implements [caption.Captioner].
func (p *Pool) Fingerprint(r caption.Request) (string, error) {
	if len(p.endpoints) == 0 {
		return "", errNoMembers
	}
	return p.endpoints[0].Captioner.Fingerprint(r)
}

// Caption implements [caption.Captioner]: it waits for a place and asks there.
func (p *Pool) Caption(ctx context.Context, r caption.Request) (caption.Answer, error) {
	c, err := p.Admit(ctx, r)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &caption.Error{Class: caption.Timeout, Retry: true, Err: err}
	}
	if err != nil {
		return caption.Answer{}, err
	}
	return c.Caption(ctx, r)
}

// waiter waits in Admit.
type waiter struct {
	rough int // tokens that its call may take, by its request alone
	grant chan grant
}

type grant struct {
	place *Place
	err   error
}

// Admit implements [caption.Scheduler]: it waits until an endpoint may be asked. The captioner that it returns is a
// [*Place]. Its error is ctx's, or holds a [*caption.Error] and wraps [caption.ErrEndpoint] where the endpoints have been
// silent for too long.
func (p *Pool) Admit(ctx context.Context, r caption.Request) (caption.Captioner, error) {
	if len(p.endpoints) == 0 {
		return nil, errNoMembers
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{rough: roughTokens(r), grant: make(chan grant, 1)}
	p.mu.Lock()
	p.queue = append(p.queue, w)
	p.serve()
	p.mu.Unlock()
	select {
	case g := <-w.grant:
		return g.captioner()
	case <-ctx.Done():
	}
	p.mu.Lock()
	for i, other := range p.queue {
		if other == w {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			break
		}
	}
	p.mu.Unlock()
	select {
	case g := <-w.grant: // came in between
		if g.place != nil {
			g.place.Discard()
		}
	default:
	}
	return nil, ctx.Err()
}

func (g grant) captioner() (caption.Captioner, error) {
	if g.err != nil {
		return nil, g.err // and not a nil *Place in an interface
	}
	return g.place, nil
}

// serve gives places to those that wait, as far as there are any. It is called with mu held, whenever that may have changed.
func (p *Pool) serve() {
	now := time.Now()
	for len(p.queue) > 0 {
		w := p.queue[0]
		tokens := p.usage.estimate(w.rough)
		e, next := p.choose(now, tokens)
		if e == nil {
			at, err := p.silence(now)
			if err == nil {
				p.wakeBy(now, earlier(next, at))
				return
			}
			w.grant <- grant{err: err}
		} else {
			w.grant <- grant{place: e.take(p, now, tokens)}
		}
		p.queue = p.queue[1:]
	}
	if len(p.queue) == 0 {
		p.queue = nil // lets go of the served
	}
}

// choose is smooth weighted round robin over the endpoints that may be asked now: each gains its weight, the richest is
// chosen and pays for all. Where none may be asked, next is when that may change by itself; zero: not by time.
func (p *Pool) choose(now time.Time, tokens int) (chosen *endpoint, next time.Time) {
	total := 0.0
	for _, e := range p.endpoints {
		ready, at := e.ready(now, tokens)
		if !ready {
			next = earlier(next, at)
			continue
		}
		e.credit += e.Weight
		total += e.Weight
		if chosen == nil || e.credit > chosen.credit {
			chosen = e
		}
	}
	if chosen != nil {
		chosen.credit -= total
	}
	return chosen, next
}

// silence is when to give up if every endpoint stays down, zero if one is not, or the error of giving up.
func (p *Pool) silence(now time.Time) (at time.Time, err error) {
	var since time.Time
	var last *endpoint
	for _, e := range p.endpoints {
		silent := e.silentSince()
		if silent.IsZero() {
			return time.Time{}, nil
		}
		if last == nil || silent.After(since) {
			since, last = silent, e
		}
	}
	patience := p.options.GiveUpAfter
	if !p.answered {
		patience = p.options.NeverAnswered
	}
	if at = since.Add(patience); now.Before(at) {
		return at, nil
	}
	failure := caption.Error{Class: caption.Network, Endpoint: last.Name} // of the last failure's class, where that tells
	var known *caption.Error
	if errors.As(last.lastFailure, &known) {
		failure = *known
	}
	failure.Retry, failure.RetryAfter, failure.Body = true, 0, ""
	failure.Err = fmt.Errorf("no endpoint has answered for %v: the last failure of %s: %w: %w",
		now.Sub(since).Round(time.Second), last.Name, last.lastFailure, caption.ErrEndpoint)
	return time.Time{}, &failure
}

// book learns from the end of a call. It is called with mu held.
func (p *Pool) book(l *Place, a caption.Answer, err error) {
	l.endpoint.book(l, time.Now(), a, err)
	p.answered = p.answered || l.endpoint.row == 0
	if err == nil {
		p.usage.learn(a.PromptTokens + a.CompletionTokens)
	}
}

// wakeBy has serve called at a time; zero: only when something else calls it.
func (p *Pool) wakeBy(now, at time.Time) {
	if at.IsZero() || p.wakeAt.Equal(at) {
		return
	}
	if p.wake != nil {
		p.wake.Stop()
	}
	p.wakeAt = at
	p.wake = time.AfterFunc(max(at.Sub(now), time.Microsecond), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.wakeAt.Equal(at) {
			p.wakeAt = time.Time{}
		}
		p.serve()
	})
}

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
