package method

import (
	"math/rand/v2"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

func smallConfig() vilt.Config {
	c, _ := vilt.Preset("tiny")
	c.Vocab, c.Width, c.Heads, c.Hidden, c.Depth, c.MaxText, c.ImageSize, c.Patch = 50, 16, 2, 32, 2, 12, 16, 4
	return c
}

// sample is an example whose class can be told from both its patches and its tokens.
func sample(c vilt.Config, label int, rng *rand.Rand) dataset.Sample {
	s := dataset.Sample{Label: label, GridH: 4, GridW: 3 + rng.IntN(2)}
	for i := range s.GridH * s.GridW {
		s.PatchPos = append(s.PatchPos, int32(i))
		for range c.PatchSize() {
			s.Pixels = append(s.Pixels, uint8(rng.IntN(120)+label*40))
		}
	}
	s.Tokens = []int32{2, int32(5 + label), int32(10 + rng.IntN(30)), 3}
	s.TokenPos = []int32{0, 1, 2, 3}
	return s
}

func TestNetworkLearns(t *testing.T) {
	for _, tuned := range []bool{false, true} {
		c := smallConfig()
		w, err := vilt.Random(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		var tuner Tuner
		if tuned {
			tuner = tune.NewSSF(c, 2)
		}
		n, err := NewNetwork(w, tuner, 4, 8)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		solver := &op.AdamW{LearningRate: 5e-3}
		if tuned {
			solver.LearningRate = 1e-2
		}
		var first, last float64
		for i := range 120 {
			var batch []dataset.Sample
			for range 8 {
				batch = append(batch, sample(c, rng.IntN(3), rng))
			}
			loss, err := n.Step(batch, 3, solver)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = loss
			}
			last = loss
		}
		t.Logf("tuned %v: loss %.3f -> %.3f", tuned, first, last)
		if last > first/2 {
			t.Errorf("tuned %v: the loss went from %.3f to %.3f only", tuned, first, last)
		}
		if n.Head[1].Data[3] != 0 {
			t.Errorf("tuned %v: the bias of a class that does not compete moved to %g", tuned, n.Head[1].Data[3])
		}
	}
}
