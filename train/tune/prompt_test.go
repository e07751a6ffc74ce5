package tune

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/train/vilt"
)

func TestL2PChooses(t *testing.T) {
	c := vilt.Config{Width: 2}
	l := NewL2P(c, 1, L2POptions{Pool: 4, Length: 1, Top: 2, Batchwise: true})
	copy(l.keys.Data, []float32{1, 0, 0, 3, -1, 0, 1, 1})
	queries := []float32{2, 0.1, 0.1, 1, 0, -1, 5, -0.1}
	// the nearest two of each: by direction, not by length
	own := []int32{0, 3, 1, 3, 0, 2, 0, 3}
	l.Ask(queries, false)
	if !slices.Equal(l.run.Chosen, own) {
		t.Errorf("each by itself chooses %v, not %v", l.run.Chosen, own)
	}
	l.Ask(queries[:2], false)
	if !slices.Equal(l.run.Chosen, own[:2]) {
		t.Errorf("alone the first chooses %v", l.run.Chosen)
	}
	// 0 and 3 have three votes each
	l.Ask(queries, true)
	if want := []int32{0, 3, 0, 3, 0, 3, 0, 3}; !slices.Equal(l.run.Chosen, want) {
		t.Errorf("by votes they choose %v, not %v", l.run.Chosen, want)
	}
	l.o.Batchwise = false
	l.Ask(queries, true)
	if !slices.Equal(l.run.Chosen, own) {
		t.Errorf("without votes, when learned, they choose %v", l.run.Chosen)
	}
}

func TestDualPromptPhases(t *testing.T) {
	c := vilt.Config{Width: 2}
	d := NewDualPrompt(c, 1, DualPromptOptions{Pool: 2, Length: 1, GeneralLength: 1, First: 1, Last: 2})
	copy(d.keys.Data, []float32{1, 0, 0, 1})
	before := slices.Clone(d.keys.Data)
	ask := func(learn bool, want ...int32) {
		t.Helper()
		d.Ask([]float32{0.1, 1, 1, 0.1}, learn)
		if !slices.Equal(d.run.Chosen, want) {
			t.Errorf("phase %d, learned %v: chosen are %v, not %v", d.phase, learn, d.run.Chosen, want)
		}
	}
	begin := func(phase, trained int) {
		t.Helper()
		if err := d.Begin(phase); err != nil || d.Trained() != trained {
			t.Errorf("phase %d: %d values are trained, not %d (%v)", phase, d.Trained(), trained, err)
		}
	}
	begin(0, 4+2*4+2)
	ask(true, 0, 0)
	ask(false, 0, 0) // the key of a phase that has not begun finds nothing
	for _, e := range d.expert {
		copy(e.Data, []float32{1, 2, 3, 4, 5, 6, 7, 8})
	}
	begin(1, 4+2*4+2)
	for _, e := range d.expert {
		if !slices.Equal(e.Data, []float32{1, 2, 3, 4, 1, 2, 3, 4}) {
			t.Errorf("%s begins as %v", e.Name, e.Data)
		}
	}
	if !slices.Equal(d.keys.Data, before) {
		t.Errorf("keys begin as %v", d.keys.Data)
	}
	ask(true, 1, 1)
	ask(false, 1, 0)
	begin(2, 4+2*8+4) // it has no prompt of its own
	ask(true, 1, 0)
	if len(d.general) != 1 || len(d.expert) != 2 {
		t.Errorf("%d blocks have general prompts, %d expert ones", len(d.general), len(d.expert))
	}
}

// TestCODAPromptIsOrthogonal: a phase's components are of length 1, orthogonal to one another and to what the earlier ones have
// been learned to be, which need not be orthogonal; earlier ones are left as they are.
func TestCODAPromptIsOrthogonal(t *testing.T) {
	c := vilt.Config{Width: 8}
	p := NewCODAPrompt(c, 1, CODAPromptOptions{Pool: 7, Phases: 3, Length: 2, First: 0, Last: 1})
	rng := rand.New(rand.NewPCG(1, 2))
	for phase := range 3 {
		var before [][]float32
		for _, x := range p.tensors {
			before = append(before, slices.Clone(x.Data))
		}
		if err := p.Begin(phase); err != nil {
			t.Fatal(err)
		}
		if lo, hi := p.run.From, p.run.To; lo != 2*phase || hi != 2*phase+2 {
			t.Fatalf("phase %d has components %d to %d", phase, lo, hi)
		}
		if n := p.Trained(); n != 2*2*(2*2*8+8+8) {
			t.Errorf("phase %d: %d values are trained", phase, n)
		}
		for i, x := range p.tensors {
			w := x.Shape[1]
			for k := range 7 {
				row := x.Data[k*w : (k+1)*w]
				switch {
				case k < p.run.From || k >= p.run.To:
					if !slices.Equal(row, before[i][k*w:(k+1)*w]) {
						t.Fatalf("%s: component %d has changed as phase %d began", x.Name, k, phase)
					}
				default:
					for j := range k + 1 {
						var dot, want float64
						for e, v := range row {
							dot += float64(v) * float64(x.Data[j*w+e])
						}
						if j == k {
							want = 1
						}
						if math.Abs(dot-want) > 1e-6 {
							t.Errorf("%s: component %d by %d is %g", x.Name, k, j, dot)
						}
					}
				}
			}
			for e := range x.Data[:p.run.To*w] { // what learning might do
				x.Data[e] += 0.3 * float32(rng.NormFloat64())
			}
		}
	}
	if n := p.Unused(); n != 2*(2*2*8+8+8) {
		t.Errorf("%d values are of no phase, not those of the seventh component", n)
	}
	if err := p.Begin(3); err == nil {
		t.Error("there are components for a phase too many")
	}
	// more rows than the space has directions
	m := make([]float32, 3*2)
	orthogonal(rng, m, 2, 0, 3)
	for k := range 3 {
		if l := math.Hypot(float64(m[2*k]), float64(m[2*k+1])); math.Abs(l-1) > 1e-6 {
			t.Errorf("row %d is %g long", k, l)
		}
	}
}
