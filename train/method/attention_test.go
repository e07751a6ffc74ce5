package method

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/train/op"
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
	near := func(what string, got, want [][]float32) { // float32 in another order
		t.Helper()
		for i := range want {
			if len(got[i]) != len(want[i]) {
				t.Fatalf("%s: example %d has %d values, not %d", what, i, len(got[i]), len(want[i]))
			}
			for k, w := range want[i] {
				if math.Abs(float64(got[i][k]-w)) > 2e-6 {
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
		near("features, asking for block "+fmt.Sprint(l), [][]float32{features}, [][]float32{plain}) // all rows of the last block are computed
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

// TestInsideBytes holds what attention inside is said to take to what the graphs then hold more.
func TestInsideBytes(t *testing.T) {
	for _, n := range []*Network{randomNetwork(t, false, 4, 8), randomNetwork(t, true, 4, 8), partialNetwork(t, 1, 4, 8)} {
		held := func() op.Memory {
			var l op.Ledger
			for _, m := range []*machine{n.train, n.infer, n.inside} {
				if m != nil {
					l.Add(m.features.Graph(), m.encoder.Scratch)
				}
			}
			if n.prefix != nil {
				l.Add(n.prefix.m.encoder.Pixels.Graph(), n.prefix.m.encoder.Scratch)
			}
			return l.Memory
		}
		before := held()
		if _, err := n.Infer(randomSamples(n.Weights.Config, 2), &Attention{Layer: "mean"}); err != nil {
			t.Fatal(err)
		}
		after := held()
		p := n.train.encoder.Packing
		statistics := int64(4 * p.MaxRows() * 4 * n.Weights.Config.Depth) // of norms, which no ledger has
		more := statistics + after.Activations + after.Scratch + after.Inputs - before.Activations - before.Scratch - before.Inputs
		if want := InsideBytes(n.Weights.Config, p.MaxBatch, p.MaxRows()/p.MaxBatch) + int64(4*p.MaxBatch*n.Classes); more != want { // with the logits
			t.Errorf("%d bytes more, not %d", more, want)
		}
	}
}

// TestAttentionsBelowTheTuned: where blocks below are run once a sample, their attention is computed all the same, and that of
// the others as ever, but for what half precision takes from their input.
func TestAttentionsBelowTheTuned(t *testing.T) {
	n := partialNetwork(t, 1, 4, 8)
	batch := randomSamples(n.Weights.Config, 4)
	var all [][]float32
	for _, a := range []Attention{{}, {Layer: fmt.Sprint(n.Weights.Config.Depth - 1)}, {Layer: "0"}} {
		out, err := n.Infer(batch, &a)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, slices.Clone(out.Probs[0]))
	}
	size := 0
	for size*size < len(all[0]) {
		size++
	}
	for k, p := range all[0] {
		if math.Abs(float64(all[1][k]-p)) > 2e-3 {
			t.Fatalf("value %d of the last block is %g, not %g", k, all[1][k], p)
		}
	}
	for i := range size {
		var sum float64
		for _, p := range all[2][i*size : (i+1)*size] {
			sum += float64(p)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("row %d of the first block adds up to %g", i, sum)
		}
	}
	if slices.Equal(all[2], all[1]) {
		t.Error("the first block's attention is the last one's")
	}
}
