package train

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/train/method"
)

// TestPaceNote: the rates of a second at a time, over waiting too, which is shown where it counts.
func TestPaceNote(t *testing.T) {
	p := pace{peak: 4e9}
	step := func(waited, took time.Duration) string {
		return p.note(method.Step{Loss: 0.25, Samples: 8, Tokens: 100, FLOP: 1e9, Waited: waited, Took: took})
	}
	for i, c := range []struct {
		waited, took time.Duration
		want         string
	}{
		{0, 500 * time.Millisecond, "loss 0.250, 16.0 pictures/s, 200 tokens/s, 2.0 GFLOP/s = 50 % of peak"},
		{300 * time.Millisecond, 300 * time.Millisecond, "loss 0.250, 16.0 pictures/s, 200 tokens/s, 2.0 GFLOP/s = 50 % of peak"}, // not a second yet
		{700 * time.Millisecond, 700 * time.Millisecond, "loss 0.250, 8.0 pictures/s, 100 tokens/s, 1.0 GFLOP/s = 25 % of peak, waiting 50 %"},
		{20 * time.Millisecond, 980 * time.Millisecond, "loss 0.250, 8.0 pictures/s, 100 tokens/s, 1.0 GFLOP/s = 25 % of peak"},
	} {
		if got := step(c.waited, c.took); got != c.want {
			t.Errorf("step %d: %q, want %q", i, got, c.want)
		}
	}
	if w := p.whole; w.samples != 32 || w.tokens != 400 || w.flop != 4e9 || w.waited != 1020*time.Millisecond || w.took != 2480*time.Millisecond {
		t.Errorf("the whole is %+v", w)
	}
	if got := (work{samples: 1, took: time.Second}).rates(0); strings.Contains(got, "%") {
		t.Errorf("a share of an unknown peak: %q", got)
	}
}

func TestMeasurePeak(t *testing.T) {
	start := time.Now()
	peak := measurePeak()
	if took := time.Since(start); peak < 1e6 || peak > 1e15 || took > 5*time.Second {
		t.Errorf("a peak of %g FLOP/s in %v", peak, took)
	}
	t.Logf("%.1f GFLOP/s on %d threads", peak/1e9, threads())
}

// TestThreads: the number of threads does not change a byte, and the log says it.
func TestThreads(t *testing.T) {
	had := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(had)
	for _, n := range []int{1, 2, 3} {
		runtime.GOMAXPROCS(n)
		o := testRun(t)
		mustRun(t, o)
		sameRun(t, o.Out, mustWholeRun(t))
	}
}
