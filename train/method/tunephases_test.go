package method

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// TestTuneFirst: with scale and shift that are tuned in the first phase alone, the first phase gives what it gives otherwise;
// after it they stay to the byte, and the classifier learns what it learns alone on an encoder that has them in its weights.
func TestTuneFirst(t *testing.T) {
	c := smallConfig()
	phases, items := lessons(c)
	for _, o := range []Options{{}, {TuneFromBlock: 1}, {Distill: Distill{Weight: 1}}, {Head: HeadCosine}} {
		o.Schedule, o.Seed = Schedule{Epochs: 3, BatchSize: 4}, 1
		first, after := learned(t, "ssf", o, TuneFirst)
		_, other := learned(t, "ssf", o, "")
		_, named := learned(t, "ssf", o, TuneAll)
		head := len(first.State()) - 2
		for k, x := range after[0] {
			if !slices.Equal(x.Data, other[0][k].Data) {
				t.Errorf("%s after the first phase is another than where it is tuned in all", x.Name)
			}
			tuned := k < head
			for i := 1; i < len(phases); i++ {
				if !slices.Equal(other[i][k].Data, named[i][k].Data) {
					t.Errorf("%s: all phases by name are others than by default", x.Name)
				}
				if same := slices.Equal(after[i][k].Data, x.Data); same != tuned {
					t.Errorf("%s after phase %d is that of the first phase: %v", x.Name, i, same)
				}
				if slices.Equal(other[i][k].Data, x.Data) {
					t.Errorf("%s is not trained in phase %d", x.Name, i)
				}
			}
		}
		if got, want := first.Trained(), Values(first.State()[head:]); got != want {
			t.Errorf("%d values are trained in the last phase, not the classifier's %d", got, want)
		}
		if o.TuneFromBlock > 0 { // whose outputs below are rounded
			continue
		}

		w, err := vilt.Random(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		ssf := tune.NewSSF(c, 1)
		if err := CopyInto(ssf.Tensors(), after[0]); err != nil {
			t.Fatal(err)
		}
		alone, err := New("linear", ssf.Merge(w), 4, o)
		if err != nil {
			t.Fatal(err)
		}
		defer alone.Close()
		if err := alone.Begin(phases[0]); err != nil {
			t.Fatal(err)
		}
		if err := Restore(alone, after[0]); err != nil {
			t.Fatal(err)
		}
		for i, p := range phases[1:] {
			if err := alone.Begin(p); err != nil {
				t.Fatal(err)
			}
			if err := alone.Fit(t.Context(), Lesson{Items: inMemory(items[i+1])}); err != nil {
				t.Fatal(err)
			}
		}
		for k, x := range alone.State() {
			for j, v := range x.Data {
				if y := after[2][head+k].Data[j]; math.Abs(float64(v-y)) > 1e-4*max(1, math.Abs(float64(v))) {
					t.Fatalf("%s[%d] is %g, and learned alone %g", x.Name, j, y, v)
				}
			}
		}
	}
}

// learned is a learner that has learned the three lessons, and its state after each.
func learned(t *testing.T, name string, o Options, phasesTuned string) (Learner, [][]*vilt.Tensor) {
	t.Helper()
	c := smallConfig()
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	o.TunePhases = phasesTuned
	l, err := New(name, w, 4, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	phases, items := lessons(c)
	var after [][]*vilt.Tensor
	for i, p := range phases {
		if err := l.Begin(p); err != nil {
			t.Fatal(err)
		}
		if err := l.Fit(t.Context(), Lesson{Items: inMemory(items[i])}); err != nil {
			t.Fatal(err)
		}
		after = append(after, state(l))
	}
	return l, after
}

// TestTuneFirstCosts: steps of later phases count no gradient through the encoder, and no memory is asked for beyond the plan
// but what a classifier takes.
func TestTuneFirstCosts(t *testing.T) {
	c := smallConfig()
	phases, items := lessons(c)
	flop := func(name, tuned string) (all [3]float64, plan Plan) {
		w, err := vilt.Random(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		l, err := New(name, w, 4, Options{Schedule: Schedule{Epochs: 1, BatchSize: 4}, Seed: 1, TunePhases: tuned})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i, p := range phases {
			if err := l.Begin(p); err != nil {
				t.Fatal(err)
			}
			if err := l.Fit(t.Context(), Lesson{Items: inMemory(items[i]), Progress: func(s Step) { all[i] += s.FLOP }}); err != nil {
				t.Fatal(err)
			}
		}
		return all, l.Plan()
	}
	first, plan := flop("ssf", TuneFirst)
	every, whole := flop("ssf", "")
	linear, _ := flop("linear", "")
	if first[0] != every[0] || first[1] != linear[1] || first[2] != linear[2] || linear[1] >= every[1] {
		t.Errorf("phases take %v, tuned in all %v, the classifier alone %v", first, every, linear)
	}
	if more := plan.Total() - whole.Total(); more < 0 || more > 16<<10 {
		t.Errorf("it is planned to take %d bytes more than where all phases tune", more)
	}
}

// TestTunePhasesRefused: words that are none, and methods that tune nothing over phases.
func TestTunePhasesRefused(t *testing.T) {
	w, err := vilt.Random(smallConfig(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New("ssf", w, 2, Options{TunePhases: "last"}); err == nil || !strings.Contains(err.Error(), `tune-phases "last": use one of [all first]`) {
		t.Errorf("last: %v", err)
	}
	for _, spec := range Specs() {
		l, err := New(spec.Name, w, 2, Options{TunePhases: TuneFirst, Schedule: Schedule{BatchSize: 2}})
		if reads := slices.Contains([]string{"ssf", "finetune"}, spec.Name); reads != (err == nil) || !reads && !strings.Contains(err.Error(), "tune-phases has no effect") {
			t.Errorf("%s: %v", spec.Name, err)
		}
		if err == nil {
			l.Close()
		}
	}
}
