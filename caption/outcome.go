package caption

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mcil/mcil/schemas"
)

// keep makes an answer the one that is stored, unless a better one comes.
func (j *job) keep(a Answer) {
	c := j.record
	c.Version, c.Status = 1, schemas.CaptionOK
	c.Raw, c.FinishReason, c.Model, c.Endpoint = a.Raw, a.FinishReason, a.Model, a.Endpoint
	c.PromptTokens, c.CompletionTokens = a.PromptTokens, a.CompletionTokens
	j.kept = c
	j.promptTokens += a.PromptTokens
	j.completionTokens += a.CompletionTokens
}

// succeed records the answer that was kept.
func (r *run) succeed(j *job) error {
	c := j.kept
	c.Attempts = j.record.Attempts
	if err := r.save(j, c); err != nil {
		return err
	}
	r.count(func(p *Result) {
		j.book(p)
		r.worked, r.row, r.silent = true, 0, 0
	})
	return nil
}

// book adds a picture that was asked for.
func (j *job) book(p *Result) {
	p.Asked++
	p.Retries += j.record.Attempts - 1
	p.Laddered += j.laddered
	p.PromptTokens += j.promptTokens
	p.CompletionTokens += j.completionTokens
}

// fail records a failure, and ends the run where the endpoint has shown to be of no use.
func (r *run) fail(j *job, failure *Error) error {
	c := j.record
	c.Status = schemas.CaptionFailed
	c.ErrorClass, c.HTTPStatus, c.Error, c.Endpoint = string(failure.Class), failure.Status, failure.Error(), failure.Endpoint
	if err := r.save(j, c); err != nil {
		return err
	}
	var giveUp error
	r.count(func(p *Result) {
		p.Failed++
		p.Failures[failure.Class]++
		if c.Attempts == 0 {
			return
		}
		j.book(p)
		if failure.Class == Network || failure.Class == Timeout || errors.Is(failure, ErrEndpoint) || shutOut(failure) {
			r.silent++
		} else {
			r.silent = 0
		}
		if failure.Class == Empty { // the endpoint works
			return
		}
		r.row++
		switch {
		case r.GiveUpAfter < 0:
		case !r.worked && r.row >= r.GiveUpAfter:
			giveUp = fmt.Errorf("endpoint %s: the first %d pictures all failed, the last with %s: check that it runs and what it serves: %w",
				failure.Endpoint, r.row, failure, ErrEndpoint)
		case r.silent >= r.SilentAfter:
			giveUp = fmt.Errorf("endpoint %s: has stopped answering: %d pictures in a row failed, the last with %s: what it answered is saved: when it runs again, the same command goes on: %w",
				failure.Endpoint, r.silent, failure, ErrEndpoint)
		}
	})
	return giveUp
}

// shutOut says whether the endpoint refuses who asks, whatever is asked: a key that was revoked, a credit that is used up.
func shutOut(e *Error) bool {
	return e.Class == Refused && (e.Status == http.StatusUnauthorized || e.Status == http.StatusPaymentRequired || e.Status == http.StatusTooManyRequests)
}

func (r *run) save(j *job, c schemas.Caption) error {
	c.Version, c.ID, c.Recipe = 1, string(j.entry.ID), r.digest
	now := time.Now().UTC()
	if was, err := time.Parse(time.RFC3339, j.over); err == nil && now.Before(was.Add(time.Microsecond)) {
		now = was.UTC().Add(time.Microsecond) // by a clock that is ahead of this one: the latest record counts
	}
	c.Time = now.Format(recordTime)
	return r.Store.Append(c)
}

// count books the end of one picture.
func (r *run) count(book func(*Result)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Done++
	book(&r.result)
	r.Progress(r.result.Progress)
}
