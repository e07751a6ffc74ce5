package caption

import (
	"cmp"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Options say what [Run] asks, of whom, and how patiently.
type Options struct {
	Source    dataset.Source
	Captioner Captioner
	Store     *Store // from CreateStore; its recipe is what is asked

	Select          func(dataset.Entry) bool   // which pictures; default all
	OnlyFailed      bool                       // only those that failed before and have no caption
	OnlyFailedClass Class                      // of these, only failures of this class, whatever OnlyFailed says; empty: all
	Requeue         func(schemas.Caption) bool // captions to ask for once more, from the next rung of the ladder on; beside OnlyFailed, these too
	Sample          int                        // so many of the selected pictures, drawn at random, as many of each class; 0: all
	SampleSeed      uint64                     // of the draw
	Limit           int                        // at most so many of the selected pictures, the first by ID; 0: all

	Workers        int           // calls under way at a time; default 8. A picture that waits to be asked again is none
	Attempts       int           // calls a picture at most, those down the ladder included; default 5
	RetryBudget    int           // calls of the whole run that ask the same once more; default one a picture, at least 100; negative: no bound
	AttemptTimeout time.Duration // for one call, from when it may begin; default 120 s
	Backoff        time.Duration // bound of the first wait between calls, doubled with each failure in a row; default 500 ms
	BackoffLimit   time.Duration // bound of any wait, the endpoint's own Retry-After included; default 60 s
	GiveUpAfter    int           // stop when so many pictures in a row failed and none succeeded; default 5; negative: never, for silence either
	SilentAfter    int           // stop when so many pictures in a row got no answer at all, found every endpoint given up or the key refused, whatever succeeded before; default 4 for each worker
	InFlightBytes  int64         // encoded pictures and their requests in memory; default 128 MiB
	Seed           uint64        // of the jitter of waits

	Progress func(Progress) // called after every picture, one call at a time; may be nil
}

// withDefaults fills the zero fields for a run over so many pictures.
func (o Options) withDefaults(total int) Options {
	o.Workers = positive(o.Workers, 8)
	o.Attempts = positive(o.Attempts, 5)
	o.AttemptTimeout = positive(o.AttemptTimeout, 120*time.Second)
	o.Backoff = positive(o.Backoff, 500*time.Millisecond)
	o.BackoffLimit = positive(o.BackoffLimit, time.Minute)
	o.RetryBudget = cmp.Or(o.RetryBudget, max(100, total))
	o.InFlightBytes = positive(o.InFlightBytes, 128<<20)
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
	Total    int // selected
	Done     int
	Cached   int // had a caption already, or got that of a picture of the same bytes
	Asked    int // sent at least once
	Failed   int // of this run
	Retries  int // calls beyond a picture's first, those down the ladder included
	Laddered int // of Retries: down the ladder
	LastRung int // captions to be asked for once more that are at the end of the ladder: they stay
}

// Result is what a run did.
type Result struct {
	Progress
	Failures         map[Class]int // Failed by class
	PromptTokens     int           // as the endpoint counts them
	CompletionTokens int
	BudgetSpent      bool // failures were not asked again because RetryBudget was used up
}
