package caption

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// Options say what [Run] asks, of whom, and how patiently.
type Options struct {
	Source    dataset.Source
	Captioner Captioner
	Store     *Store // from CreateStore; its recipe is what is asked

	Select     func(dataset.Entry) bool // which pictures; default all
	OnlyFailed bool                     // only those that failed before and have no caption
	Limit      int                      // at most so many of the selected pictures, the first by ID; 0: all

	Workers        int           // pictures in work at a time; default 8
	Attempts       int           // calls a picture at most; default 5
	AttemptTimeout time.Duration // for one call; default 120 s
	Backoff        time.Duration // bound of the first wait between calls, doubled for each further one; default 500 ms
	BackoffLimit   time.Duration // bound of any wait, the endpoint's own Retry-After included; default 60 s
	GiveUpAfter    int           // stop when so many pictures in a row failed and none succeeded; default 5; negative: never, for silence either
	SilentAfter    int           // stop when so many pictures in a row got no answer at all, whatever succeeded before; default 4 for each worker
	InFlightBytes  int64         // encoded pictures and their requests in memory; default 256 MiB
	Seed           uint64        // of the jitter of waits

	Progress func(Progress) // called after every picture, one call at a time; may be nil
}

func (o Options) withDefaults() Options {
	o.Workers = positive(o.Workers, 8)
	o.Attempts = positive(o.Attempts, 5)
	o.AttemptTimeout = positive(o.AttemptTimeout, 120*time.Second)
	o.Backoff = positive(o.Backoff, 500*time.Millisecond)
	o.BackoffLimit = positive(o.BackoffLimit, time.Minute)
	o.InFlightBytes = positive(o.InFlightBytes, 256<<20)
	o.GiveUpAfter = cmp.Or(o.GiveUpAfter, 5)
	o.SilentAfter = positive(o.SilentAfter, 4*o.Workers)
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}

func positive[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Progress counts pictures so far. Done is Cached, Asked and pictures that could not be prepared.
type Progress struct {
	Total   int // selected
	Done    int
	Cached  int // had a caption already, or got that of a picture of the same bytes
	Asked   int // sent at least once
	Failed  int // of this run
	Retries int // calls beyond a picture's first
}

// Result is what a run did.
type Result struct {
	Progress
	Failures         map[Class]int // Failed by class
	PromptTokens     int           // as the endpoint counts them
	CompletionTokens int
}

// Run asks for the captions that the store lacks. When ctx ends it starts nothing more, waits for the calls on the way,
// saves their outcomes and returns ctx's error; a picture that was waiting to be asked again is left for the next run. A
// picture's failure is recorded and is not an error of Run; an endpoint that answers nothing at all, or falls silent, is
// ([ErrEndpoint]).
func Run(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	r := &run{
		Options: o,
		recipe:  o.Store.recipe.Digest(),
		held:    semaphore.NewWeighted(o.InFlightBytes),
		decoded: semaphore.NewWeighted(decodedBytes),
		result:  Result{Failures: map[Class]int{}},
	}
	entries := Plan(o).Entries
	r.result.Total = len(entries)

	group, groupCtx := errgroup.WithContext(ctx)
	queue := make(chan dataset.Entry)
	group.Go(func() error {
		defer close(queue)
		for _, e := range entries {
			select {
			case queue <- e:
			case <-groupCtx.Done():
				return groupCtx.Err()
			}
		}
		return nil
	})
	for n := range o.Workers {
		group.Go(func() error {
			wait := newWaiter(o, n)
			for e := range queue {
				if err := groupCtx.Err(); err != nil {
					return err
				}
				if err := r.one(groupCtx, e, wait); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = ctx.Err()
	}
	if err == nil && r.result.Done < r.result.Total {
		err = fmt.Errorf("captions: %d of %d pictures were left out", r.result.Total-r.result.Done, r.result.Total)
	}
	return r.result, err
}

type run struct {
	Options
	recipe  string
	held    *semaphore.Weighted // bytes of encoded pictures and requests
	decoded *semaphore.Weighted // bytes of decoded pictures

	mu     sync.Mutex
	result Result
	row    int // failures since the last caption
	silent int // failures since the last answer
	worked bool
}

const (
	decodedBytes = 512 << 20
	copiesInCall = 5 // file, prepared picture, base64, body and the body again under way: about 3.7 times the file, rounded up
	bytesInPixel = 8 // decoded, and resized or laid on white
)

// one brings one picture to a record. Its error ends the run.
func (r *run) one(ctx context.Context, e dataset.Entry, wait *waiter) error {
	held := min(r.InFlightBytes, e.SizeBytes*copiesInCall)
	if err := r.held.Acquire(ctx, held); err != nil {
		return err
	}
	defer r.held.Release(held)

	encoded, err := r.Source.Read(ctx, e)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return r.fail(e, schemas.Caption{}, &Error{Class: BadImage, Err: err}, 0)
	}
	c := schemas.Caption{ImageSHA256: dataset.Digest(encoded)}
	if _, ok := r.Store.Lookup(e.ID, c.ImageSHA256); ok {
		r.count(func(p *Result) { p.Cached++ })
		return nil
	}
	if twin, ok := r.Store.Twin(c.ImageSHA256); ok {
		twin.Attempts, twin.LatencyMS, twin.PromptTokens, twin.CompletionTokens = 0, 0, 0, 0 // the first record has them
		if err := r.save(e, twin); err != nil {
			return err
		}
		r.count(func(p *Result) { p.Cached++ })
		return nil
	}
	q, err := r.request(ctx, encoded)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		c.Fingerprint, err = r.Captioner.Fingerprint(q)
	}
	if err != nil {
		return r.fail(e, c, asError(err), 0)
	}
	return r.ask(ctx, e, c, q, wait)
}

// request prepares a picture within the bound on decoded bytes.
func (r *run) request(ctx context.Context, encoded []byte) (Request, error) {
	recipe := r.Store.recipe
	info, err := picture.Inspect(encoded)
	if err != nil {
		return Request{}, &Error{Class: BadImage, Err: err}
	}
	size := min(decodedBytes, int64(info.Width)*int64(info.Height)*bytesInPixel)
	if err := r.decoded.Acquire(ctx, size); err != nil {
		return Request{}, err
	}
	defer r.decoded.Release(size)
	sent, mediaType, err := recipe.Picture.Prepare(encoded)
	return Request{Model: recipe.Model, Prompt: recipe.Prompt, Image: sent, MediaType: mediaType, Decoding: recipe.Decoding}, err
}

// ask calls until there is a caption, asking again cannot help, or attempts run out.
func (r *run) ask(ctx context.Context, e dataset.Entry, c schemas.Caption, q Request, wait *waiter) error {
	for c.Attempts = 1; ; c.Attempts++ {
		began := time.Now()
		answer, err := r.call(ctx, q)
		c.LatencyMS = time.Since(began).Milliseconds()
		if err == nil {
			return r.succeed(e, c, answer)
		}
		failure := asError(err)
		if !failure.Retry || c.Attempts >= r.Attempts {
			return r.fail(e, c, failure, c.Attempts)
		}
		if err := wait.after(ctx, c.Attempts, failure.RetryAfter); err != nil {
			return err
		}
	}
}

// call asks once. It outlives the end of the run's ctx: what the endpoint works at is worth waiting for.
func (r *run) call(ctx context.Context, q Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.AttemptTimeout)
	defer cancel()
	return r.Captioner.Caption(ctx, q)
}

func (r *run) succeed(e dataset.Entry, c schemas.Caption, a Answer) error {
	c.Status = schemas.CaptionOK
	c.Raw, c.FinishReason, c.Model, c.Endpoint = a.Raw, a.FinishReason, a.Model, a.Endpoint
	c.PromptTokens, c.CompletionTokens = a.PromptTokens, a.CompletionTokens
	if err := r.save(e, c); err != nil {
		return err
	}
	r.count(func(p *Result) {
		p.Asked++
		p.Retries += c.Attempts - 1
		p.PromptTokens += a.PromptTokens
		p.CompletionTokens += a.CompletionTokens
		r.worked, r.row, r.silent = true, 0, 0
	})
	return nil
}

// fail records a failure after so many calls, and ends the run where the endpoint has shown to be of no use.
func (r *run) fail(e dataset.Entry, c schemas.Caption, failure *Error, calls int) error {
	c.Status = schemas.CaptionFailed
	c.ErrorClass, c.Error, c.Endpoint, c.Attempts = string(failure.Class), failure.Error(), failure.Endpoint, calls
	if err := r.save(e, c); err != nil {
		return err
	}
	var giveUp error
	r.count(func(p *Result) {
		p.Failed++
		p.Failures[failure.Class]++
		if calls == 0 {
			return
		}
		p.Asked++
		p.Retries += calls - 1
		if failure.Class == Network || failure.Class == Timeout {
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

func (r *run) save(e dataset.Entry, c schemas.Caption) error {
	c.Version, c.ID, c.Recipe = 1, string(e.ID), r.recipe
	c.Time = time.Now().UTC().Format(recordTime)
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
