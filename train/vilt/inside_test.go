package vilt

import (
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
)

// runSmall runs an encoder over a batch of two sequences.
func runSmall(t *testing.T, o Options) *Encoder {
	t.Helper()
	w, err := Random(small(), 7)
	if err != nil {
		t.Fatal(err)
	}
	g := gorgonia.NewGraph()
	e, err := Build(g, w, 3, o)
	if err != nil {
		t.Fatal(err)
	}
	if !e.turns && e.Hidden(0) != nil || len(e.LastHidden(nil)) != 0 || len(e.Attentions(e.Config.Depth-1, nil)) != 0 {
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

// TestBeside: a graph in another's memory says the same, of its last layer or, where layers are kept, of all; the other one
// says the same once it has run again.
func TestBeside(t *testing.T) {
	all := runSmall(t, Options{})
	c := all.Config
	last, probs := slices.Clone(all.LastHidden(nil)), all.Attentions(c.Depth-1, nil)
	turns := runSmall(t, Options{ForwardOnly: true, Beside: all})
	if !slices.Equal(turns.LastHidden(nil), last) || !slices.Equal(turns.Attentions(c.Depth-1, nil), probs) {
		t.Error("the last layer differs")
	}
	if alone := runSmall(t, Options{ForwardOnly: true, LastOnly: true}); !slices.Equal(alone.LastHidden(nil), last) || !alone.turns {
		t.Error("the last layer of a graph of its own differs")
	}
	if &turns.PatchPixels(0)[0] != &all.PatchPixels(0)[0] || turns.Scratch.Bytes() != 0 {
		t.Error("pixels or scratch have memory of their own")
	}
	func() {
		defer func() {
			if text, _ := recover().(string); !strings.Contains(text, "layer 1 were not kept: build the encoder without LastOnly or Beside") {
				t.Errorf("%q", text)
			}
		}()
		turns.Hidden(c.Depth - 1)
	}()
	other := runSmall(t, Options{})
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

// TestInside: a graph that is only run forward says the same as one that keeps all, and refuses what it does not have.
func TestInside(t *testing.T) {
	all := runSmall(t, Options{})
	kept, shared := runSmall(t, Options{ForwardOnly: true, KeepLayers: true}), runSmall(t, Options{ForwardOnly: true})
	c, rows := all.Config, (3+1+4)+(2+1+1)
	pairs := 8*8 + 4*4
	for layer := range c.Depth + 1 {
		x := all.Hidden(layer)
		if len(x) != rows*c.Width || !slices.Equal(x, kept.Hidden(layer)) || !slices.Equal(x, shared.Hidden(layer)) {
			t.Errorf("hidden states of layer %d differ", layer)
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
		if layer == c.Depth-1 && !slices.Equal(p, shared.Attentions(layer, nil)) {
			t.Error("the last block's attentions differ")
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
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, name) {
					t.Errorf("%q does not say %q", text, name)
				}
			}()
			call()
		}()
	}
}
