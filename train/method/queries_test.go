package method

import (
	"slices"
	"testing"

	"github.com/mcil/mcil/train/vilt"
)

// TestQueriesAreKept: a sample's query is computed once, as far as there is room, and never kept of one that is passing; what is
// learned and answered are the same bytes whatever is kept, and what is told of the work of a step is what was done.
func TestQueriesAreKept(t *testing.T) {
	phases, items := lessons(smallConfig())
	type result struct {
		kept []int     // after each phase
		flop []float64 // of each step of the first phase
	}
	run := func(t *testing.T, l Learner, room int, passing bool) (r result, learned []*vilt.Tensor, said []float32) {
		t.Helper()
		q := l.(*prompted).network.queries
		if room >= 0 {
			q.room = room
		}
		for i, p := range phases {
			samples := slices.Clone(items[i])
			for k := range samples {
				samples[k].Passing = passing
			}
			lesson := Lesson{Items: inMemory(samples)}
			if i == 0 {
				lesson.Progress = func(s Step) { r.flop = append(r.flop, s.FLOP) }
			}
			if err := l.Begin(p); err != nil {
				t.Fatal(err)
			}
			if err := l.Fit(t.Context(), lesson); err != nil {
				t.Fatal(err)
			}
			r.kept = append(r.kept, len(q.kept))
		}
		out, err := l.Infer(items[0][:4], nil)
		if err != nil {
			t.Fatal(err)
		}
		return r, state(l), slices.Clone(out.Logits)
	}
	// by method, what is when all is kept
	want, learned, said := map[string]result{}, map[string][]*vilt.Tensor{}, map[string][]float32{}
	for i, c := range []struct {
		room    int
		passing bool
		kept    []int
	}{{-1, false, []int{12, 24, 36}}, {0, false, []int{0, 0, 0}}, {-1, true, []int{0, 0, 0}}, {12, false, []int{12, 12, 12}}, {5, false, []int{5, 5, 5}}, {20, false, []int{12, 20, 12}}} {
		promptMethods(t, func(t *testing.T, l Learner) {
			of := l.State()[0].Name
			got, after, answer := run(t, l, c.room, c.passing)
			if !slices.Equal(got.kept, c.kept) {
				t.Errorf("room %d, passing %v: %v queries are kept, not %v", c.room, c.passing, got.kept, c.kept)
			}
			if i == 0 {
				want[of], learned[of], said[of] = got, after, answer
				return
			}
			for k, x := range after {
				if !slices.Equal(x.Data, learned[of][k].Data) {
					t.Errorf("room %d, passing %v: %s is learned otherwise", c.room, c.passing, x.Name)
				}
			}
			if !slices.Equal(answer, said[of]) {
				t.Errorf("room %d, passing %v: it answers otherwise", c.room, c.passing)
			}
			if len(c.kept) == 3 && c.kept[2] > 0 {
				return
			}
			// three steps of four samples an epoch; in the second nothing is asked where all was kept
			var first, second, saved float64
			var all []vilt.Sequence
			for k := range 3 {
				first, second, saved = first+got.flop[k], second+got.flop[3+k], saved+got.flop[3+k]-want[of].flop[3+k]
			}
			all, _ = sequencesOf(items[0])
			if query := smallConfig().StepFLOP(all, 0, vilt.LearnsNothing); first != second || saved != query || got.flop[0] != want[of].flop[0] {
				t.Errorf("%g operations in an epoch and %g in the next; keeping saves %g of the %g that queries take", first, second, saved, query)
			}
		})
	}
}

// TestQueriesBytes: so many of ViT-B are some twenty thousand samples'.
func TestQueriesBytes(t *testing.T) {
	c, err := vilt.Preset("vilt-b32")
	if err != nil {
		t.Fatal(err)
	}
	for samples, want := range map[int]int64{0: 0, 100: 100 * (4*768 + 128), 20971: 20971 * 3200, 20972: 64 << 20, 1 << 40: 64 << 20} {
		if got := QueriesBytes(c, samples); got != want {
			t.Errorf("%d samples: %d bytes, not %d", samples, got, want)
		}
	}
	for _, s := range Specs() {
		if want := s.Name == "l2p" || s.Name == "dualprompt" || s.Name == "coda-prompt"; s.Asks() != want {
			t.Errorf("%s asks: %v", s.Name, s.Asks())
		}
	}
}
