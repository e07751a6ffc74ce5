package method

import (
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// l2p learns a pool of prompts that stand in the input sequence (Wang et al., "Learning to Prompt for Continual Learning", CVPR
// 2022). Its settings are PILOT's for ImageNet-R; the authors' own, for CIFAR-100, have prompts of 10 rows, 4 an example, a
// key weight of 1, a rate of 0.03 and batchwise choice.
func l2p() Spec {
	s := Spec{
		Name: "l2p", About: "prompts in the input, chosen by example from a pool; without replay",
		Reads:    []string{SettingPromptLength, SettingPromptPool, SettingPromptTop, SettingKeyWeight, SettingBatchwise},
		Schedule: promptSchedule(Schedule{Epochs: 10, BatchSize: 32, LearningRate: 0.001875, Course: CourseConstant}),
		Prompts:  Prompts{Length: 5, Pool: 10, Top: 5, KeyWeight: 0.1},
	}
	s.New = func(w *vilt.Weights, classes int, o Options) (Learner, error) {
		p, err := s.FitPrompts(o.Prompts, w.Config.Depth, o.phases())
		if err != nil {
			return nil, err
		}
		t := tune.NewL2P(w.Config, o.Seed, tune.L2POptions{Pool: p.Pool, Length: p.Length, Top: p.Top, KeyWeight: p.Pull(), Batchwise: p.Batchwise})
		return newPrompted(w, t, classes, s.ScheduleOf(o.Schedule), o.Seed)
	}
	return s
}

// promptSchedule is s with what the published implementations of prompts have in common: Adam as PyTorch has it, without decay
// and without warm-up.
func promptSchedule(s Schedule) Schedule {
	s.Beta2, s.WeightDecay, s.WarmupFraction = 0.999, -1, -1
	return s
}
