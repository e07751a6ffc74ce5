package method

import (
	"context"
	"fmt"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// cosineScale is what a learned cosine classifier starts from, and a power of two, so that nothing is rounded.
const cosineScale = firstSigma

// simpleCIL takes no steps at all: a class is the mean feature of its examples under the encoder as it came, and the answer is
// the class with the nearest direction (Zhou et al., "Revisiting Class-Incremental Learning with Pre-Trained Models", IJCV
// 2024, section 4). What its features are worth without any learning: the row that a method which learns has to beat.
//
// The feature is the pooler's output at the text's [CLS], as for every other classifier here; the mean is of features as they
// are, not of their directions, as published. Logits are cosines times [cosineScale], which is ours and moves no class before
// another: probabilities made of bare cosines are all but equal.
func simpleCIL() Spec {
	return Spec{
		Name: "simplecil", About: "mean features of the frozen encoder, and nothing learned", Still: true,
		New: func(w *vilt.Weights, classes int, o Options) (Learner, error) {
			s := o.Schedule.WithDefaults()
			e, err := NewEncoder(w, s.BatchSize)
			if err != nil {
				return nil, err
			}
			return &prototyped{encoder: e, weights: w, schedule: s, classes: classes}, nil
		},
	}
}

// prototyped answers by the classes' mean features.
type prototyped struct {
	encoder  *Encoder
	weights  *vilt.Weights
	schedule Schedule
	classes  int
	phases   []Phase
	means    []*vilt.Tensor // [n,D] of each phase's n classes
	logits   []float32      // of the last Infer
}

var _ Learner = (*prototyped)(nil)

func (m *prototyped) Begin(p Phase) error {
	n := p.Seen - p.Old
	m.phases = append(m.phases, p)
	m.means = append(m.means, &vilt.Tensor{
		Name: fmt.Sprintf("phase.%d.prototypes", p.Index), Shape: []int{n, m.weights.Config.Width}, Data: make([]float32, n*m.weights.Config.Width),
	})
	return nil
}

// Fit tells a step for each batch that goes through the encoder.
func (m *prototyped) Fit(ctx context.Context, l Lesson) error {
	last := len(m.phases) - 1
	c := m.weights.Config
	means, err := meansOf(ctx, l.Fresh, m.schedule, m.phases[last], c.Width, func(batch []dataset.Sample, s Step) ([]float32, Step, error) {
		out, err := m.encoder.Infer(batch, nil)
		s.Tokens, s.FLOP = Count(c, batch, 0, vilt.LearnsNothing)
		return out.Features, s, err
	}, l.Progress)
	if err != nil {
		return err
	}
	copy(m.means[last].Data, means)
	return nil
}

func (m *prototyped) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	out, err := m.encoder.Infer(batch, attention)
	if err != nil {
		return out, err
	}
	d := m.weights.Config.Width
	m.logits = slices.Grow(m.logits[:0], len(batch)*m.classes)[:len(batch)*m.classes]
	clear(m.logits)
	for i := range batch {
		f := out.Features[i*d : (i+1)*d]
		for t, p := range m.phases {
			for c := p.Old; c < p.Seen; c++ {
				m.logits[i*m.classes+c] = cosineScale * float32(op.AngleOf(f, m.means[t].Data[(c-p.Old)*d:][:d]).Cos)
			}
		}
	}
	out.Logits = m.logits
	return out, nil
}

func (m *prototyped) BatchSize() int        { return m.schedule.BatchSize }
func (m *prototyped) State() []*vilt.Tensor { return m.means }
func (m *prototyped) Trained() int          { return 0 }
func (m *prototyped) Close() error          { return m.encoder.Close() }

func (m *prototyped) Plan() Plan {
	p := m.encoder.Plan(m.weights)
	p.Tuned = 4 * int64(m.classes*m.weights.Config.Width)
	return p
}
