package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
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
