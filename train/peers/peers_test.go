//go:build bench

package peers_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/train/kernel/openblas"
)

// TestPeers is `make bench-peers`: see the package comment. It needs MCIL_PYTHON, a Python with
// testdata/requirements.txt; its OpenBLAS is taken unless MCIL_OPENBLAS names another. MCIL_BENCH_THREADS (2),
// MCIL_BENCH_ROUNDS (5) and MCIL_BENCH_STEPS (2, of a turn) are the threads of either side and the size of it;
// MCIL_BENCH_JSON is where the table is written as JSON.
func TestPeers(t *testing.T) {
	b := newBench(t)
	b.check(t)
	for round := range b.table.Rounds {
		began := time.Now()
		b.measureProducts(t)
		b.measureSteps(t)
		b.measureMemory(t)
		var line []string
		for _, r := range b.table.Rows {
			if len(r.Pairs) == round+1 {
				line = append(line, fmt.Sprintf("\n  %-62s %8.2f %8.2f %-10s %.3f", r.Name, r.Pairs[round][0], r.Pairs[round][1], r.Unit, r.Pairs[round][0]/r.Pairs[round][1]))
			}
		}
		t.Logf("round %d, %.0f s: ours, the peer's, ours/peer%s", round+1, time.Since(began).Seconds(), strings.Join(line, ""))
	}
	b.table.print(t)
	if name := os.Getenv("MCIL_BENCH_JSON"); name != "" {
		b.table.write(t, name)
	}
}

type bench struct {
	table    table
	python   string
	dir      string
	blas     *openblas.Library
	measured []measuredProduct
	others   []*operands   // products of the step that are no row of their own
	work     map[shape]int // of the step
	ours     *process      // on all threads
	single   *process      // on one
	eager    *process
	compiled *process // nil: its rows say why

	rows struct {
		eager, compiled, sdpa, gflops, infer, merged, masked, memory, scaling *row
	}
}

type measuredProduct struct {
	*operands
	*row
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{python: os.Getenv("MCIL_PYTHON"), dir: t.TempDir()}
	if b.python == "" {
		t.Fatal("MCIL_PYTHON names no Python: run make bench-peers")
	}
	b.table = table{
		Version: 1, Processor: processor(), Cores: runtime.NumCPU(), Load: load(),
		Threads: number(t, "MCIL_BENCH_THREADS", 2), Rounds: number(t, "MCIL_BENCH_ROUNDS", 5), Steps: number(t, "MCIL_BENCH_STEPS", 2),
	}
	if b.table.Threads > runtime.NumCPU() {
		t.Fatalf("MCIL_BENCH_THREADS=%d: this machine has %d cores", b.table.Threads, runtime.NumCPU())
	}
	runtime.GOMAXPROCS(b.table.Threads)
	b.openBLAS(t)
	b.addRows(t)
	writeInputs(t, b.dir)
	debug.FreeOSMemory() // the weights: the processes read them from the files

	b.ours = startOurs(t, b.dir, b.table.Threads)
	if b.table.Threads > 1 {
		b.single = startOurs(t, b.dir, 1)
	} else {
		b.rows.scaling.Reason = "MCIL_BENCH_THREADS is 1"
	}
	var err error
	if b.eager, err = startTorch(t, b.python, b.dir, b.table.Threads); err != nil {
		t.Fatal(err)
	}
	if b.compiled, err = startTorch(t, b.python, b.dir, b.table.Threads, "--compile"); err != nil {
		b.withoutCompiled(err)
	}
	b.table.Ours, b.table.Peer = b.ours.Versions, b.eager.Versions
	t.Logf("%s, %d cores, load before %s, %d threads; mcil: %v; PyTorch: %v; %s", b.table.Processor, b.table.Cores, b.table.Load, b.table.Threads, b.table.Ours, b.table.Peer, b.table.OpenBLAS)
	return b
}

// openBLAS opens the library that MCIL_OPENBLAS names, or else the one of the Python at hand.
func (b *bench) openBLAS(t *testing.T) {
	t.Helper()
	var path string
	if os.Getenv(openblas.Environment) == "" {
		out, err := exec.CommandContext(t.Context(), b.python, "-c", "import scipy_openblas32 as o; print(o.get_lib_dir(), o.get_library(fullname=True), sep='/')").Output()
		if err != nil {
			t.Fatalf("scipy_openblas32: %v: run make bench-peers, or set %s", err, openblas.Environment)
		}
		path = filepath.Clean(strings.TrimSpace(string(out)))
	}
	var err error
	if b.blas, err = openblas.Open(path); err != nil {
		t.Fatal(err)
	}
	b.table.OpenBLAS = b.blas.Config()
}

// addRows lists what is measured, in the order of the table, with the targets.
func (b *bench) addRows(t *testing.T) {
	c := config(t)
	s := 1 + tokens + side*side
	heads := pictures * c.Heads
	b.work = step(c, pictures, s, side*side)
	rest := map[shape]bool{}
	for w := range b.work {
		rest[w] = true
	}
	for _, p := range []shape{
		{nt, pictures * s, c.Width, c.Width, 1}, {nt, pictures * s, c.Width, c.Hidden, 1}, {nt, pictures * s, c.Hidden, c.Width, 1},
		{nt, s, c.Width / c.Heads, s, heads}, {nn, s, s, c.Width / c.Heads, heads},
	} {
		target := 0.92
		if p.form == nn {
			target = 0 // beside the one that is asked for
		}
		b.measured = append(b.measured, measuredProduct{newOperands(p), b.table.row("product "+p.String()+", against OpenBLAS", "GFLOP/s", target)})
		delete(rest, p)
	}
	for _, w := range slices.SortedFunc(maps.Keys(rest), func(x, y shape) int { return strings.Compare(x.String(), y.String()) }) {
		b.others = append(b.others, newOperands(w))
	}
	r := &b.rows
	r.eager = b.table.row("training step, against PyTorch eager", "pictures/s", 1.4)
	r.compiled = b.table.row("training step, against torch.compile", "pictures/s", 1.15)
	r.sdpa = b.table.row("training step, against PyTorch eager with its SDPA put in", "pictures/s", 0)
	r.gflops = b.table.row("training step's products, against OpenBLAS at its shapes", "GFLOP/s", 0.72)
	r.infer = b.table.row("forward pass, against PyTorch under inference_mode", "pictures/s", 1.3)
	r.merged = b.table.row("forward pass, against PyTorch with SSF merged", "pictures/s", 0)
	r.masked = b.table.row("step on masked exemplars, against the full step: time", "s", 0.42)
	r.masked.AtMost = true
	r.memory = b.table.row("peak memory of the step, against PyTorch's", "MB", 0.5)
	r.memory.AtMost = true
	r.scaling = b.table.row(fmt.Sprintf("training step on %d threads, against 1", b.table.Threads), "pictures/s", 0)
	if b.table.Threads == 2 {
		r.scaling.Target = 1.85
	}
}

// withoutCompiled notes why torch.compile could not be measured.
func (b *bench) withoutCompiled(err error) {
	if b.compiled != nil {
		b.compiled.close()
	}
	b.compiled = nil
	b.rows.compiled.Reason = err.Error()
}

// check holds products and losses of both sides together, from the same weights and inputs. It warms both up, too.
func (b *bench) check(t *testing.T) {
	t.Helper()
	b.blas.SetThreads(b.table.Threads)
	for _, m := range b.measured {
		if err := m.agree(b.blas); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range b.others {
		if err := o.agree(b.blas); err != nil {
			t.Fatal(err)
		}
	}
	const steps, tolerance = 3, 1e-4
	want := append(b.ours.must(t, "infer", 1).Losses, b.ours.must(t, "train", steps).Losses...)
	compare := func(p *process) error {
		passed, err := p.ask("infer", 1)
		if err != nil {
			return err
		}
		trained, err := p.ask("train", steps)
		if err != nil {
			return err
		}
		got := append(passed.Losses, trained.Losses...)
		t.Logf("losses of a forward pass and of %d steps: %.6f; %s: %.6f", steps, want, p.name, got)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= tolerance) {
				t.Fatalf("%s: loss %d is %g, ours %g: they do not compute the same, and no speed counts", p.name, i, got[i], want[i])
			}
		}
		return nil
	}
	if err := compare(b.eager); err != nil {
		t.Fatal(err)
	}
	if b.compiled != nil {
		if err := compare(b.compiled); err != nil {
			b.withoutCompiled(err)
		}
	}
	if b.single != nil {
		b.single.must(t, "train", 1)
	}
	b.ours.must(t, "masked", 1)
	b.eager.must(t, "sdpa", 1)
	b.eager.must(t, "merged", 1)
}

// measureProducts measures each product by turns, and what OpenBLAS would take for all of a step's.
func (b *bench) measureProducts(t *testing.T) {
	t.Helper()
	var seconds float64
	for _, m := range b.measured {
		settle()
		ours := m.oursRate()
		settle()
		theirs := m.theirRate(b.blas, b.table.Threads)
		m.add(ours, theirs)
		seconds += m.flop() * float64(b.work[m.shape]) / theirs / 1e9
	}
	for _, o := range b.others {
		settle()
		seconds += o.flop() * float64(b.work[o.shape]) / o.theirRate(b.blas, b.table.Threads) / 1e9
	}
	b.rows.gflops.add(math.NaN(), totalFLOP(b.work)/seconds/1e9) // ours follows with the step
}

// measureSteps measures the whole model by turns.
func (b *bench) measureSteps(t *testing.T) {
	t.Helper()
	n, r := b.table.Steps, &b.rows
	step := b.ours.perStep(t, "train", n)
	eager := b.eager.perStep(t, "train", n)
	r.eager.add(pictures/step, pictures/eager)
	r.gflops.Pairs[len(r.gflops.Pairs)-1][0] = totalFLOP(b.work) / step / 1e9
	if b.compiled != nil {
		r.compiled.add(pictures/b.ours.perStep(t, "train", n), pictures/b.compiled.perStep(t, "train", n))
	}
	r.sdpa.add(pictures/step, pictures/b.eager.perStep(t, "sdpa", n))
	infer := b.ours.perStep(t, "infer", n)
	r.infer.add(pictures/infer, pictures/b.eager.perStep(t, "infer", n))
	r.merged.add(pictures/infer, pictures/b.eager.perStep(t, "merged", n))
	r.masked.add(b.ours.perStep(t, "masked", n), b.ours.perStep(t, "train", n))
	if b.single != nil {
		r.scaling.add(pictures/b.ours.perStep(t, "train", n), pictures/b.single.perStep(t, "train", n))
	}
}

// measureMemory has a fresh process of either side take three steps.
func (b *bench) measureMemory(t *testing.T) {
	t.Helper()
	if b.rows.memory.Reason != "" {
		return
	}
	peak := func(p *process) float64 {
		defer p.close()
		if _, err := p.ask("mark", 0); err != nil {
			b.rows.memory.Reason = err.Error()
			return 0
		}
		p.must(t, "train", 3)
		return float64(p.must(t, "peak", 0).PeakBytes) / 1e6
	}
	ours := peak(startOurs(t, b.dir, b.table.Threads))
	torch, err := startTorch(t, b.python, b.dir, b.table.Threads)
	if err != nil {
		t.Fatal(err)
	}
	if theirs := peak(torch); b.rows.memory.Reason == "" {
		b.rows.memory.add(ours, theirs)
	}
}

// number is an environment variable's, or its default.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: choose 1 or more", name, s)
	}
	return n
}
