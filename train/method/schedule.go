package method

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Schedule says how long and how fast to learn. The paper publishes none of these; the defaults follow the first author's
// earlier ViLT repository, with a batch and a number of epochs that a small model needs.
type Schedule struct {
	Epochs         int     // default 10
	BatchSize      int     // default 32, at most [MostBatch]
	LearningRate   float64 // peak; default 1e-2
	WeightDecay    float64 // of matrices; default 0.02, negative: none
	WarmupFraction float64 // of all steps, linear from 0; the rest are as Course says; default 0.1, negative: none
	Workers        int     // goroutines that prepare examples; default 1
	// What a method has for its own.
	Course string  // of the rate after the warm-up: see [CourseLinear], the default
	Beta2  float64 // of the second moments; default 0.98
}

// Courses of the learning rate after its warm-up.
const (
	CourseLinear   = "linear"   // to 0
	CourseConstant = "constant" // the peak all the time
	CourseCosine   = "cosine"   // by epoch e of E, the peak times cos(0.99 · π/2 · e/(E-1)), as CODA-Prompt has it
)

// MostBatch bounds batches: memory for a whole one is taken at the start.
const MostBatch = 4096

// WithDefaults returns s with every zero field at its default. Doing it twice changes nothing.
func (s Schedule) WithDefaults() Schedule {
	if s.Epochs == 0 {
		s.Epochs = 10
	}
	if s.BatchSize == 0 {
		s.BatchSize = 32
	}
	if s.LearningRate == 0 {
		s.LearningRate = 1e-2
	}
	if s.WeightDecay == 0 {
		s.WeightDecay = 0.02
	}
	if s.WarmupFraction == 0 {
		s.WarmupFraction = 0.1
	}
	s.Course, s.Beta2 = cmp.Or(s.Course, CourseLinear), cmp.Or(s.Beta2, 0.98)
	return s
}

// ScheduleOf returns s with the method's defaults, and then [Schedule]'s. One that takes no steps has a batch alone.
func (m Spec) ScheduleOf(s Schedule) Schedule {
	s = s.Or(m.Schedule)
	if !m.Still {
		return s.WithDefaults()
	}
	s.BatchSize = s.WithDefaults().BatchSize
	return s
}

// CheckSchedule refuses what the method does not read of s, which is as [Spec.ScheduleOf] returns it.
func (m Spec) CheckSchedule(s Schedule) error {
	for _, given := range []struct {
		setting string
		is      bool
	}{
		{"epochs", s.Epochs != 0}, {"learning rate", s.LearningRate != 0}, {"weight decay", s.WeightDecay != 0}, {"warm-up", s.WarmupFraction != 0},
	} {
		if m.Still && given.is {
			return fmt.Errorf("%s has no effect with method %s, which takes no steps: leave it out", given.setting, m.Name)
		}
	}
	return s.Validate()
}

// Or returns s with every zero field as other has it.
func (s Schedule) Or(other Schedule) Schedule {
	return Schedule{
		Epochs: cmp.Or(s.Epochs, other.Epochs), BatchSize: cmp.Or(s.BatchSize, other.BatchSize), LearningRate: cmp.Or(s.LearningRate, other.LearningRate),
		WeightDecay: cmp.Or(s.WeightDecay, other.WeightDecay), WarmupFraction: cmp.Or(s.WarmupFraction, other.WarmupFraction),
		Workers: cmp.Or(s.Workers, other.Workers), Course: cmp.Or(s.Course, other.Course), Beta2: cmp.Or(s.Beta2, other.Beta2),
	}
}

// Decay is the weight decay in effect.
func (s Schedule) Decay() float64 { return max(0, s.WeightDecay) }

// Warmup is the share of warm-up in effect.
func (s Schedule) Warmup() float64 { return max(0, s.WarmupFraction) }

// Validate says what about s cannot be.
func (s Schedule) Validate() error {
	switch {
	case s.Epochs < 0:
		return fmt.Errorf("epochs: %d: must be 1 or more", s.Epochs)
	case s.BatchSize < 0 || s.BatchSize > MostBatch:
		return fmt.Errorf("batch size: %d: must be between 1 and %d", s.BatchSize, MostBatch)
	case !(s.LearningRate >= 0 && s.LearningRate < 100):
		return fmt.Errorf("learning rate: %g: must be above 0, and small", s.LearningRate)
	case !(s.WeightDecay < 100):
		return fmt.Errorf("weight decay: %g: must be small", s.WeightDecay)
	case !(s.WarmupFraction < 1):
		return fmt.Errorf("warm-up: %g: must be a share of the steps from 0 to below 1", s.WarmupFraction)
	}
	return nil
}

// rate is the learning rate of step i of total.
func (s Schedule) rate(i, total int) float32 {
	warm := s.Warmup() * float64(total)
	if x := float64(i + 1); x <= warm {
		return float32(s.LearningRate * x / warm)
	}
	switch s.Course {
	case CourseConstant:
		return float32(s.LearningRate)
	case CourseCosine:
		epoch, last := i*s.Epochs/total, max(s.Epochs-1, 1)
		return float32(s.LearningRate * math.Cos(0.99*math.Pi/2*float64(epoch)/float64(last)))
	}
	return float32(s.LearningRate * float64(total-i) / (float64(total) - warm + 1))
}

// FitOptions say what a call of [Network.Fit] learns and what it tells.
type FitOptions struct {
	Active int // the first so many classes compete; 0: all
	// ActiveFrom is the first class that competes: a phase's first, where only its own do.
	ActiveFrom int
	Old        int        // the first so many are the teacher's, where the network distills: see [Network.Freeze]
	Seed       uint64     // of order and augmentation
	Progress   func(Step) // may be nil
	// After, if not nil, is called at the end of every epoch with the number of epochs done and with what From takes.
	After func(epochs int, solver []*vilt.Tensor) error
	// Epochs is how many epochs are done already, in a call that was interrupted after them. The network must be as it
	// was then, and From must hold what After was given then.
	Epochs int
	From   []*vilt.Tensor
}

// Fit runs the schedule over items: AdamW on the network's trained tensors, with cross-entropy over the active classes, and
// where there are old ones and the network distills, the teacher's answers.
func (n *Network) Fit(ctx context.Context, s Schedule, items dataset.Items, o FitOptions) error {
	s = s.WithDefaults()
	loader := dataset.Loader{Items: items, BatchSize: s.BatchSize, Workers: s.Workers, Shuffle: true, Seed: o.Seed}
	trained := n.Trained()
	solver := &op.AdamW{
		WeightDecay: float32(s.Decay()), Beta2: float32(s.Beta2),
		Decay: func(i int) bool {
			return i >= n.undecayed() && len(trained[i].Shape) > 1 && vilt.Decays(trained[i].Name)
		},
		Decaying: func(i, values int) (from, to int) {
			if t := trained[i]; t.Name == headRows { // those of classes that do not compete any more are not in the loss, which would hold them
				width := t.Shape[1]
				return o.ActiveFrom * width, values
			}
			return 0, values
		},
	}
	if items.Len() == 0 {
		return errors.New("there are no examples to learn from")
	}
	perEpoch := (items.Len() + s.BatchSize - 1) / s.BatchSize
	total, done := perEpoch*s.Epochs, perEpoch*o.Epochs
	if o.Epochs > 0 {
		if err := restoreMoments(solver, done, trained, o.From); err != nil {
			return err
		}
		o.From = nil // it has been copied, and may be as large as the model
	}
	if n.prefix != nil {
		loader.Items = remembered{items, n.prefix}
	}
	if n.queries != nil {
		n.queries.makeRoom()
	}
	n.steps().encoder.Packing.ActiveFrom = o.ActiveFrom
	asked := time.Now()
	for batch, err := range loader.Epochs(ctx, o.Epochs, s.Epochs) {
		if err != nil {
			return err
		}
		began := time.Now()
		solver.LearningRate = s.rate(done, total)
		n.steps().encoder.Packing.Noise = rand.NewPCG(o.Seed, uint64(done)).Uint64()
		loss, err := n.step(batch, o.Active, o.Old, solver)
		if err != nil {
			return err
		}
		step := Step{Done: done + 1, Total: total, Epoch: done / perEpoch, Loss: loss, Samples: len(batch), Waited: began.Sub(asked), Took: time.Since(began)}
		done++
		if o.Progress != nil {
			step.Tokens, step.FLOP = n.count(batch, o.Old)
			o.Progress(step)
		}
		if done%perEpoch == 0 && o.After != nil {
			if err := o.After(done/perEpoch, momentsOf(solver, trained)); err != nil {
				return err
			}
		}
		asked = time.Now()
	}
	return nil
}

// Names of a parameter's two moments.
var momentNames = [2]string{"adamw.first.", "adamw.second."}

// momentsOf names the solver's state, by reference.
func momentsOf(solver *op.AdamW, trained []*vilt.Tensor) (named []*vilt.Tensor) {
	_, moments := solver.State()
	for i, pair := range moments {
		for k, prefix := range momentNames {
			named = append(named, &vilt.Tensor{Name: prefix + trained[i].Name, Shape: trained[i].Shape, Data: pair[k]})
		}
	}
	return named
}

func restoreMoments(solver *op.AdamW, steps int, trained, named []*vilt.Tensor) error {
	byName := map[string]*vilt.Tensor{}
	for _, t := range named {
		byName[t.Name] = t
	}
	moments := make([][2][]float32, len(trained))
	for i, p := range trained {
		for k, prefix := range momentNames {
			t := byName[prefix+p.Name]
			if t == nil || len(t.Data) != len(p.Data) {
				return fmt.Errorf("optimizer state: %s%s is missing or of another size", prefix, p.Name)
			}
			moments[i][k] = slices.Clone(t.Data)
		}
	}
	solver.Restore(steps, moments)
	return nil
}
