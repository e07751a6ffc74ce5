package method

import (
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// finetune is ssf without a memory: what is left when nothing is done about forgetting, the floor of a table.
func finetune() Spec {
	return Spec{
		Name: "finetune", About: "ssf without memory, the floor", Reads: append(tunedReads(), SettingTuneFromBlock, SettingTunePhases),
		New: func(w *vilt.Weights, classes int, o Options) (Learner, error) {
			return newTuned(w, tune.NewSSFFrom(w.Config, o.Seed, o.TuneFromBlock), classes, o)
		},
	}
}
