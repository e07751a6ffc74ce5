package method

import (
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// linear trains the classifier alone, on the encoder as it came: what its features are worth without tuning.
func linear() Spec {
	return Spec{
		Name: "linear", About: "the classifier alone on the frozen encoder, with replay", Replays: true, Reads: tunedReads(),
		New: func(w *vilt.Weights, classes int, o Options) (Learner, error) {
			return newTuned(w, tune.Nothing{}, classes, o)
		},
	}
}
