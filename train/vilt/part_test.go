package vilt

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
)

// partConfig has as many blocks as it takes to be cut in two places.
func partConfig() Config {
	c := small()
	c.Depth = 3
	return c
}

// runPart builds a part of an encoder and runs it over two sequences; rows are its input where it has one.
func runPart(t *testing.T, w *Weights, o Options, rows []float32) *Encoder {
	t.Helper()
	g := gorgonia.NewGraph()
	e, err := Build(g, w, 3, o)
	if err != nil {
		t.Fatal(err)
	}
	e.Packing.Reset()
	e.Packing.Add([]int32{1, 2, 3}, []int32{0, 1, 2}, []int32{0, 1, 2, 3}, 2, 2, 0)
	e.Packing.Add([]int32{1, 8}, []int32{0, 1}, []int32{0}, 1, 1, 0)
	if rows != nil {
		copy(e.Input(0), rows)
	} else {
		for i := range e.PatchPixels(0)[:5*e.Config.PatchSize()] {
			e.PatchPixels(0)[i] = float32(i%7)/7 - 0.5
		}
	}
	vm := gorgonia.NewTapeMachine(g)
	t.Cleanup(func() { vm.Close() })
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestParts: an encoder in two parts is the whole, bit for bit, wherever it is cut, and in shared memory.
func TestParts(t *testing.T) {
	w, err := Random(partConfig(), 7)
	if err != nil {
		t.Fatal(err)
	}
	features := func(e *Encoder) []float32 { return e.Features.Value().Data().([]float32)[:2*w.Config.Width] }
	whole, all := runPart(t, w, Options{ForwardOnly: true}, nil), runPart(t, w, Options{ForwardOnly: true, KeepLayers: true}, nil)
	for block := 1; block < w.Config.Depth; block++ {
		rest := runPart(t, w, Options{FromBlock: block}, whole.Hidden(block))
		if !slices.Equal(features(rest), features(whole)) || features(rest)[0] == 0 {
			t.Errorf("from block %d: other features", block)
		}
		kept := runPart(t, w, Options{ForwardOnly: true, KeepLayers: true, FromBlock: block}, all.Hidden(block))
		if !slices.Equal(features(kept), features(all)) || !slices.Equal(kept.LastHidden(nil), all.LastHidden(nil)) ||
			!slices.Equal(kept.Attention(nil), all.Attention(nil)) || !slices.Equal(kept.Attentions(block, nil), all.Attentions(block, nil)) {
			t.Errorf("from block %d: other layers", block)
		}
		if rest.From() != block || rest.Pixels != nil || len(rest.pixels) > 0 {
			t.Errorf("from block %d: pixels, or the block %d", block, rest.From())
		}
		for _, beside := range []*Encoder{nil, rest} {
			first := runPart(t, w, Options{ForwardOnly: true, ToBlock: block, Beside: beside}, nil)
			if !slices.Equal(first.Hidden(block), whole.Hidden(block)) || first.Features != nil {
				t.Errorf("up to block %d, beside another %t: other rows", block, beside != nil)
			}
			if second := runPart(t, w, Options{ForwardOnly: true, FromBlock: block, Beside: beside}, whole.Hidden(block)); !slices.Equal(features(second), features(whole)) {
				t.Errorf("from block %d, beside another %t: other features", block, beside != nil)
			}
		}
	}
}

// TestPartsThatAreNot: what a part does not have is a mistake of the caller's, and impossible parts are errors.
func TestPartsThatAreNot(t *testing.T) {
	w, err := Random(partConfig(), 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{
		{FromBlock: -1}, {FromBlock: 3}, {ForwardOnly: true, ToBlock: -1}, {ForwardOnly: true, ToBlock: 3}, {ToBlock: 1},
		{ForwardOnly: true, FromBlock: 1, ToBlock: 2}, {FromBlock: 1, Train: true},
	} {
		if _, err := Build(gorgonia.NewGraph(), w, 3, o); err == nil {
			t.Errorf("%+v was built", o)
		}
	}
	rest, first := runPart(t, w, Options{FromBlock: 2}, make([]float32, 100)), runPart(t, w, Options{ForwardOnly: true, ToBlock: 1}, nil)
	for what, ask := range map[string]func(){
		"layer 1: only 2 to 3 were built": func() { rest.Hidden(1) },
		"layer 1: only 2 to 2 were built": func() { rest.Attentions(1, nil) },
		"layer 2: only 0 to 1 were built": func() { first.Hidden(2) },
		"layer 1: only 0 to 0 were built": func() { first.Attentions(1, nil) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, what) {
					t.Errorf("%q, want %q", text, what)
				}
			}()
			ask()
		}()
	}
}

// TestPartDigest: it is of what lies below the block and of nothing else.
func TestPartDigest(t *testing.T) {
	w, err := Random(partConfig(), 7)
	if err != nil {
		t.Fatal(err)
	}
	one, two := w.PartDigest(1), w.PartDigest(2)
	if one == two {
		t.Error("blocks do not count")
	}
	for _, x := range w.Tensors() {
		last := &x.Data[len(x.Data)-1]
		before := *last
		*last += 0.5
		below := strings.HasPrefix(x.Name, "embeddings.") || strings.HasPrefix(x.Name, "encoder.layer.0.")
		if changed := w.PartDigest(1) != one; changed != below {
			t.Errorf("%s changes the digest of block 0: %t", x.Name, changed)
		}
		below = below || strings.HasPrefix(x.Name, "encoder.layer.1.")
		if changed := w.PartDigest(2) != two; changed != below {
			t.Errorf("%s changes the digest of blocks 0 and 1: %t", x.Name, changed)
		}
		*last = before
	}
	other := *w
	other.Config.Heads = 4
	if other.PartDigest(1) == one {
		t.Error("the shape does not count")
	}
}

// TestPartFLOP holds both parts to products worked out by hand, those of [TestProducts].
func TestPartFLOP(t *testing.T) {
	c := Config{Width: 8, Depth: 3, Heads: 2, Hidden: 12, Channels: 3, Patch: 2}
	batch := []Sequence{{Text: 2, Patches: 3}, {Text: 1, Patches: 1}} // of 6 and 3 rows
	if want := 2.0 * 4 * 12 * 8; c.patchFLOP(batch) != want {
		t.Errorf("patches: %g, not %g", c.patchFLOP(batch), want)
	}
	block := 2.0 * (9*8*24 + 9*8*8 + 9*8*12 + 9*12*8 + 2*2*(6*4*6+3*4*3))
	for below := 1; below < c.Depth; below++ {
		if got, want := c.FLOPBelow(below, batch), c.patchFLOP(batch)+float64(below)*block; got != want {
			t.Errorf("below block %d: %g, not %g", below, got, want)
		}
	}
	if c.FLOPBelow(2, nil) != 0 {
		t.Error("nothing computed takes operations")
	}
	// both parts of a forward pass are the whole, and a step's rest has no embedding of patches
	if got, want := c.FLOPFrom(1, batch, 7, LearnsNothing)+c.FLOPBelow(1, batch), c.StepFLOP(batch, 7, LearnsNothing); got != want {
		t.Errorf("both parts: %g, not %g", got, want)
	}
	if got, want := c.FLOPFrom(1, batch, 7, LearnsTuned), c.StepFLOP(batch, 7, LearnsTuned)-c.patchFLOP(batch)-tunedBlock(c, batch); got != want {
		t.Errorf("from block 1: %g, not %g", got, want)
	}
	if reflect.DeepEqual(c.above(1), c) {
		t.Error("no block less")
	}
}

// tunedBlock is a step's operations in one of c's blocks.
func tunedBlock(c Config, batch []Sequence) float64 {
	more := c
	more.Depth++
	return more.StepFLOP(batch, 7, LearnsTuned) - c.StepFLOP(batch, 7, LearnsTuned)
}
