package sweep

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// helper is set in the environment of processes that play mcil train: see [play].
const helper = "MCIL_SWEEP_HELPER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helper); dir != "" {
		os.Exit(play(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// play is a made-up training. It writes what it was told, and does what its seed says.
func play(dir string, args []string) int {
	flag := func(name string) string {
		for _, a := range args {
			if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
				return v
			}
		}
		return ""
	}
	name := filepath.Base(flag("out"))
	at := filepath.Join(dir, name)
	os.WriteFile(at+".args", []byte(strings.Join(args, " ")), 0o666)
	say := func(l Line) { json.NewEncoder(os.Stderr).Encode(l) }
	say(Line{Stage: "phase 1 of 2: learn", Done: 1, Total: 2, PerSecond: 1})
	fmt.Fprintln(os.Stderr, "time=now level=INFO msg=logs")
	switch flag("seed") {
	case "3": // refuses
		fmt.Fprintln(os.Stderr, "mcil: the data is not there")
		return 4
	case "4":
		fmt.Fprint(os.Stderr, "panic: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n")
		return 2
	case "5": // works until it is asked to stop
		if _, err := bufio.NewReader(os.Stdin).ReadByte(); err != nil {
			return 1
		}
		fmt.Fprintln(os.Stderr, "\nmcil: interrupted; run the same command again to go on")
		os.WriteFile(at+".saved", nil, 0o666)
		return interruptExit
	case "6": // works until its parent is gone
		io.Copy(io.Discard, os.Stdin)
		os.WriteFile(at+".alone", nil, 0o666)
		return interruptExit
	}
	os.WriteFile(at+".began", nil, 0o666)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if together, err := filepath.Glob(filepath.Join(dir, "*.began")); err != nil || len(together) >= len(flag("wait")) {
			break
		}
	}
	say(Line{PeakBytes: 1000})
	return 0
}

func jobsOf(seeds ...string) (jobs []Job) {
	for _, s := range seeds {
		jobs = append(jobs, Job{Name: "seed-" + s, Args: []Arg{{"seed", s}}, Settings: map[string]any{"seed": s}})
	}
	return jobs
}

// told is what the process of a job was told.
func told(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name+".args"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(helper, dir)
	var most, failed int
	var last Status
	outcomes, err := Run(t.Context(), jobsOf("1", "3", "2", "4"), Options{
		Program: os.Args[0], Dir: "out", Cores: 5, Most: 2, Force: true,
		Progress: func(s Status) { most, failed, last = max(most, len(s.Running)), max(failed, s.Failed), s },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Outcome{{"seed-1", Done, ""}, {"seed-3", Failed, "the data is not there"}, {"seed-2", Done, ""}, {"seed-4", Failed, "panic: index out of range"}}
	if !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %+v, want %+v", outcomes, want)
	}
	if most != 2 || failed != 2 || last.Done != 4 || last.Runs != 4 || len(last.Running) != 0 {
		t.Errorf("at most %d at once, %d failed, in the end %+v", most, failed, last)
	}
	if got, want := told(t, dir, "seed-1"), "train --supervised --out="+filepath.Join("out", "seed-1")+" --threads=3 --workers=3 --force --seed=1"; got != want {
		t.Errorf("the first was told %q, want %q", got, want)
	}
	if got := told(t, dir, "seed-3"); !strings.Contains(got, "--threads=2") {
		t.Errorf("the second was told %q, want the two cores that are left", got)
	}
}

// What is known of memory decides how many are begun: before a run has ended the estimate, and then its peak.
func TestRunWithinMemory(t *testing.T) {
	for _, c := range []struct {
		memory, estimate int64
		most             int // at once
		asked            int
	}{
		{0, 5000, 4, 0},     // not known, so it does not bind
		{3000, 5000, 2, 1},  // alone at first; then 1100 each
		{1000, 5000, 1, 1},  // each alone
		{20000, 5000, 4, 4}, // all at once
	} {
		dir := t.TempDir()
		t.Setenv(helper, dir)
		jobs := jobsOf("1", "2", "7", "8")
		for i := range jobs { // wait for as many to have begun: with two at once, the second and the third for each other
			wait := map[int][]int{1: {1, 2, 3, 4}, 2: {1, 3, 3, 4}, 4: {4, 4, 4, 4}}[c.most][i]
			jobs[i].Args = append(jobs[i].Args, Arg{"wait", strings.Repeat("x", wait)})
		}
		most, asked := 0, 0
		outcomes, err := Run(t.Context(), jobs, Options{
			Program: os.Args[0], Cores: 8, Most: 4, Memory: c.memory,
			Need:     func(context.Context, Job) (int64, error) { asked++; return c.estimate, nil },
			Progress: func(s Status) { most = max(most, len(s.Running)) },
		})
		if err != nil || slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.State != Done }) {
			t.Fatalf("%v %v", outcomes, err)
		}
		if most != c.most || asked < c.asked {
			t.Errorf("within %d bytes: %d at once, asked %d times; want %d, and %d at least", c.memory, most, asked, c.most, c.asked)
		}
	}
}

// A run that needs more than is left waits, though cores are free.
func TestRunWaitsForRoom(t *testing.T) {
	t.Setenv(helper, t.TempDir())
	for memory, want := range map[int64]int{3500: 2, 3499: 1} {
		most, jobs := 0, jobsOf("1", "2")
		jobs[1].Settings["model"] = "large"
		_, err := Run(t.Context(), jobs, Options{
			Program: os.Args[0], Cores: 8, Memory: memory,
			Need: func(_ context.Context, j Job) (int64, error) {
				return map[string]int64{"seed-1": 1000, "seed-2": 2500}[j.Name], nil
			},
			Progress: func(s Status) { most = max(most, len(s.Running)) },
		})
		if err != nil || most != want {
			t.Errorf("within %d bytes: %d at once, want %d; %v", memory, most, want, err)
		}
	}
}

// A need is estimated while runs go on and are heard, and where there is room for another like the largest.
func TestNeedIsAskedBeside(t *testing.T) {
	t.Setenv(helper, t.TempDir())
	for memory, beside := range map[int64]bool{2000: true, 1999: false} {
		ended := make(chan struct{})
		var asked atomic.Int32
		jobs := jobsOf("1", "2")
		jobs[1].Settings["model"] = "other"
		done := false
		_, err := Run(t.Context(), jobs, Options{
			Program: os.Args[0], Cores: 8, Memory: memory,
			Need: func(_ context.Context, j Job) (int64, error) {
				if asked.Add(1); j.Name == "seed-2" {
					select {
					case <-ended:
					case <-time.After(10 * time.Second):
						t.Error("the end of the first run is not heard while the need of the second is estimated")
					}
				}
				return 1000, nil
			},
			Progress: func(s Status) {
				if s.Done == 1 && !done {
					done = true
					if asked.Load() == 2 != beside {
						t.Errorf("within %d bytes: %d asked when the first run ended", memory, asked.Load())
					}
					close(ended)
				}
			},
		})
		if err != nil || asked.Load() != 2 {
			t.Errorf("asked %d times, want 2; %v", asked.Load(), err)
		}
	}
}

// An interrupted sweep asks its runs to save, begins no more, and says what was not done.
func TestRunInterrupted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(helper, dir)
	ctx, cancel := context.WithCancel(t.Context())
	heard := map[string]bool{}
	outcomes, err := Run(ctx, jobsOf("5", "2", "5", "1")[:3], Options{Program: os.Args[0], Cores: 1, Progress: func(s Status) {
		for _, r := range s.Running {
			if r.Stage != "" {
				heard[r.Name] = true
				cancel()
			}
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if want := []Outcome{{"seed-5", Interrupted, ""}, {"seed-2", Waiting, ""}, {"seed-5", Waiting, ""}}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %+v, want %+v", outcomes, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "seed-5.saved")); err != nil || len(heard) != 1 {
		t.Errorf("it was not asked to save: %v, %v", err, heard)
	}
}

// A process sees that its parent is gone.
func TestOrphan(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(helper, dir)
	events := make(chan event, 8)
	p, err := Options{Program: os.Args[0]}.start(0, jobsOf("6")[0], 1, events)
	if err != nil {
		t.Fatal(err)
	}
	if e := <-events; e.line.Stage != "phase 1 of 2: learn" {
		t.Errorf("heard %+v", e)
	}
	p.orders.Close() // as the system does for a process that is killed
	for e := range events {
		if e.ended {
			break
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "seed-6.alone")); err != nil {
		t.Error(err)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	outcomes, err := Run(t.Context(), jobsOf("1"), Options{Program: filepath.Join(t.TempDir(), "mcil")})
	if !errors.Is(err, os.ErrNotExist) || outcomes[0].State != Waiting {
		t.Errorf("%v, %v", outcomes, err)
	}
}

func TestPace(t *testing.T) {
	for stage, want := range map[string]float64{
		"phase 1 of 4: learn": 0.9 * 0.25 / 4, "phase 3 of 4: learn": (2 + 0.9*0.25) / 4, "phase 4 of 4: test": (3 + 0.9) / 4, "weights: kB": 0, "phase 5 of 4: learn": 0, "": 0,
	} {
		if got := progressOf(Line{Stage: stage, Done: 1, Total: 4}); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%q 1/4 is %g of a run, want %g", stage, got, want)
		}
	}
	var p pace
	start := time.Now()
	p.at(start, 0.5) // what an earlier process did took no time here
	p.at(start.Add(10*time.Second), 0.75)
	if p.left() != 10*time.Second {
		t.Errorf("half of what was left took 10 s, the rest %s", p.left())
	}
}
