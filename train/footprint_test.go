package train

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// statusMB reads a line of this process's status, where the system has one.
func statusMB(t *testing.T, key string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	m := regexp.MustCompile(key + `\s+([0-9]+) kB`).FindSubmatch(b)
	if m == nil {
		t.Skip("no " + key)
	}
	kB, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kB * 1024 / 1e6
}

// TestPlanHolds has processes of their own learn, and holds the plan that they print to what they have grown by at their
// peak. They take no more than planned and 20 MB for the program, its runtime and the dataset's file; and as batches are not
// full and garbage may be taken back early, three fifths at least.
func TestPlanHolds(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("trains the small model; the race detector has memory of its own")
	}
	const variable = "MCIL_TEST_FOOTPRINT"
	if what, data, ok := strings.Cut(os.Getenv(variable), ":"); ok {
		var plan string
		progress := func(e Event) {
			if strings.HasPrefix(e.Stage, "memory:") {
				plan = e.Stage
			}
		}
		before := statusMB(t, "VmRSS:")
		learn(t, what, data, progress)
		t.Logf("%s; grown by %.1f MB", plan, statusMB(t, "VmHWM:")-before)
		return
	}
	dirs, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"pretrain", "run", "attention"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlanHolds$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+what+":"+dirs.data)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out)
		}
		m := regexp.MustCompile(`memory: .* in all ([0-9]+) MB; grown by ([0-9.]+) MB`).FindSubmatch(out)
		if m == nil {
			t.Skipf("no measure: %s", out)
		}
		planned, _ := strconv.ParseFloat(string(m[1]), 64)
		grown, _ := strconv.ParseFloat(string(m[2]), 64)
		t.Logf("%s: %s", what, m[0])
		if grown < 0.6*planned || grown > planned+20 {
			t.Errorf("%s: the process has grown by %.0f MB, and %.0f MB were planned", what, grown, planned)
		}
	}
}

// learn trains the small model for some epochs.
func learn(t *testing.T, what, data string, progress func(Event)) {
	s := method.Schedule{Epochs: 2, BatchSize: 16, Workers: 2}
	out := filepath.Join(t.TempDir(), "out")
	var err error
	switch what {
	case "pretrain":
		_, err = Pretrain(t.Context(), PretrainOptions{Data: data, Out: out, Model: "small", MaxText: 20, Drop: -1, Schedule: s, Progress: progress})
	case "run", "attention": // which keeps no pictures, so that there is garbage
		o := Options{
			Data: data, Out: out, Weights: "random", Model: "small", MaxText: 20, Protocol: Protocol{Phases: 2}, Memory: MemoryOptions{Budget: 2}, CacheBytes: 1, Schedule: s, Progress: progress,
		}
		if what == "attention" { // of every block, in full batches
			o.Memory.Exemplars, o.Memory.Mask.Layer = memory.CIM, "mean"
		}
		_, err = Run(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPlanOfPictures: pictures and what is made ahead are in the plan as far as they are not the same memory.
func TestPlanOfPictures(t *testing.T) {
	rows := datasettest.SomeRows(t, 6)
	all := []int{0, 1, 2, 3, 4, 5}
	e := &dataset.Encoding{Processor: dataset.Processor{Short: 16, Long: 32, Patch: 8}, MaxText: 8}
	x, err := e.Extent(rows, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cache           int64
		drop            float64
		pictures, ahead int64
	}{
		{x.Bytes, -1, x.Bytes, 0},
		{x.Bytes, 0.4, x.Bytes, 12 * x.Largest}, // of twelve: two epochs of six, fewer than may be under way
		{x.Bytes - 1, -1, x.Bytes - 1, 12 * x.Largest},
		{1, -1, 1, 12 * x.Largest},
	} {
		o := PretrainOptions{CacheBytes: c.cache, Drop: c.drop, Schedule: method.Schedule{Epochs: 2, BatchSize: 4}}
		p, err := o.footprint(method.Plan{Weights: 1000}, e, rows, all[:2], all[2:])
		if err != nil {
			t.Fatal(err)
		}
		if p.Pictures != c.pictures || p.Ahead != c.ahead {
			t.Errorf("cache %d, drop %g: %d bytes of pictures and %d ahead, not %d and %d", c.cache, c.drop, p.Pictures, p.Ahead, c.pictures, c.ahead)
		}
		if rest := 1000 + c.pictures + c.ahead + p.Saving; p.Garbage != rest || p.Total() != 2*rest { // a small process may as well wait
			t.Errorf("%d bytes of garbage beside %d, %d in all", p.Garbage, rest, p.Total())
		}
	}
}

// TestPlanOfPrefix: outputs of the blocks that are not tuned are in the plan as far as a loader brings them, even where all
// pictures are kept and take no memory of their own.
func TestPlanOfPrefix(t *testing.T) {
	ahead := func(change func(o *Options)) int64 {
		t.Helper()
		o := testRun(t).WithDefaults()
		change(&o)
		r := &run{o: o}
		defer r.close()
		if _, err := r.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, err := r.footprint()
		if err != nil {
			t.Fatal(err)
		}
		if o.TuneFromBlock == 0 {
			return p.Ahead
		}
		c := r.shape
		output := int64(c.MaxText+1+c.MaxPatches()) * int64(2*c.Width+2)
		if n := p.Ahead / output; n < int64(2*o.Schedule.BatchSize) {
			t.Errorf("%d bytes ahead are %d outputs of %d", p.Ahead, n, output)
		}
		return p.Ahead
	}
	if n := ahead(func(o *Options) {}); n != 0 {
		t.Errorf("%d bytes ahead of kept pictures", n)
	}
	kept := ahead(func(o *Options) { o.TuneFromBlock = 1 })
	if both := ahead(func(o *Options) { o.TuneFromBlock, o.CacheBytes = 1, 1 }); both <= kept {
		t.Errorf("%d bytes ahead with pictures that are not kept, %d without", both, kept)
	}
}

// TestCollecting: small processes collect by Go's own rule, large ones at an eighth more than they hold.
func TestCollecting(t *testing.T) {
	const mib = 1 << 20
	for bytes, want := range map[int64]int{0: 100, mib: 100, 48 * mib: 100, 96 * mib: 50, 400 * mib: 12, 4000 * mib: 12} {
		if percent, garbage := collecting(bytes); percent != want || garbage != bytes*int64(want)/100 {
			t.Errorf("%d bytes: %d %%, %d bytes of garbage, want %d %%", bytes, percent, garbage, want)
		}
	}
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	current := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	plan := method.Plan{Weights: 96 * mib, Garbage: 48 * mib}
	restore := collectEarly(plan)
	if got := current(); got != 50 {
		t.Errorf("the collector is set to %d", got)
	}
	restore()
	if got := current(); got != 100 {
		t.Errorf("the collector is left at %d", got)
	}
	debug.SetGCPercent(70) // a user's own
	restore = collectEarly(plan)
	if got := current(); got != 70 {
		t.Errorf("the collector is set to %d in spite of the user", got)
	}
	restore()
}
