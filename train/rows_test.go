package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
)

// methodRun is a run without memory of a method.
func methodRun(t *testing.T, name string) Options {
	t.Helper()
	o := testRun(t)
	o.Method, o.Memory.Budget = name, 0
	if spec, err := method.SpecOf(name); err != nil {
		t.Fatal(err)
	} else if spec.Still {
		o.Schedule = method.Schedule{BatchSize: 8}
	}
	return o
}

// TestSimpleCILRun: a run that learns nothing reports what it keeps, goes on to the same bytes, and can be opened as it was
// after any phase.
func TestSimpleCILRun(t *testing.T) {
	whole := methodRun(t, "simplecil")
	r := mustRun(t, whole)
	checkReport(t, r)
	if r.TrainedParameters != 0 || r.KeptBytes != 4*24*testClasses {
		t.Errorf("%d values are trained, and %d bytes kept", r.TrainedParameters, r.KeptBytes)
	}
	for i, p := range r.Phases {
		if p.LearnPicturesPerSecond <= 0 || p.TestPicturesPerSecond <= 0 {
			t.Errorf("phase %d: %g pictures/s learned, %g tested", i, p.LearnPicturesPerSecond, p.TestPicturesPerSecond)
		}
	}
	o := methodRun(t, "simplecil")
	stopAt(t, o, "phase 2 of 3: learn")
	stopAt(t, o, "phase 3 of 3: test")
	mustRun(t, o)
	sameRun(t, o.Out, whole.Out)
	opens(t, whole.Out, r.Phases[0].Accuracy, r.Phases[1].Accuracy, r.Phases[2].Accuracy)
}

// opens checks that a run's answers after each phase are those that the run gave.
func opens(t *testing.T, dir string, accuracy ...float64) {
	t.Helper()
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	data, err := layout.Open(dirs.data)
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	for i, want := range accuracy {
		m, err := Open(t.Context(), dir, OpenOptions{Phase: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Evaluate(t.Context(), data, EvaluateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("accuracy of phase %d, opened", i+1), e.Accuracy, want)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestStillRefusesTheSchedule: what a method without steps does not read is refused, whatever it is set to.
func TestStillRefusesTheSchedule(t *testing.T) {
	for want, set := range map[string]func(*Options){
		"epochs":                 func(o *Options) { o.Schedule.Epochs = 10 },
		"learning rate":          func(o *Options) { o.Schedule.LearningRate = 1e-2 },
		"weight decay":           func(o *Options) { o.Schedule.WeightDecay = -1 },
		"warm-up":                func(o *Options) { o.Schedule.WarmupFraction = 0.1 },
		"head":                   func(o *Options) { o.Learning.Head = method.HeadLinear },
		"changing examples":      func(o *Options) { o.Learning.Augment = "flip" },
		"changing examples at":   func(o *Options) { o.Learning.MaskNew = 0.1 },
		"exemplars have no":      func(o *Options) { o.Memory.Exemplars = "raw" },
		"tune-from-block has no": func(o *Options) { o.TuneFromBlock = 1 },
	} {
		o := methodRun(t, "simplecil")
		set(&o)
		if err := o.Validate(); !errors.Is(err, ErrOptions) || !errors.Is(err, ErrIdle) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "has no effect") && want != "exemplars have no" {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := os.Stat(filepath.Join(o.Out, "run.json")); err == nil {
			t.Error("it has begun")
		}
	}
	if s := methodRun(t, "simplecil").Settings(); s["epochs"] != nil || s["learning_rate"] != nil || s["batch_size"] != 8 {
		t.Errorf("settings are %v", s)
	}
	if err := methodRun(t, "simplecil").WithDefaults().WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
}

// TestJointRun: each phase learns from all rows of the classes seen, and its answers are those of one phase of so many
// classes; it goes on to the same bytes.
func TestJointRun(t *testing.T) {
	whole := methodRun(t, "joint")
	r := mustRun(t, whole)
	checkReport(t, r)
	for i, epochs := range samplesPerEpoch(t, whole.Out) {
		for _, samples := range epochs {
			if want := testTrain * []int{3, 4, 5}[i]; samples != want {
				t.Errorf("phase %d: an epoch has %d samples, not %d", i, samples, want)
			}
		}
	}
	if want := rawBytes(t, whole); r.KeptBytes != want {
		t.Errorf("%d bytes are kept, and the rows learned would be %d as raw exemplars", r.KeptBytes, want)
	}
	o := methodRun(t, "joint")
	stopAt(t, o, "phase 2 of 3: learn")
	stopAt(t, o, "phase 3 of 3: test")
	mustRun(t, o)
	sameRun(t, o.Out, whole.Out)
	opens(t, whole.Out, r.Phases[0].Accuracy, r.Phases[1].Accuracy, r.Phases[2].Accuracy)
	if o.Memory.Exemplars = "raw"; o.Validate() == nil {
		t.Error("joint takes exemplars")
	}
}

// TestFinetuneAndLinearRuns: a run of either trains and keeps what it says, goes on to the same bytes, and can be opened as it
// was after any phase.
func TestFinetuneAndLinearRuns(t *testing.T) {
	const head = 24*testClasses + testClasses
	for name, want := range map[string]struct {
		trained int
		budget  float64
	}{
		"finetune": {2*(2*24+2*(4*24+72+32)) + head, 0}, // pairs of vectors: outside the blocks, and in each of two
		"linear":   {head, 2},
	} {
		options := func() Options {
			o := methodRun(t, name)
			o.Memory.Budget = want.budget
			return o
		}
		whole := options()
		r := mustRun(t, whole)
		checkReport(t, r)
		used := r.Phases[2].MemoryUsedBytes
		if r.TrainedParameters != int64(want.trained) || r.KeptBytes != 4*int64(want.trained)+used || used > 0 != (want.budget > 0) {
			t.Errorf("%s: %d values are trained, not %d, and %d bytes kept, %d of them exemplars", name, r.TrainedParameters, want.trained, r.KeptBytes, used)
		}
		o := options()
		stopAt(t, o, "phase 2 of 3: learn")
		stopAt(t, o, "phase 3 of 3: test")
		mustRun(t, o)
		sameRun(t, o.Out, whole.Out)
		opens(t, whole.Out, r.Phases[0].Accuracy, r.Phases[1].Accuracy, r.Phases[2].Accuracy)
	}
}

// rawBytes is what a run with a memory of raw exemplars large enough for all train rows keeps of them.
func rawBytes(t *testing.T, o Options) int64 {
	t.Helper()
	o.Out, o.Method, o.Schedule.Epochs = filepath.Join(t.TempDir(), "run"), "linear", 1
	o.Memory = MemoryOptions{Exemplars: "raw", Budget: 10 * testTrain, Repair: -1}
	phases := mustRun(t, o).Phases
	last := phases[len(phases)-1]
	if last.ExemplarsPerClass != testTrain {
		t.Fatalf("%g exemplars a class", last.ExemplarsPerClass)
	}
	return last.MemoryUsedBytes
}

// TestAcrossPhases: what was asked for and is between phases is refused where classes make one, though it is so by default too.
func TestAcrossPhases(t *testing.T) {
	for words, given := range map[string]func(o *Options){
		"re-pairing": func(o *Options) { o.Method, o.Memory.Exemplars, o.Memory.Repair = "ssf", "raw", 0.5 },
		"key weight": func(o *Options) { o.Method, o.Learning.Prompts.KeyWeight = "dualprompt", 0.1 },
	} {
		o := testRun(t)
		o.Memory = MemoryOptions{}
		o.Protocol = Protocol{Init: testClasses, Increment: 1} // of whose phases the classes tell
		given(&o)
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), words+" has no effect in a single phase, which these 5 classes are") {
			t.Errorf("%s: %v", words, err)
		}
		if _, err := Need(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("the need of %s: %v", words, err)
		}
		o.Protocol = Protocol{Phases: 1}
		if err := o.Validate(); !errors.Is(err, ErrIdle) || !strings.Contains(err.Error(), words+" has no effect in a single phase: leave it out") {
			t.Errorf("%s: %v", words, err)
		}
		o.Protocol = Protocol{Phases: 2}
		if err := o.Validate(); err != nil {
			t.Errorf("%s in two phases: %v", words, err)
		}
	}
}

// TestEaseRun: a run goes on to the same bytes, keeps what it says, and can be opened as it was after any phase.
func TestEaseRun(t *testing.T) {
	whole := methodRun(t, "ease")
	whole.Learning.AdapterWidth, whole.Learning.EaseAlpha = 4, -1
	var means []string
	whole.Progress = func(e Event) {
		if strings.HasSuffix(e.Stage, ": means") {
			means = append(means, fmt.Sprint(e.Stage, " ", e.Done, "/", e.Total))
		}
	}
	r := mustRun(t, whole)
	checkReport(t, r)
	if batches := (testTrain + 7) / 8; len(means) != 5*batches || means[len(means)-1] != fmt.Sprintf("phase 3 of 3: means %d/%d", batches, batches) {
		t.Errorf("of means it tells %q", means)
	}
	adapter := 2 * (2*4*24 + 4 + 24) // in each of two blocks
	rows := 24 * (3*1 + 1*2 + 1*3)   // of each phase's classes, in so many subspaces
	if want := int64(adapter + 24 + 1); r.TrainedParameters != want {
		t.Errorf("%d values are trained, not %d", r.TrainedParameters, want)
	}
	if want := int64(4 * (3*adapter + rows + 1)); r.KeptBytes != want {
		t.Errorf("%d bytes are kept, not %d", r.KeptBytes, want)
	}
	o := methodRun(t, "ease")
	o.Learning = whole.Learning
	stopAt(t, o, "phase 2 of 3: learn")
	stopAt(t, o, "phase 2 of 3: test")
	stopAt(t, o, "phase 3 of 3: learn")
	mustRun(t, o)
	sameRun(t, o.Out, whole.Out)
	opens(t, whole.Out, r.Phases[0].Accuracy, r.Phases[1].Accuracy, r.Phases[2].Accuracy)
	single := methodRun(t, "ease")
	single.Protocol, single.Learning = Protocol{Init: testClasses, Increment: 1}, whole.Learning // of whose phases the classes tell
	if _, err := Run(t.Context(), single); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "ease alpha has no effect in a single phase, which these 5 classes are") {
		t.Errorf("alpha in a single phase: %v", err)
	}
	single.Learning.EaseAlpha = 0
	mustRun(t, single)
	several := methodRun(t, "ease")
	several.Protocol, several.Schedule.Epochs = Protocol{Init: 3, Increment: 1}, 1
	mustRun(t, several)
	for dir, want := range map[string]any{single.Out: nil, several.Out: 0.1} {
		var written schemas.Run
		if err := schemas.ReadJSON(filepath.Join(dir, "run.json"), schemas.RunHeader, &written); err != nil || written.Settings["ease_alpha"] != want {
			t.Errorf("the settings have an alpha of %v, not %v (%v)", written.Settings["ease_alpha"], want, err)
		}
	}
	for _, name := range []string{"ssf", "joint", "simplecil"} {
		o := methodRun(t, name)
		for i, set := range []func(*LearningOptions){
			func(l *LearningOptions) { l.AdapterWidth = 64 }, func(l *LearningOptions) { l.AdapterScale = 0.1 },
			func(l *LearningOptions) { l.AdapterDropout = 0.1 }, func(l *LearningOptions) { l.EaseAlpha = 0.1 },
		} {
			o.Learning = LearningOptions{}
			if set(&o.Learning); o.Validate() == nil {
				t.Errorf("%s reads setting %d of ease", name, i)
			}
		}
	}
}
