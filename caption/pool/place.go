package pool

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mcil/mcil/caption"
)

// Place is a place for one call at one endpoint, as a captioner. It is freed by [Place.Caption] when that returns, or by
// [Place.Discard].
type Place struct {
	pool     *Pool
	endpoint *endpoint
	tokens   int // reserved
	epoch    int
	number   int // of the endpoint's places
	probe    bool
	used     atomic.Bool
}

var _ caption.Captioner = (*Place)(nil)

var errPlaceUsed = errors.New("pool: a place is for one call: ask Admit for another")

// Endpoint is the name of the member that is asked.
func (l *Place) Endpoint() string { return l.endpoint.Name }

// Fingerprint implements [caption.Captioner].
func (l *Place) Fingerprint(r caption.Request) (string, error) {
	return l.endpoint.Captioner.Fingerprint(r)
}

// Caption implements [caption.Captioner], once.
func (l *Place) Caption(ctx context.Context, r caption.Request) (caption.Answer, error) {
	if l.used.Swap(true) {
		return caption.Answer{}, errPlaceUsed
	}
	returned := false
	var a caption.Answer
	var err error
	defer func() {
		p := l.pool
		p.mu.Lock()
		defer p.mu.Unlock()
		if !returned || errors.Is(err, context.Canceled) { // the caller's end, not the endpoint's
			l.endpoint.leave(l)
		} else {
			p.book(l, a, err)
		}
		p.serve()
	}()
	a, err = l.endpoint.Captioner.Caption(ctx, r)
	returned = true
	return a, err
}

// Discard frees the place without a call. It does nothing after Caption.
func (l *Place) Discard() {
	if l.used.Swap(true) {
		return
	}
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	l.endpoint.leave(l)
	l.endpoint.limits.correct(time.Now(), -l.tokens)
	p.serve()
}
