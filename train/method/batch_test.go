package method

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/vilt"
)

// inside is all that an encoder says of one sequence, by name.
type inside map[string][]float32

// insides are those of every sequence of e's batch.
func insides(e *vilt.Encoder) (all []inside) {
	c, p := e.Config, e.Packing
	d := c.Width
	rest := map[string][]float32{}
	for layer := range c.Depth {
		rest[fmt.Sprint("attentions ", layer)] = e.Attentions(layer, nil)
	}
	mean, last := e.Attention(nil), e.LastHidden(nil)
	for i := range p.Seqs {
		lo, hi := p.Offsets[i], p.Offsets[i+1]
		s := hi - lo
		one := inside{"feature": e.Features.Value().Data().([]float32)[i*d : (i+1)*d], "last hidden": last[lo*d : hi*d], "mean": mean[:s*s]}
		mean = mean[s*s:]
		for layer := range c.Depth + 1 {
			one[fmt.Sprint("hidden ", layer)] = e.Hidden(layer)[lo*d : hi*d]
		}
		for name, v := range rest {
			one[name], rest[name] = v[:c.Heads*s*s], v[c.Heads*s*s:]
		}
		all = append(all, one)
	}
	return all
}

// TestAloneAndInABatch: a sequence's features, hidden states and attentions are the same bytes alone, in a batch of
// sequences of other lengths, and in another order. Widths are chosen to leave edges of every register tile, and one is of
// more terms than a block of a product takes.
func TestAloneAndInABatch(t *testing.T) {
	path, err := kernel.Path()
	if err != nil {
		t.Fatal(err)
	}
	wide := vilt.Config{
		ModelType: "vilt", Vocab: 50, MaxText: 12, Width: 72, Depth: 2, Heads: 4, Hidden: 400, ImageSize: 24, Patch: 4, Channels: 3,
		Eps: 1e-12, TypeVocab: 2, Modalities: 2,
	}
	for _, tuned := range []bool{false, true} {
		for _, c := range []vilt.Config{referenceConfig(), wide} {
			n := randomNetworkOf(t, c, tuned, 2, 8)
			batch := randomSamples(c, 2)
			o := vilt.Options{ForwardOnly: true, KeepLayers: true}
			many := slices.Concat(batch, batch, batch) // some 300 rows, which products are cut otherwise for
			together := insides(encode(t, n.Weights, n.Tuner, many, o))
			same := func(how string, i int, got inside) {
				t.Helper()
				for name, want := range together[i] {
					if len(want) == 0 || !slices.Equal(got[name], want) {
						t.Errorf("%s, width %d, tuned %v: %s of example %d is not the same %s", path, c.Width, tuned, name, i, how)
					}
				}
			}
			for i, s := range batch {
				same("alone", i, insides(encode(t, n.Weights, n.Tuner, []dataset.Sample{s}, o))[0])
			}
			backwards := slices.Clone(batch)
			slices.Reverse(backwards)
			for k, got := range insides(encode(t, n.Weights, n.Tuner, append(backwards, batch[2], batch[2]), o)) {
				i := len(batch) - 1 - k
				if i < 0 {
					i = 2
				}
				same("in another order", i, got)
			}
		}
	}
	t.Logf("%s: equal bit for bit", path)
}

// TestAloneAndInABatchOnEveryPath runs the test above on the processor's other paths: a process chooses its path once.
func TestAloneAndInABatchOnEveryPath(t *testing.T) {
	const variable = "MCIL_CPU"
	if os.Getenv(variable) != "" {
		t.Skip("the path is chosen")
	}
	for _, path := range []string{"portable", "avx2"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAloneAndInABatch$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+path)
		out, err := cmd.CombinedOutput()
		if path == "avx2" && err != nil {
			if best, _ := kernel.Path(); best == "portable" {
				t.Skip("this processor has no avx2")
			}
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}
