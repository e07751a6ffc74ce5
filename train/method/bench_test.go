package method

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// BenchmarkStep is a training step of 32 examples of the tiny model: pretraining (every weight), SSF, SSF on masked
// exemplars that hold a third of the tokens, and inference. GFLOP/s counts matrix products only.
func BenchmarkStep(b *testing.B) {
	const batch = 32
	c, err := vilt.Preset("tiny")
	if err != nil {
		b.Fatal(err)
	}
	c.Vocab = 600
	for _, bc := range []struct {
		name   string
		tuned  bool
		train  bool
		keep   int // one in how many tokens
		learns vilt.Learns
	}{
		{"pretrain", false, true, 1, vilt.LearnsAll}, {"ssf", true, true, 1, vilt.LearnsTuned},
		{"ssf-masked", true, true, 3, vilt.LearnsTuned}, {"infer", true, false, 1, vilt.LearnsNothing},
	} {
		b.Run(bc.name, func(b *testing.B) {
			w, err := vilt.Random(c, 1)
			if err != nil {
				b.Fatal(err)
			}
			var tuner Tuner
			if bc.tuned {
				tuner = tune.NewSSF(c, 1)
			}
			n, err := NewNetwork(w, tuner, 20, batch)
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			samples := benchBatch(c, batch, bc.keep)
			_, flop := Count(c, samples, n.Classes, bc.learns)
			solver := &op.AdamW{LearningRate: 1e-3}
			for b.Loop() {
				if bc.train {
					_, err = n.Step(samples, 20, solver)
				} else {
					_, err = n.Infer(samples, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			perStep := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(flop/perStep/1e9, "GFLOP/s")
			b.ReportMetric(batch/perStep, "examples/s")
		})
	}
}

// benchBatch makes examples of 6 by 7 patches and 64 tokens, of which one in keep is there.
func benchBatch(c vilt.Config, batch, keep int) (samples []dataset.Sample) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range batch {
		s := dataset.Sample{ID: dataset.ID(fmt.Sprint(i)), Label: i % 20, GridH: 6, GridW: 7}
		for p := 0; p < 42; p += keep {
			s.PatchPos = append(s.PatchPos, int32(p))
		}
		s.Pixels = make([]uint8, len(s.PatchPos)*c.PatchSize())
		for j := range s.Pixels {
			s.Pixels[j] = uint8(rng.Uint32())
		}
		for t := 0; t < 64; t += keep {
			s.Tokens, s.TokenPos = append(s.Tokens, int32(rng.IntN(c.Vocab))), append(s.TokenPos, int32(t))
		}
		samples = append(samples, s)
	}
	return samples
}
