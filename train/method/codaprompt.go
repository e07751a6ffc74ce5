package method

import (
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// codaPrompt learns components of prefixes, which each example weights (Smith et al., "CODA-Prompt", CVPR 2023). Its settings
// are the authors' for ImageNet-R, which PILOT shares. Their batches drop what is left at an epoch's end; these do not.
func codaPrompt() Spec {
	s := Spec{
		Name: "coda-prompt", About: "prefixes summed from components that the example weights; without replay",
		Reads:    []string{SettingPromptLength, SettingPromptPool, SettingPromptBlocks},
		Schedule: promptSchedule(Schedule{Epochs: 50, BatchSize: 128, LearningRate: 1e-3, Course: CourseCosine}),
		Prompts:  Prompts{Length: 4, Pool: 100, Blocks: "0-4"},
	}
	s.fit = func(p Prompts, phases int) (Prompts, error) {
		if p.Pool < phases {
			return p, misfit("prompt-pool: %d components for %d phases: there must be one each or more", p.Pool, phases)
		}
		return p, nil
	}
	s.New = func(w *vilt.Weights, classes int, o Options) (Learner, error) {
		p, first, last, err := s.prompts(w.Config, o)
		if err != nil {
			return nil, err
		}
		t := tune.NewCODAPrompt(w.Config, o.Seed, tune.CODAPromptOptions{Pool: p.Pool, Phases: o.phases(), Length: p.Length, First: first, Last: last})
		return newPrompted(w, t, classes, s.ScheduleOf(o.Schedule), o.Seed)
	}
	return s
}
