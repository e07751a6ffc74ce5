package vilt_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// golden is a file that testdata/vilt_golden.py wrote: parameters and inputs in float32, and what transformers' ViltModel and
// PyTorch's autograd make of them in float64.
type golden struct {
	Config   vilt.Config `json:"config"`
	Classes  int         `json:"classes"`
	Active   int         `json:"active"`
	Labels   []int       `json:"labels"`
	Extended int         `json:"extended"` // text positions, or 0 for the config's own

	tensors map[string]*vilt.Tensor
	weights *vilt.Weights
	ssf     *tune.SSF
	samples []dataset.Sample
}

// goldens runs f on every golden of testdata.
func goldens(t *testing.T, f func(t *testing.T, g *golden)) {
	files, err := filepath.Glob("testdata/golden-*.safetensors")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d goldens, not 10 (%v)", len(files), err)
	}
	for _, file := range files {
		name, _ := strings.CutPrefix(strings.TrimSuffix(filepath.Base(file), ".safetensors"), "golden-")
		t.Run(name, func(t *testing.T) { f(t, readGolden(t, file)) })
	}
}

func readGolden(t *testing.T, file string) *golden {
	t.Helper()
	tensors, metadata, err := vilt.ReadSafetensorsMetadata(file)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{tensors: map[string]*vilt.Tensor{}}
	if err := json.Unmarshal([]byte(metadata["case"]), g); err != nil {
		t.Fatal(err)
	}
	var weights []*vilt.Tensor
	for _, x := range tensors {
		g.tensors[x.Name] = x
		if name, ok := strings.CutPrefix(x.Name, "weights."); ok {
			weights = append(weights, &vilt.Tensor{Name: name, Shape: x.Shape, Data: x.Data})
		}
	}
	dir := t.TempDir()
	if err := vilt.WriteConfig(filepath.Join(dir, vilt.ConfigFile), g.Config); err != nil {
		t.Fatal(err)
	}
	if err := vilt.WriteSafetensors(filepath.Join(dir, vilt.WeightsFile), weights, nil); err != nil {
		t.Fatal(err)
	}
	if g.weights, err = vilt.Load(dir); err != nil {
		t.Fatal(err)
	}
	if g.Extended > 0 {
		if g.weights, err = g.weights.WithMaxText(g.Extended); err != nil {
			t.Fatal(err)
		}
	}
	g.ssf = tune.NewSSF(g.Config, 1)
	for _, x := range g.ssf.Tensors() {
		copy(x.Data, g.values(t, x.Name))
	}
	g.samples = g.unpad(t)
	return g
}

func (g *golden) values(t *testing.T, name string) []float32 {
	t.Helper()
	x := g.tensors[name]
	if x == nil {
		t.Fatalf("the golden has no %s", name)
	}
	return x.Data
}

// unpad makes samples of a padded batch: tokens where input.text is 1, and the patches that [vilt.FromPixelMask] finds.
func (g *golden) unpad(t *testing.T) (samples []dataset.Sample) {
	ids, text := g.values(t, "input.ids"), g.values(t, "input.text")
	pixels, mask := g.values(t, "input.pixels"), g.values(t, "input.mask")
	shape := g.tensors["input.pixels"].Shape
	p, h, w, length := g.Config.Patch, shape[2], shape[3], g.tensors["input.ids"].Shape[1]
	for b, label := range g.Labels {
		s := dataset.Sample{ID: dataset.ID(fmt.Sprint(b)), Label: label}
		for i := range length {
			if text[b*length+i] == 1 {
				s.Tokens, s.TokenPos = append(s.Tokens, int32(ids[b*length+i])), append(s.TokenPos, int32(i))
			}
		}
		shown := make([]bool, h*w)
		for i := range shown {
			shown[i] = mask[b*h*w+i] == 1
		}
		u, err := vilt.FromPixelMask(shown, h, w, p)
		if err != nil {
			t.Fatal(err)
		}
		s.GridH, s.GridW, s.PatchPos = u.GridH, u.GridW, u.Pos
		for _, at := range u.Padded {
			y, x := int(at)/(w/p)*p, int(at)%(w/p)*p // its upper left pixel
			for i := range 3 * p * p {
				c, dy, dx := i/(p*p), i/p%p, i%p
				s.Pixels = append(s.Pixels, uint8(pixels[((b*3+c)*h+y+dy)*w+x+dx]))
			}
		}
		samples = append(samples, s)
	}
	return samples
}

// seen is what an encoder says of a batch, by the golden's names: of every layer where it keeps them, otherwise of all but the
// last one's hidden states and the attentions below it.
func seen(t *testing.T, w *vilt.Weights, ssf *tune.SSF, samples []dataset.Sample, keepLayers bool) map[string][]float32 {
	t.Helper()
	graph := gorgonia.NewGraph()
	o := vilt.Options{ForwardOnly: true, KeepLayers: keepLayers}
	if ssf != nil {
		ssf.Into(graph, &o)
	}
	e, err := vilt.Build(graph, w, len(samples)+1, o)
	if err != nil {
		t.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(graph)
	defer vm.Close()
	e.Packing.Reset()
	for _, s := range samples {
		at := e.PatchPixels(len(e.Packing.PatchPos))
		e.Packing.Add(s.Tokens, s.TokenPos, s.PatchPos, s.GridH, s.GridW, int32(s.Label))
		dataset.Normalise(at[:len(s.Pixels)], s.Pixels)
	}
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	depth := w.Config.Depth
	out := map[string][]float32{
		"pooler": e.Features.Value().Data().([]float32)[:len(samples)*w.Config.Width],

		fmt.Sprintf("attention.%d", depth-1): e.Attentions(depth-1, nil),
	}
	for i := range depth {
		out[fmt.Sprintf("hidden.%d", i)] = e.Hidden(i)
	}
	if keepLayers {
		for i := range depth - 1 {
			out[fmt.Sprintf("attention.%d", i)] = e.Attentions(i, nil)
		}
		out["last"], out[fmt.Sprintf("hidden.%d", depth)] = e.LastHidden(nil), e.Hidden(depth)
	}
	return out
}

// tolerance is in units of a tensor's largest value, or of 1 where that is less. A tensor that is zero by nature, as the
// gradient by a key's bias is, may have float32's noise.
const tolerance, noise = 1e-4, 1e-6

// deviations compares ours with the golden's tensors, in the order of their names, and prints the largest deviation of each.
func deviations(t *testing.T, g *golden, prefix string, ours map[string][]float32) {
	t.Helper()
	var names []string
	for name := range ours {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		got, want := ours[name], g.values(t, prefix+name)
		if len(got) != len(want) {
			t.Errorf("%s%s has %d values, not %d", prefix, name, len(got), len(want))
			continue
		}
		var largest, most float64
		at := 0
		for i, w := range want {
			largest = max(largest, math.Abs(float64(w)))
			d := math.Abs(float64(got[i]) - float64(w))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			if d > most {
				most, at = d, i
			}
		}
		t.Logf("%-70s %.1e of %.1e", prefix+name, most, largest)
		if most > max(noise, tolerance*min(1, largest)) {
			t.Errorf("%s%s: value %d is %g, the reference has %g", prefix, name, at, got[at], want[at])
		}
	}
}

// rows are the values of one example among those of all: of rows, of pairs of rows, or of the example itself.
func (g *golden) rows(name string, values []float32, example int) []float32 {
	c := g.Config
	if name == "pooler" {
		return values[example*c.Width : (example+1)*c.Width]
	}
	for i, s := range g.samples {
		n := len(s.Tokens) + 1 + len(s.PatchPos)
		size := n * c.Width
		if strings.HasPrefix(name, "attention") {
			size = c.Heads * n * n
		}
		if i == example {
			return values[:size]
		}
		values = values[size:]
	}
	return nil
}

// TestGoldenForward holds hidden states and attentions of every layer, the final norm's output and the pooler's to
// transformers': the model as it is, with SSF, and with SSF merged into the weights.
func TestGoldenForward(t *testing.T) {
	goldens(t, func(t *testing.T, g *golden) {
		if g.Extended > 0 {
			for _, x := range g.weights.Tensors() {
				if x.Name == "embeddings.text_embeddings.position_embeddings.weight" {
					deviations(t, g, "", map[string][]float32{"extended": x.Data})
				}
			}
		}
		for _, keepLayers := range []bool{true, false} {
			t.Logf("layers kept: %v", keepLayers)
			all := seen(t, g.weights, nil, g.samples, keepLayers)
			deviations(t, g, "plain.", all)
			deviations(t, g, "tuned.", seen(t, g.weights, g.ssf, g.samples, keepLayers))
			t.Log("merged:")
			deviations(t, g, "tuned.", seen(t, g.ssf.Merge(g.weights), nil, g.samples, keepLayers))
			for i := range g.samples {
				for name, alone := range seen(t, g.weights, nil, g.samples[i:i+1], keepLayers) {
					if !slices.Equal(alone, g.rows(name, all[name], i)) {
						t.Errorf("example %d: %s depends on what else is in the batch", i, name)
					}
				}
			}
		}
	})
}

// kept is a solver that keeps the gradients and changes nothing.
type kept struct{ gradients [][]float32 }

func (k *kept) Step(model []gorgonia.ValueGrad) error {
	for _, p := range model {
		v, err := p.Grad()
		if err != nil {
			return err
		}
		k.gradients = append(k.gradients, slices.Clone(v.Data().([]float32)))
	}
	return nil
}

// TestGoldenGradients holds logits, loss and every gradient to PyTorch's: by all weights of the encoder and the head in
// pretraining, by SSF's vectors and the head in tuning.
func TestGoldenGradients(t *testing.T) {
	goldens(t, func(t *testing.T, g *golden) {
		for prefix, tuner := range map[string]method.Tuner{"plain.": nil, "tuned.": g.ssf} {
			n, err := method.NewNetwork(g.weights, tuner, g.Classes, len(g.samples)+1)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			for _, x := range n.Head {
				copy(x.Data, g.values(t, x.Name))
			}
			out, err := n.Infer(g.samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			ours := map[string][]float32{"logits": slices.Clone(out.Logits)}
			var solver kept
			loss, err := n.Step(g.samples, g.Active, &solver)
			if err != nil {
				t.Fatal(err)
			}
			ours["loss"] = []float32{float32(loss)}
			for i, x := range n.Trained() {
				for name, part := range apart(x.Name, solver.gradients[i]) {
					ours["gradient."+name] = part
				}
			}
			deviations(t, g, prefix, ours)
			for name := range g.tensors {
				if name, ok := strings.CutPrefix(name, prefix+"gradient."); ok && ours["gradient."+name] == nil {
					t.Errorf("no gradient by %s", name)
				}
			}
		}
	})
}

// apart is a tensor by transformers' names, which have query, key and value apart.
func apart(name string, data []float32) map[string][]float32 {
	before, after, joined := strings.Cut(name, ".qkv.")
	if !joined || strings.HasPrefix(name, "ssf.") {
		return map[string][]float32{name: data}
	}
	n := len(data) / 3
	return map[string][]float32{
		before + ".query." + after: data[:n], before + ".key." + after: data[n : 2*n], before + ".value." + after: data[2*n:],
	}
}
