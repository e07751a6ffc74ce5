package train

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
)

// TestTunePhases: a run that tunes in the first phase alone trains the classifier alone in the last, says so, goes on to the
// same bytes wherever it is stopped, and can be opened as it was after any phase.
func TestTunePhases(t *testing.T) {
	options := func(block int) Options {
		o := testRun(t)
		o.TuneFromBlock, o.Learning.TunePhases, o.Learning.Distill = block, method.TuneFirst, 1
		return o
	}
	const head = 24*testClasses + testClasses
	for _, block := range []int{0, 1} {
		whole := options(block)
		r := mustRun(t, whole)
		checkReport(t, r)
		if r.TrainedParameters != head {
			t.Errorf("block %d: %d values are trained in the last phase, not the classifier's %d", block, r.TrainedParameters, head)
		}
		var written schemas.Run
		if err := schemas.ReadJSON(filepath.Join(whole.Out, "run.json"), schemas.RunHeader, &written); err != nil || written.Settings["tune_phases"] != "first" {
			t.Errorf("settings %v (%v)", written.Settings, err)
		}
		o := options(block)
		stopAt(t, o, "phase 2 of 3: learn")
		for _, stage := range []string{"phase 2 of 3: learn", "phase 3 of 3: learn"} { // in the second epoch, with the classifier's moments
			stopAtStep(t, o, stage, 3)
			if _, err := os.Stat(filepath.Join(o.Out, halfwayPhaseFile)); err != nil {
				t.Errorf("%s: nothing to go on with: %v", stage, err)
			}
		}
		stopAt(t, o, "phase 3 of 3: test")
		mustRun(t, o)
		if block == 0 {
			sameRun(t, o.Out, whole.Out)
		} else { // what an epoch that was cut short had computed is in the cache
			sameRun(t, o.Out, whole.Out, "flop")
		}
		opens(t, whole.Out, r.Phases[0].Accuracy, r.Phases[1].Accuracy, r.Phases[2].Accuracy)
	}
}

// TestTunePhasesSettings: all is what there was before there was a choice, and is not said; what has no effect is refused.
func TestTunePhasesSettings(t *testing.T) {
	all, none := Options{}, Options{}
	all.Learning.TunePhases = method.TuneAll
	for name, s := range map[string]map[string]any{"all": all.Settings(), "nothing": none.Settings()} {
		if v, said := s["tune_phases"]; said || all.Validate() != nil {
			t.Errorf("%s: run.json says %v (%v)", name, v, all.Validate())
		}
	}
	for words, o := range map[string]Options{
		`tune-phases "last": use one of [all first]`:                      {Learning: LearningOptions{TunePhases: "last"}},
		"tune phases has no effect with method joint":                     {Method: "joint", Learning: LearningOptions{TunePhases: method.TuneFirst}},
		"tune phases has no effect with method linear":                    {Method: "linear", Learning: LearningOptions{TunePhases: method.TuneAll}},
		"tuning in the first phase alone has no effect in a single phase": {Protocol: Protocol{Phases: 1}, Learning: LearningOptions{TunePhases: method.TuneFirst}},
		"tune phases has no effect with method ease: leave it out":        {Method: "ease", Learning: LearningOptions{TunePhases: method.TuneFirst}},
		"tune phases has no effect with method dualprompt: leave it out":  {Method: "dualprompt", Learning: LearningOptions{TunePhases: method.TuneFirst}},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v does not say %q", err, words)
		}
	}
	single := testRun(t) // which shows with the data alone
	single.Protocol, single.Learning.TunePhases = Protocol{Init: testClasses, Increment: 2}, method.TuneFirst
	if _, err := Run(t.Context(), single); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "first phase alone has no effect in a single phase, which these 5 classes are") {
		t.Errorf("one phase of all classes: %v", err)
	}
}
