package method

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// gradients is a solver that keeps what it is given and changes nothing.
type gradients [][]float32

func (g *gradients) Step(model []gorgonia.ValueGrad) error {
	*g = nil
	for _, p := range model {
		grad, err := p.Grad()
		if err != nil {
			return err
		}
		*g = append(*g, slices.Clone(grad.Data().([]float32)))
	}
	return nil
}

// TestNetworkGradients compares derivatives of the loss by some of every trained tensor's entries with central differences
// of the float64 reference, whose error at this step is about 1e-9: what is left is float32's.
func TestNetworkGradients(t *testing.T) {
	const classes, active, step = 5, 4, 1e-5
	perTensor := 3
	if raceEnabled { // the reference is slow there
		perTensor = 1
	}
	for _, tuned := range []bool{false, true} {
		n := randomNetwork(t, tuned, classes, 8)
		all := randomSamples(n.Weights.Config, active)
		batch := []dataset.Sample{all[1], all[3], all[4]} // the smaller ones: two masked, one whole
		var got gradients
		loss, err := n.Step(batch, active, &got)
		if err != nil {
			t.Fatal(err)
		}
		r := newReference(n)
		if want := r.loss(batch, active); math.Abs(loss-want) > 1e-5 {
			t.Fatalf("tuned %v: the loss is %.7f, the reference says %.7f", tuned, loss, want)
		}
		if len(got) != len(n.Trained()) {
			t.Fatalf("tuned %v: %d gradients of %d tensors", tuned, len(got), len(n.Trained()))
		}
		rng := rand.New(rand.NewPCG(9, 9))
		var worst float64
		for i, p := range n.Trained() {
			if len(got[i]) != len(p.Data) {
				t.Fatalf("%s: %d gradients of %d values", p.Name, len(got[i]), len(p.Data))
			}
			at := []int{largest(got[i])} // one that matters, and some by chance
			for len(at) < perTensor {
				at = append(at, rng.IntN(len(p.Data)))
			}
			for _, j := range at {
				old := r.ps[p.Name][j]
				r.ps[p.Name][j] = old + step
				up := r.loss(batch, active)
				r.ps[p.Name][j] = old - step
				down := r.loss(batch, active)
				r.ps[p.Name][j] = old
				want := (up - down) / (2 * step)
				diff := math.Abs(float64(got[i][j]) - want)
				worst = max(worst, diff)
				if !(diff <= 1e-5+1e-3*math.Abs(want)) {
					t.Errorf("tuned %v: derivative by %s[%d] is %g, not %g", tuned, p.Name, j, got[i][j], want)
				}
			}
		}
		head := got[len(got)-2]
		if d := n.Weights.Config.Width; slices.ContainsFunc(head[active*d:], func(v float32) bool { return v != 0 }) {
			t.Errorf("tuned %v: a class that does not compete has a gradient", tuned)
		}
		t.Logf("tuned %v: largest difference %.2g", tuned, worst)
	}
}

func largest(v []float32) (at int) {
	for i, x := range v {
		if math.Abs(float64(x)) > math.Abs(float64(v[at])) {
			at = i
		}
	}
	return at
}

// TestTrainedOrder holds gorgonia's model to the order of Trained: moments and checkpoints rely on it.
func TestTrainedOrder(t *testing.T) {
	for _, tuned := range []bool{false, true} {
		n := randomNetwork(t, tuned, 3, 2)
		var names, want []string
		for _, v := range n.train.model {
			names = append(names, v.(parameter).node.Name())
		}
		for _, p := range n.Trained() {
			want = append(want, p.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("tuned %v: the model's order is %v, not %v", tuned, names, want)
		}
	}
}

// TestBatchIndependence: an example's result has the same bytes alone, in any place, and beside any others.
func TestBatchIndependence(t *testing.T) {
	const classes = 4
	n := randomNetwork(t, true, classes, 8)
	c := n.Weights.Config
	batch := randomSamples(c, classes)
	type result struct{ feature, logits, probs []float32 }
	infer := func(batch []dataset.Sample) (results []result) {
		out, err := n.Infer(batch, &Attention{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			results = append(results, result{
				slices.Clone(out.Features[i*c.Width : (i+1)*c.Width]), slices.Clone(out.Logits[i*classes : (i+1)*classes]), slices.Clone(out.Probs[i]),
			})
		}
		return results
	}
	together := infer(batch)
	reversed := slices.Clone(batch)
	slices.Reverse(reversed)
	backwards := infer(reversed)
	for i, s := range batch {
		alone := infer([]dataset.Sample{s})[0]
		for _, other := range []result{together[i], backwards[len(batch)-1-i]} {
			if !slices.Equal(alone.feature, other.feature) || !slices.Equal(alone.logits, other.logits) || !slices.Equal(alone.probs, other.probs) {
				t.Errorf("example %d: the result depends on its company", i)
			}
		}
	}
}

// TestWholeMask: an exemplar that keeps everything is the example, bit for bit, through the codec and the network; and
// one that keeps less is what the reference says of its own patches and tokens at their own positions.
func TestWholeMask(t *testing.T) {
	const classes = 4
	n := randomNetwork(t, true, classes, 8)
	c := n.Weights.Config
	r := newReference(n)
	for _, s := range randomSamples(c, classes) {
		if len(s.PatchPos) != s.GridH*s.GridW || len(s.Tokens) != s.TextLen {
			continue
		}
		all := memory.Mask{Patches: make([]bool, len(s.PatchPos)), Tokens: make([]bool, len(s.Tokens))}
		some := memory.Mask{Patches: make([]bool, len(s.PatchPos)), Tokens: make([]bool, len(s.Tokens))}
		for i := range all.Patches {
			all.Patches[i], some.Patches[i] = true, i%4 != 1
		}
		for i := range all.Tokens {
			all.Tokens[i], some.Tokens[i] = true, i == 0 || i > len(s.Tokens)/2
		}
		var batch []dataset.Sample
		for _, m := range []memory.Mask{{}, all, some} {
			e, err := memory.Encode(s, m, c.Patch, memory.Codec{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := memory.Decode(e)
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, s)
		}
		out, err := n.Infer(append(batch, s), &Attention{})
		if err != nil {
			t.Fatal(err)
		}
		d := c.Width
		want := out.Features[3*d : 4*d]
		for i, kind := range []string{"raw", "whole"} {
			if !slices.Equal(out.Features[i*d:(i+1)*d], want) || !slices.Equal(out.Probs[i], out.Probs[3]) {
				t.Errorf("example %s: its %s exemplar is not the same to the network", s.ID, kind)
			}
		}
		feature, _, _ := r.run(batch[2])
		for j, v := range feature {
			if math.Abs(float64(out.Features[2*d+j])-v) > 1e-4 {
				t.Fatalf("example %s: feature %d of its masked exemplar is %g, the reference says %g", s.ID, j, out.Features[2*d+j], v)
			}
		}
	}
}

// TestStepAllocatesLittle bounds what a step leaves to the collector: the layers, their graph and the solver allocate nothing
// (see [op.Machine]), nor do the kernels; the loss that a step returns is one small object. The activations of this batch
// take over 100 kB, so a single one that was not reused would show in the bytes.
func TestStepAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and empties pools at random")
	}
	if path, _ := kernel.Path(); path == "portable" {
		t.Skip("the portable path is the reference, which allocates where that is plainer")
	}
	n := randomNetwork(t, true, 4, 8)
	batch := randomSamples(n.Weights.Config, 4)
	solver := &op.AdamW{LearningRate: 1e-3}
	step := func(batch []dataset.Sample) {
		if _, err := n.Step(batch, 4, solver); err != nil {
			t.Fatal(err)
		}
	}
	step(batch) // moments and scratch
	bytes := func(batch []dataset.Sample) uint64 {
		const runs = 10
		var before, after runtime.MemStats
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // work that is not shared out allocates nothing
		runtime.ReadMemStats(&before)
		for range runs {
			step(batch)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / runs
	}
	one, all := bytes(batch[:1]), bytes(batch)
	allocations := testing.AllocsPerRun(10, func() { step(batch) })
	t.Logf("a step of %d examples: %.0f allocations, %d bytes; of one: %d bytes", len(batch), allocations, all, one)
	if allocations > 10 {
		t.Errorf("a step makes %.0f allocations, more than 10", allocations)
	}
	if all > 2*one+500 || all > 2000 { // what the runtime does meanwhile counts too
		t.Errorf("a step of %d examples allocates %d bytes and one of a single example %d: it grows with the batch", len(batch), all, one)
	}
}

// TestTunedAndFrozen: training with a tuner leaves the encoder's weights as they are.
func TestTunedAndFrozen(t *testing.T) {
	n := randomNetwork(t, true, 4, 8)
	var before [][]float32
	for _, w := range n.Weights.Tensors() {
		before = append(before, slices.Clone(w.Data))
	}
	if _, err := n.Step(randomSamples(n.Weights.Config, 4), 4, &op.AdamW{LearningRate: 1e-2, WeightDecay: 0.1}); err != nil {
		t.Fatal(err)
	}
	for i, w := range n.Weights.Tensors() {
		if !slices.Equal(w.Data, before[i]) {
			t.Errorf("%s is frozen and changed", w.Name)
		}
	}
}

// TestTunerCount is the published number for ViT-B, counted from the places: no encoder is made.
func TestTunerCount(t *testing.T) {
	c, err := vilt.Preset("vilt-b32")
	if err != nil {
		t.Fatal(err)
	}
	if n := tune.NewSSF(c, 1).Count(); n != 205_824 {
		t.Errorf("SSF has %d values on vilt-b32, not 205824", n)
	}
}

// recorder lists the indices that it is asked for.
type recorder struct {
	samples []dataset.Sample
	asked   []int
}

func (r *recorder) Len() int { return len(r.samples) }
func (r *recorder) Sample(_ context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	r.asked = append(r.asked, i)
	return r.samples[i], nil
}

// TestPhasesAreShuffledApart: order follows the seed, the phase and the epoch, and every epoch has every item once.
func TestPhasesAreShuffledApart(t *testing.T) {
	c := referenceConfig()
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	order := func(seed uint64, phase int) []int {
		l, err := New("ssf", w, 4, Options{Schedule: Schedule{Epochs: 2, BatchSize: 4}, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		items := &recorder{samples: randomSamples(c, 4)}
		if err := errors.Join(l.Begin(Phase{Index: phase, Seen: 4}), l.Fit(t.Context(), Lesson{Items: items})); err != nil {
			t.Fatal(err)
		}
		return items.asked
	}
	first := order(1, 0)
	n := len(grids)
	for _, epoch := range [][]int{first[:n], first[n:]} {
		if sorted := slices.Sorted(slices.Values(epoch)); len(epoch) != n || sorted[0] != 0 || len(slices.Compact(sorted)) != n {
			t.Errorf("an epoch has the items %v", epoch)
		}
	}
	if slices.Equal(first[:n], first[n:]) || slices.Equal(first, order(1, 1)) || slices.Equal(first, order(2, 0)) || !slices.Equal(first, order(1, 0)) {
		t.Error("the order does not follow seed, phase and epoch")
	}
}

// TestRate: of ten steps with a warm-up of 0.2, the rate is 1/2 and 1 of the peak, then falls by ninths of it.
func TestRate(t *testing.T) {
	s := Schedule{LearningRate: 9, WarmupFraction: 0.2}
	for i, want := range []float32{4.5, 9, 8, 7, 6, 5, 4, 3, 2, 1} {
		if got := s.rate(i, 10); got != want {
			t.Errorf("the rate of step %d is %g, not %g", i, got, want)
		}
	}
}
