package op

import (
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// product is the loss sum(w * c) of two parameters: their gradients are the factors c.
func product(t *testing.T, w, factors [2][]float32) (step func(s gorgonia.Solver)) {
	t.Helper()
	g := gorgonia.NewGraph()
	var sum *gorgonia.Node
	var parameters gorgonia.Nodes
	for i := range w {
		shape := tensor.Shape{len(w[i])}
		node := func(name string, v []float32) *gorgonia.Node {
			return gorgonia.NewTensor(g, tensor.Float32, 1, gorgonia.WithShape(shape...), gorgonia.WithName(name),
				gorgonia.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
		}
		p := node([]string{"a", "b"}[i], w[i])
		parameters = append(parameters, p)
		term := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(p, node([]string{"ca", "cb"}[i], factors[i])))))
		if sum == nil {
			sum = term
		} else {
			sum = gorgonia.Must(gorgonia.Add(sum, term))
		}
	}
	if _, err := gorgonia.Grad(sum, parameters...); err != nil {
		t.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(parameters...))
	t.Cleanup(func() { vm.Close() })
	return func(s gorgonia.Solver) {
		t.Helper()
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		if err := s.Step(gorgonia.NodesToValueGrads(parameters)); err != nil {
			t.Fatal(err)
		}
		vm.Reset()
	}
}

// TestAdamWByHand: with rate 0.1, decay 0.1, betas 0.9 and 0.98, and w = 1.
//
//	g = 0.5: m = 0.05, v = 0.005; corrected 0.5 and 0.25; w = 1 - 0.1·0.1·1 - 0.1·0.5/0.5 = 0.89
//	g = -1:  m = -0.055, v = 0.0249; corrected by 0.19 and 0.0396: -0.289474 and 0.628788, root 0.792961, ratio -0.365054;
//	         w = 0.89 - 0.1·0.1·0.89 + 0.0365054 = 0.9176054
//
// The second parameter does not decay: 0.9 and then 0.9365054.
func TestAdamWByHand(t *testing.T) {
	w, c := [2][]float32{{1, 0}, {1}}, [2][]float32{{0.5, 0}, {0.5}}
	step := product(t, w, c)
	s := &AdamW{LearningRate: 0.1, WeightDecay: 0.1, Decay: func(i int) bool { return i == 0 }}
	check := func(a, b float64) {
		t.Helper()
		if math.Abs(float64(w[0][0])-a) > 1e-6 || math.Abs(float64(w[1][0])-b) > 1e-6 || w[0][1] != 0 {
			t.Errorf("the parameters are %v, not [[%g 0] [%g]]", w, a, b)
		}
	}
	step(s)
	check(0.89, 0.9)
	c[0][0], c[1][0] = -1, -1
	step(s)
	check(0.9176054, 0.9365054)
	n, moments := s.State()
	if want := []float32{-0.055, 0.0249}; n != 2 || math.Abs(float64(moments[0][0][0]-want[0])) > 1e-7 || math.Abs(float64(moments[0][1][0]-want[1])) > 1e-7 {
		t.Errorf("after %d steps the moments are %v", n, moments)
	}
}

// TestAdamWDecaying: of a parameter that decays only the stretch that is said does; the rest is stepped as one without decay.
func TestAdamWDecaying(t *testing.T) {
	after := func(s *AdamW) []float32 {
		w, c := [2][]float32{{1, -2, 3, -4}, {5}}, [2][]float32{{0.5, 0, -0.25, 0}, {2}}
		step := product(t, w, c)
		for range 3 {
			step(s)
		}
		return append(w[0], w[1]...)
	}
	whole, none := after(&AdamW{LearningRate: 0.1, WeightDecay: 0.1}), after(&AdamW{LearningRate: 0.1})
	got := after(&AdamW{LearningRate: 0.1, WeightDecay: 0.1, Decaying: func(i, n int) (from, to int) {
		if i == 0 {
			return 1, 3
		}
		return 0, n
	}})
	for i, want := range []float32{none[0], whole[1], whole[2], none[3], whole[4]} {
		if got[i] != want || whole[i] == none[i] {
			t.Errorf("value %d is %g: %g with decay, %g without", i, got[i], whole[i], none[i])
		}
	}
}

// TestAdamWRestore: a solver that takes over another's state goes on to the same bytes.
func TestAdamWRestore(t *testing.T) {
	start := func() (w, c [2][]float32) { return [2][]float32{{1, -2}, {3}}, [2][]float32{{0.5, -0.25}, {2}} }
	w, c := start()
	step, s := product(t, w, c), &AdamW{LearningRate: 0.01, WeightDecay: 0.1}
	other, oc := start()
	otherStep, first := product(t, other, oc), &AdamW{LearningRate: 0.01, WeightDecay: 0.1}
	for range 5 {
		step(s)
	}
	for range 2 {
		otherStep(first)
	}
	second := &AdamW{LearningRate: 0.01, WeightDecay: 0.1}
	n, moments := first.State()
	var copied [][2][]float32
	for _, m := range moments {
		copied = append(copied, [2][]float32{slices.Clone(m[0]), slices.Clone(m[1])})
	}
	second.Restore(n, copied)
	for range 3 {
		otherStep(second)
	}
	for i := range w {
		if !slices.Equal(w[i], other[i]) {
			t.Errorf("parameter %d is %v after going on, not %v", i, other[i], w[i])
		}
	}
	second.Restore(n, copied[:1])
	if err := second.Step([]gorgonia.ValueGrad{nil, nil}); err == nil {
		t.Error("moments of another model were taken")
	}
}

// plain is a parameter without a graph.
type plain struct{ value, grad *tensor.Dense }

func (p plain) Value() gorgonia.Value         { return p.value }
func (p plain) Grad() (gorgonia.Value, error) { return p.grad, nil }

// TestAdamWGroups: parameters that decay and others, mixed, each become what they become alone; gradients are cleared; and
// from the second step on nothing is allocated.
func TestAdamWGroups(t *testing.T) {
	const n = 7
	decays := func(i int) bool { return i%3 == 0 }
	make1 := func(i int) (p plain, fill func()) {
		values, grads := make([]float32, 5+i), make([]float32, 5+i)
		for k := range values {
			values[k] = float32(i+1) - float32(k)/3
		}
		vector := func(v []float32) *tensor.Dense { return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)) }
		return plain{vector(values), vector(grads)}, func() {
			for k := range grads {
				grads[k] = float32(k-2)/4 + float32(i)
			}
		}
	}
	var model []gorgonia.ValueGrad
	var fills []func()
	for i := range n {
		p, fill := make1(i)
		model, fills = append(model, p), append(fills, fill)
	}
	all := &AdamW{LearningRate: 0.01, WeightDecay: 0.5, Decay: decays}
	step := func() {
		for _, fill := range fills {
			fill()
		}
		if err := all.Step(model); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		step()
	}
	for i := range n {
		p, fill := make1(i)
		alone := &AdamW{LearningRate: 0.01}
		if decays(i) {
			alone.WeightDecay = 0.5
		}
		for range 3 {
			fill()
			if err := alone.Step([]gorgonia.ValueGrad{p}); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := data(model[i].Value()), data(p.value); !slices.Equal(got, want) {
			t.Errorf("parameter %d is %v among others and %v alone", i, got, want)
		}
		if grad, _ := model[i].Grad(); slices.ContainsFunc(data(grad), func(v float32) bool { return v != 0 }) {
			t.Errorf("the gradient of parameter %d is left at %v", i, grad)
		}
	}
	if got := testing.AllocsPerRun(20, step); got != 0 {
		t.Errorf("a step allocates %v times", got)
	}
}
