package method

import (
	"cmp"

	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// generalLength is the rows of DualPrompt's general prompts, of keys and values each, with the authors and PILOT. The authors of
// CODA-Prompt have 3 in their own DualPrompt.
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
	s.fit = func(p Prompts, phases int) (Prompts, error) {
		if p.Pool = cmp.Or(p.Pool, phases); p.Pool > phases {
			return p, misfit("prompt-pool: %d expert prompts for %d phases: more than one each are never learned", p.Pool, phases)
		}
		return p, nil
	}
	s.New = func(w *vilt.Weights, classes int, o Options) (Learner, error) {
		p, first, last, err := s.prompts(w.Config, o)
		if err != nil {
			return nil, err
		}
		t := tune.NewDualPrompt(w.Config, o.Seed, tune.DualPromptOptions{
			Pool: p.Pool, Length: p.Length, GeneralLength: generalLength, First: first, Last: last, KeyWeight: p.Pull(),
		})
		return newPrompted(w, t, classes, s.ScheduleOf(o.Schedule), o.Seed)
	}
	return s
}
