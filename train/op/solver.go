package op

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/kernel"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2) as a gorgonia Solver.
// gorgonia's own Adam adds the decay to the gradient, which is another method.
type AdamW struct {
	LearningRate float32          // of the next step; schedules set it
	Beta1, Beta2 float32          // default 0.9, 0.98: ViLT's
	Eps          float32          // default 1e-8
	WeightDecay  float32          // of parameters that Decay accepts; default 0
	Decay        func(i int) bool // whether the i-th parameter of the model decays; nil: all
	// Decaying are the values, from the first to before the last, of the n of a parameter that decays, which do; nil: all.
	Decaying func(i, n int) (from, to int)

	step    int
	moments [][2][]float32
	groups  [2]adamWGroup // what does not decay, and what does; made in the first step
}

// adamWGroup are stretches of parameters with the same settings, which the kernel takes at once.
type adamWGroup struct {
	of                  []stretch
	values, grads, m, v [][]float32
}

// stretch is values from one to before another of the i-th parameter of a model.
type stretch struct{ i, from, to int }

var _ gorgonia.Solver = (*AdamW)(nil)

// Step updates every parameter of model in place and clears its gradient. All steps are of one model.
func (a *AdamW) Step(model []gorgonia.ValueGrad) error {
	if a.moments == nil {
		a.moments = make([][2][]float32, len(model))
	}
	if len(a.moments) != len(model) {
		return fmt.Errorf("adamw: %d parameters now, %d in the first step", len(model), len(a.moments))
	}
	if len(a.groups[0].of)+len(a.groups[1].of) == 0 {
		a.group(model)
	}
	for g := range a.groups {
		if err := a.collect(&a.groups[g], model); err != nil {
			return err
		}
	}
	a.step++
	o := kernel.AdamWStep{LR: a.LearningRate, Beta1: orDefault(a.Beta1, 0.9), Beta2: orDefault(a.Beta2, 0.98), Eps: orDefault(a.Eps, 1e-8), Step: a.step}
	for i, decay := range []float32{0, a.WeightDecay} {
		g := &a.groups[i]
		o.WeightDecay = decay
		kernel.AdamWAll(g.values, g.grads, g.m, g.v, o)
		for _, grad := range g.grads {
			clear(grad)
		}
	}
	return nil
}

// group deals parameters into groups and makes their lists.
func (a *AdamW) group(model []gorgonia.ValueGrad) {
	a.groups = [2]adamWGroup{}
	add := func(group int, s stretch) {
		if g := &a.groups[group]; s.from < s.to {
			g.of = append(g.of, s)
		}
	}
	for i, p := range model {
		n := len(data(p.Value()))
		from, to := 0, n
		switch {
		case a.Decay != nil && !a.Decay(i):
			to = 0
		case a.Decaying != nil:
			from, to = a.Decaying(i, n)
		}
		add(0, stretch{i, 0, from})
		add(1, stretch{i, from, to})
		add(0, stretch{i, to, n})
	}
	for i := range a.groups {
		g := &a.groups[i]
		g.values, g.grads = make([][]float32, len(g.of)), make([][]float32, len(g.of))
		g.m, g.v = make([][]float32, len(g.of)), make([][]float32, len(g.of))
	}
}

// collect fills a group's lists: a graph may have put its values elsewhere since the last step.
func (a *AdamW) collect(g *adamWGroup, model []gorgonia.ValueGrad) error {
	for k, s := range g.of {
		grad, err := model[s.i].Grad()
		if err != nil {
			return fmt.Errorf("adamw: parameter %d: %w", s.i, err)
		}
		values, n := data(model[s.i].Value()), len(data(model[s.i].Value()))
		if a.moments[s.i][0] == nil {
			a.moments[s.i] = [2][]float32{make([]float32, n), make([]float32, n)}
		}
		m, v := a.moments[s.i][0], a.moments[s.i][1]
		if len(m) != n || len(v) != n || s.to > n {
			return fmt.Errorf("adamw: parameter %d has %d values, its moments %d", s.i, n, len(m))
		}
		g.values[k], g.grads[k] = values[s.from:s.to], data(grad)[s.from:s.to]
		g.m[k], g.v[k] = m[s.from:s.to], v[s.from:s.to]
	}
	return nil
}

// State is what another AdamW needs to go on where this one is: the number of steps taken and each parameter's two
// moments, by reference, in the order of the model. Before the first step there are none.
func (a *AdamW) State() (step int, moments [][2][]float32) { return a.step, a.moments }

// Restore goes on from a State. It takes the moments over.
func (a *AdamW) Restore(step int, moments [][2][]float32) { a.step, a.moments = step, moments }

func orDefault(v, otherwise float32) float32 {
	if v == 0 {
		return otherwise
	}
	return v
}
