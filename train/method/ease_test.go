package method

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// easeGolden is what testdata/ease_golden.py wrote: parameters and inputs in float32, and what PyTorch makes of them in float64.
type easeGolden struct {
	Config   vilt.Config `json:"config"`
	Width    int         `json:"width"`
	Scale    float64     `json:"scale"`
	Alpha    float64     `json:"alpha"`
	Phases   int         `json:"phases"`
	PerPhase int         `json:"per_phase"`

	tensors map[string]*vilt.Tensor
	weights *vilt.Weights
	train   []inMemory
	test    inMemory
}

func readEaseGolden(t *testing.T) *easeGolden {
	t.Helper()
	tensors, metadata, err := vilt.ReadSafetensorsMetadata("testdata/ease.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	g := &easeGolden{tensors: map[string]*vilt.Tensor{}}
	if err := json.Unmarshal([]byte(metadata["case"]), g); err != nil {
		t.Fatal(err)
	}
	g.weights = goldenWeights(t, tensors, g.Config, g.tensors)
	for p := range g.Phases {
		g.train = append(g.train, g.examples(fmt.Sprintf("train.%d", p)))
	}
	g.test = g.examples("test")
	if len(g.test) != g.Phases*g.PerPhase || len(g.train[1]) != 3*g.PerPhase {
		t.Fatalf("the golden has %d examples to test and %d of phase 1", len(g.test), len(g.train[1]))
	}
	return g
}

// examples are those called name.0, name.1, ...
func (g *easeGolden) examples(name string) (all inMemory) {
	for i := 0; ; i++ {
		at := fmt.Sprintf("%s.%d.", name, i)
		about := g.tensors[at+"about"]
		if about == nil {
			return all
		}
		s := dataset.Sample{ID: dataset.ID(at), Label: int(about.Data[0]), GridH: int(about.Data[1]), GridW: int(about.Data[2])}
		for k, id := range g.tensors[at+"ids"].Data {
			s.Tokens, s.TokenPos = append(s.Tokens, int32(id)), append(s.TokenPos, int32(k))
		}
		for k := range s.GridH * s.GridW {
			s.PatchPos = append(s.PatchPos, int32(k))
		}
		for _, v := range g.tensors[at+"patches"].Data {
			s.Pixels = append(s.Pixels, uint8(v))
		}
		all = append(all, s)
	}
}

// same compares what must be there with values of the golden, by at most 2e-5 of the largest and a little.
func (g *easeGolden) same(t *testing.T, name string, got []float32) {
	t.Helper()
	want := g.tensors[name]
	if want == nil || len(want.Data) != len(got) {
		t.Fatalf("%s: %d values, and not the golden's", name, len(got))
	}
	var worst, largest float64
	for i, v := range got {
		worst = max(worst, math.Abs(float64(v)-float64(want.Data[i]))) // NaN, where there is one
		largest = max(largest, math.Abs(float64(want.Data[i])))
	}
	if !(worst <= 2e-5*largest+1e-6) {
		t.Errorf("%s: off by %.2g of %.2g", name, worst, largest)
	}
	t.Logf("%s: off by %.1g of %.2g", name, worst, largest)
}

// begun is a learner of the golden that has begun phases 0 to t, and has the means of those before t.
func (g *easeGolden) begun(t *testing.T, last int) *ease {
	t.Helper()
	l, err := New("ease", g.weights, g.Phases*g.PerPhase, Options{
		Schedule: Schedule{BatchSize: len(g.train[0])}, Adapter: tune.AdapterOptions{Width: g.Width, Scale: g.Scale}, Ease: EaseOptions{Alpha: g.Alpha}, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := l.(*ease)
	for p := range last + 1 {
		if err := m.Begin(Phase{Index: p, Old: p * g.PerPhase, Seen: (p + 1) * g.PerPhase}); err != nil {
			t.Fatal(err)
		}
		for _, x := range m.adapter.Tensors() {
			copy(x.Data, g.tensors[fmt.Sprintf("phase.%d.%s", p, x.Name)].Data)
		}
		if p < last {
			if err := m.represent(t.Context(), Lesson{Fresh: g.train[p]}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

// TestEaseStepAgainstPyTorch: the loss of a step of the second phase, in which its own two classes compete and no others, and
// its gradients by all that is trained.
func TestEaseStepAgainstPyTorch(t *testing.T) {
	g := readEaseGolden(t)
	m := g.begun(t, 1)
	n, d := g.PerPhase, g.Config.Width
	copy(m.network.Head[0].Data, g.tensors["step.classifier"].Data)
	copy(m.network.Head[1].Data, g.tensors["step.sigma"].Data)
	var batch []dataset.Sample
	for i := range g.train[1] {
		s, err := shifted{g.train[1], n}.Sample(t.Context(), i, nil)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, s)
	}
	var got gradients
	loss, err := m.network.Step(batch, n, &got)
	if err != nil {
		t.Fatal(err)
	}
	g.same(t, "step.loss", []float32{float32(loss)})
	for i, x := range m.network.Trained() {
		switch name := x.Name; name {
		case "head.weight":
			g.same(t, "step.gradient.classifier", got[i][:n*d])
			if slices.ContainsFunc(got[i][n*d:], func(v float32) bool { return v != 0 }) {
				t.Error("classes of other phases compete")
			}
		case "head.sigma":
			g.same(t, "step.gradient.sigma", got[i])
		default:
			g.same(t, "step.gradient."+name, got[i])
		}
	}
}

// TestEaseAnswersAgainstPyTorch: means complemented for every pair of phases, anew in each phase, and logits of all examples
// after two phases and after three.
func TestEaseAnswersAgainstPyTorch(t *testing.T) {
	g := readEaseGolden(t)
	for phases := 2; phases <= g.Phases; phases++ {
		m := g.begun(t, phases-1)
		if err := m.represent(t.Context(), Lesson{Fresh: g.train[phases-1]}); err != nil {
			t.Fatal(err)
		}
		m.network.Head[1].Data[0] = 1 // the golden has no scale
		k, seen, d := m.network.Classes, phases*g.PerPhase, g.Config.Width
		var logits []float32
		for batch := range slices.Chunk(g.test, 4) {
			out, err := m.Infer(batch, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range batch {
				logits = append(logits, out.Logits[i*k:i*k+seen]...)
			}
		}
		g.same(t, fmt.Sprintf("ease.%d", phases), logits)
		for i := range phases {
			for j := i + 1; j < phases; j++ {
				name := fmt.Sprintf("complement.%d.%d.%d", phases, i, j)
				want := g.tensors[name].Data
				for c := range g.PerPhase {
					got := m.directions[((i*g.PerPhase+c)*phases+j)*d:][:d]
					for e, v := range directionOf(want[c*d : (c+1)*d]) {
						if math.Abs(float64(v-got[e])) > 2e-5 {
							t.Errorf("%s, class %d: %g at %d, not %g", name, c, got[e], e, v)
						}
					}
				}
			}
		}
	}
	early, late := g.tensors["complement.2.0.1"].Data, g.tensors["complement.3.0.1"].Data
	if slices.Equal(early, late) {
		t.Error("the golden does not tell whether complements are made anew")
	}
}

// TestSimpleCILAgainstPyTorch: logits after two phases and after three.
func TestSimpleCILAgainstPyTorch(t *testing.T) {
	g := readEaseGolden(t)
	l, err := New("simplecil", g.weights, g.Phases*g.PerPhase, Options{Schedule: Schedule{BatchSize: 4}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for p := range g.Phases {
		if err := l.Begin(Phase{Index: p, Old: p * g.PerPhase, Seen: (p + 1) * g.PerPhase}); err != nil {
			t.Fatal(err)
		}
		if err := l.Fit(t.Context(), Lesson{Fresh: g.train[p]}); err != nil {
			t.Fatal(err)
		}
		if p == 0 {
			continue
		}
		var logits []float32
		for _, s := range g.test {
			out, err := l.Infer([]dataset.Sample{s}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range out.Logits[:(p+1)*g.PerPhase] {
				logits = append(logits, v/16) // the published ones are bare cosines
			}
		}
		g.same(t, fmt.Sprintf("simplecil.%d", p+1), logits)
	}
}

// TestComplement: one old class, at home as like the first of two newer ones as can be and at right angles to the second.
func TestComplement(t *testing.T) {
	e := math.E
	got := complement([]float32{2, 0}, []float32{5, 0, 0, 0.1}, []float32{1, 0, 10, 4}, 2)
	want := []float64{(e*1 + 10) / (e + 1), 4 / (e + 1)}
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-6 {
			t.Errorf("%v, not %v", got, want)
		}
	}
	// the cosine of the class's own subspace, and 0.05 of each of the others
	x := reweighted([]float32{1, 1, 1, 0, 0, 3}, []float32{1, 0, 0, 1, 0, 1}, 2, 0, 0.05)
	if want := math.Sqrt2/2 + 0.05*(0+1); math.Abs(x-want) > 1e-7 {
		t.Errorf("%g, not %g", x, want)
	}
}

// TestEaseComplementsEveryPair: with means made by hand. In a subspace an old class is complemented by the classes of that
// phase and of all later ones, and a new phase changes what old pairs have.
func TestEaseComplementsEveryPair(t *testing.T) {
	c := smallConfig()
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New("ease", w, 4, Options{Schedule: Schedule{BatchSize: 2}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m, d := l.(*ease), c.Width
	phases := []Phase{{0, 0, 1}, {1, 1, 3}, {2, 3, 4}}
	mean := func(class, j, e int) float64 { return math.Sin(float64(1 + 3*class + 7*j + e*(1+class+2*j))) }
	like := func(a, b, j int) float64 { // cosine of two classes' means in a subspace
		var dot, aa, bb float64
		for e := range d {
			x, y := float64(float32(mean(a, j, e))), float64(float32(mean(b, j, e)))
			dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
		}
		return dot / math.Sqrt(aa*bb)
	}
	values := []int{0}
	for _, p := range phases {
		if err := m.Begin(p); err != nil {
			t.Fatal(err)
		}
		for j, x := range m.means[p.Index] {
			for i := range x.Data {
				x.Data[i] = float32(mean(p.Old+i/d, j, i%d))
			}
		}
		// what is kept grows by an adapter, and by the means of each new class in each subspace
		state := Values(m.State())
		if want := values[p.Index] + Values(m.adapter.Tensors()) + (p.Seen-p.Old)*(p.Index+1)*d + map[bool]int{true: 1}[p.Index == 0]; state != want {
			t.Errorf("phase %d keeps %d values, not %d", p.Index, state, want)
		}
		values = append(values, state)
		m.complete()
		now := p.Index + 1
		for i := range now {
			for j := i + 1; j < now; j++ {
				for class := phases[i].Old; class < phases[i].Seen; class++ {
					sum, row := 0.0, make([]float64, d)
					for newer := phases[j].Old; newer < p.Seen; newer++ {
						s := math.Exp(like(class, newer, i))
						sum += s
						for e := range row {
							row[e] += s * mean(newer, j, e)
						}
					}
					var squares float64
					for _, v := range row {
						squares += v * v
					}
					for e, v := range row {
						if got := m.directions[(class*now+j)*d+e]; math.Abs(float64(got)-v/math.Sqrt(squares)) > 1e-5 {
							t.Fatalf("after phase %d, class %d of phase %d in subspace %d: %g at %d, not %g", p.Index, class, i, j, got, e, v/math.Sqrt(squares))
						}
					}
				}
			}
		}
	}
}

// TestEaseKeepsWhatWasLearned: later phases change neither adapters nor means of earlier ones, and start from one of their own
// that adds nothing; the settings take effect.
func TestEaseKeepsWhatWasLearned(t *testing.T) {
	c := smallConfig()
	phases, items := lessons(c)
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	run := func(o Options) (l Learner, after [][]*vilt.Tensor) {
		o.Schedule, o.Seed = Schedule{Epochs: 2, BatchSize: 4}, 1
		l, err := New("ease", w, 4, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		var starts [][]float32
		for i, p := range phases {
			if err := l.Begin(p); err != nil {
				t.Fatal(err)
			}
			for _, x := range l.State() {
				switch {
				case strings.HasPrefix(x.Name, fmt.Sprintf("phase.%d.adapter", i)) && strings.HasSuffix(x.Name, "down.weight"):
					starts = append(starts, slices.Clone(x.Data))
				case strings.HasPrefix(x.Name, fmt.Sprintf("phase.%d.adapter", i)) && slices.ContainsFunc(x.Data, func(v float32) bool { return v != 0 }):
					t.Errorf("%s does not start from zero", x.Name)
				}
			}
			if err := l.Fit(t.Context(), Lesson{Items: inMemory(items[i]), Fresh: inMemory(items[i])}); err != nil {
				t.Fatal(err)
			}
			after = append(after, state(l))
		}
		for i := range starts {
			for k := range i {
				if slices.Equal(starts[i], starts[k]) {
					t.Error("two adapters start alike")
				}
			}
		}
		return l, after
	}
	_, after := run(Options{})
	for i := range 2 {
		for k, x := range after[i] {
			if strings.HasPrefix(x.Name, "phase.") && (after[i+1][k].Name != x.Name || !slices.Equal(after[i+1][k].Data, x.Data)) {
				t.Errorf("phase %d changes %s", i+1, x.Name)
			}
		}
	}
	base, _ := run(Options{})
	first := answers(t, base, items)
	for name, o := range map[string]Options{
		"width": {Adapter: tune.AdapterOptions{Width: 8}}, "scale": {Adapter: tune.AdapterOptions{Scale: 0.5}},
		"dropout": {Adapter: tune.AdapterOptions{Dropout: -1}}, "alpha": {Ease: EaseOptions{Alpha: -1}},
	} {
		if l, _ := run(o); slices.Equal(answers(t, l, items), first) {
			t.Errorf("%s has no effect", name)
		}
	}
	other, _ := run(Options{Adapter: tune.AdapterOptions{Dropout: -1}})
	want := answers(t, other, items) // an answer given before does not outlive what is restored
	if err := Restore(base, state(other)); err != nil || !slices.Equal(answers(t, base, items), want) {
		t.Errorf("a learner that is restored answers otherwise (%v)", err)
	}
	if n, want := base.Trained(), 2*(2*16*64+64+16)+16+1; n != want {
		t.Errorf("%d values are trained, not %d", n, want)
	}
}
