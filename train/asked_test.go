package train

import (
	"slices"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// begun is a run before its first phase.
func begun(t *testing.T, o Options) *run {
	t.Helper()
	r := &run{o: o.WithDefaults()}
	t.Cleanup(r.close)
	r.o.Schedule = r.o.Schedule.WithDefaults()
	digest, err := r.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.claim(digest); err != nil {
		t.Fatal(err)
	}
	return r
}

// firstPhase is a run after its first phase.
func firstPhase(t *testing.T) *run {
	t.Helper()
	r := begun(t, testRun(t))
	if err := r.phase(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return r
}

// spy tells what a learner is asked.
type spy struct {
	method.Learner
	asked func(batch []dataset.Sample, attention *method.Attention)
}

func (s spy) Infer(batch []dataset.Sample, attention *method.Attention) (method.Output, error) {
	s.asked(batch, attention)
	return s.Learner.Infer(batch, attention)
}

// TestAnswerRate: what is timed is answered as if it were never seen, after all test rows were; and it is a rate of samples.
func TestAnswerRate(t *testing.T) {
	r := firstPhase(t)
	var rows, timed int
	learner := r.learner
	r.learner = spy{learner, func(batch []dataset.Sample, _ *method.Attention) {
		for _, s := range batch {
			if s.Passing {
				timed++
			} else if rows++; timed > 0 { // exemplars, for their means, or test rows
				t.Error("a row after what was timed")
			}
		}
		if batch[0].Passing {
			time.Sleep(20 * time.Millisecond)
		}
	}}
	e, err := r.evaluate(t.Context(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	batch := min(learner.BatchSize(), sum(e.rows)) // of the only phase
	if rows < sum(e.rows) || timed != 3*batch {
		t.Errorf("%d rows of %d, %d timed in batches of %d", rows, sum(e.rows), timed, batch)
	}
	if e.perSecond <= 0 || e.perSecond > float64(batch)/0.020 {
		t.Errorf("%g a second of batches of %d that take 20 ms or more", e.perSecond, batch)
	}
}

// TestAttentionPass: attention is of the model at the end of the class's own phase, in a pass over herding's first candidates,
// each once, and no further than the first that has no room.
func TestAttentionPass(t *testing.T) {
	o := testRun(t)
	o.Memory.Exemplars, o.Memory.Budget, o.Schedule.BatchSize = memory.Masked, 1, 2
	r := begun(t, o)
	learner := r.learner
	asked := map[string]int{}
	r.learner = spy{learner, func(batch []dataset.Sample, attention *method.Attention) {
		for _, s := range batch {
			if attention != nil {
				asked[string(s.ID)]++
			}
		}
	}}
	if err := r.phase(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	held, classes := 0, len(r.phases[0])
	for _, label := range r.phases[0] {
		items := r.subset(r.data.Splits[dataset.Train], []int{label})
		for _, e := range r.store.OfClass(r.position[label]) {
			held++
			if asked[e.ID] != 1 {
				t.Errorf("%s: asked for its attention %d times", e.ID, asked[e.ID])
			}
			for i := range items.Len() { // the learner is as it was when the phase ended
				s, err := items.Sample(t.Context(), i, nil)
				if err != nil {
					t.Fatal(err)
				}
				if string(s.ID) != e.ID {
					continue
				}
				out, err := learner.Infer([]dataset.Sample{s}, r.o.Memory.attention())
				if err != nil {
					t.Fatal(err)
				}
				mask := r.o.Memory.Mask.Mask(memory.Attention{Probs: out.Probs[0], Text: len(s.Tokens)}, nil)
				want, err := memory.Encode(s, mask, r.patchPx(), r.o.Memory.codec())
				if err != nil || len(e.PatchBits) == 0 || !slices.Equal(e.PatchBits, want.PatchBits) || !slices.Equal(e.Tokens, want.Tokens) {
					t.Errorf("%s: patches %b and tokens %d, not %b and %d (%v)", e.ID, e.PatchBits, e.Tokens, want.PatchBits, want.Tokens, err)
				}
			}
		}
	}
	if len(asked) > held+2*classes || len(asked) >= classes*testTrain {
		t.Errorf("%d candidates were asked for their attention, and %d are held", len(asked), held)
	}
}
