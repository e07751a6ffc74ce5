package method

import (
	"context"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/vilt"
)

// Phases in which the encoder is tuned: [Options.TunePhases].
const (
	TuneAll   = "all"   // one set of values, trained in every phase
	TuneFirst = "first" // trained in the first phase, and left as it is then
)

// TunePhases lists the words of [Options.TunePhases], the default first.
func TunePhases() []string { return []string{TuneAll, TuneFirst} }

// tuned learns with one tuner and one classifier, by cross-entropy over the classes seen and, where it is asked for,
// distillation of itself as it was before the phase. The classifier is trained in every phase, and so is the tuner, unless it is
// to be in the first alone.
type tuned struct {
	network  *Network
	schedule Schedule
	seed     uint64
	phase    Phase
	first    bool // the tuner is trained in the first phase alone
}

var (
	_ Learner = (*tuned)(nil)
	_ Keeper  = (*tuned)(nil)
)

// tunedReads are the settings that it reads.
func tunedReads() []string {
	return []string{SettingHead, SettingDistill, SettingDistillTemperature}
}

func newTuned(w *vilt.Weights, tuner Tuner, classes int, o Options) (Learner, error) {
	s, first := o.Schedule.WithDefaults(), o.TunePhases == TuneFirst
	n, err := NewNetworkWith(w, tuner, classes, s.BatchSize, NetworkOptions{Head: o.Head, Distill: o.Distill, Seed: o.Seed, Settles: first})
	if err != nil {
		return nil, err
	}
	return &tuned{network: n, schedule: s, seed: o.Seed, first: first}, nil
}

func (m *tuned) Begin(p Phase) error {
	m.phase = p
	if m.first && p.Index > 0 {
		m.network.Settle()
	}
	if p.Old > 0 && m.network.o.Distill.Weight > 0 {
		m.network.Freeze()
	}
	return nil
}

func (m *tuned) Fit(ctx context.Context, l Lesson) error {
	return m.network.Fit(ctx, m.schedule, l.Items, m.fit(l))
}

// fit is what a lesson says of the phase that was begun.
func (m *tuned) fit(l Lesson) FitOptions {
	return FitOptions{
		Active: m.phase.Seen, Old: m.phase.Old, Seed: m.seed<<16 + uint64(m.phase.Index), Progress: l.Progress,
		After: l.After, Epochs: l.Epochs, From: l.From,
	}
}

func (m *tuned) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	return m.network.Infer(batch, attention)
}

func (m *tuned) BatchSize() int        { return m.schedule.BatchSize }
func (m *tuned) Plan() Plan            { return m.network.Plan() }
func (m *tuned) State() []*vilt.Tensor { return m.network.State() }
func (m *tuned) Trained() int          { return Values(m.network.Trained()) }
func (m *tuned) Close() error          { return m.network.Close() }

func (m *tuned) Keep(f *cache.Folder) error  { return m.network.Keep(f) }
func (m *tuned) Kept() (found, computed int) { return m.network.Kept() }

// Values is how many numbers tensors hold.
func Values(tensors []*vilt.Tensor) (n int) {
	for _, t := range tensors {
		n += len(t.Data)
	}
	return n
}
