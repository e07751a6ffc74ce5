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
}

var _ gorgonia.Solver = (*AdamW)(nil)

// Step updates every parameter of model in place and clears its gradient.
func (a *AdamW) Step(model []gorgonia.ValueGrad) error {
	if a.moments == nil {
		a.moments = make([][2][]float32, len(model))
	}
	if len(a.moments) != len(model) {
		return fmt.Errorf("adamw: %d parameters now, %d in the first step", len(model), len(a.moments))
	}
	a.step++
	o := kernel.AdamWStep{LR: a.LearningRate, Beta1: orDefault(a.Beta1, 0.9), Beta2: orDefault(a.Beta2, 0.98), Eps: orDefault(a.Eps, 1e-8), Step: a.step}
	for i, p := range model {
		grad, err := p.Grad()
		if err != nil {
			return fmt.Errorf("adamw: parameter %d: %w", i, err)
		}
		w, g := data(p.Value()), data(grad)
		if a.moments[i][0] == nil {
			a.moments[i] = [2][]float32{make([]float32, len(w)), make([]float32, len(w))}
		}
		if len(a.moments[i][0]) != len(w) || len(a.moments[i][1]) != len(w) {
			return fmt.Errorf("adamw: parameter %d has %d values, its moments %d", i, len(w), len(a.moments[i][0]))
		}
		o.WeightDecay = 0
		if a.Decay == nil || a.Decay(i) {
			o.WeightDecay = a.WeightDecay
		}
		kernel.AdamW(w, g, a.moments[i][0], a.moments[i][1], o)
		clear(g)
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
