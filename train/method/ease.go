package method

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// expandable is EASE (Zhou, Sun, Ye and Zhan, "Expandable Subspace Ensemble for Pre-Trained Model-Based Class-Incremental
// Learning", CVPR 2024): an adapter of its own for each phase, learned with a cosine classifier of the phase's classes that is
// thrown away, and a class's mean features under every adapter so far. Those of an old class under a later adapter, for which
// there is no data, are made of the new classes': see [complement]. An answer takes a forward pass for each adapter.
//
// The feature is the pooler's output at the text's [CLS], where the original has the [CLS] of a picture; the adapters lie beside
// the MLP for all rows of the stream, those of text and of picture alike. Of the last block's rows only the first is made, and
// so only it is adapted.
//
// Where this is not the published code: AdamW under [Schedule] in the place of SGD; the scale of the temporary classifier is
// kept as the scale of the answers, which moves none of them before another; and the encoder without any adapter is no subspace,
// which is a switch there that ImageNet-R's settings have off.
func expandable() Spec {
	return Spec{
		Name: "ease", About: "an adapter for each phase, and mean features under all of them",
		Reads: []string{SettingAdapterWidth, SettingAdapterScale, SettingAdapterDropout, SettingEaseAlpha},
		New:   newEase,
	}
}

// EaseOptions are of [expandable] alone. Zero means the default.
type EaseOptions struct {
	Alpha float64 // weight of the adapters that are not of a class's own phase, all together; default 0.1, negative: none
}

// WithDefaults returns o with every zero field at its default.
func (o EaseOptions) WithDefaults() EaseOptions {
	if o.Alpha == 0 {
		o.Alpha = 0.1
	}
	return o
}

// ease is what has been learned. While a phase is learned, the rows of its temporary classifier lie where its classes' means
// under its own adapter will be, so that State has the same tensors before and after Fit.
type ease struct {
	network  *Network
	adapter  *tune.Adapter // of the last phase
	schedule Schedule
	o        Options
	alpha    float64

	phases   []Phase
	adapters [][]*vilt.Tensor // of the phases before the last
	// means are [n,D] of a phase's n classes under the adapters of the phases up to it. The last one of all is a part of the
	// network's classifier.
	means [][]*vilt.Tensor

	directions []float32 // [K,T,D] of length 1: means and what complements them; nil: to be made
	features   []float32 // [B,T,D] of the last batch
	logits     []float32 // [B,K]
}

var _ Learner = (*ease)(nil)

func newEase(w *vilt.Weights, classes int, o Options) (Learner, error) {
	m := &ease{adapter: tune.NewAdapter(w.Config, o.Adapter, o.Seed, 0), schedule: o.Schedule.WithDefaults(), o: o}
	m.alpha = max(0, o.Ease.WithDefaults().Alpha)
	var err error
	m.network, err = NewNetworkWith(w, m.adapter, classes, m.schedule.BatchSize, NetworkOptions{Head: HeadCosine, Seed: o.Seed})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// width is D.
func (m *ease) width() int { return m.network.Weights.Config.Width }

// last is the phase that was begun last.
func (m *ease) last() int { return len(m.phases) - 1 }

// Begin keeps the adapter and the means of the phase before, and makes an adapter and a classifier for this one.
func (m *ease) Begin(p Phase) error {
	if t := m.last(); t >= 0 {
		var kept []*vilt.Tensor
		for _, x := range m.adapter.Tensors() {
			kept = append(kept, &vilt.Tensor{Name: x.Name, Shape: x.Shape, Data: slices.Clone(x.Data)})
		}
		m.adapters = append(m.adapters, kept)
		own := m.means[t][t]
		own.Data = slices.Clone(own.Data)
	}
	t := len(m.phases)
	m.phases = append(m.phases, p)
	m.adapter.Draw(m.o.Seed, uint64(t))
	head, err := headTensors(HeadCosine, m.network.Weights.Config, m.network.Classes, m.o.Seed+uint64(t)<<32)
	if err != nil {
		return err
	}
	for i, x := range head {
		copy(m.network.Head[i].Data, x.Data)
	}
	n, d := p.Seen-p.Old, m.width()
	var means []*vilt.Tensor
	for j := range t + 1 {
		x := &vilt.Tensor{Name: fmt.Sprintf("phase.%d.means.%d", t, j), Shape: []int{n, d}}
		if x.Data = m.network.Head[0].Data[: n*d : n*d]; j < t {
			x.Data = make([]float32, n*d)
		}
		means = append(means, x)
	}
	m.means, m.directions = append(m.means, means), nil
	return nil
}

// State is every adapter, every mean and the classifier's scale. Who asks for it may write to it.
func (m *ease) State() (all []*vilt.Tensor) {
	m.directions = nil
	for t := range m.phases {
		tensors := m.adapter.Tensors()
		if t < m.last() {
			tensors = m.adapters[t]
		}
		for _, x := range tensors {
			all = append(all, &vilt.Tensor{Name: fmt.Sprintf("phase.%d.%s", t, x.Name), Shape: x.Shape, Data: x.Data})
		}
		all = append(all, m.means[t]...)
	}
	return append(all, m.network.Head[1])
}

// Trained is the adapter of the phase and its temporary classifier.
func (m *ease) Trained() int {
	p := m.phases[m.last()]
	return Values(m.adapter.Tensors()) + (p.Seen-p.Old)*m.width() + 1
}

// Fit learns the adapter, by steps, and then the means of the new classes under all adapters, which are told as no steps.
func (m *ease) Fit(ctx context.Context, l Lesson) error {
	m.directions = nil
	t := m.last()
	p := m.phases[t]
	err := m.network.Fit(ctx, m.schedule, shifted{l.Items, p.Old}, FitOptions{
		Active: p.Seen - p.Old, Seed: m.o.Seed<<16 + uint64(t), Progress: l.Progress, After: l.After, Epochs: l.Epochs, From: l.From,
	})
	if err != nil {
		return err
	}
	return m.represent(ctx, l)
}

// represent makes the means of the phase's classes under every adapter.
func (m *ease) represent(ctx context.Context, l Lesson) error {
	t := m.last()
	p, d := m.phases[t], m.width()
	n, width := p.Seen-p.Old, (t+1)*d
	means, err := meansOf(ctx, l.Fresh, m.schedule, p, width, func(batch []dataset.Sample, s Step) ([]float32, Step, error) {
		out, err := m.forwards(batch, nil)
		return out.Features, s, err
	}, l.Means)
	if err != nil {
		return err
	}
	for j, x := range m.means[t] {
		for c := range n {
			copy(x.Data[c*d:(c+1)*d], means[c*width+j*d:])
		}
	}
	return nil
}

// shifted are examples with labels from 0, of labels from old.
type shifted struct {
	dataset.Items
	old int
}

func (s shifted) Sample(ctx context.Context, i int, rng *rand.Rand) (dataset.Sample, error) {
	x, err := s.Items.Sample(ctx, i, rng)
	x.Label -= s.old
	return x, err
}

// forwards fills in a batch's features under every adapter: [B,T,D]. Attention is that under the last one.
func (m *ease) forwards(batch []dataset.Sample, attention *Attention) (out Output, err error) {
	t, d := len(m.phases), m.width()
	m.features = slices.Grow(m.features[:0], len(batch)*t*d)[:len(batch)*t*d]
	for j := range t {
		asked := attention
		if j < t-1 {
			asked = nil
		}
		m.swap(j)
		out, err = m.network.Infer(batch, asked)
		m.swap(j)
		if err != nil {
			return out, fmt.Errorf("under the adapter of phase %d: %w", j+1, err)
		}
		for i := range batch {
			copy(m.features[(i*t+j)*d:(i*t+j+1)*d], out.Features[i*d:])
		}
	}
	out.Features, out.Logits = m.features, nil
	return out, nil
}

// swap exchanges the last phase's adapter with that of phase j: graphs read parameters where they lie.
func (m *ease) swap(j int) {
	if j == m.last() {
		return
	}
	for i, x := range m.adapter.Tensors() {
		kept := m.adapters[j][i].Data
		for k, v := range x.Data {
			x.Data[k], kept[k] = kept[k], v
		}
	}
}

// Infer answers with features [B,T,D] under all adapters, one after another.
func (m *ease) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	out, err := m.forwards(batch, attention)
	if err != nil {
		return out, err
	}
	if m.directions == nil {
		m.complete()
	}
	t, d, k := len(m.phases), m.width(), m.network.Classes
	others := 0.0
	if t > 1 {
		others = m.alpha / float64(t-1)
	}
	m.logits = slices.Grow(m.logits[:0], len(batch)*k)[:len(batch)*k]
	clear(m.logits)
	sigma := float64(m.network.Head[1].Data[0])
	for b := range batch {
		f := out.Features[b*t*d : (b+1)*t*d]
		for i, p := range m.phases {
			for c := p.Old; c < p.Seen; c++ {
				m.logits[b*k+c] = float32(sigma * reweighted(f, m.directions[c*t*d:(c+1)*t*d], d, i, others))
			}
		}
	}
	out.Logits = m.logits
	return out, nil
}

func (m *ease) BatchSize() int { return m.schedule.BatchSize }
func (m *ease) Close() error   { return m.network.Close() }

// Plan has what the last phase will take.
func (m *ease) Plan() Plan {
	p := m.network.Plan()
	phases := int64(m.o.phases())
	p.Tuned += 4 * (phases - 1) * int64(Values(m.adapter.Tensors()))
	p.Tuned += 2 * 4 * phases * int64(m.network.Classes*m.width()) // at most: means, and all as directions
	return p
}
