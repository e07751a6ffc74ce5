//go:build bench

package peers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// TestHelper is not a test but our process beside the peers': it reads requests from its first extra file and writes to the
// second what testdata/peer.py answers; and it knows masked N, steps of training on masked exemplars.
func TestHelper(t *testing.T) {
	dir := os.Getenv("MCIL_PEERS_DIR")
	if dir == "" {
		t.Skip("started by TestPeers only")
	}
	o, err := newOurs(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	say := json.NewEncoder(os.NewFile(4, "answers"))
	path, _ := kernel.Path()
	if err := say.Encode(answer{Versions: map[string]string{"go": runtime.Version(), "path": path, "threads": strconv.Itoa(runtime.GOMAXPROCS(0))}}); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(os.NewFile(3, "requests")); lines.Scan(); {
		a, err := o.answer(lines.Text())
		if err != nil {
			a.Error = err.Error()
		}
		if err := say.Encode(a); err != nil {
			t.Fatal(err)
		}
	}
}

// ours is the network as a method has it.
type ours struct {
	network      *method.Network
	solver       *op.AdamW
	full, masked []dataset.Sample
}

func newOurs(t *testing.T, dir string) (*ours, error) {
	w, err := vilt.Load(dir)
	if err != nil {
		return nil, err
	}
	n, err := method.NewNetwork(w, tune.NewSSF(w.Config, seed), classes, pictures)
	if err != nil {
		return nil, err
	}
	weight, bias := head(w.Config)
	copy(n.Head[0].Data, weight)
	copy(n.Head[1].Data, bias)
	trained := n.Trained()
	return &ours{
		network: n, full: batch(w.Config, false), masked: batch(w.Config, true),
		solver: &op.AdamW{
			LearningRate: learningRate, WeightDecay: weightDecay,
			Decay: func(i int) bool { return len(trained[i].Shape) > 1 && vilt.Decays(trained[i].Name) },
		},
	}, nil
}

func (o *ours) answer(request string) (a answer, err error) {
	what, count, _ := strings.Cut(request, " ")
	n, err := strconv.Atoi(count)
	if err != nil {
		return a, fmt.Errorf("request %q: %w", request, err)
	}
	began := time.Now()
	switch what {
	case "train":
		a.Losses, err = o.train(o.full, n)
	case "masked":
		a.Losses, err = o.train(o.masked, n)
	case "infer":
		a.Losses, err = o.infer(n)
	case "mark":
		return a, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	case "peak":
		a.PeakBytes, err = peak()
		return a, err
	default:
		return a, fmt.Errorf("request %q: unknown", request)
	}
	a.Seconds = time.Since(began).Seconds()
	return a, err
}

func (o *ours) train(samples []dataset.Sample, steps int) (losses []float64, err error) {
	for range steps {
		loss, err := o.network.Step(samples, classes, o.solver)
		if err != nil {
			return nil, err
		}
		losses = append(losses, loss)
	}
	return losses, nil
}

func (o *ours) infer(passes int) ([]float64, error) {
	var logits []float32
	for range passes {
		out, err := o.network.Infer(o.full, nil)
		if err != nil {
			return nil, err
		}
		logits = out.Logits
	}
	return []float64{crossEntropy(logits, o.full)}, nil
}

// peak is the most memory that this process has had since it began, or since the kernel was told to forget.
func peak() (bytes int64, err error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if kB, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			bytes, err := strconv.ParseInt(strings.Fields(kB)[0], 10, 64)
			return bytes << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in /proc/self/status")
}
