package method

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/train/vilt"
)

// promptMethods are learners of each method with prompts, for phases as [lessons] has them.
func promptMethods(t *testing.T, f func(t *testing.T, l Learner)) {
	w, err := vilt.Random(smallConfig(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"l2p", "dualprompt", "coda-prompt"} {
		t.Run(name, func(t *testing.T) {
			o := Options{Schedule: Schedule{Epochs: 2, BatchSize: 4, LearningRate: 0.01, WeightDecay: 0.5}, Seed: 1, Phases: 3}
			if name != "coda-prompt" {
				o.Prompts.KeyWeight = 1
			} else {
				o.Prompts.Pool = 12
			}
			l, err := New(name, w, 4, o)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			f(t, l)
		})
	}
}

// TestOnlyAPhaseIsLearned: what a phase is not about comes out of it bit by bit as it went in, in spite of weight decay: prompts
// that were not chosen, those of other phases, their keys, and the classifier's rows of classes that do not compete.
func TestOnlyAPhaseIsLearned(t *testing.T) {
	phases, items := lessons(smallConfig())
	promptMethods(t, func(t *testing.T, l Learner) {
		for i, p := range phases {
			if err := l.Begin(p); err != nil {
				t.Fatal(err)
			}
			before := state(l)
			if err := l.Fit(t.Context(), Lesson{Items: &recorder{samples: items[i]}}); err != nil {
				t.Fatal(err)
			}
			changed := 0
			for k, x := range l.State() {
				width := 1
				if len(x.Shape) > 1 {
					width = x.Shape[1]
				}
				for row := range len(x.Data) / width {
					at := row * width
					same := slices.Equal(x.Data[at:at+width], before[k].Data[at:at+width])
					if !same {
						changed += width
					}
					var learned bool
					switch {
					case strings.HasPrefix(x.Name, "head."):
						learned = row >= p.Old && row < p.Seen
					case strings.HasPrefix(x.Name, "dualprompt.general"):
						learned = true
					case strings.HasPrefix(x.Name, "dualprompt"):
						learned = row == i
					case strings.HasPrefix(x.Name, "codaprompt"):
						learned = row/4 == i
					default:
						continue // of l2p, whichever are chosen
					}
					if p.Seen-p.Old == 1 && x.Name != "dualprompt.keys" {
						learned = false // nothing flows back from a single class
					}
					if same == learned {
						t.Errorf("phase %d: row %d of %s has changed: %v", i, row, x.Name, !same)
					}
				}
			}
			if changed > l.Trained() {
				t.Errorf("phase %d: %d values have changed, and %d are trained", i, changed, l.Trained())
			}
			if i == 0 && !strings.HasPrefix(l.State()[0].Name, "l2p") && changed != l.Trained() {
				t.Errorf("%d values have changed, and %d are trained", changed, l.Trained())
			}
		}
	})
}

// TestL2PLeavesWhatIsNotChosen: with a pool larger than all choices, the other prompts and keys are as they were drawn.
func TestL2PLeavesWhatIsNotChosen(t *testing.T) {
	phases, items := lessons(smallConfig())
	w, err := vilt.Random(smallConfig(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, batchwise := range []bool{false, true} {
		l, err := New("l2p", w, 4, Options{Schedule: Schedule{Epochs: 1, BatchSize: 4, WeightDecay: 0.5}, Seed: 1, Prompts: Prompts{Pool: 40, Top: 2, Batchwise: batchwise}})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := l.Begin(phases[0]); err != nil {
			t.Fatal(err)
		}
		before := state(l)
		if err := l.Fit(t.Context(), Lesson{Items: &recorder{samples: items[0]}}); err != nil {
			t.Fatal(err)
		}
		var rows [2][]int
		for k, x := range l.State()[:2] {
			for row := range 40 {
				if width := x.Shape[1]; !slices.Equal(x.Data[row*width:(row+1)*width], before[k].Data[row*width:(row+1)*width]) {
					rows[k] = append(rows[k], row)
				}
			}
		}
		if !slices.Equal(rows[0], rows[1]) || len(rows[0]) < 2 || len(rows[0]) > 24 || batchwise && len(rows[0]) > 6 {
			t.Errorf("batchwise %v: prompts %v and keys %v have changed", batchwise, rows[0], rows[1])
		}
	}
}

// TestPromptsAttention: what rows look at in prompts is left out of it, whichever block and head are asked for.
func TestPromptsAttention(t *testing.T) {
	phases, items := lessons(smallConfig())
	promptMethods(t, func(t *testing.T, l Learner) {
		if err := l.Begin(phases[0]); err != nil {
			t.Fatal(err)
		}
		batch := items[0][:3]
		for _, a := range []Attention{{}, {Layer: "0"}, {Layer: "mean", Heads: "max"}} {
			out, err := l.Infer(batch, &a)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range batch {
				rows := len(s.Tokens) + 1 + len(s.PatchPos)
				if len(out.Probs[i]) != rows*rows {
					t.Fatalf("%+v: %d values for %d rows", a, len(out.Probs[i]), rows)
				}
				for r := range rows {
					var sum float64
					for _, p := range out.Probs[i][r*rows : (r+1)*rows] {
						sum += float64(p)
					}
					if a.Heads == "" && !(sum > 0.05 && sum < 0.999) || math.IsNaN(sum) {
						t.Fatalf("%+v: row %d looks at other rows by %g in all", a, r, sum)
					}
				}
			}
		}
	})
}

func TestPromptsRefuse(t *testing.T) {
	w, err := vilt.Random(smallConfig(), 1) // of two blocks
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		prompts Prompts
		phases  int
		want    string
	}{
		{"l2p", Prompts{Top: 11}, 0, "prompt-top: 11 prompts of an example, of a prompt-pool of 10"},
		{"l2p", Prompts{Pool: 3, Top: 4}, 0, "prompt-top: 4 prompts of an example, of a prompt-pool of 3"},
		{"l2p", Prompts{Length: -1}, 0, "prompt-length: -1"},
		{"l2p", Prompts{Length: 500, Top: 3}, 0, "1024 rows or fewer"},
		{"l2p", Prompts{Pool: 3}, 0, "prompt-top: 5 prompts of an example, of a prompt-pool of 3"},
		{"dualprompt", Prompts{Blocks: "1-2"}, 0, "the encoder has 2, from 0 to 1"},
		{"dualprompt", Prompts{Blocks: "2-4"}, 0, "prompt-blocks \"2-4\": the encoder has 2"},
		{"dualprompt", Prompts{Pool: 4}, 3, "prompt-pool: 4 expert prompts for 3 phases"},
		{"dualprompt", Prompts{Blocks: "1-0"}, 0, "must be FIRST-LAST"},
		{"coda-prompt", Prompts{Blocks: "x"}, 0, "must be FIRST-LAST"},
		{"coda-prompt", Prompts{Pool: 4}, 5, "4 components for 5 phases"},
	} {
		l, err := New(c.name, w, 4, Options{Schedule: Schedule{BatchSize: 2}, Prompts: c.prompts, Phases: c.phases})
		if err == nil {
			err = errors.Join(errors.New("no error"), l.Close())
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v", c.name, c.prompts, err)
		}
	}
}

// TestFitPrompts: defaults are cut to the encoder and the phases; what is given is left as it is.
func TestFitPrompts(t *testing.T) {
	for _, c := range []struct {
		name           string
		given          Prompts
		blocks, phases int
		want           Prompts
	}{
		{"l2p", Prompts{}, 2, 3, Prompts{Length: 5, Pool: 10, Top: 5, KeyWeight: 0.1}},
		{"l2p", Prompts{Pool: 30, KeyWeight: -1, Batchwise: true}, 0, 0, Prompts{Length: 5, Pool: 30, Top: 5, KeyWeight: -1, Batchwise: true}},
		{"dualprompt", Prompts{}, 0, 0, Prompts{Length: 5, KeyWeight: 0.1}},
		{"dualprompt", Prompts{}, 12, 7, Prompts{Length: 5, Pool: 7, KeyWeight: 0.1, Blocks: "2-4"}},
		{"dualprompt", Prompts{}, 4, 1, Prompts{Length: 5, Pool: 1, KeyWeight: 0.1, Blocks: "2-3"}},
		{"dualprompt", Prompts{}, 2, 1, Prompts{Length: 5, Pool: 1, KeyWeight: 0.1, Blocks: "1-1"}},
		{"dualprompt", Prompts{Pool: 2, Blocks: "1"}, 2, 3, Prompts{Length: 5, Pool: 2, KeyWeight: 0.1, Blocks: "1-1"}},
		{"coda-prompt", Prompts{}, 3, 10, Prompts{Length: 4, Pool: 100, Blocks: "0-2"}},
		{"coda-prompt", Prompts{Blocks: "6-8"}, 0, 10, Prompts{Length: 4, Pool: 100, Blocks: "6-8"}},
		{"ssf", Prompts{}, 3, 10, Prompts{}},
	} {
		s, err := SpecOf(c.name)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // doing it twice changes nothing
			got, err := s.FitPrompts(c.given, c.blocks, c.phases)
			if err != nil || got != c.want {
				t.Errorf("%s %+v on %d blocks in %d phases: %+v, not %+v (%v)", c.name, c.given, c.blocks, c.phases, got, c.want, err)
			}
			c.given = got
		}
	}
}

func TestCourses(t *testing.T) {
	s := Schedule{Epochs: 5, LearningRate: 2, WarmupFraction: -1}
	for _, c := range []struct {
		course string
		want   []float64 // of the ten steps
	}{
		{CourseConstant, []float64{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
		{CourseCosine, []float64{2, 2, 1.8508, 1.8508, 1.4255, 1.4255, 0.7874, 0.7874, 0.0314, 0.0314}},
	} {
		s.Course = c.course
		for i, want := range c.want {
			if got := float64(s.WithDefaults().rate(i, 10)); math.Abs(got-want) > 1e-3 {
				t.Errorf("%s: step %d at %g, not %g", c.course, i, got, want)
			}
		}
	}
	one := Schedule{Epochs: 1, LearningRate: 2, WarmupFraction: -1, Course: CourseCosine}.WithDefaults()
	if got := one.rate(3, 4); got != 2 {
		t.Errorf("a single epoch at %g", got)
	}
}
