package vilt

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
)

// runSmall runs an encoder over a batch of two sequences.
func runSmall(t *testing.T, o Options) *Encoder {
	t.Helper()
	return runConfig(t, small(), o)
}

func runConfig(t *testing.T, c Config, o Options) *Encoder {
	t.Helper()
	w, err := Random(c, 7)
	if err != nil {
		t.Fatal(err)
	}
	g := gorgonia.NewGraph()
	e, err := Build(g, w, 3, o)
	if err != nil {
		t.Fatal(err)
	}
	if !e.turns && e.Hidden(0) != nil || o.KeepLayers && len(e.LastHidden(nil)) != 0 || len(e.Attentions(e.Config.Depth-1, nil)) != 0 {
		t.Error("hidden states and attentions before a run")
	}
	e.Packing.Reset()
	e.Packing.Add([]int32{1, 2, 3}, []int32{0, 1, 2}, []int32{0, 1, 2, 3}, 2, 2, 0)
	e.Packing.Add([]int32{1, 8}, []int32{0, 1}, []int32{0}, 1, 1, 0)
	for i := range e.PatchPixels(0)[:5*e.Config.PatchSize()] {
		e.PatchPixels(0)[i] = float32(i%7)/7 - 0.5
	}
	vm := gorgonia.NewTapeMachine(g)
	t.Cleanup(func() { vm.Close() })
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	return e
}

// features are the pooler's of the last run.
func features(e *Encoder) []float32 {
	return e.Features.Value().Data().([]float32)[:len(e.Packing.Seqs)*e.Config.Width]
}

// near says whether values between -1 and 1 differ by rounding alone.
func near(a, b []float32) bool {
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= 1e-6) {
			return false
		}
	}
	return len(a) == len(b)
}

// refuses says if call does not panic with text.
func refuses(t *testing.T, text string, call func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got, _ := recover().(string); !strings.Contains(got, text) {
			t.Errorf("%q does not say %q", got, text)
		}
	}()
	call()
}

// TestBeside: a graph in another's memory says the same, of its last layer or, where layers are kept, of all; the other one
// says the same once it has run again.
func TestBeside(t *testing.T) {
	all := runSmall(t, Options{})
	c := all.Config
	pooled, probs := slices.Clone(features(all)), all.Attentions(c.Depth-1, nil)
	for name, o := range map[string]Options{"beside": {ForwardOnly: true, Beside: all}, "alone": {ForwardOnly: true, LastOnly: true}} {
		e := runSmall(t, o)
		if !slices.Equal(features(e), pooled) || !slices.Equal(e.Attentions(c.Depth-1, nil), probs) || !e.turns {
			t.Errorf("%s: the features or the last attentions differ", name)
		}
		if beside := o.Beside != nil; beside != (&e.PatchPixels(0)[0] == &all.PatchPixels(0)[0]) || beside != (e.Scratch.Bytes() == 0) {
			t.Errorf("%s: pixels or scratch are not where they should be", name)
		}
		for layer, why := range []string{"layer 0 were not kept: build the encoder without LastOnly or Beside",
			"layer 1 were not kept", "layer 2 were not all made: build the encoder with KeepLayers"} {
			refuses(t, why, func() { e.Hidden(layer) })
		}
	}
	other := runSmall(t, Options{KeepLayers: true})
	kept := runSmall(t, Options{ForwardOnly: true, KeepLayers: true, Beside: other})
	for layer := range c.Depth + 1 {
		if !slices.Equal(kept.Hidden(layer), other.Hidden(layer)) {
			t.Errorf("layer %d differs", layer)
		}
	}
	w, err := Random(c, 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Build(gorgonia.NewGraph(), w, 4, Options{Beside: all}); err == nil {
		t.Error("a larger batch has room beside a smaller one")
	}
}

// TestShallow: a network of one block has no more than the embeddings to lend to a graph beside it.
func TestShallow(t *testing.T) {
	c := small()
	c.Depth = 1
	all := runConfig(t, c, Options{})
	pooled := slices.Clone(features(all))
	if beside := runConfig(t, c, Options{ForwardOnly: true, Beside: all}); !slices.Equal(features(beside), pooled) {
		t.Error("the features differ")
	}
	if whole := runConfig(t, c, Options{KeepLayers: true}); !near(features(whole), pooled) {
		t.Error("the features of a whole block differ")
	}
}

// TestInside: a graph that is only run forward says the same as one that keeps all, one that makes no more of the last block
// than the pooler reads the same as one that makes all of it, and each refuses what it does not have.
func TestInside(t *testing.T) {
	all, first := runSmall(t, Options{KeepLayers: true}), runSmall(t, Options{})
	kept, shared := runSmall(t, Options{ForwardOnly: true, KeepLayers: true}), runSmall(t, Options{ForwardOnly: true})
	c, rows := all.Config, (3+1+4)+(2+1+1)
	pairs := 8*8 + 4*4
	for layer := range c.Depth + 1 {
		x := all.Hidden(layer)
		if len(x) != rows*c.Width || !slices.Equal(x, kept.Hidden(layer)) {
			t.Errorf("hidden states of layer %d differ", layer)
		}
		if layer < c.Depth && (!slices.Equal(x, first.Hidden(layer)) || !slices.Equal(x, shared.Hidden(layer))) {
			t.Errorf("hidden states of layer %d differ below the first rows", layer)
		}
		if layer > 0 && slices.Equal(x, all.Hidden(layer-1)) {
			t.Errorf("layers %d and %d share their memory", layer-1, layer)
		}
	}
	for layer := range c.Depth {
		p := all.Attentions(layer, nil)
		if len(p) != c.Heads*pairs || !slices.Equal(p, kept.Attentions(layer, nil)) {
			t.Errorf("attentions of block %d differ", layer)
		}
		if !slices.Equal(p, first.Attentions(layer, nil)) || layer == c.Depth-1 && !slices.Equal(p, shared.Attentions(layer, nil)) {
			t.Errorf("attentions of block %d differ with first rows", layer)
		}
	}
	for _, e := range []*Encoder{first, kept, shared} {
		if !slices.Equal(e.Attention(nil), all.Attention(nil)) || !near(features(e), features(all)) {
			t.Error("the features or the attention differ")
		}
	}
	if !slices.Equal(features(kept), features(all)) || !slices.Equal(features(first), features(shared)) {
		t.Error("the features of a graph that is only run forward differ")
	}
	attentions := runSmall(t, Options{ForwardOnly: true, KeepAttentions: true, Beside: first})
	if !attentions.turns || !slices.Equal(features(attentions), features(shared)) {
		t.Error("a graph that keeps attentions alone has a stream of its own, or other features")
	}
	for layer := range c.Depth {
		if !slices.Equal(attentions.Attentions(layer, nil), all.Attentions(layer, nil)) {
			t.Errorf("attentions of block %d differ where nothing else is kept", layer)
		}
	}
	dst := make([]float32, 0, 1000)
	if got := kept.LastHidden(dst); &got[0] != &dst[:1][0] || !slices.Equal(got, all.LastHidden(nil)) {
		t.Error("the last hidden states differ, or are not where they were asked for")
	}
	if got := kept.Attentions(0, dst); &got[0] != &dst[:1][0] {
		t.Error("attentions are not where they were asked for")
	}
	for name, call := range map[string]func(){
		"hidden states of layer -1 of 0 to 2":           func() { all.Hidden(-1) },
		"hidden states of layer 3 of 0 to 2":            func() { all.Hidden(c.Depth + 1) },
		"attentions of block 2 of 0 to 1":               func() { all.Attentions(c.Depth, nil) },
		"attentions of block -1":                        func() { all.Attentions(-1, nil) },
		"block 0 were not kept: build the encoder with": func() { shared.Attentions(0, nil) },
		"layer 2 were not all made: build":              func() { first.LastHidden(nil) },
	} {
		refuses(t, name, call)
	}
}
