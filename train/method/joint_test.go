package method

import (
	"slices"
	"testing"

	"github.com/mcil/mcil/train/vilt"
)

// TestJointLearnsAnew: what a phase gives does not depend on those before it.
func TestJointLearnsAnew(t *testing.T) {
	c := smallConfig()
	phases, items := lessons(c)
	all := inMemory(slices.Concat(items...))
	var after [2][]*vilt.Tensor
	for i, begin := range [][]Phase{phases, phases[2:]} {
		w, err := vilt.Random(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New("joint", w, 4, Options{Schedule: Schedule{Epochs: 2, BatchSize: 8}, Seed: 1, Head: HeadCosine})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		start := state(l)
		for _, p := range begin {
			if err := l.Begin(p); err != nil {
				t.Fatal(err)
			}
			for k, x := range l.State() {
				if !slices.Equal(x.Data, start[k].Data) {
					t.Fatalf("phase %d begins with %s that was learned", p.Index, x.Name)
				}
			}
			lesson := all
			if p.Index < 2 {
				lesson = inMemory(items[0])
			}
			if err := l.Fit(t.Context(), Lesson{Items: lesson}); err != nil {
				t.Fatal(err)
			}
		}
		after[i] = state(l)
		if slices.Equal(after[i][0].Data, start[0].Data) {
			t.Error("nothing is learned")
		}
	}
	for k, x := range after[0] {
		if !slices.Equal(x.Data, after[1][k].Data) {
			t.Errorf("%s depends on earlier phases", x.Name)
		}
	}
}
