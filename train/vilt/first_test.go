package vilt_test

import (
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// learned is what a step of a golden's batch computes, by the golden's names: the features, logits and loss, and every
// gradient. Where layers are kept every row of the last block is made.
func learned(t *testing.T, g *golden, ssf *tune.SSF, keepLayers bool) map[string][]float32 {
	t.Helper()
	graph := gorgonia.NewGraph()
	o := vilt.Options{Train: ssf == nil, KeepLayers: keepLayers}
	trained := g.weights.Tensors()
	var variables gorgonia.Nodes
	if ssf != nil {
		o.ScaleShift, variables = ssf.Into(graph)
		trained = ssf.Tensors()
	}
	e, err := vilt.Build(graph, g.weights, len(g.samples)+1, o)
	if err != nil {
		t.Fatal(err)
	}
	head := []*vilt.Tensor{
		{Name: "head.weight", Shape: []int{g.Classes, g.Config.Width}, Data: g.values(t, "head.weight")},
		{Name: "head.bias", Shape: []int{g.Classes}, Data: g.values(t, "head.bias")},
	}
	weight, bias := vilt.Node(graph, head[0]), vilt.Node(graph, head[1])
	variables, trained = append(append(variables, e.Weights...), weight, bias), append(slices.Clone(trained), head...)
	logits, err := op.Apply(op.NewClassify(e.Packing, g.Config.Width, g.Classes), op.Input{Node: e.Features, Wanted: true}, op.Input{Node: weight, Wanted: true}, op.Input{Node: bias, Wanted: true})
	if err != nil {
		t.Fatal(err)
	}
	loss, err := op.Apply(op.NewCrossEntropy(e.Packing, g.Classes), op.Input{Node: logits, Wanted: true})
	if err != nil {
		t.Fatal(err)
	}
	gradients, err := gorgonia.Grad(loss, variables...)
	if err != nil {
		t.Fatal(err)
	}
	vm := op.NewMachine(graph)
	defer vm.Close()
	e.Packing.Reset()
	e.Packing.Active = g.Active
	for _, s := range g.samples {
		at := e.PatchPixels(len(e.Packing.PatchPos))
		e.Packing.Add(s.Tokens, s.TokenPos, s.PatchPos, s.GridH, s.GridW, int32(s.Label))
		dataset.Normalise(at[:len(s.Pixels)], s.Pixels)
	}
	for range 2 { // the second run repeats the first one's calls
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		vm.Reset()
	}
	out := map[string][]float32{
		"pooler": e.Features.Value().Data().([]float32)[:len(g.samples)*g.Config.Width],
		"logits": logits.Value().Data().([]float32)[:len(g.samples)*g.Classes],
		"loss":   {loss.Value().Data().(float32)},
	}
	for i, x := range trained {
		for name, part := range apart(x.Name, gradients[i].Value().(*tensor.Dense).Float32s()) {
			out["gradient."+name] = part
		}
	}
	return out
}

// TestFirstRowsOfTheLastBlock: what is learned is the same whether every row of the last block is made or those alone that
// the pooler reads, and both are PyTorch's.
func TestFirstRowsOfTheLastBlock(t *testing.T) {
	goldens(t, func(t *testing.T, g *golden) {
		for prefix, ssf := range map[string]*tune.SSF{"plain.": nil, "tuned.": g.ssf} {
			whole, first := learned(t, g, ssf, true), learned(t, g, ssf, false)
			if len(whole) != len(first) {
				t.Fatalf("%d values by name and %d", len(whole), len(first))
			}
			deviations(t, g, prefix, whole)
			deviations(t, g, prefix, first)
			var worst float64
			for name, want := range whole {
				tolerance := 1e-5
				if name == "pooler" || name == "logits" || name == "loss" {
					tolerance = 1e-6
				}
				var largest, most float64
				for i, w := range want {
					largest, most = max(largest, math.Abs(float64(w))), max(most, math.Abs(float64(first[name][i])-float64(w)))
				}
				if worst = max(worst, most/max(largest, 0.01)); most > tolerance*max(largest, 0.01) {
					t.Errorf("%s%s differs by %g, its largest value is %g", prefix, name, most, largest)
				}
			}
			t.Logf("%sthe largest difference is %.1e of a tensor's largest value", prefix, worst)
		}
	})
}
