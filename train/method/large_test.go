package method

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// BenchmarkViLTB32 is a step of the published size: 8 pictures of 12 by 12 patches with 40 tokens, 1480 rows; masked, the 52
// patches and 14 tokens that an exemplar keeps; and inference. It needs 1.5 GB and is left out with -short.
func BenchmarkViLTB32(b *testing.B) {
	if testing.Short() {
		b.Skip("needs 1.5 GB")
	}
	const batch = 8
	c, err := vilt.Preset("vilt-b32")
	if err != nil {
		b.Fatal(err)
	}
	c.Vocab = 30522
	w, err := vilt.Random(c, 1)
	if err != nil {
		b.Fatal(err)
	}
	for _, bc := range []struct {
		name            string
		train           bool
		patches, tokens int
		learns          vilt.Learns
	}{
		{"ssf", true, 144, 40, vilt.LearnsTuned}, {"ssf-masked", true, 52, 14, vilt.LearnsTuned}, {"infer", false, 144, 40, vilt.LearnsNothing},
	} {
		b.Run(bc.name, func(b *testing.B) {
			n, err := NewNetwork(w, tune.NewSSF(c, 1), 20, batch)
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			samples := gridBatch(c, batch, bc.patches, bc.tokens)
			_, flop := Count(c, samples, n.Classes, bc.learns)
			solver := &op.AdamW{LearningRate: 1e-3}
			step := func() {
				if bc.train {
					_, err = n.Step(samples, 20, solver)
				} else {
					_, err = n.Infer(samples, nil)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			step()
			for b.Loop() {
				step()
			}
			perStep := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(flop/perStep/1e9, "GFLOP/s")
			b.ReportMetric(batch/perStep, "examples/s")
			b.ReportMetric(statusMB(b, "VmHWM:"), "peak-MB")
			b.ReportMetric(statusMB(b, "VmRSS:"), "rss-MB")
		})
		runtime.GC()
	}
}

// gridBatch makes examples whose pictures have as many patches as the learned grid, of which the first so many are there.
func gridBatch(c vilt.Config, batch, patches, tokens int) (samples []dataset.Sample) {
	for i := range batch {
		s := dataset.Sample{ID: dataset.ID(strconv.Itoa(i)), Label: i % 20, GridH: c.Grid(), GridW: c.Grid()}
		for p := range patches {
			s.PatchPos = append(s.PatchPos, int32(p))
		}
		s.Pixels = make([]uint8, patches*c.PatchSize())
		for j := range s.Pixels {
			s.Pixels[j] = uint8(j*7 + i*13)
		}
		for t := range tokens {
			s.Tokens, s.TokenPos = append(s.Tokens, int32((t*31+i)%c.Vocab)), append(s.TokenPos, int32(t))
		}
		samples = append(samples, s)
	}
	return samples
}

// statusMB reads a line of this process's status, where the system has one.
func statusMB(t testing.TB, key string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(b)) {
		if kB, ok := strings.CutPrefix(line, key); ok {
			n, err := strconv.ParseFloat(strings.Fields(kB)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return n / 1024
		}
	}
	return math.NaN()
}
