package method

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/tune"
	"github.com/mcil/mcil/train/vilt"
)

// TestPlan holds the plan to what a process of its own grows by when it trains and infers with full batches of the small
// model, tuned in each way and whole: a twentieth, and the 10 MB or so that the runtime, the program's own pages and what building a graph
// leaves to the collector take, whatever the batch.
func TestPlan(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("trains the small model; the race detector has memory of its own")
	}
	const variable = "MCIL_TEST_PLAN"
	tuners := map[string]func(c vilt.Config) Tuner{
		"tuned":         func(c vilt.Config) Tuner { return tune.NewSSF(c, 1) },
		"tuned in part": func(c vilt.Config) Tuner { return tune.NewSSFFrom(c, 1, 4) },
		"whole":         func(vilt.Config) Tuner { return nil },
		"prompts as rows": func(c vilt.Config) Tuner {
			return tune.NewL2P(c, 1, tune.L2POptions{Pool: 10, Length: 5, Top: 5, KeyWeight: 0.1})
		},
		"components of prefixes": func(c vilt.Config) Tuner {
			return tune.NewCODAPrompt(c, 1, tune.CODAPromptOptions{Pool: 100, Phases: 10, Length: 4, Last: 4})
		},
		"adapters": func(c vilt.Config) Tuner { return tune.NewAdapter(c, tune.AdapterOptions{}, 1, 0) },
	}
	if tuner := tuners[os.Getenv(variable)]; tuner != nil {
		grow(t, tuner)
		return
	}
	for _, what := range slices.Sorted(maps.Keys(tuners)) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlan$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+what)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out)
		}
		m := regexp.MustCompile(`planned ([0-9.]+) MB, grown by ([0-9.]+) MB`).FindSubmatch(out)
		if m == nil {
			t.Skipf("no measure: %s", out)
		}
		planned, _ := strconv.ParseFloat(string(m[1]), 64)
		grown, _ := strconv.ParseFloat(string(m[2]), 64)
		t.Logf("%s: %s", what, m[0])
		if grown < 0.95*planned || grown > 1.05*planned+10 {
			t.Errorf("%s: the process has grown by %.1f MB, and %.1f MB were planned", what, grown, planned)
		}
	}
}

// grow trains two steps, infers, and logs the plan and how much the process has grown.
func grow(t *testing.T, tuner func(vilt.Config) Tuner) {
	const batch = 16
	c, err := vilt.Preset("small")
	if err != nil {
		t.Fatal(err)
	}
	c.Vocab = 1000
	full := make([]dataset.Sample, batch)
	for i := range full {
		full[i] = dataset.Sample{Label: i % 3, GridH: c.Grid(), GridW: c.MaxPatches() / c.Grid(), Pixels: make([]uint8, c.MaxPatches()*c.PatchSize())}
		for p := range c.MaxPatches() {
			full[i].PatchPos = append(full[i].PatchPos, int32(p))
		}
		for p := range c.MaxText {
			full[i].Tokens, full[i].TokenPos = append(full[i].Tokens, int32(p+i)), append(full[i].TokenPos, int32(p))
		}
	}
	runtime.GC()
	before := statusMB(t, "VmRSS:")
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNetwork(w, tuner(c), 3, batch)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if p, is := n.Tuner.(prompter); is {
		if err := p.Begin(0); err != nil {
			t.Fatal(err)
		}
	}
	plan := n.Plan()
	if plan.Sequences != batch || plan.Rows != c.MaxText+1+c.MaxPatches()+n.train.encoder.Packing.Prompts {
		t.Errorf("planned for %d sequences of %d rows", plan.Sequences, plan.Rows)
	}
	solver := &op.AdamW{LearningRate: 1e-3}
	for range 2 {
		if _, err := n.Step(full, 3, solver); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Infer(full, nil); err != nil {
		t.Fatal(err)
	}
	if after := n.Plan(); after != plan {
		t.Errorf("the plan was %v and became %v", plan, after)
	}
	t.Log(plan)
	t.Logf("planned %.1f MB, grown by %.1f MB", float64(plan.Total())/(1<<20), statusMB(t, "VmHWM:")-before)
}
