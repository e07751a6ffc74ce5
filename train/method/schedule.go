package method

import (
	"context"
	"fmt"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Schedule says how long and how fast to learn. The paper publishes none of these; the defaults follow the first author's
// earlier ViLT repository, with a batch and a number of epochs that a small model needs.
type Schedule struct {
	Epochs         int     // default 10
	BatchSize      int     // default 32
	LearningRate   float64 // peak; default 1e-2
	WeightDecay    float64 // of matrices; default 0.02, negative: none
	WarmupFraction float64 // of all steps, linear from 0; the rest decays linearly to 0; default 0.1
	Workers        int     // goroutines that prepare examples; default 1
}

// WithDefaults returns s with every zero field at its default.
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
	switch {
	case s.WeightDecay == 0:
		s.WeightDecay = 0.02
	case s.WeightDecay < 0:
		s.WeightDecay = 0
	}
	if s.WarmupFraction == 0 {
		s.WarmupFraction = 0.1
	}
	return s
}

func (s Schedule) validate() error {
	switch {
	case s.Epochs < 0:
		return fmt.Errorf("epochs: %d: must be 1 or more", s.Epochs)
	case s.BatchSize < 0:
		return fmt.Errorf("batch size: %d: must be 1 or more", s.BatchSize)
	case s.LearningRate < 0:
		return fmt.Errorf("learning rate: %g: must be above 0", s.LearningRate)
	case s.WarmupFraction < 0 || s.WarmupFraction >= 1:
		return fmt.Errorf("warm-up: %g: must be a fraction from 0 to below 1", s.WarmupFraction)
	}
	return nil
}

// rate is the learning rate of step i of total.
func (s Schedule) rate(i, total int) float32 {
	warm := s.WarmupFraction * float64(total)
	if x := float64(i + 1); x <= warm {
		return float32(s.LearningRate * x / warm)
	}
	return float32(s.LearningRate * float64(total-i) / (float64(total) - warm + 1))
}

// Fit runs the schedule over items: AdamW on the network's trained tensors, with cross-entropy over the first active
// classes. after, if not nil, is called at the end of every epoch.
func (n *Network) Fit(ctx context.Context, s Schedule, items dataset.Items, active int, seed uint64, progress func(Step), after func(epoch int) error) error {
	s = s.WithDefaults()
	loader := dataset.Loader{Items: items, BatchSize: s.BatchSize, Workers: s.Workers, Shuffle: true, Seed: seed}
	trained := n.Trained()
	solver := &op.AdamW{
		WeightDecay: float32(s.WeightDecay),
		Decay:       func(i int) bool { return len(trained[i].Shape) > 1 && vilt.Decays(trained[i].Name) },
	}
	perEpoch := (items.Len() + s.BatchSize - 1) / s.BatchSize
	total := perEpoch * s.Epochs
	done := 0
	for epoch := range s.Epochs {
		for batch, err := range loader.Epoch(ctx, epoch) {
			if err != nil {
				return err
			}
			solver.LearningRate = s.rate(done, total)
			loss, err := n.Step(batch, active, solver)
			if err != nil {
				return err
			}
			done++
			if progress != nil {
				progress(Step{Done: done, Total: total, Epoch: epoch, Loss: loss, Samples: len(batch)})
			}
		}
		if after != nil {
			if err := after(epoch); err != nil {
				return err
			}
		}
	}
	return nil
}
