package method

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// encode runs an encoder of its own over batch.
func encode(t testing.TB, w *vilt.Weights, tuner Tuner, batch []dataset.Sample, o vilt.Options) (e *vilt.Encoder) {
	t.Helper()
	g := gorgonia.NewGraph()
	if tuner != nil {
		o.ScaleShift, _ = tuner.Into(g)
	}
	e, err := vilt.Build(g, w, len(batch)+1, o)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{encoder: e, vm: gorgonia.NewTapeMachine(g)}
	t.Cleanup(func() { m.vm.Close() })
	m.load(batch, 0)
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestLayersAgainstReference holds what is inside of the encoder to the description: the stream before and after every block,
// after the final norm, and every head's attention, in a graph that keeps layers and in one that is differentiated.
func TestLayersAgainstReference(t *testing.T) {
	const tolerance = 1e-4
	for _, tuned := range []bool{false, true} {
		n := randomNetwork(t, tuned, 2, 8)
		r := newReference(n)
		c := n.Weights.Config
		batch := randomSamples(c, 2)
		for _, o := range []vilt.Options{{ForwardOnly: true, KeepLayers: true}, {KeepLayers: true}} {
			e := encode(t, n.Weights, n.Tuner, batch, o)
			var worst float64
			compare := func(what string, layer int, got []float32, want [][]float64) []float32 {
				t.Helper()
				for i, w := range slices.Concat(want...) {
					diff := math.Abs(float64(got[i])-w) / max(1, math.Abs(w))
					worst = max(worst, diff)
					if !(diff <= tolerance) {
						t.Fatalf("tuned %v, %+v: %s of layer %d: value %d is %g, the reference says %g", tuned, o, what, layer, i, got[i], w)
					}
				}
				return got[len(slices.Concat(want...)):]
			}
			var streams [][][]float64
			for _, s := range batch {
				streams = append(streams, r.stream(s))
			}
			for layer := range c.Depth + 1 {
				hidden := e.Hidden(layer)
				for _, x := range streams {
					hidden = compare("hidden", layer, hidden, x)
				}
				if len(hidden) > 0 {
					t.Fatalf("%d values too many of layer %d", len(hidden), layer)
				}
				if layer == c.Depth {
					break
				}
				probs := e.Attentions(layer, nil)
				for i, x := range streams {
					var byHead [][]float64
					streams[i], _, byHead = r.block(layer, x)
					probs = compare("attentions", layer, probs, byHead)
				}
				if len(probs) > 0 {
					t.Fatalf("%d probabilities too many of layer %d", len(probs), layer)
				}
			}
			last := e.LastHidden(nil)
			for _, x := range streams {
				for i, row := range x {
					x[i] = r.tuned("norm", r.layerNorm("layernorm", row))
				}
				last = compare("last hidden", c.Depth, last, x)
			}
			t.Logf("tuned %v, differentiated %v: largest difference %.2g", tuned, !o.ForwardOnly, worst)
		}
	}
}

// TestMergeAgainstReference: with gammas that are powers of two and betas that are small whole parts, merging rounds nothing,
// and in float64 the merged and the tuned network are one function. With any others they are within float32's rounding.
func TestMergeAgainstReference(t *testing.T) {
	n := randomNetwork(t, true, 2, 8)
	ssf := n.Tuner.(*tune.SSF)
	c := n.Weights.Config
	batch := randomSamples(c, 2)

	merged := ssf.Merge(n.Weights)
	all := vilt.Options{ForwardOnly: true, KeepLayers: true}
	tuned, plain := encode(t, n.Weights, ssf, batch, all), encode(t, merged, nil, batch, all)
	apart := func(a, b []float32) (worst float64) {
		if len(a) != len(b) || len(a) == 0 {
			t.Fatalf("%d values and %d", len(a), len(b))
		}
		for i := range a {
			worst = max(worst, math.Abs(float64(a[i]-b[i]))/max(1, math.Abs(float64(a[i]))))
		}
		return worst
	}
	features := func(e *vilt.Encoder) []float32 { return e.Features.Value().Data().([]float32)[:len(batch)*c.Width] }
	stream, pooled := apart(tuned.LastHidden(nil), plain.LastHidden(nil)), apart(features(tuned), features(plain))
	t.Logf("float32: last hidden states differ by at most %.2g, pooled features by %.2g", stream, pooled)
	if stream > 2e-5 || pooled > 2e-5 {
		t.Error("more than rounding")
	}

	rng := rand.New(rand.NewPCG(9, 10))
	for i, x := range ssf.Tensors() {
		for j := range x.Data {
			if x.Data[j] = float32(rng.IntN(17)-8) / 32; i%2 == 0 {
				x.Data[j] = float32(math.Ldexp(1-2*float64(rng.IntN(2)), rng.IntN(3)-1))
			}
		}
	}
	for _, x := range n.Weights.Tensors() { // sums of bias and beta without rounding
		for j, v := range x.Data {
			x.Data[j] = float32(math.Round(float64(v)*256) / 256)
		}
	}
	one, other := newReference(n), newReference(&Network{Weights: ssf.Merge(n.Weights), Head: n.Head})
	var worst float64
	for _, s := range batch {
		f, logits, probs := one.run(s)
		g, logits2, probs2 := other.run(s)
		a, b := slices.Concat(f, logits, slices.Concat(probs...)), slices.Concat(g, logits2, slices.Concat(probs2...))
		for i := range a {
			worst = max(worst, math.Abs(a[i]-b[i]))
		}
	}
	t.Logf("float64: features, logits and attentions differ by at most %.2g", worst)
	if worst > 1e-12 {
		t.Error("merging is not exact")
	}
}

// TestMergeLeavesTheRest: what no scale and shift follows is shared, what is followed is a copy, and w stays as it is.
func TestMergeLeavesTheRest(t *testing.T) {
	n := randomNetwork(t, true, 2, 1)
	ssf := n.Tuner.(*tune.SSF)
	var before [][]float32
	for _, x := range n.Weights.Tensors() {
		before = append(before, slices.Clone(x.Data))
	}
	changed := 0
	for i, x := range ssf.Merge(n.Weights).Tensors() {
		old := n.Weights.Tensors()[i]
		if x.Name != old.Name || !slices.Equal(x.Shape, old.Shape) || !slices.Equal(old.Data, before[i]) {
			t.Errorf("%s became %s", old.Name, x.Name)
		}
		if x != old {
			changed++
			if &x.Data[0] == &old.Data[0] || slices.Equal(x.Data, old.Data) {
				t.Errorf("%s is neither shared nor merged", x.Name)
			}
		}
	}
	if want := 2 * len(vilt.Places(n.Weights.Config)); changed != want {
		t.Errorf("%d tensors changed, not %d", changed, want)
	}
}
