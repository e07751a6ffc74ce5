package method

import (
	"context"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// ssf tunes one set of scale and shift vectors, and the classifier, in every phase. Whether the paper keeps one set for
// all phases is not published; PILOT's APER-SSF tunes in the first phase only.
type ssf struct {
	network  *Network
	schedule Schedule
	seed     uint64
}

var (
	_ Learner = (*ssf)(nil)
	_ Keeper  = (*ssf)(nil)
)

func newSSF(w *vilt.Weights, classes int, s Schedule, seed uint64, o Options) (*ssf, error) {
	s = s.WithDefaults()
	n, err := NewNetwork(w, tune.NewSSFFrom(w.Config, seed, o.TuneFromBlock), classes, s.BatchSize)
	if err != nil {
		return nil, err
	}
	return &ssf{network: n, schedule: s, seed: seed}, nil
}

func (m *ssf) Fit(ctx context.Context, phase, seen int, items dataset.Items, progress func(Step)) error {
	return m.network.Fit(ctx, m.schedule, items, FitOptions{Active: seen, Seed: m.seed<<16 + uint64(phase), Progress: progress})
}

func (m *ssf) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	return m.network.Infer(batch, attention)
}

func (m *ssf) BatchSize() int        { return m.schedule.BatchSize }
func (m *ssf) Plan() Plan            { return m.network.Plan() }
func (m *ssf) State() []*vilt.Tensor { return m.network.Trained() }
func (m *ssf) Close() error          { return m.network.Close() }

func (m *ssf) Keep(f *cache.Folder) error  { return m.network.Keep(f) }
func (m *ssf) Kept() (found, computed int) { return m.network.Kept() }
