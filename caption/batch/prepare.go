package batch

import (
	"context"
	"io"
	"sync"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

// item is what one entry came to: a line and its picture, a reason why it cannot be asked about, or neither.
type item struct {
	picture
	line    []byte
	refused error
}

// prepared prepares the entries on several cores. next returns them in their order, one at a time, and io.EOF at the end;
// stop ends the work and waits for it.
func (x *export) prepared(ctx context.Context) (next func() (item, error), stop func()) {
	type outcome struct {
		item
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	queue := make(chan chan outcome, x.Workers) // in order, each with room for its outcome
	workers.Go(func() {
		defer close(queue)
		free := make(chan struct{}, x.Workers)
		for _, e := range x.Entries {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			out := make(chan outcome, 1)
			workers.Go(func() {
				it, err := x.prepare(ctx, e)
				out <- outcome{it, err}
				<-free
			})
			select {
			case queue <- out:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() (item, error) {
			out, ok := <-queue
			if err := ctx.Err(); err != nil {
				return item{}, err
			}
			if !ok {
				return item{}, io.EOF
			}
			got := <-out
			return got.item, got.err
		}, func() {
			cancel()
			workers.Wait()
		}
}

// prepare makes an entry's request. Its error ends the export.
func (x *export) prepare(ctx context.Context, e dataset.Entry) (item, error) {
	it := item{picture: picture{ID: string(e.ID), Rung: x.rungs[e.ID]}}
	encoded, err := x.Source.Read(ctx, e)
	if ctx.Err() != nil {
		return it, ctx.Err()
	}
	if err != nil {
		it.refused = err
		return it, nil
	}
	it.ImageSHA256 = dataset.Digest(encoded)
	if known, err := x.known(&it); known || err != nil {
		return it, err
	}
	q, err := x.Recipe.Request(e, x.Source.Classes(), encoded, it.Rung)
	if err != nil {
		it.refused = err
		return it, nil
	}
	if it.Fingerprint, err = x.Wire.Fingerprint(q); err != nil {
		return it, err
	}
	body, err := x.Wire.Body(q)
	if err != nil {
		return it, err
	}
	it.CustomID = it.Fingerprint
	it.line, err = request{CustomID: it.CustomID, Body: body}.line()
	return it, err
}

// known says whether the store has a caption of the picture that is to stay.
func (x *export) known(it *item) (bool, error) {
	if x.Store == nil {
		return false, nil
	}
	c, ok, err := x.Store.Lookup(dataset.ID(it.ID), it.ImageSHA256)
	if err != nil {
		return false, err
	}
	if ok {
		if !x.Requeue(c) || c.Rung >= len(x.Recipe.Ladder) {
			return true, nil
		}
		it.Rung = c.Rung + 1
		return false, nil
	}
	if len(caption.Reveals(x.Recipe.Prompt)) > 0 { // another name is another request
		return false, nil
	}
	_, twin, err := x.Store.Twin(it.ImageSHA256) // mcil caption takes it over without asking
	return twin, err
}
