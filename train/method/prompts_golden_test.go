package method

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// promptGolden is a file that testdata/prompts_golden.py wrote.
type promptGolden struct {
	Method    string
	Config    vilt.Config
	Pool      int
	Length    int
	Top       int
	KeyWeight *float64 `json:"key_weight"`
	First     *int
	Last      int
	Batchwise bool
	Steps     int
	Rate      float64
	Examples  [][5]int // label, text, rows and columns of patches, phase

	tensors map[string]*vilt.Tensor
}

func readPromptGolden(t *testing.T, file string) (g promptGolden, _ *vilt.Weights) {
	t.Helper()
	tensors, metadata, err := vilt.ReadSafetensorsMetadata(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(metadata["case"]), &g); err != nil {
		t.Fatal(err)
	}
	g.tensors = map[string]*vilt.Tensor{}
	return g, goldenWeights(t, tensors, g.Config, g.tensors)
}

// goldenWeights names a golden's tensors, and loads the encoder that is among them.
func goldenWeights(t *testing.T, tensors []*vilt.Tensor, c vilt.Config, named map[string]*vilt.Tensor) *vilt.Weights {
	t.Helper()
	var weights []*vilt.Tensor
	for _, x := range tensors {
		named[x.Name] = x
		if name, ok := strings.CutPrefix(x.Name, "weights."); ok {
			weights = append(weights, &vilt.Tensor{Name: name, Shape: x.Shape, Data: x.Data})
		}
	}
	dir := t.TempDir()
	if err := vilt.WriteConfig(filepath.Join(dir, vilt.ConfigFile), c); err != nil {
		t.Fatal(err)
	}
	if err := vilt.WriteSafetensors(filepath.Join(dir, vilt.WeightsFile), weights, nil); err != nil {
		t.Fatal(err)
	}
	w, err := vilt.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// options are those of the golden's method.
func (g *promptGolden) options() Options {
	p := Prompts{Length: g.Length, Pool: g.Pool, Top: g.Top, Batchwise: g.Batchwise}
	if g.KeyWeight != nil {
		p.KeyWeight = *g.KeyWeight
	}
	if g.First != nil {
		p.Blocks = string(rune('0'+*g.First)) + "-" + string(rune('0'+g.Last))
	}
	return Options{Schedule: Schedule{BatchSize: len(g.Examples)}, Seed: 1, Prompts: p, Phases: 2}
}

// samples are the examples of a phase, and all of them for -2.
func (g *promptGolden) samples(phase int) (all []dataset.Sample) {
	ids, pixels := g.tensors["input.ids"], g.tensors["input.pixels"]
	p, height, width := g.Config.Patch, pixels.Shape[2], pixels.Shape[3]
	for b, e := range g.Examples {
		if phase != -2 && phase != e[4] {
			continue
		}
		s := dataset.Sample{Label: e[0], GridH: e[2], GridW: e[3]}
		for i := range e[1] {
			s.Tokens, s.TokenPos = append(s.Tokens, int32(ids.Data[b*ids.Shape[1]+i])), append(s.TokenPos, int32(i))
		}
		for at := range s.GridH * s.GridW {
			s.PatchPos = append(s.PatchPos, int32(at))
			for i := range 3 * p * p {
				c, y, x := i/(p*p), at/s.GridW*p+i/p%p, at%s.GridW*p+i%p
				s.Pixels = append(s.Pixels, uint8(pixels.Data[((b*3+c)*height+y)*width+x]))
			}
		}
		all = append(all, s)
	}
	return all
}

// noting is a solver that keeps the first gradients it is given.
type noting struct {
	op.AdamW
	grads gradients
}

func (n *noting) Step(model []gorgonia.ValueGrad) error {
	if n.grads == nil {
		if err := n.grads.Step(model); err != nil {
			return err
		}
	}
	return n.AdamW.Step(model)
}

// near compares with a golden, in units of its largest value.
func (g *promptGolden) near(t *testing.T, name string, got []float32, tolerance float64) {
	t.Helper()
	want := g.tensors[name]
	if want == nil || len(want.Data) != len(got) {
		t.Fatalf("%s: the golden has not the %d values", name, len(got))
	}
	var worst, largest float64
	for i, w := range want.Data {
		worst, largest = max(worst, math.Abs(float64(w-got[i]))), max(largest, math.Abs(float64(w)))
		if got[i] != got[i] {
			t.Fatalf("%s: value %d is %g", name, i, got[i])
		}
		if w == 0 && got[i] != 0 && strings.HasPrefix(name, "gradient.") && !strings.Contains(name, "head") {
			t.Errorf("%s: value %d is %g, and nothing should flow there", name, i, got[i])
			return
		}
	}
	if worst > tolerance*largest+1e-7 {
		t.Errorf("%s: off by %.2g of %.2g", name, worst, largest)
	} else {
		t.Logf("%s: off by %.2g of %.2g", name, worst, largest)
	}
}

// TestPromptGoldens holds each method to a PyTorch implementation written from the papers: loss and gradients of the first step
// of two phases, and what is answered after them.
func TestPromptGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/prompts-*.safetensors")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d goldens, not 5 (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".safetensors"), func(t *testing.T) {
			g, w := readPromptGolden(t, file)
			l, err := New(g.Method, w, 4, g.options())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			n := l.(*prompted).network
			named := map[string]*vilt.Tensor{}
			var initial []*vilt.Tensor
			for _, x := range l.State() {
				named[x.Name] = x
				initial = append(initial, &vilt.Tensor{Name: x.Name, Data: g.tensors["initial."+x.Name].Data})
			}
			if err := Restore(l, initial); err != nil {
				t.Fatal(err)
			}
			for phase := range 2 {
				p := Phase{Index: phase, Old: 2 * phase, Seen: 2*phase + 2}
				if err := l.Begin(p); err != nil {
					t.Fatal(err)
				}
				for name, x := range named { // what is drawn
					if begun := g.tensors["begin."+string(rune('0'+phase))+"."+name]; begun != nil {
						copy(x.Data[phase*len(begun.Data):], begun.Data)
					}
				}
				solver := &noting{AdamW: op.AdamW{LearningRate: float32(g.Rate), Beta2: 0.999}}
				n.train.encoder.Packing.ActiveFrom = p.Old
				for step := range g.Steps {
					loss, err := n.Step(g.samples(phase), p.Seen, solver)
					if err != nil {
						t.Fatal(err)
					}
					if step > 0 {
						continue
					}
					at := string(rune('0' + phase))
					g.near(t, "loss."+at, []float32{float32(loss)}, 1e-5)
					for i, x := range n.Trained() {
						g.near(t, "gradient."+at+"."+x.Name, solver.grads[i], 1e-4)
					}
				}
			}
			out, err := l.Infer(g.samples(-2), nil)
			if err != nil {
				t.Fatal(err)
			}
			g.near(t, "features", out.Features, 1e-5)
			g.near(t, "logits", out.Logits, 1e-5)
		})
	}
}
