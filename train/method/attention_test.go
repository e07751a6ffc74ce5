package method

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestAttentions: single heads average to the mean head, none is above the largest, blocks average to their mean, the last
// one is what the graph without layers says, and what is asked for does not change the answer.
func TestAttentions(t *testing.T) {
	const classes = 4
	n := randomNetwork(t, true, classes, 8)
	c := n.Weights.Config
	batch := randomSamples(c, classes)
	infer := func(a *Attention) (probs [][]float32, features []float32) {
		t.Helper()
		out, err := n.Infer(batch, a)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Probs {
			probs = append(probs, slices.Clone(p))
		}
		return probs, slices.Clone(out.Features)
	}
	near := func(what string, got, want [][]float32) {
		t.Helper()
		for i := range want {
			if len(got[i]) != len(want[i]) {
				t.Fatalf("%s: example %d has %d values, not %d", what, i, len(got[i]), len(want[i]))
			}
			for k, w := range want[i] {
				if math.Abs(float64(got[i][k]-w)) > 1e-6 {
					t.Fatalf("%s: example %d, value %d is %g, not %g", what, i, k, got[i][k], w)
				}
			}
		}
	}
	mean := func(all ...[][]float32) [][]float32 {
		out := make([][]float32, len(batch))
		for i := range out {
			out[i] = make([]float32, len(all[0][i]))
			for _, probs := range all {
				for k, p := range probs[i] {
					out[i][k] += p / float32(len(all))
				}
			}
		}
		return out
	}
	nothing, plain := infer(nil)
	last, _ := infer(&Attention{})
	if nothing != nil || n.inside != nil {
		t.Error("attention was made that nobody asked for")
	}
	var layers [][][]float32
	for l := range c.Depth {
		probs, features := infer(&Attention{Layer: fmt.Sprint(l)})
		if !slices.Equal(features, plain) {
			t.Errorf("asking for block %d changes the features", l)
		}
		layers = append(layers, probs)
	}
	near("the last block", layers[c.Depth-1], last)
	if slices.Equal(layers[0][0], last[0]) {
		t.Error("the first block's attention is the last one's")
	}
	all, _ := infer(&Attention{Layer: "mean"})
	near("the mean of blocks", all, mean(layers...))
	var heads [][][]float32
	top, _ := infer(&Attention{Layer: "0", Heads: "max"})
	for h := range c.Heads {
		probs, _ := infer(&Attention{Layer: "0", Heads: fmt.Sprint(h)})
		heads = append(heads, probs)
	}
	near("the mean of heads", layers[0], mean(heads...))
	for i, probs := range top {
		for k, p := range probs {
			var most float32
			for _, h := range heads {
				most = max(most, h[i][k])
			}
			if p != most {
				t.Fatalf("the largest of the heads is %g, not %g", p, most)
			}
		}
	}
	single, _ := infer(&Attention{Heads: "0"})
	near("a head of the last block", single, func() [][]float32 { p, _ := infer(&Attention{Layer: fmt.Sprint(c.Depth - 1), Heads: "0"}); return p }())

	for _, a := range []Attention{{Layer: "first"}, {Layer: fmt.Sprint(c.Depth)}, {Layer: "-1"}, {Heads: "all"}, {Heads: fmt.Sprint(c.Heads)}} {
		if _, err := n.Infer(batch, &a); err == nil || !strings.Contains(err.Error(), "the model has") {
			t.Errorf("%+v: %v", a, err)
		}
	}
	e, err := NewEncoder(n.Weights, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Infer(batch, &Attention{Layer: "0"}); err == nil {
		t.Error("an encoder without layers gave the first one's attention")
	}
}
