package caption

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// Run asks for the captions that the store lacks, and for those of [Options.Requeue] once more. When ctx ends it starts
// nothing more, waits for the calls on the way, saves their outcomes and returns ctx's error; a picture that was waiting to
// be asked again is left for the next run. A picture's failure is recorded and is not an error of Run; an endpoint that
// answers nothing at all, or falls silent, is ([ErrEndpoint]).
//
// Each picture in work has a goroutine, and goes through three gates: a few pictures more than Workers are read and prepared
// ahead of their first call, on as many processors as there are; Workers calls are under way; and any number, within
// InFlightBytes, waits to be asked again, with no more in memory than what is to be sent. Until an endpoint has given its
// first answer no more than Workers pictures are asked for, so that a wrong address costs little.
func Run(ctx context.Context, o Options) (Result, error) {
	r, err := newRun(o)
	if err != nil {
		return r.result, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range r.chosen.all() {
		if r.ahead.Acquire(groupCtx, 1) != nil || groupCtx.Err() != nil {
			break
		}
		group.Go(func() error { return r.one(groupCtx, i) })
	}
	err = group.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = ctx.Err()
	}
	if err == nil && r.result.Done < r.result.Total {
		err = fmt.Errorf("captions: %d of %d pictures were left out", r.result.Total-r.result.Done, r.result.Total)
	}
	return r.result, err
}

// run is one call of [Run].
type run struct {
	Options
	recipe    Recipe
	digest    string // of the recipe
	reveals   bool   // the prompt depends on the picture
	classes   []dataset.Class
	scheduler Scheduler // the captioner, if it is one
	chosen    selection

	ahead   *semaphore.Weighted // pictures before their first call
	held    *semaphore.Weighted // bytes of pictures, as found or as they are to be sent
	cpu     *semaphore.Weighted // pictures being prepared
	decoded *semaphore.Weighted // bytes of decoded pictures
	asked   *semaphore.Weighted // pictures between their first call and their outcome
	slots   *slots              // calls
	sending *semaphore.Weighted // bytes of what a call makes of a picture
	trust   func()              // widens asked; may be called again
	waiter  waiter
	quiet   quiet
	streak  atomic.Int64 // calls that failed since one that did not

	mu      sync.Mutex
	result  Result
	retried int // of RetryBudget
	row     int // failures since the last caption
	silent  int // failures since the last answer
	worked  bool
}

const (
	decodedBytes = 128 << 20
	bytesInPixel = 8    // decoded, and resized or laid on white
	copiesInCall = 2    // the answer, and what the transport buffers: a body is encoded while it is sent
	waiting      = 1024 // pictures at least that may wait to be asked again
	waitingEach  = 32   // for each worker
)

func newRun(o Options) (*run, error) {
	r := &run{recipe: o.Store.recipe}
	if err := r.recipe.Validate(); err != nil {
		return r, err
	}
	var err error
	if r.chosen, err = choose(o); err != nil {
		return r, err
	}
	total, processors := r.chosen.len(), runtime.GOMAXPROCS(0)
	o = o.withDefaults(total)
	r.Options = o
	r.result = Result{Progress: Progress{Total: total, LastRung: r.chosen.lastRung}, Failures: map[Class]int{}}
	r.digest, r.classes = r.recipe.Digest(), o.Source.Classes()
	r.scheduler, _ = o.Captioner.(Scheduler)
	r.reveals = len(Reveals(r.recipe.Prompt)) > 0
	r.ahead = semaphore.NewWeighted(int64(o.Workers + 2*processors))
	r.held = semaphore.NewWeighted(r.heldBytes())
	r.cpu = semaphore.NewWeighted(int64(processors))
	r.decoded = semaphore.NewWeighted(decodedBytes)
	asked := int64(max(waiting, waitingEach*o.Workers))
	r.asked = semaphore.NewWeighted(asked)
	untried := asked - int64(o.Workers)
	r.asked.TryAcquire(untried)
	r.trust = sync.OnceFunc(func() { r.asked.Release(untried) })
	r.slots = newSlots(o.Workers)
	r.sending = semaphore.NewWeighted(r.sendingBytes())
	r.waiter = waiter{o.Backoff, o.BackoffLimit, o.Seed}
	return r, nil
}

// heldBytes and sendingBytes share InFlightBytes. They are apart because a picture is held while it waits for its call: out
// of one pool, those that wait could leave nothing for any call.
func (r *run) heldBytes() int64    { return max(1, r.InFlightBytes/2) }
func (r *run) sendingBytes() int64 { return max(1, r.InFlightBytes/2) }

// job is one picture in work.
type job struct {
	number  int // of the entry
	entry   *dataset.Entry
	request Request
	record  schemas.Caption // what is known of it so far; Attempts and Rung count up
	over    string          // time of the caption that its record is to replace, if any

	held   int64 // of run.held
	behind bool  // had its first call, or its end, and holds none of run.ahead

	kept             schemas.Caption // a useless answer, which is better than none; of Version 0 until there is one
	blamed           bool            // the endpoint has named the picture as the cause of its failure
	rated            int             // failures of class Rate
	laddered         int             // steps down the ladder
	promptTokens     int             // of all answers
	completionTokens int
}

// one brings one picture to a record. Its error ends the run.
func (r *run) one(ctx context.Context, i int) error {
	j := &job{number: i, entry: &r.chosen.entries[i]}
	defer func() {
		r.first(j)
		r.held.Release(j.held)
	}()
	ready, err := r.prepare(ctx, j)
	if err != nil || !ready {
		return err
	}
	if err := r.asked.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.asked.Release(1)
	return r.ask(ctx, j)
}

// first lets another picture be prepared.
func (r *run) first(j *job) {
	if !j.behind {
		j.behind = true
		r.ahead.Release(1)
	}
}

// prepare reads a picture and makes its request. It is ready to be sent unless there is an outcome already.
func (r *run) prepare(ctx context.Context, j *job) (ready bool, err error) {
	size := min(r.heldBytes(), j.entry.SizeBytes)
	if err := r.held.Acquire(ctx, size); err != nil {
		return false, err
	}
	j.held = size
	encoded, err := r.Source.Read(ctx, *j.entry)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return false, r.fail(j, &Error{Class: BadImage, Err: err})
	}
	if err := r.cpu.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer r.cpu.Release(1)
	j.record.ImageSHA256 = dataset.Digest(encoded)
	if known, err := r.known(j); known || err != nil {
		return false, err
	}
	err = r.makeRequest(ctx, j, encoded)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return false, r.fail(j, asError(err))
	}
	if free := j.held - int64(len(j.request.Image)); free > 0 {
		j.held -= free
		r.held.Release(free)
	}
	return true, nil
}

// known says whether the store has a caption of the picture, be it under another name, and books it. One that is of another
// name, or that a later outcome has come over since, as when a file was changed or could not be read and is now as it was,
// is recorded once more.
func (r *run) known(j *job) (bool, error) {
	c, ok, err := r.Store.Lookup(j.entry.ID, j.record.ImageSHA256)
	if err != nil {
		return false, err
	}
	if ok && r.chosen.again.has(j.number) && c.Rung < len(r.recipe.Ladder) {
		j.record.Rung, j.over = c.Rung+1, c.Time
		return false, nil
	}
	stands := ok && r.Store.stands(j.entry.ID, j.record.ImageSHA256)
	if !ok && !r.reveals { // otherwise another name is another request
		if c, ok, err = r.Store.Twin(j.record.ImageSHA256); err != nil {
			return false, err
		}
	}
	if !ok {
		return false, nil
	}
	if !stands {
		c.Attempts, c.LatencyMS, c.PromptTokens, c.CompletionTokens = 0, 0, 0, 0 // the first record has them
		if err := r.save(j, c); err != nil {
			return false, err
		}
	}
	r.count(func(p *Result) { p.Cached++ })
	return true, nil
}

// makeRequest prepares a picture, within the bound on decoded bytes.
func (r *run) makeRequest(ctx context.Context, j *job, encoded []byte) error {
	if !r.recipe.Picture.Original {
		info, err := picture.Inspect(encoded)
		if err != nil {
			return &Error{Class: BadImage, Err: err}
		}
		size := min(decodedBytes, int64(info.Width)*int64(info.Height)*bytesInPixel)
		if err := r.decoded.Acquire(ctx, size); err != nil {
			return err
		}
		defer r.decoded.Release(size)
	}
	var err error
	if j.request, err = r.recipe.Request(*j.entry, r.classes, encoded, j.record.Rung); err != nil {
		return err
	}
	j.record.Fingerprint, err = r.Captioner.Fingerprint(j.request)
	return err
}

// decode sets how the answer is to be made at another rung.
func (r *run) decode(j *job) (err error) {
	j.request.Decoding = r.recipe.decoding(j.record.Rung)
	j.record.Fingerprint, err = r.Captioner.Fingerprint(j.request)
	return err
}
