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

	step    int
	moments [][2][]float32
	groups  [2]adamWGroup // what does not decay, and what does; made in the first step
}

// adamWGroup are parameters with the same settings, which the kernel takes at once.
type adamWGroup struct {
	at                  []int // in the model
	values, grads, m, v [][]float32
}

var _ gorgonia.Solver = (*AdamW)(nil)

// Step updates every parameter of model in place and clears its gradient. All steps are of one model.
func (a *AdamW) Step(model []gorgonia.ValueGrad) error {
	if a.moments == nil {
		a.moments = make([][2][]float32, len(model))
	}
	if len(a.moments) != len(model) {
		return fmt.Errorf("adamw: %d parameters now, %d in the first step", len(model), len(a.moments))
	}
	if len(a.groups[0].at)+len(a.groups[1].at) != len(model) {
		a.group(len(model))
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

// group deals n parameters into groups and makes their lists.
func (a *AdamW) group(n int) {
	a.groups = [2]adamWGroup{}
	for i := range n {
		g := &a.groups[0]
		if a.Decay == nil || a.Decay(i) {
			g = &a.groups[1]
		}
		g.at = append(g.at, i)
	}
	for i := range a.groups {
		g := &a.groups[i]
		g.values, g.grads = make([][]float32, len(g.at)), make([][]float32, len(g.at))
		g.m, g.v = make([][]float32, len(g.at)), make([][]float32, len(g.at))
	}
}

// collect fills a group's lists: a graph may have put its values elsewhere since the last step.
func (a *AdamW) collect(g *adamWGroup, model []gorgonia.ValueGrad) error {
	for k, i := range g.at {
		grad, err := model[i].Grad()
		if err != nil {
			return fmt.Errorf("adamw: parameter %d: %w", i, err)
		}
		g.values[k], g.grads[k] = data(model[i].Value()), data(grad)
		n := len(g.values[k])
		if a.moments[i][0] == nil {
			a.moments[i] = [2][]float32{make([]float32, n), make([]float32, n)}
		}
		g.m[k], g.v[k] = a.moments[i][0], a.moments[i][1]
		if len(g.m[k]) != n || len(g.v[k]) != n {
			return fmt.Errorf("adamw: parameter %d has %d values, its moments %d", i, n, len(g.m[k]))
		}
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
