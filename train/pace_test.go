package train

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
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

// TestMeasurePeak: no product of the kernels goes beyond the peak, but for what other work on the cores does meanwhile.
func TestMeasurePeak(t *testing.T) {
	const n = 192
	a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	var peak, rate float64
	for try := 0; try < 3 || try < 100 && peak < 0.8*rate; try++ {
		peak = max(peak, measurePeak())
		start := time.Now()
		kernel.MatMul(kernel.Mat(c, n, n), kernel.Mat(a, n, n), kernel.Mat(b, n, n), false)
		rate = max(rate, 2*n*n*n/time.Since(start).Seconds())
	}
	if peak < 0.8*rate || peak > 1e15 {
		t.Errorf("a peak of %g FLOP/s, and a product at %g", peak, rate)
	}
	t.Logf("%.1f GFLOP/s on %d threads, a product of %d: %.1f", peak/1e9, threads(), n, rate/1e9)
}

// TestPictureCache: a run, a pretraining and features have the same bytes with pictures from the disk, half of them there.
func TestPictureCache(t *testing.T) {
	cache := PictureCache{Dir: filepath.Join(t.TempDir(), "pictures"), Bytes: 1 << 19}
	for round := range 2 {
		o := testRun(t)
		o.Pictures, o.CacheBytes = cache, 1
		var said []string
		o.Progress = func(e Event) {
			if e.Stage == "picture cache" {
				said = append(said, e.Note)
			}
		}
		mustRun(t, o)
		sameRun(t, o.Out, mustWholeRun(t))
		if round == 0 && !slices.Equal(said, []string{"no more is kept: the cache is full"}) {
			t.Errorf("of a cache that is full it is said: %q", said)
		}
	}
	if files, err := filepath.Glob(filepath.Join(cache.Dir, "??", "*.entry")); err != nil || len(files) < 5 {
		t.Errorf("%d pictures are kept (%v)", len(files), err)
	}
	var weights [2][]byte
	for i := range weights {
		o := testPretrain(t)
		if i == 1 {
			o.Pictures, o.CacheBytes = cache, 1
		}
		if _, err := Pretrain(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		var err error
		if weights[i], err = os.ReadFile(filepath.Join(o.Out, vilt.WeightsFile)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(weights[0], weights[1]) {
		t.Error("pretraining ends with other weights")
	}
	for _, c := range []PictureCache{{Bytes: 5}, {Dir: "d", Bytes: -1}} {
		if err := (Options{Pictures: c}).Validate(); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", c, err)
		}
		if err := (PretrainOptions{Pictures: c}).Validate(); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", c, err)
		}
	}
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
