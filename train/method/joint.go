package method

import (
	"slices"

	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// joint is ssf with all data of all classes seen, for which it is given them again: the upper bound, which knows of no old
// classes. In each phase it learns anew, from the same start and by the same schedule, so that what it answers after phase t is
// what one phase of so many classes gives, but for the order of examples. It has no use for exemplars, nor for what it
// said before.
func joint() Spec {
	return Spec{
		Name: "joint", About: "ssf on all rows of all classes seen, anew in each phase: the upper bound", Joint: true,
		Reads: []string{SettingHead, SettingTuneFromBlock},
		New: func(w *vilt.Weights, classes int, o Options) (Learner, error) {
			l, err := newTuned(w, tune.NewSSFFrom(w.Config, o.Seed, o.TuneFromBlock), classes, o)
			if err != nil {
				return nil, err
			}
			m := &anew{tuned: l.(*tuned)}
			for _, t := range m.State() {
				m.start = append(m.start, slices.Clone(t.Data))
			}
			return m, nil
		},
	}
}

// anew forgets in each phase what it has learned.
type anew struct {
	*tuned
	start [][]float32 // of State
}

func (m *anew) Begin(p Phase) error {
	for i, t := range m.State() {
		copy(t.Data, m.start[i])
	}
	return m.tuned.Begin(p)
}

func (m *anew) Plan() Plan {
	p := m.tuned.Plan()
	p.Tuned += 4 * int64(Values(m.State())) // the start's
	return p
}
