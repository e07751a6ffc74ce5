package method

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/vilt"
)

const (
	stepsClasses = 5
	stepsActive  = 4 // classes that compete
	stepsSeed    = 11
	stepsTotal   = 50
)

// stepsSchedule and stepsSamples make fifty steps, every fifth of them on a smaller batch.
var stepsSchedule = Schedule{Epochs: 10, BatchSize: 8, LearningRate: 1e-2, WeightDecay: 0.1, WarmupFraction: 0.1, Workers: 2}

func stepsSamples(c vilt.Config) inMemory { return manySamples(c, stepsActive, 4*8+6) }

// inMemory are examples as they stand.
type inMemory []dataset.Sample

func (s inMemory) Len() int { return len(s) }
func (s inMemory) Sample(_ context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	return s[i], nil
}

// stepsNetwork is wide enough that the kernels share its products out: a batch has some 150 rows.
func stepsNetwork(t testing.TB) *Network {
	c := referenceConfig()
	c.Width, c.Heads, c.Hidden, c.Depth = 32, 4, 64, 2
	return randomNetworkOf(t, c, true, stepsClasses, stepsSchedule.BatchSize)
}

// trajectory is what training gave: the loss of every step, and a digest of all that was trained.
type trajectory struct {
	losses []float64
	digest string
}

// fiftySteps trains from the same start with as many threads.
func fiftySteps(t testing.TB, threads int) (r trajectory) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	n := stepsNetwork(t)
	err := n.Fit(t.Context(), stepsSchedule, stepsSamples(n.Weights.Config), FitOptions{
		Active: stepsActive, Seed: stepsSeed, Progress: func(s Step) { r.losses = append(r.losses, s.Loss) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, p := range n.Trained() {
		if err := binary.Write(h, binary.LittleEndian, p.Data); err != nil {
			t.Fatal(err)
		}
	}
	r.digest = fmt.Sprintf("%x", h.Sum(nil))
	return r
}

// referenceSteps is the same in float64.
func referenceSteps(t *testing.T) (losses []float64) {
	n := stepsNetwork(t)
	r, items := newTape(n), stepsSamples(n.Weights.Config)
	solver := adamW{decay: stepsSchedule.WeightDecay}
	loader := dataset.Loader{Items: items, BatchSize: stepsSchedule.BatchSize, Shuffle: true, Seed: stepsSeed}
	for batch, err := range loader.Epochs(t.Context(), 0, stepsSchedule.Epochs) {
		if err != nil {
			t.Fatal(err)
		}
		loss := r.differentiate(batch, stepsActive)
		if len(losses)%20 == 0 { // it is slow
			if want := r.loss(batch, stepsActive); math.Abs(loss-want) > 1e-12 {
				t.Fatalf("step %d: the reference says %g and, noting how, %g", len(losses)+1, want, loss)
			}
		}
		solver.update(r, float64(stepsSchedule.rate(len(losses), stepsTotal)))
		losses = append(losses, loss)
	}
	return losses
}

// apart is the largest difference of two trajectories' losses.
func apart(t *testing.T, a, b []float64) (worst float64) {
	t.Helper()
	if len(a) != stepsTotal || len(b) != stepsTotal {
		t.Fatalf("%d and %d losses, not %d", len(a), len(b), stepsTotal)
	}
	for i := range a {
		d := math.Abs(a[i] - b[i])
		if !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// TestFiftySteps holds training on every path of this processor to the portable path and to float64: SSF and the classifier
// on a frozen random encoder, ragged batches with masked examples, AdamW under its schedule. The same seed gives the same
// bytes, on any number of threads; a library's are within 1e-5 of each other.
func TestFiftySteps(t *testing.T) {
	const tolerance, line = 1e-4, "trajectory "
	const variable = "MCIL_TEST_STEPS"
	threads := []int{1, 2, 3, 2} // 2 twice: the same again
	if raceEnabled {
		threads = threads[1:2] // one of them: it is ten times as slow
	}
	if os.Getenv(variable) != "" {
		path, err := kernel.Path()
		if err != nil {
			fmt.Println("none:", err)
			return
		}
		for _, n := range threads {
			r := fiftySteps(t, n)
			fmt.Print(line, path, " ", r.digest)
			for _, loss := range r.losses {
				fmt.Print(" ", strconv.FormatFloat(loss, 'g', -1, 64))
			}
			fmt.Println()
		}
		return
	}
	on := func(path string) (all []trajectory) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFiftySteps$")
		cmd.Env = append(os.Environ(), variable+"=1", "MCIL_CPU="+path)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", path, err, out)
		}
		for l := range strings.Lines(string(out)) {
			fields := strings.Fields(l)
			if !strings.HasPrefix(l, line) {
				if strings.HasPrefix(l, "none:") {
					t.Logf("%s left out: %s", path, strings.TrimSpace(l))
				}
				continue
			}
			if fields[1] != path {
				t.Fatalf("asked for %s and got %s", path, fields[1])
			}
			r := trajectory{digest: fields[2]}
			for _, f := range fields[3:] {
				loss, err := strconv.ParseFloat(f, 64)
				if err != nil {
					t.Fatal(err)
				}
				r.losses = append(r.losses, loss)
			}
			all = append(all, r)
		}
		return all
	}
	portable := on("portable")
	if len(portable) == 0 {
		t.Fatal("the portable path gave nothing")
	}
	want := portable[0].losses
	if !raceEnabled { // slow, and on one goroutine
		want = referenceSteps(t)
	}
	if first, last := slices.Max(want[:5]), slices.Max(want[45:]); last > first/2 {
		t.Errorf("the loss is %.3f in the first epoch and %.3f in the last: too little is learned to tell anything", first, last)
	}
	for _, path := range []string{"portable", "avx2", "avx512", "openblas"} {
		all := portable
		if path != "portable" {
			all = on(path)
		}
		if len(all) == 0 {
			continue
		}
		if len(all) != len(threads) {
			t.Fatalf("%s: %d trajectories, not %d", path, len(all), len(threads))
		}
		for i, r := range all {
			if path == "openblas" {
				if d := apart(t, r.losses, all[0].losses); d > 1e-5 {
					t.Errorf("%s: losses on %d threads are %.2g from those on %d", path, threads[i], d, threads[0])
				}
			} else if r.digest != all[0].digest || !slices.Equal(r.losses, all[0].losses) {
				t.Errorf("%s: other bytes on %d threads than on %d", path, threads[i], threads[0])
			}
		}
		fromPortable, fromReference := apart(t, all[0].losses, portable[0].losses), apart(t, all[0].losses, want)
		t.Logf("%s: losses differ by at most %.2g from the portable path's, by %.2g from float64's", path, fromPortable, fromReference)
		if !(fromPortable <= tolerance) || !(fromReference <= tolerance) {
			t.Errorf("%s: losses differ by more than %g", path, tolerance)
		}
	}
}
