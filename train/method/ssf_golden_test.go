package method

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/vilt"
)

// ssfGolden is what testdata/ssf_golden.py wrote.
type ssfGolden struct {
	Config    vilt.Config
	Steps     int
	Rate      float64
	Decay     float64
	PerPhase  int      `json:"per_phase"`
	Examples  [][5]int // label, text, rows and columns of patches, phase
	Exemplars []struct {
		Of      int // an example of the first phase
		Tokens  []int32
		Patches []int32
	}

	tensors map[string]*vilt.Tensor
}

// sample is an example with some of its tokens and patches; nil: with all.
func (g *ssfGolden) sample(i int, tokens, patches []int32) dataset.Sample {
	e := g.Examples[i]
	s := dataset.Sample{Label: e[0], TextLen: e[1], GridH: e[2], GridW: e[3], TokenPos: tokens, PatchPos: patches}
	counted := func(n int) (all []int32) {
		for k := range n {
			all = append(all, int32(k))
		}
		return all
	}
	if tokens == nil {
		s.TokenPos, s.PatchPos = counted(s.TextLen), counted(s.GridH*s.GridW)
	}
	ids, pixels := g.tensors["input.ids"], g.tensors["input.pixels"]
	for _, at := range s.TokenPos {
		s.Tokens = append(s.Tokens, int32(ids.Data[i*ids.Shape[1]+int(at)]))
	}
	p, height, width := g.Config.Patch, pixels.Shape[2], pixels.Shape[3]
	for _, at := range s.PatchPos {
		top, left := int(at)/s.GridW*p, int(at)%s.GridW*p
		for k := range 3 * p * p {
			c, y, x := k/(p*p), top+k/p%p, left+k%p
			s.Pixels = append(s.Pixels, uint8(pixels.Data[((i*3+c)*height+y)*width+x]))
		}
	}
	return s
}

// near compares with the golden, in units of its largest value.
func (g *ssfGolden) near(t *testing.T, name string, got []float32, tolerance float64) {
	t.Helper()
	want := g.tensors[name]
	if want == nil || len(want.Data) != len(got) {
		t.Fatalf("%s: %d values, and not the golden's", name, len(got))
	}
	var worst, largest float64
	for i, v := range want.Data {
		worst = max(worst, math.Abs(float64(v)-float64(got[i]))) // NaN, where there is one
		largest = max(largest, math.Abs(float64(v)))
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s: off by %.2g of %.2g", name, worst, largest)
	}
	t.Logf("%s: off by %.1g of %.2g", name, worst, largest)
}

// TestSSFAgainstPyTorch holds the methods that learn with cross-entropy over the classes seen to a PyTorch implementation
// written from the equations: two phases with all that a run does in them, the steps' losses, and then gradients by all that is
// trained and the answers. Exemplars lack patches and tokens.
func TestSSFAgainstPyTorch(t *testing.T) {
	tensors, metadata, err := vilt.ReadSafetensorsMetadata("testdata/ssf.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	g := &ssfGolden{tensors: map[string]*vilt.Tensor{}}
	if err := json.Unmarshal([]byte(metadata["case"]), g); err != nil {
		t.Fatal(err)
	}
	w := goldenWeights(t, tensors, g.Config, g.tensors)
	var phases [2]inMemory
	var all []dataset.Sample
	for i, e := range g.Examples {
		all = append(all, g.sample(i, nil, nil))
		if e[4] >= 0 {
			phases[e[4]] = append(phases[e[4]], all[i])
		}
	}
	var exemplars inMemory
	for _, e := range g.Exemplars {
		exemplars = append(exemplars, g.sample(e.Of, e.Tokens, e.Patches))
	}
	all = append(all, exemplars...)
	for _, c := range []struct {
		method string
		second inMemory // what the second phase learns
	}{
		{"ssf", slices.Concat(phases[1], exemplars)}, {"finetune", phases[1]},
		{"linear", slices.Concat(phases[1], exemplars)}, {"joint", slices.Concat(phases[0], phases[1])},
	} {
		t.Run(c.method, func(t *testing.T) {
			seen := 2 * g.PerPhase
			l, err := New(c.method, w, seen+1, Options{Seed: 1, Schedule: Schedule{ // a class is never seen
				Epochs: g.Steps, BatchSize: len(all), LearningRate: g.Rate, WeightDecay: g.Decay, WarmupFraction: 0.5,
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for _, x := range l.State() {
				if initial := g.tensors["initial."+x.Name]; initial != nil {
					copy(x.Data, initial.Data)
				}
			}
			var n *Network
			switch m := l.(type) {
			case *tuned:
				n = m.network
			case *anew: // which has noted what it starts from
				n = m.network
				for i, x := range l.State() {
					copy(m.start[i], x.Data)
				}
			}
			var losses []float32
			for p, items := range []inMemory{phases[0], c.second} {
				losses = nil
				if err := l.Begin(Phase{Index: p, Old: p * g.PerPhase, Seen: (p + 1) * g.PerPhase}); err != nil {
					t.Fatal(err)
				}
				if err := l.Fit(t.Context(), Lesson{Items: items, Progress: func(s Step) { losses = append(losses, float32(s.Loss)) }}); err != nil {
					t.Fatal(err)
				}
			}
			g.near(t, c.method+".losses", losses, 1e-5)
			var got gradients
			loss, err := n.Step(c.second, seen, &got)
			if err != nil {
				t.Fatal(err)
			}
			g.near(t, c.method+".loss", []float32{float32(loss)}, 1e-5)
			for i, x := range n.Trained() {
				own := got[i]
				if k := x.Shape[0]; k == seen+1 {
					own = own[:len(own)/k*seen]
					if slices.ContainsFunc(slices.Concat(got[i][len(own):], x.Data[len(own):]), func(v float32) bool { return v != 0 }) {
						t.Errorf("%s: the class that is not seen has a part in it", x.Name)
					}
				}
				g.near(t, c.method+".gradient."+x.Name, own, 5e-4)
			}
			out, err := l.Infer(all, nil)
			if err != nil {
				t.Fatal(err)
			}
			var logits []float32
			for row := range slices.Chunk(out.Logits, seen+1) {
				logits = append(logits, row[:seen]...)
			}
			g.near(t, c.method+".logits", logits, 5e-5)
		})
	}
}
