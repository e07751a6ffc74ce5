package op

import (
	"fmt"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// twice is y = 2 x + w over the whole of x, as a layer that counts its calls.
type twice struct {
	n                 int
	forward, backward int
}

func (l *twice) Name() string           { return "twice" }
func (l *twice) OutShape() tensor.Shape { return tensor.Shape{l.n, 1} }
func (l *twice) Forward(out []float32, in [][]float32) {
	l.forward++
	for i := range out {
		out[i] = 2*in[0][i] + in[1][i]
	}
}
func (l *twice) Backward(din [][]float32, dout []float32, _ [][]float32) {
	l.backward++
	for i, g := range dout {
		if din[0] != nil {
			din[0][i] = 2 * g
		}
		din[1][i] = g
	}
}

// vector is a variable of the graph over its own memory.
func vector(g *gorgonia.ExprGraph, name string, v []float32) *gorgonia.Node {
	return gorgonia.NewTensor(g, tensor.Float32, 2, gorgonia.WithShape(len(v), 1), gorgonia.WithName(name),
		gorgonia.WithValue(tensor.New(tensor.WithShape(len(v), 1), tensor.WithBacking(v))))
}

// TestMachine: runs after the first call every layer once, forward and then backward, read what was written into the inputs,
// and allocate nothing; gradients that flow take turns in two buffers, and those of weights have each their own.
func TestMachine(t *testing.T) {
	const depth, n = 6, 3
	g := gorgonia.NewGraph()
	x := []float32{1, 2, 3}
	node := vector(g, "x", x)
	var layers []*twice
	var weights gorgonia.Nodes
	var w [][]float32
	for i := range depth {
		w = append(w, []float32{0, 0, 1})
		weights = append(weights, vector(g, fmt.Sprint("w", i), w[i]))
		layers = append(layers, &twice{n: n})
		var err error
		if node, err = Apply(layers[i], Input{node, true}, Input{weights[i], true}); err != nil {
			t.Fatal(err)
		}
	}
	loss, err := Apply(&weighted{shape: tensor.Shape{n, 1}, rows: func() int { return n }, weights: []float32{1, 10, 100}}, Input{node, true})
	if err != nil {
		t.Fatal(err)
	}
	grads, err := gorgonia.Grad(loss, weights...)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(g)
	defer m.Close()
	run := func() {
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		m.Reset()
	}
	for i := range 4 {
		x[0], w[0][1] = float32(i), float32(i)
		run()
		// y = 64 x + 32 w0 + ... + 2 w4 + w5; the sums of the last column's weights are 63
		want := float32(64*i) + 10*float32(64*2+32*i) + 100*float32(64*3+63)
		if got := data(loss.Value())[0]; got != want {
			t.Errorf("run %d: the loss is %g, not %g", i, got, want)
		}
		for k, d := range grads {
			f := float32(int(1) << (depth - 1 - k))
			if got := data(d.Value()); !slices.Equal(got, []float32{f, 10 * f, 100 * f}) {
				t.Errorf("run %d: the gradient of weight %d is %v", i, k, got)
			}
		}
		for k, l := range layers {
			if l.forward != i+1 || l.backward != i+1 {
				t.Errorf("run %d: layer %d has run %d times forward and %d backward", i, k, l.forward, l.backward)
			}
		}
	}
	if a := testing.AllocsPerRun(10, run); a > 0 {
		t.Errorf("a run makes %g allocations", a)
	}
	var l Ledger
	l.Add(g, &Scratch{})
	l.Add(g, &Scratch{}) // counts once
	const vector = 4 * n // bytes
	if want := (Memory{Inputs: vector * (1 + depth), Activations: vector*depth + 4, Gradients: vector * (2 + depth)}); l.Memory != want {
		t.Errorf("the graph holds %+v, not %+v", l.Memory, want)
	}
}

// TestMachineWithOthers: a graph with Ops that are not layers is left to gorgonia at every run.
func TestMachineWithOthers(t *testing.T) {
	g := gorgonia.NewGraph()
	x, w := []float32{1, 2}, []float32{3, 4}
	l := &twice{n: 2}
	y, err := Apply(l, Input{vector(g, "x", x), true}, Input{vector(g, "w", w), true})
	if err != nil {
		t.Fatal(err)
	}
	sum := gorgonia.Must(gorgonia.Sum(y))
	m := NewMachine(g)
	defer m.Close()
	for i := range 3 {
		x[0] = float32(i)
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		if got, want := sum.Value().Data().(float32), float32(2*i+4+7); got != want || l.forward != i+1 {
			t.Errorf("run %d: the sum is %g, not %g, after %d runs of the layer", i, got, want, l.forward)
		}
		m.Reset()
	}
}
