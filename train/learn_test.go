package train

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// richRun is options of [testRun] with all that a phase carries from one epoch to the next.
func richRun(t *testing.T) Options {
	o := testRun(t)
	o.Schedule.Epochs = 4
	o.Learning = LearningOptions{Head: method.HeadMLP, Distill: 1, Mixing: mixingBalanced, Augment: "flip,jitter", MaskNew: 0.3}
	return o
}

// stopAtStep runs o until a step of the phase is done, and checks that it stopped for that reason.
func stopAtStep(t *testing.T, o Options, stage string, step int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(e Event) {
		if e.Stage == stage && e.Done == step {
			cancel()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped at %s, step %d, with %v", stage, step, err)
	}
}

// firstStep runs o until its first step and returns its stage and number.
func firstStep(t *testing.T, o Options) (first Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = func(e Event) {
		if strings.HasSuffix(e.Stage, ": learn") && first.Stage == "" {
			first = e
			cancel()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return first
}

// TestResumeWithinAPhase: a run that is stopped at any step of a phase goes on after the last whole epoch, and ends with the
// bytes of one that was not stopped: with a teacher, a classifier that is drawn, and examples that are chosen and changed at
// random.
func TestResumeWithinAPhase(t *testing.T) {
	whole := richRun(t)
	mustRun(t, whole)
	o := richRun(t)
	const learn = "phase %d of 3: learn"
	for _, stop := range []struct{ phase, step int }{{1, 2}, {1, 7}, {2, 1}, {2, 9}, {3, 5}} {
		stage := fmt.Sprintf(learn, stop.phase)
		stopAtStep(t, o, stage, stop.step)
		first := firstStep(t, o)
		perEpoch := first.Total / o.Schedule.Epochs
		if want := stop.step/perEpoch*perEpoch + 1; perEpoch < 2 || first.Stage != stage || first.Done != want {
			t.Errorf("stopped at %s, step %d of epochs of %d, it went on at %s, step %d", stage, stop.step, perEpoch, first.Stage, first.Done)
		}
	}
	o.Schedule.Workers = 4 // what is random does not depend on who makes it
	mustRun(t, o)
	sameRun(t, o.Out, whole.Out)
	if _, err := os.Stat(filepath.Join(o.Out, halfwayPhaseFile)); err == nil {
		t.Error("what was halfway is left over")
	}
	for phase, epochs := range samplesPerEpoch(t, o.Out) {
		if len(epochs) != o.Schedule.Epochs {
			t.Errorf("the log has %d epochs of phase %d", len(epochs), phase)
		}
	}
}

// TestHalfwayIsChecked: what is of another phase or run is put away, and what is damaged is said.
func TestHalfwayIsChecked(t *testing.T) {
	o := richRun(t)
	o.Schedule.Epochs = 2
	stopAt(t, o, "phase 1 of 3: remember")
	file := filepath.Join(o.Out, halfwayPhaseFile)
	tensors, metadata, err := vilt.ReadSafetensorsMetadata(file)
	if err != nil {
		t.Fatal(err)
	}
	if metadata["epochs"] != "2" || metadata["phase"] != "0" {
		t.Fatalf("after the last epoch there is %v", metadata)
	}
	// All epochs are done: no step is repeated.
	again := o
	again.Progress = func(e Event) {
		if strings.HasPrefix(e.Stage, "phase 1") && strings.HasSuffix(e.Stage, ": learn") {
			t.Errorf("step %d was done again", e.Done)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, again); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	with := func(key, value string) {
		t.Helper()
		changed := map[string]string{}
		for k, v := range metadata {
			changed[k] = v
		}
		changed[key] = value
		if err := vilt.WriteSafetensors(file, tensors, changed); err != nil {
			t.Fatal(err)
		}
	}
	for key, value := range map[string]string{"epochs": "0", "phase": "x", "samples": "many", "took": "long"} {
		with(key, value)
		if _, err := Run(t.Context(), o); !errors.Is(err, schemas.ErrDamaged) || !strings.Contains(err.Error(), "remove it to learn the phase again") {
			t.Errorf("%s %s: %v", key, value, err)
		}
	}
	with("version", "9")
	var unsupported *schemas.UnsupportedError
	if _, err := Run(t.Context(), o); !errors.As(err, &unsupported) {
		t.Errorf("a newer version: %v", err)
	}
	for key, value := range map[string]string{"phase": "1", "digest": "another"} {
		with(key, value)
		if first := firstStep(t, o); first.Stage != "phase 1 of 3: learn" || first.Done != 1 {
			t.Errorf("%s %s: it went on at %s, step %d", key, value, first.Stage, first.Done)
		}
	}
	if err := os.WriteFile(file, []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "remove it to learn the phase again") {
		t.Errorf("no safetensors: %v", err)
	}
}

// TestRunIsLocked: while one has the folder another is refused, and nothing is changed.
func TestRunIsLocked(t *testing.T) {
	o := testRun(t)
	release, err := lockRun(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := lockRun(o.Out); err == nil {
		again()
		t.Skip("no locks here")
	}
	if _, err := Run(t.Context(), o); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "another mcil train is writing it") {
		t.Errorf("a second run: %v", err)
	}
	if left, _ := os.ReadDir(o.Out); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	release()
	stopAt(t, o, "phase 1 of 3: learn")
}

// TestMixings: in natural mixing an epoch has every exemplar once, in balanced mixing every class as often as the new ones.
func TestMixings(t *testing.T) {
	o := testRun(t)
	o.Learning.Mixing = mixingBalanced
	mustRun(t, o)
	for phase, epochs := range samplesPerEpoch(t, o.Out) {
		for _, samples := range epochs {
			if want := testTrain * (3 + phase); samples != want {
				t.Errorf("phase %d: an epoch has %d samples, not %d of each class seen", phase, samples, testTrain)
			}
		}
	}
}

// TestLesson: balanced, exemplars of each old class come as often as the new classes' examples; and new examples alone are
// thinned.
func TestLesson(t *testing.T) {
	o := testRun(t)
	o.Learning.Mixing = mixingBalanced
	r := &run{o: o.WithDefaults()}
	defer r.close()
	digest, err := r.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.claim(digest); err != nil {
		t.Fatal(err)
	}
	if err := r.phase(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	lesson, err := r.lesson(1)
	if err != nil {
		t.Fatal(err)
	}
	count := make([]int, 4)
	for i := range lesson.Items.Len() {
		s, err := lesson.Items.Sample(t.Context(), i, rand.New(rand.NewPCG(1, uint64(i))))
		if err != nil {
			t.Fatal(err)
		}
		count[s.Label]++
	}
	if !slices.Equal(count, []int{testTrain, testTrain, testTrain, testTrain}) || lesson.Fresh.Len() != testTrain {
		t.Errorf("examples by class: %v; %d are fresh", count, lesson.Fresh.Len())
	}

	r.o.Learning.Mixing, r.o.Learning.MaskNew = "", 0.9 // takes from new examples, and nothing from exemplars
	if lesson, err = r.lesson(1); err != nil {
		t.Fatal(err)
	}
	for i := range lesson.Items.Len() {
		s, err := lesson.Items.Sample(t.Context(), i, rand.New(rand.NewPCG(1, uint64(i))))
		if err != nil {
			t.Fatal(err)
		}
		want := s.GridH * s.GridW
		if old := i - lesson.Fresh.Len(); old >= 0 {
			e, err := memory.Decode(r.store.All()[old])
			if err != nil {
				t.Fatal(err)
			}
			if want = len(e.PatchPos); len(s.PatchPos) != want {
				t.Errorf("exemplar %d: %d of %d patches", old, len(s.PatchPos), want)
			}
		} else if len(s.PatchPos) >= want {
			t.Errorf("new example %d: all of %d patches", i, want)
		}
	}
}

// TestThinnedAsExemplars: new examples have gaps in what masked exemplars have gaps in, and in both where exemplars are of
// another kind.
func TestThinnedAsExemplars(t *testing.T) {
	o := testRun(t)
	o.Learning.MaskNew = 0.9
	r := &run{o: o.WithDefaults()}
	defer r.close()
	if _, err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := r.subset(r.data.Splits[dataset.Train], r.phases[0])
	for _, c := range []struct {
		m             MemoryOptions
		patches, text bool // that some are gone
	}{
		{MemoryOptions{Exemplars: memory.Masked}, true, true},
		{MemoryOptions{Exemplars: memory.Masked, Mask: memory.MaskOptions{Text: memory.All}}, true, false},
		{MemoryOptions{Exemplars: memory.Masked, Mask: memory.MaskOptions{Image: memory.All}}, false, true},
		{MemoryOptions{Exemplars: memory.Raw}, true, true},
		{MemoryOptions{Exemplars: memory.None}, true, true},
	} {
		r.o.Memory = c.m.WithDefaults()
		s, err := r.thinned(fresh).Sample(t.Context(), 0, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if gone := len(s.PatchPos) < s.GridH*s.GridW; gone != c.patches {
			t.Errorf("%+v: %d patches of %d by %d", c.m, len(s.PatchPos), s.GridH, s.GridW)
		}
		if gone := len(s.Tokens) < s.TextLen; gone != c.text {
			t.Errorf("%+v: %d tokens of %d", c.m, len(s.Tokens), s.TextLen)
		}
	}
}

// TestBlackStaysBlack: what new examples and exemplars lack is black, and no change of brightness or contrast makes it another
// colour, or is drawn from it.
func TestBlackStaysBlack(t *testing.T) {
	o := testRun(t)
	o.Learning.MaskNew, o.Learning.Augment = 0.5, "jitter"
	r := &run{o: o.WithDefaults()}
	defer r.close()
	if _, err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := r.subset(r.data.Splits[dataset.Train], r.phases[0])
	whole, err := fresh.Sample(t.Context(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	mask := memory.Mask{Patches: make([]bool, len(whole.PatchPos)), Tokens: make([]bool, len(whole.Tokens))}
	mask.Patches[1], mask.Tokens[0], mask.Tokens[len(whole.Tokens)-1] = true, true, true
	e, err := memory.Encode(whole, mask, r.patchPx(), memory.Codec{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.Put(0, 1<<20, func(yield func(memory.Exemplar, error) bool) { yield(e, nil) }); err != nil {
		t.Fatal(err)
	}
	items := func(replay string) dataset.Items {
		r.o.Memory = MemoryOptions{Replay: replay}.WithDefaults()
		lesson, err := r.lesson(0)
		if err != nil {
			t.Fatal(err)
		}
		return lesson.Items
	}
	black, gaps := items(replayBlack), items(replayDrop)
	for _, i := range []int{0, black.Len() - 1} {
		want, err := gaps.Sample(t.Context(), i, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := black.Sample(t.Context(), i, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if len(want.PatchPos) >= want.GridH*want.GridW || !reflect.DeepEqual(got, memory.Blacken(want, r.patchPx())) {
			t.Errorf("example %d: %d patches, not those of %d with black around them", i, len(got.PatchPos), len(want.PatchPos))
		}
	}
}

// TestLearningChangesWhatIsLearned: each option of learning gives other values in the second phase than the default, and
// those that only matter with a memory or a teacher the same ones in the first.
func TestLearningChangesWhatIsLearned(t *testing.T) {
	tuner := func(dir string, phase int) string {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("phase-%02d", phase), "tuner.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	whole := mustWholeRun(t)
	for _, c := range []struct {
		name  string
		l     LearningOptions
		first bool // the first phase is another, too
	}{
		{"cosine", LearningOptions{Head: method.HeadCosine}, true}, {"mlp", LearningOptions{Head: method.HeadMLP}, true},
		{"distill", LearningOptions{Distill: 1}, false}, {"mixing", LearningOptions{Mixing: mixingBalanced}, false},
		{"flip", LearningOptions{Augment: "flip"}, true}, {"jitter", LearningOptions{Augment: "jitter"}, true}, {"mask new", LearningOptions{MaskNew: 0.5}, true},
		{"defaults", LearningOptions{Head: method.HeadLinear, Mixing: mixingNatural, Augment: "none"}, false},
	} {
		o := testRun(t)
		o.Phases, o.Learning = 3, c.l
		mustRun(t, o)
		if changed := tuner(o.Out, 0) != tuner(whole, 0); changed != c.first {
			t.Errorf("%s: the first phase is another: %v", c.name, changed)
		}
		if changed := tuner(o.Out, 1) != tuner(whole, 1); changed != (c.name != "defaults") {
			t.Errorf("%s: the second phase is another: %v", c.name, changed)
		}
	}
	hot, warm := testRun(t), testRun(t)
	hot.Learning, warm.Learning = LearningOptions{Distill: 1, DistillTemperature: 5}, LearningOptions{Distill: 1}
	mustRun(t, hot)
	mustRun(t, warm)
	if tuner(hot.Out, 1) == tuner(warm.Out, 1) || tuner(hot.Out, 0) != tuner(warm.Out, 0) {
		t.Error("the temperature of distillation does nothing, or too much")
	}
}

// TestEvaluateReadsItsSplitOnly gives a run the test rows as validation rows and takes the test rows away: it comes to the
// same accuracies, and says of which rows they are.
func TestEvaluateReadsItsSplitOnly(t *testing.T) {
	var whole schemas.Report
	if err := schemas.ReadJSON(filepath.Join(mustWholeRun(t), "report.json"), schemas.ReportHeader, &whole); err != nil {
		t.Fatal(err)
	}
	o := testRun(t)
	r := &run{o: o.WithDefaults()}
	defer r.close()
	digest, err := r.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.claim(digest); err != nil {
		t.Fatal(err)
	}
	r.data.Splits[dataset.Validation] = r.data.Splits[dataset.Test]
	delete(r.data.Splits, dataset.Test)
	r.o.Evaluate = dataset.Validation
	if _, err := r.footprint(); err != nil {
		t.Fatal(err)
	}
	if err := r.checkRows([]int{0, 1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	for i := range r.phases {
		if err := r.phase(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	report, err := r.finish()
	if err != nil {
		t.Fatal(err)
	}
	if report.Split != "validation" || whole.Split != "test" || !reflect.DeepEqual(report.AccuracyMatrix, whole.AccuracyMatrix) {
		t.Errorf("of %s rows %v, of %s rows %v", report.Split, report.AccuracyMatrix, whole.Split, whole.AccuracyMatrix)
	}
	delete(r.data.Splits, dataset.Validation)
	if err := r.checkRows([]int{0}); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "has no validation rows: mcil build --val") {
		t.Errorf("without validation rows: %v", err)
	}
}

// TestRowsReadAreInTheDigest: other validation rows are other data to a run that is evaluated on them, and to no other.
func TestRowsReadAreInTheDigest(t *testing.T) {
	o := testRun(t)
	r := &run{o: o.WithDefaults()}
	defer r.close()
	if _, err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	digests := map[string]bool{}
	for _, split := range []string{dataset.Test, dataset.Validation} {
		r.o.Evaluate = split
		for _, rows := range []string{dataset.Test, dataset.Train} {
			r.data.Splits[dataset.Validation] = r.data.Splits[rows]
			digest, err := r.rowsRead()
			if err != nil {
				t.Fatal(err)
			}
			if split == dataset.Test && digest != r.rows {
				t.Errorf("validation rows that are not read change the digest")
			}
			digests[digest] = true
		}
	}
	if len(digests) != 3 {
		t.Errorf("%d digests of no validation rows and two sets of them", len(digests))
	}
	var saved schemas.Run
	if err := schemas.ReadJSON(filepath.Join(mustWholeRun(t), "run.json"), schemas.RunHeader, &saved); err != nil || saved.DataDigest != r.rows {
		t.Errorf("run.json has %q, not %q (%v)", saved.DataDigest, r.rows, err)
	}
}

// TestReportCounts holds what a report counts to what there is.
func TestReportCounts(t *testing.T) {
	dir := mustWholeRun(t)
	var r schemas.Report
	if err := schemas.ReadJSON(filepath.Join(dir, "report.json"), schemas.ReportHeader, &r); err != nil {
		t.Fatal(err)
	}
	tensors, err := vilt.ReadSafetensors(filepath.Join(dir, "phase-02", "tuner.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	values := int64(method.Values(tensors))
	last := r.Phases[2]
	if r.TrainedParameters != values || r.KeptBytes != 4*values+last.MemoryUsedBytes {
		t.Errorf("%d trained, %d bytes kept; there are %d values and %d bytes of exemplars", r.TrainedParameters, r.KeptBytes, values, last.MemoryUsedBytes)
	}
	exemplars, err := schemas.ReadExemplars(filepath.Join(dir, "phase-02", "memory.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	held := make([]int, 5)
	for _, e := range exemplars {
		held[e.Label]++
	}
	if !slices.Equal(last.ClassExemplars, held) {
		t.Errorf("%v exemplars by class, not %v", last.ClassExemplars, held)
	}
	near(t, "CODA's forgetting", r.CodaForgetting, Matrix(r.AccuracyMatrix).CodaForgetting())
	for i, p := range r.Phases {
		old := []int{0, 3, 4}[i]
		if len(p.ClassAccuracy) != p.Classes || p.LearnPicturesPerSecond <= 0 || p.TestPicturesPerSecond <= 0 {
			t.Errorf("phase %d: %+v", i, p)
		}
		near(t, fmt.Sprintf("phase %d: old classes", i), p.OldAccuracy, mean(p.ClassAccuracy[:old]))
		near(t, fmt.Sprintf("phase %d: new classes", i), p.NewAccuracy, mean(p.ClassAccuracy[old:]))
		near(t, fmt.Sprintf("phase %d: the last of the matrix", i), p.NewAccuracy, r.AccuracyMatrix[i][i])
		if p.Top5Accuracy != 1 { // of five classes at most
			t.Errorf("phase %d: %g are among the first five", i, p.Top5Accuracy)
		}
	}
}

// TestDeal: phases by their size, the last of which has what is left.
func TestDeal(t *testing.T) {
	labels := []int{9, 8, 7, 6, 5, 4, 3}
	for _, c := range []struct {
		p    Protocol
		want [][]int
	}{
		{Protocol{Init: 3, Increment: 2}, [][]int{{9, 8, 7}, {6, 5}, {4, 3}}},
		{Protocol{Init: 2, Increment: 3}, [][]int{{9, 8}, {7, 6, 5}, {4, 3}}},
		{Protocol{Increment: 3}, [][]int{{9, 8, 7}, {6, 5, 4}, {3}}},
		{Protocol{Init: 7, Increment: 1}, [][]int{{9, 8, 7, 6, 5, 4, 3}}},
		{Protocol{Phases: 3}, [][]int{{9, 8, 7}, {6, 5}, {4, 3}}},
	} {
		got, err := c.p.withDefaults().deal(labels)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %v, not %v (%v)", c.p, got, c.want, err)
		}
	}
	if _, err := (Protocol{Init: 8, Increment: 1}).withDefaults().deal(labels); !errors.Is(err, ErrOptions) {
		t.Errorf("more classes than there are: %v", err)
	}
	for want, p := range map[string]Protocol{
		"not both": {Phases: 2, Increment: 2}, "needs an increment": {Init: 2}, "must be 1 or more": {Phases: -1}, "1 class or more": {Increment: -2}, "evaluate": {Evaluate: "train"},
	} {
		if err := (Options{Protocol: p}).Validate(); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v does not say %q", p, err, want)
		}
	}
}
