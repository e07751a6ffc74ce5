package method

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// TestMeansOf: means are by class, of features as they are, whatever the batches, and a class without examples is refused.
func TestMeansOf(t *testing.T) {
	features := map[dataset.ID][]float32{"a": {1, 2}, "b": {3, 6}, "c": {-1, 0}, "d": {5, 1}, "e": {-10, 5}}
	items := inMemory{{ID: "a", Label: 4}, {ID: "c", Label: 5}, {ID: "b", Label: 4}, {ID: "d", Label: 4}, {ID: "e", Label: 5}}
	for _, size := range []int{1, 2, 3, 8} {
		steps := 0
		got, err := meansOf(t.Context(), items, Schedule{BatchSize: size}, Phase{Index: 1, Old: 4, Seen: 6}, 2, func(batch []dataset.Sample, s Step) (out []float32, _ Step, _ error) {
			for _, x := range batch {
				out = append(out, features[x.ID]...)
			}
			return out, s, nil
		}, func(s Step) {
			if steps++; s.Done != steps || s.Total != (5+size-1)/size {
				t.Errorf("step %d of %d, not %d", s.Done, s.Total, steps)
			}
		})
		if want := []float32{3, 3, -5.5, 2.5}; err != nil || !slices.Equal(got, want) {
			t.Errorf("by %d: %v, not %v (%v)", size, got, want, err)
		}
	}
	none := func(batch []dataset.Sample, s Step) ([]float32, Step, error) {
		return make([]float32, 2*len(batch)), s, nil
	}
	for _, c := range []struct {
		p    Phase
		want string
	}{{Phase{1, 4, 7}, "class 6 has no examples"}, {Phase{1, 5, 6}, "class 4, which is none of the new ones"}} {
		if _, err := meansOf(t.Context(), items, Schedule{BatchSize: 8}, c.p, 2, none, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v does not say %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := meansOf(ctx, items, Schedule{BatchSize: 8}, Phase{0, 4, 6}, 2, none, nil); err == nil {
		t.Error("it goes on after the context is done")
	}
}

// TestSimpleCIL: after each phase the answers are 16 times the cosines of the frozen encoder's features with the classes' means, which are
// all that is kept; classes that have not been seen have none.
func TestSimpleCIL(t *testing.T) {
	c := smallConfig()
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New("simplecil", w, 4, Options{Schedule: Schedule{BatchSize: 5}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	encoder, err := NewEncoder(w, 12)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	phases, items := lessons(c)
	means := make([][]float32, 4)
	for i, p := range phases {
		if err := l.Begin(p); err != nil {
			t.Fatal(err)
		}
		if err := l.Fit(t.Context(), Lesson{Fresh: inMemory(items[i])}); err != nil {
			t.Fatal(err)
		}
		out, err := encoder.Infer(items[i], nil)
		if err != nil {
			t.Fatal(err)
		}
		for class := p.Old; class < p.Seen; class++ {
			means[class] = make([]float32, c.Width)
			for k := range c.Width {
				var sum, n float64
				for j, s := range items[i] {
					if s.Label == class {
						sum, n = sum+float64(out.Features[j*c.Width+k]), n+1
					}
				}
				means[class][k] = float32(sum / n)
			}
		}
		if n := Values(l.State()); n != p.Seen*c.Width {
			t.Errorf("phase %d: it keeps %d values, not %d of %d classes", i, n, p.Seen*c.Width, p.Seen)
		}
		features := slices.Clone(out.Features)
		got, err := l.Infer(items[i][:5], nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 5 {
			for class, mean := range means {
				want := 0.0
				if mean != nil {
					want = 16 * op.AngleOf(features[j*c.Width:(j+1)*c.Width], mean).Cos
				}
				if v := got.Logits[j*4+class]; math.Abs(float64(v)-want) > 1e-5 {
					t.Errorf("phase %d, example %d: class %d has %g, not %g", i, j, class, v, want)
				}
			}
		}
	}
}
