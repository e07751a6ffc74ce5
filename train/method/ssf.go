package method

import (
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// ssf tunes one set of scale and shift vectors, and the classifier, in every phase. Whether the paper keeps one set for
// all phases is not published; PILOT's APER-SSF tunes in the first phase only, as [TuneFirst] does here.
func ssf() Spec {
	return Spec{
		Name: "ssf", About: "scale and shift vectors and the classifier, with replay", Replays: true, Reads: append(tunedReads(), SettingTuneFromBlock, SettingTunePhases),
		New: func(w *vilt.Weights, classes int, o Options) (Learner, error) {
			return newTuned(w, tune.NewSSFFrom(w.Config, o.Seed, o.TuneFromBlock), classes, o)
		},
	}
}
