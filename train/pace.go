package train

import (
	"fmt"
	"iter"
	"runtime"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/method"
)

// work is what some steps did, and in what time.
type work struct {
	samples, tokens int
	flop            float64 // of products
	took, waited    time.Duration
}

func (w *work) add(s method.Step) {
	w.samples += s.Samples
	w.tokens += s.Tokens
	w.flop += s.FLOP
	w.took += s.Took
	w.waited += s.Waited
}

// seconds is the whole time, waiting included: rates are over all of it.
func (w work) seconds() float64 { return (w.took + w.waited).Seconds() }

// perSecond is the samples' rate; 0 where nothing was done.
func (w work) perSecond() float64 {
	if all := w.seconds(); all > 0 {
		return float64(w.samples) / all
	}
	return 0
}

// waiting is the share of the time in which a step waited for its batch, in [0,1].
func (w work) waiting() float64 {
	if all := w.took + w.waited; all > 0 {
		return float64(w.waited) / float64(all)
	}
	return 0
}

// worthSaying is the share of waiting from which it is shown.
const worthSaying = 0.03

// pace follows the steps of a stage. Its rates are those of the last second.
type pace struct {
	peak   float64 // FLOP/s of [measurePeak]
	still  bool    // the method takes no steps, and so has no loss
	whole  work
	recent work
	rates  string
}

// note is what the line of a training step shows.
func (p *pace) note(s method.Step) string {
	if p.still {
		return p.text(s)
	}
	return fmt.Sprintf("loss %.3f, %s", s.Loss, p.text(s))
}

// text is what the line of any step shows.
func (p *pace) text(s method.Step) string {
	p.whole.add(s)
	p.recent.add(s)
	if p.rates == "" || p.recent.seconds() >= 1 {
		p.rates = p.recent.rates(p.peak)
		p.recent = work{}
	}
	return p.rates
}

func (w work) rates(peak float64) string {
	seconds := max(w.seconds(), 1e-9)
	note := fmt.Sprintf("%.1f pictures/s, %.0f tokens/s, %.1f GFLOP/s", float64(w.samples)/seconds, float64(w.tokens)/seconds, w.flop/seconds/1e9)
	if peak > 0 {
		note += fmt.Sprintf(" = %.0f %% of peak", 100*w.flop/seconds/peak)
	}
	if waits := w.waits(); waits != "" {
		note += ", " + waits
	}
	return note
}

// waits says how long a step waits for its batch, where that is worth saying.
func (w work) waits() string {
	if w.waiting() < worthSaying {
		return ""
	}
	return fmt.Sprintf("waiting %.0f %%", 100*w.waiting())
}

// watched passes batches on and adds to w how long each was waited for and was in use.
func watched(batches iter.Seq2[[]dataset.Sample, error], w *work) iter.Seq2[[]dataset.Sample, error] {
	return func(yield func([]dataset.Sample, error) bool) {
		asked := time.Now()
		for batch, err := range batches {
			began := time.Now()
			w.waited += began.Sub(asked)
			if !yield(batch, err) {
				return
			}
			asked = time.Now()
			w.took += asked.Sub(began)
			w.samples += len(batch)
		}
	}
}

// measurePeak is the pace in FLOP/s that no product goes beyond, on the threads in use: of multiply-adds in registers. A step of
// nothing but large products comes to some 85 % of it.
func measurePeak() float64 { return kernel.Peak() }

// threads is how many the kernels use.
func threads() int { return runtime.GOMAXPROCS(0) }
