package method

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// Learner learns phase after phase. It is not safe for concurrent use.
//
// A run calls Begin for phase 0, 1, ... in turn, and after each Fit. One that goes on after phase t calls Begin as far as t
// without Fit, copies the checkpoint into State, and begins with t+1; one that goes on within a phase copies into State once
// more after Begin. So what a phase starts from (a teacher, drawn prompts, a new adapter) is made in Begin, by the seed and
// the phase, and State may grow there.
type Learner interface {
	// Begin prepares for a phase.
	Begin(p Phase) error
	// Fit learns the phase that was begun. What it does depends on the phase and the items only, not on time or on the number
	// of workers.
	Fit(ctx context.Context, l Lesson) error
	// Infer answers for a batch of at most BatchSize examples, with logits over all classes that will be: those seen are
	// the first. attention may be nil: none is computed.
	Infer(batch []dataset.Sample, attention *Attention) (Output, error)
	BatchSize() int
	// Plan is the memory that learning takes with full batches.
	Plan() Plan
	// State is what a checkpoint holds and what the learner keeps for later phases, by reference: restoring is copying into
	// it.
	State() []*vilt.Tensor
	// Trained is how many values the steps of this phase change.
	Trained() int
	Close() error
}

// Phase is a phase and the classes so far. Labels are positions in the order learned.
type Phase struct {
	Index int // from 0
	Old   int // classes of earlier phases: the labels below it
	Seen  int // classes of this phase, too: the new ones' labels are from Old to below Seen
}

// Lesson is what there is to learn in a phase.
type Lesson struct {
	Items    dataset.Items // the new classes' examples, and exemplars of old ones, as steps are to see them; see [Spec.Joint]
	Fresh    dataset.Items // the new classes' examples as they are, for prototypes
	Progress func(Step)    // may be nil
	// Means, if not nil, is told each batch that a method takes the mean features of after its steps.
	Means func(Step)
	// After, if not nil, is called after each epoch with how many are done and with the optimizer's state, by reference.
	After func(epochs int, solver []*vilt.Tensor) error
	// Epochs are done already, in a Fit that was interrupted after them. State must be as it was then, and From must hold
	// what After was given then.
	Epochs int
	From   []*vilt.Tensor
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

// Options are what methods are told. Each reads what its [Spec] says.
type Options struct {
	Schedule Schedule
	Head     string // kind of classifier: see [Heads]; default linear
	Distill  Distill
	// TuneFromBlock is the first block of the encoder, from 1 to its depth - 1 and counted from 0, whose steps are tuned: those
	// below, and the patch embedding, stay as published. 0: all are tuned.
	TuneFromBlock int
	// TunePhases says in which phases the encoder is tuned: see [TunePhases]; default all of them.
	TunePhases string
	Adapter    tune.AdapterOptions
	Ease       EaseOptions
	Prompts    Prompts
	Seed       uint64
	// Phases is how many there will be: [Learner.Plan] is of all of them, and what a method has for all of them is dealt out
	// among them; default 10, as published for most.
	Phases int
}

// phases is the number in effect.
func (o Options) phases() int { return cmp.Or(o.Phases, 10) }

// Settings of [Options] that not every method reads, as run.json calls them.
const (
	SettingHead               = "head"
	SettingDistill            = "distill"
	SettingDistillTemperature = "distill_temperature"
	SettingTuneFromBlock      = "tune_from_block"
	SettingTunePhases         = "tune_phases"
	SettingAdapterWidth       = "adapter_width"
	SettingAdapterScale       = "adapter_scale"
	SettingAdapterDropout     = "adapter_dropout"
	SettingEaseAlpha          = "ease_alpha"
	SettingPromptLength       = "prompt_length"
	SettingPromptPool         = "prompt_pool"
	SettingPromptTop          = "prompt_top"
	SettingKeyWeight          = "key_weight"
	SettingPromptBlocks       = "prompt_blocks"
	SettingBatchwise          = "batchwise"
)

// Spec is what there is to know of a method before there is a learner.
type Spec struct {
	Name  string
	About string // a few words
	// Replays says that it learns from exemplars of old classes beside the new ones' examples. Settings of the memory are
	// refused where it does not.
	Replays bool
	// Joint says that the examples of all classes seen are those of a lesson, not the new ones' alone.
	Joint bool
	// Still says that it takes no steps: of the schedule it reads how many examples go through the encoder at a time. The rest
	// is refused, and what is done to examples for steps.
	Still bool
	// Reads lists the settings above that it reads; the others are refused.
	Reads []string
	// Schedule has the method's own defaults, where they are not [Schedule]'s.
	Schedule Schedule
	// Prompts has what it reads of them by default: see [Spec.FitPrompts].
	Prompts Prompts
	// fit fills in what depends on the number of phases, and refuses what does not go with it; nil: nothing does.
	fit func(p Prompts, phases int) (Prompts, error)
	// New returns a learner of classes classes in all.
	New func(w *vilt.Weights, classes int, o Options) (Learner, error)
}

// Specs lists the methods, the default first.
func Specs() []Spec {
	return []Spec{
		ssf(), finetune(), linear(),
		joint(), simpleCIL(), expandable(),
		l2p(), dualPrompt(), codaPrompt(),
	}
}

// Names lists the methods' names.
func Names() (names []string) {
	for _, s := range Specs() {
		names = append(names, s.Name)
	}
	return names
}

// SpecOf returns the method called name.
func SpecOf(name string) (Spec, error) {
	specs := Specs()
	if i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name }); i >= 0 {
		return specs[i], nil
	}
	return Spec{}, fmt.Errorf("method %q: unknown: use one of %v", name, Names())
}

// New returns the learner called name for classes classes in all.
func New(name string, w *vilt.Weights, classes int, o Options) (Learner, error) {
	s, err := SpecOf(name)
	if err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	depth := w.Config.Depth
	switch from := o.TuneFromBlock; {
	case from < 0 || from >= depth:
		return nil, misfit("tune-from-block: %d: must be between 1 and %d, for the encoder has %d blocks, counted from 0", from, depth-1, depth)
	case from > 0 && !slices.Contains(s.Reads, SettingTuneFromBlock):
		return nil, fmt.Errorf("tune-from-block has no effect on method %s: leave it out", name)
	}
	if o.TunePhases != "" && !slices.Contains(s.Reads, SettingTunePhases) {
		return nil, fmt.Errorf("tune-phases has no effect on method %s: leave it out", name)
	}
	return s.New(w, classes, o)
}

// ErrMisfit is what an error of [New] is where options do not go with the encoder or the number of phases.
var ErrMisfit = errors.New("options that do not fit")

// misfitError says so without words of its own.
type misfitError struct{ error }

func (misfitError) Is(target error) bool { return target == ErrMisfit }

func misfit(format string, args ...any) error { return misfitError{fmt.Errorf(format, args...)} }

// Validate says what about o cannot be. Zero values are defaults.
func (o Options) Validate() error {
	if o.Head != "" {
		if err := checkHead(o.Head); err != nil {
			return err
		}
	}
	if o.TunePhases != "" && !slices.Contains(TunePhases(), o.TunePhases) {
		return fmt.Errorf("tune-phases %q: use one of %v", o.TunePhases, TunePhases())
	}
	switch d := o.Distill; {
	case !(d.Weight >= 0 && d.Weight < 1e6):
		return fmt.Errorf("distillation weight %g: must be 0 or more", d.Weight)
	case !(d.Temperature >= 0 && d.Temperature < 1e6):
		return fmt.Errorf("distillation temperature %g: must be above 0", d.Temperature)
	}
	if !(o.Ease.Alpha < 1e6) {
		return fmt.Errorf("alpha of ease: %g: must be a weight of 0 or more", o.Ease.Alpha)
	}
	if err := o.Adapter.Validate(); err != nil {
		return err
	}
	if err := o.Prompts.Validate(); err != nil {
		return err
	}
	return o.Schedule.Validate()
}

// StateValues is how many numbers of a learner's state some phase uses.
func StateValues(l Learner) int {
	n := Values(l.State())
	if u, is := l.(interface{ Unused() int }); is {
		n -= u.Unused()
	}
	return n
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
