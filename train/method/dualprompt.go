package method

import (
	"cmp"

	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// generalLength is the rows of DualPrompt's general prompts, of which nothing that was published differs.
const generalLength = 5

// dualPrompt learns general and expert prefixes (Wang et al., "DualPrompt", ECCV 2022). Its settings are PILOT's for
// ImageNet-R; the authors' own have expert prompts of 20 rows, a key weight of 1, a rate of 0.005 and 50 epochs. PILOT chooses
// by the batch when it tests; the authors do not, and neither does this.
func dualPrompt() Spec {
	s := Spec{
		Name: "dualprompt", About: "prefixes of keys and values, general ones and a phase's own; without replay",
		Reads:    []string{SettingPromptLength, SettingPromptPool, SettingKeyWeight, SettingPromptBlocks},
		Schedule: promptSchedule(Schedule{Epochs: 10, BatchSize: 24, LearningRate: 1e-3, Course: CourseConstant}),
		Prompts:  Prompts{Length: 5, KeyWeight: 0.1, Blocks: "2-4"},
	}
	s.New = func(w *vilt.Weights, classes int, o Options) (Learner, error) {
		p := o.Prompts.Or(s.Prompts)
		first, last, err := p.blocks(w.Config, s.Prompts.Blocks)
		if err != nil {
			return nil, err
		}
		t := tune.NewDualPrompt(w.Config, o.Seed, tune.DualPromptOptions{
			Pool: cmp.Or(p.Pool, o.phases()), Length: p.Length, GeneralLength: generalLength, First: first, Last: last, KeyWeight: p.Pull(),
		})
		return newPrompted(w, t, classes, s.ScheduleOf(o.Schedule), o.Seed)
	}
	return s
}
