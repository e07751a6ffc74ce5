package method

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// lessons are the new examples of three phases of 2, 1 and 1 classes.
func lessons(c vilt.Config) (phases []Phase, items [][]dataset.Sample) {
	phases = []Phase{{0, 0, 2}, {1, 2, 3}, {2, 3, 4}}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range phases {
		var own []dataset.Sample
		for i := range 12 {
			own = append(own, sample(c, p.Old+i%(p.Seen-p.Old), rng))
		}
		items = append(items, own)
	}
	return phases, items
}

// state is a copy of a learner's.
func state(l Learner) (copies []*vilt.Tensor) {
	for _, t := range l.State() {
		copies = append(copies, &vilt.Tensor{Name: t.Name, Shape: t.Shape, Data: slices.Clone(t.Data)})
	}
	return copies
}

// TestEveryMethod holds each method, with all that it reads and with none of it, to what [Learner] says: the same bytes from
// the same lessons; the same bytes where a run goes on after a phase, and within one; no encoder weight changed; what is
// learned is what it says, and classes that have not been seen stay out of it.
func TestEveryMethod(t *testing.T) {
	c := smallConfig()
	phases, items := lessons(c)
	stopped := errors.New("stopped")
	for _, spec := range Specs() {
		all := Options{Schedule: Schedule{Epochs: 3, BatchSize: 4}, Seed: 1}
		if slices.Contains(spec.Reads, SettingAdapterWidth) {
			all.Adapter, all.Ease = tune.AdapterOptions{Width: 5, Scale: 0.5, Dropout: 0.3}, EaseOptions{Alpha: 0.3}
		}
		if slices.Contains(spec.Reads, SettingHead) {
			all.Head = HeadMLP
		}
		if slices.Contains(spec.Reads, SettingDistill) {
			all.Distill = Distill{Weight: 1}
		}
		if slices.Contains(spec.Reads, SettingTuneFromBlock) {
			all.TuneFromBlock = 1
		}
		for key, set := range map[string]func(){
			SettingPromptLength: func() { all.Prompts.Length = 2 }, SettingPromptPool: func() { all.Prompts.Pool = 3 }, SettingPromptTop: func() { all.Prompts.Top = 2 },
			SettingKeyWeight: func() { all.Prompts.KeyWeight = 1 }, SettingPromptBlocks: func() { all.Prompts.Blocks = "1" }, SettingBatchwise: func() { all.Prompts.Batchwise = true },
		} {
			if slices.Contains(spec.Reads, key) {
				set()
			}
		}
		all.Phases = 3
		ways := []Options{{Schedule: all.Schedule, Seed: 1}, all}
		if slices.Contains(spec.Reads, SettingTunePhases) {
			plain, all := ways[0], all
			plain.TunePhases, all.TunePhases = TuneFirst, TuneFirst
			ways = append(ways, plain, all)
		}
		for _, o := range ways {
			w, err := vilt.Random(c, 1)
			if err != nil {
				t.Fatal(err)
			}
			before := weightsOf(w)
			learner := func() Learner {
				l, err := New(spec.Name, w, 4, o)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return l
			}
			fit := func(l Learner, phase int, lesson Lesson) error {
				lesson.Items = &recorder{samples: items[phase]}
				lesson.Fresh = inMemory(items[phase])
				return l.Fit(t.Context(), lesson)
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", spec.Name, err)
				}
			}
			whole := learner()
			var after [][]*vilt.Tensor
			for i, p := range phases {
				must(errors.Join(whole.Begin(p), fit(whole, i, Lesson{})))
				after = append(after, state(whole))
				if n := whole.Trained(); n < 1 != spec.Still || n > Values(whole.State()) {
					t.Errorf("%s: %d of %d values are trained", spec.Name, n, Values(whole.State()))
				}
			}
			want := answers(t, whole, items)
			if got := answers(t, whole, items); !slices.Equal(got, want) {
				t.Errorf("%s: it answers otherwise when it is asked again", spec.Name)
			}
			if weightsOf(w) != before {
				t.Errorf("%s: the encoder's weights are changed", spec.Name)
			}

			again := learner() // one that goes on after phase 0, and within phases 1 and 2
			must(errors.Join(again.Begin(phases[0]), Restore(again, after[0])))
			for i := 1; i < 3; i++ {
				var saved []*vilt.Tensor
				must(again.Begin(phases[i]))
				if spec.Still { // it has no epochs
					must(fit(again, i, Lesson{}))
					continue
				}
				err := fit(again, i, Lesson{After: func(epochs int, solver []*vilt.Tensor) error {
					if epochs < 2 {
						return nil
					}
					saved = state(again)
					for _, x := range solver {
						saved = append(saved, &vilt.Tensor{Name: x.Name, Shape: x.Shape, Data: slices.Clone(x.Data)})
					}
					return stopped
				}})
				if !errors.Is(err, stopped) {
					t.Fatalf("%s: an epoch's end is not told: %v", spec.Name, err)
				}
				again = learner()
				for k := range i {
					must(again.Begin(phases[k]))
				}
				must(errors.Join(Restore(again, after[i-1]), again.Begin(phases[i]), Restore(again, saved)))
				must(fit(again, i, Lesson{Epochs: 2, From: saved}))
				for k, x := range again.State() {
					if x.Name != after[i][k].Name || !slices.Equal(x.Data, after[i][k].Data) {
						t.Fatalf("%s: %s of phase %d is another where a run went on", spec.Name, x.Name, i)
					}
				}
			}
			if !slices.Equal(answers(t, again, items), want) {
				t.Errorf("%s: it answers otherwise where a run went on", spec.Name)
			}
		}
	}
}

// answers are a learner's features and logits, one example at a time and together, which must agree.
func answers(t *testing.T, l Learner, items [][]dataset.Sample) (all []float32) {
	t.Helper()
	for _, own := range items {
		batch := own[:l.BatchSize()]
		out, err := l.Infer(batch, nil)
		if err != nil {
			t.Fatal(err)
		}
		together := slices.Concat(out.Features, out.Logits)
		all = append(all, together...)
		d, k := len(out.Features)/len(batch), len(out.Logits)/len(batch)
		if k != 4 {
			t.Fatalf("%d logits of 4 classes", k)
		}
		for i, s := range batch {
			one, err := l.Infer([]dataset.Sample{s}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(one.Features, together[i*d:(i+1)*d]) || !slices.Equal(one.Logits, together[len(batch)*d+i*k:len(batch)*d+(i+1)*k]) {
				t.Fatal("an answer depends on the batch")
			}
		}
	}
	return all
}

// weightsOf is a sum that shows any change.
func weightsOf(w *vilt.Weights) (sum float64) {
	for i, t := range w.Tensors() {
		for j, v := range t.Data {
			sum += float64(v) * float64(1+(i+j)%97)
		}
	}
	return sum
}

// TestSpecs: names are told apart, each setting is one that there is, and what is tuned is what the name says.
func TestSpecs(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Specs() {
		if names[s.Name] || s.Name == "" || s.About == "" {
			t.Errorf("method %q (%s)", s.Name, s.About)
		}
		names[s.Name] = true
		for _, key := range s.Reads {
			_, prompts := Prompts{1, 1, 1, 1, "0", true}.Settings()[key]
			if !prompts && !slices.Contains([]string{SettingHead, SettingDistill, SettingDistillTemperature, SettingTuneFromBlock, SettingTunePhases, SettingAdapterWidth, SettingAdapterScale, SettingAdapterDropout, SettingEaseAlpha}, key) {
				t.Errorf("%s reads %s, which is no setting", s.Name, key)
			}
		}
	}
	c := smallConfig()
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	tuned := map[string]int{}
	for _, name := range []string{"ssf", "finetune", "linear"} {
		l, err := New(name, w, 4, Options{Seed: 1, Schedule: Schedule{BatchSize: 2}})
		if err != nil {
			t.Fatal(err)
		}
		tuned[name] = l.Trained()
		l.Close()
	}
	head, ssf := 4*16+4, 2*(2*16+2*(16+48+16+16+32+16))
	if tuned["linear"] != head || tuned["ssf"] != head+ssf || tuned["finetune"] != head+ssf {
		t.Errorf("trained are %v, not %d of the classifier and %d of SSF", tuned, head, ssf)
	}
}
