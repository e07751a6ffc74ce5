package pool

import (
	"context"
	"errors"
	"time"

	"github.com/mcil/mcil/caption"
)

// endpoint is a member and what is known of it. Its methods are called with the pool's mu held.
type endpoint struct {
	Member
	options Options
	credit  float64 // of the weighted round robin
	limits  limits

	inFlight int
	limit    float64 // of calls under way; one at least
	epoch    int     // counts the halvings: a call of an earlier one says nothing new
	taken    int     // places
	inUse    int     // the last place that was taken when half the limit was in use: those before it were under way beside it

	row       int // failures since the last answer
	open      bool
	probing   bool          // the breaker is open, and one call finds out
	coolDown  time.Duration // the last; 0: the breaker was not open since the last answer
	probeAt   time.Time
	downSince time.Time // the breaker opened and has not closed since; zero: not down
	rateSince time.Time // it has said nothing since but that it is asked too often; zero: it has

	pausedUntil time.Time
	ratePause   time.Duration // the last; 0: none since the last success

	calls, answers int
	tokens         int64
	failures       map[caption.Class]int
	lastFailure    error
}

func newEndpoint(m Member, o Options) *endpoint {
	if !(m.Weight > 0) {
		m.Weight = 1
	}
	return &endpoint{
		Member: m, options: o, limits: newLimits(o),
		limit: float64(o.StartConcurrent), failures: map[caption.Class]int{},
	}
}

// ready says whether the endpoint may be asked now; if not, when that may change by itself, or zero.
func (e *endpoint) ready(now time.Time, tokens int) (bool, time.Time) {
	switch {
	case e.open && e.probing:
		return false, time.Time{}
	case e.open && now.Before(e.probeAt):
		return false, e.probeAt
	case now.Before(e.pausedUntil):
		return false, e.pausedUntil
	case !e.open && e.inFlight >= int(e.limit): // a probe does not wait for calls that hang
		return false, time.Time{}
	}
	if wait := e.limits.wait(now, tokens); wait > 0 {
		return false, now.Add(wait)
	}
	return true, time.Time{}
}

// silentSince is since when nothing has come back that is of use, or zero.
func (e *endpoint) silentSince() time.Time { return earlier(e.downSince, e.rateSince) }

// take gives a place to a call.
func (e *endpoint) take(p *Pool, now time.Time, tokens int) *Place {
	e.limits.take(now, tokens)
	e.inFlight++
	e.taken++
	if 2*e.inFlight >= int(e.limit) {
		e.inUse = e.taken
	}
	e.probing = e.open
	return &Place{pool: p, endpoint: e, tokens: tokens, number: e.taken, epoch: e.epoch, probe: e.open}
}

// leave ends a call that says nothing of the endpoint.
func (e *endpoint) leave(l *Place) {
	e.inFlight--
	if l.probe {
		e.probing = false
	}
}

// book learns from the end of a call.
func (e *endpoint) book(l *Place, now time.Time, a caption.Answer, err error) {
	e.leave(l)
	e.calls++
	failure := asError(err)
	if failure != nil {
		e.failures[failure.Class]++
		e.lastFailure = err
	}
	switch {
	case failure != nil && (failure.Class == caption.Network || failure.Class == caption.Timeout || failure.Class == caption.Server):
		e.row++
		if e.open && l.probe || !e.open && e.row >= e.options.BreakAfter {
			e.trip(now)
		}
	default:
		e.row, e.open, e.probing, e.coolDown, e.downSince = 0, false, false, 0, time.Time{}
	}
	switch {
	case failure == nil || failure.Class == caption.Refused || failure.Class == caption.Malformed || failure.Class == caption.Empty:
		e.rateSince = time.Time{}
	case failure.Class == caption.Rate && e.rateSince.IsZero():
		e.rateSince = now
	}
	e.adapt(l, failure)
	e.pause(now, failure)
	spent := a.PromptTokens + a.CompletionTokens
	e.tokens += int64(spent)
	if failure == nil {
		e.answers++
	}
	switch {
	case failure == nil && spent > 0:
		e.limits.correct(now, spent-l.tokens)
	case failure != nil && (failure.Class == caption.Rate || failure.Class == caption.Refused || failure.Class == caption.Network):
		e.limits.correct(now, -l.tokens) // it was not worked at
	}
}

// trip opens the breaker, or keeps it open for longer.
func (e *endpoint) trip(now time.Time) {
	e.coolDown = min(max(2*e.coolDown, e.options.CoolDown), e.options.CoolDownLimit)
	e.open, e.probing, e.probeAt = true, false, now.Add(e.coolDown)
	if e.downSince.IsZero() {
		e.downSince = now
	}
}

// adapt moves the bound on calls under way.
func (e *endpoint) adapt(l *Place, failure *caption.Error) {
	switch {
	case failure == nil:
		if l.number <= e.inUse { // a bound that nobody reaches was not shown to be borne
			e.limit = min(e.limit+1/e.limit, float64(e.options.MaxConcurrent))
		}
	case l.epoch == e.epoch && (failure.Class == caption.Rate || failure.Class == caption.Timeout):
		e.limit = max(1, e.limit/2)
		e.epoch++
	}
}

// pause keeps to the endpoint's own wish, or finds a pause where it is asked too often and names none.
func (e *endpoint) pause(now time.Time, failure *caption.Error) {
	var d time.Duration
	switch {
	case failure == nil:
		e.ratePause = 0
		return
	case failure.RetryAfter > 0:
		d = min(failure.RetryAfter, e.options.PauseLimit)
	case failure.Class == caption.Rate && e.limit < 2 && !now.Before(e.pausedUntil):
		e.ratePause = min(max(2*e.ratePause, e.options.RatePause), e.options.PauseLimit)
		d = e.ratePause
	}
	if until := now.Add(d); until.After(e.pausedUntil) {
		e.pausedUntil = until
	}
}

// asError finds the [caption.Error] in err, or makes one for what a captioner should have classified; nil for nil.
func asError(err error) *caption.Error {
	var e *caption.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &caption.Error{Class: caption.Timeout, Retry: true, Err: err}
	}
	return &caption.Error{Class: caption.Network, Retry: true, Err: err}
}
