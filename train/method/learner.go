package method

import (
	"context"
	"fmt"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/vilt"
)

// Learner learns phase after phase. It is not safe for concurrent use.
type Learner interface {
	// Fit learns from items, whose labels are positions in the order learned and below seen, the number of classes so far.
	// What it does depends on the phase number and the items only, not on time or on the number of workers.
	Fit(ctx context.Context, phase, seen int, items dataset.Items, progress func(Step)) error
	// Infer answers for a batch of at most BatchSize examples. attention may be nil: none is computed.
	Infer(batch []dataset.Sample, attention *Attention) (Output, error)
	BatchSize() int
	// Plan is the memory that learning takes with full batches.
	Plan() Plan
	// State is what a checkpoint holds, by reference: restoring is copying into it.
	State() []*vilt.Tensor
	Close() error
}

// Keeper is a [Learner] that can keep on disk what is the same for a sample in every epoch.
type Keeper interface {
	// Keep has it kept in f from now on; nil: nowhere. Results do not depend on it. The folder may be other users' too.
	Keep(f *cache.Folder) error
	// Kept is how many sequences' were found there, and how many had to be computed, so far.
	Kept() (found, computed int)
}

// Step is progress within Fit.
type Step struct {
	Done, Total int // optimisation steps
	Epoch       int
	Loss        float64       // of this step's batch
	Samples     int           // in this step's batch
	Tokens      int           // in this step's batch: text, class token and patches that are there
	FLOP        float64       // of this step's products: see [vilt.Config.Products]
	Waited      time.Duration // for the batch, after the step before
	Took        time.Duration // with the batch at hand
}

// Names lists the methods.
func Names() []string { return []string{"ssf"} }

// Options are those of some methods. Zero means the default.
type Options struct {
	// TuneFromBlock is the first block of the encoder, from 1 to its depth - 1 and counted from 0, whose steps are tuned: those
	// below, and the patch embedding, stay as published. 0: all are tuned.
	TuneFromBlock int
}

// TunesFromBlock says whether the method called name reads [Options.TuneFromBlock].
func TunesFromBlock(name string) bool { return name == "ssf" }

// New returns the learner called name for classes classes in all.
func New(name string, w *vilt.Weights, classes int, s Schedule, seed uint64, o Options) (Learner, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if depth := w.Config.Depth; o.TuneFromBlock < 0 || o.TuneFromBlock >= depth {
		return nil, fmt.Errorf("tune-from-block: %d: must be between 1 and %d, for the encoder has %d blocks, counted from 0", o.TuneFromBlock, depth-1, depth)
	}
	if o.TuneFromBlock > 0 && !TunesFromBlock(name) {
		return nil, fmt.Errorf("tune-from-block has no effect on method %s: leave it out", name)
	}
	switch name {
	case "ssf":
		return newSSF(w, classes, s, seed, o)
	}
	return nil, fmt.Errorf("method %q: unknown: use one of %v", name, Names())
}

// Restore copies saved tensors into a learner's state.
func Restore(l Learner, saved []*vilt.Tensor) error { return CopyInto(l.State(), saved) }

// CopyInto copies saved tensors into those of the same name; saved may hold others as well.
func CopyInto(tensors, saved []*vilt.Tensor) error {
	byName := map[string]*vilt.Tensor{}
	for _, t := range saved {
		byName[t.Name] = t
	}
	for _, t := range tensors {
		s := byName[t.Name]
		if s == nil || len(s.Data) != len(t.Data) {
			return fmt.Errorf("checkpoint: %s is missing or of another size", t.Name)
		}
		copy(t.Data, s.Data)
	}
	return nil
}
