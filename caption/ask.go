package caption

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// ask calls until there is an outcome. Between calls the picture holds no slot.
func (r *run) ask(ctx context.Context, j *job) error {
	for {
		wait, done, err := r.turn(ctx, j)
		if err != nil || done {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// turn makes one call, as soon as there is a slot, and says how long to wait for the next unless it is done. The outcome is
// recorded before the slot goes to another call, so that outcomes are booked in the order of the calls. Its error is that
// ctx ended before the call, or that the run is to end.
func (r *run) turn(ctx context.Context, j *job) (wait time.Duration, done bool, err error) {
	if err := r.slots.acquire(ctx, j.record.Attempts > 0); err != nil {
		return 0, false, err
	}
	defer r.slots.release()
	r.first(j)
	answer, failure, err := r.call(ctx, j)
	if err != nil {
		return 0, false, err
	}
	below := j.record.Rung < len(r.recipe.Ladder) && j.record.Attempts < r.Attempts
	switch {
	case failure == nil:
		r.trust()
		j.keep(answer)
		if !below || !useless(answer, j.request.Prompt) {
			return 0, true, r.succeed(j)
		}
		return r.descend(j, 0)
	case failure.Class == Empty && below:
		r.trust()
		return r.descend(j, r.pause(j, failure)) // some servers answer so under load
	case r.again(j, failure):
		return r.pause(j, failure), false, nil
	case j.kept.Version != 0:
		return 0, true, r.succeed(j)
	}
	return 0, true, r.fail(j, failure)
}

// descend goes to the next rung of the ladder.
func (r *run) descend(j *job, pause time.Duration) (wait time.Duration, done bool, err error) {
	j.record.Rung++
	j.laddered++
	if err := r.decode(j); err != nil {
		return 0, true, r.fail(j, asError(err))
	}
	return pause, false, nil
}

// again says whether the same request is worth another call, and takes that from the run's budget.
func (r *run) again(j *job, failure *Error) bool {
	if !failure.Retry || j.record.Attempts >= r.Attempts {
		return false
	}
	gateway := failure.Status >= http.StatusBadGateway && failure.Status <= http.StatusGatewayTimeout // its page may show one
	if failure.Class == Server && !gateway && strings.Contains(strings.ToLower(failure.Body), "image") {
		// Servers answer 500 for a picture that they cannot decode, too: one more call tells.
		if j.blamed {
			return false
		}
		j.blamed = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.RetryBudget >= 0 && r.retried >= r.RetryBudget {
		r.result.BudgetSpent = true
		return false
	}
	r.retried++
	return true
}

// pause is how long to wait for a picture's next call. The bound doubles with every failure of the picture, but not beyond
// what the endpoint has failed in a row: where it answers others, waiting longer helps nobody. That it was asked too often
// counts by itself.
func (r *run) pause(j *job, failure *Error) time.Duration {
	level := min(j.record.Attempts, int(r.streak.Load()))
	if failure.Class == Rate {
		j.rated++
		level = max(level, j.rated)
	}
	retryAfter := failure.RetryAfter
	if r.scheduler != nil { // it knows which endpoint asked for it
		retryAfter = 0
	}
	return r.waiter.pause(uint64(j.number)<<8+uint64(j.record.Attempts), level, retryAfter)
}

// call asks once. Its error is that ctx ended before. The call itself outlives ctx: what the endpoint works at is worth
// waiting for.
func (r *run) call(ctx context.Context, j *job) (a Answer, failure *Error, err error) {
	size := min(r.sendingBytes(), int64(len(j.request.Image))*copiesInCall)
	if err := r.sending.Acquire(ctx, size); err != nil {
		return a, nil, err
	}
	defer r.sending.Release(size)
	captioner, err := r.admit(ctx, j)
	if err != nil && ctx.Err() != nil {
		return a, nil, ctx.Err()
	}
	j.record.Attempts++
	if err == nil {
		callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.AttemptTimeout)
		defer cancel()
		began := time.Now()
		a, err = captioner.Caption(callCtx, j.request)
		j.record.LatencyMS = time.Since(began).Milliseconds()
	}
	if err == nil && strings.TrimSpace(a.Raw) == "" {
		err = &Error{Class: Empty, Retry: true, Endpoint: a.Endpoint, Err: errors.New("an answer without text")}
	}
	if err == nil {
		r.streak.Store(0)
		return a, nil, nil
	}
	if failure = asError(err); failure.Class == Empty { // the endpoint works
		r.streak.Store(0)
	} else {
		r.streak.Add(1)
	}
	if r.scheduler == nil && failure.Retry && failure.RetryAfter > 0 {
		r.quiet.extend(min(failure.RetryAfter, r.BackoffLimit))
	}
	return a, failure, nil
}

// admit waits until the endpoint may be asked. The captioner that it returns is for one call, which is to be made even if ctx
// ends in between: else nobody would free its place. Once ctx has ended it returns an error.
func (r *run) admit(ctx context.Context, j *job) (Captioner, error) {
	if r.scheduler == nil {
		return r.Captioner, cmp.Or(r.quiet.wait(ctx), ctx.Err())
	}
	c, err := r.scheduler.Admit(ctx, j.request)
	if err == nil && ctx.Err() != nil {
		if d, ok := c.(interface{ Discard() }); ok {
			d.Discard()
		}
		return nil, ctx.Err()
	}
	return c, err
}
