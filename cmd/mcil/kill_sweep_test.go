package main

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/schemas"
)

// killedSweep has kinds that are made with and without pictures anew, under a budget that classes share, so that each phase
// takes from what the ones before it kept.
const killedSweep = `
train: {data: dataset, phases: 3, epochs: 6, batch-size: 4}
grid: {exemplars: [none, masked, cim], budget-total: [6], seed: [1, 2]}
`

// A sweep that is killed at any moment takes its runs with it, and run again it ends with the results of one that was left
// alone: the tables and what each run had learned and kept.
func TestKilledSweep(t *testing.T) {
	if raceEnabled {
		t.Skip("each of its processes takes several times as long; make test runs it without the race detector")
	}
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGINT")
	}
	dir := t.TempDir()
	command := func(args string) *exec.Cmd {
		cmd := exec.Command("mcil", strings.Fields(args)...)
		cmd.Dir = dir
		return cmd
	}
	for _, args := range []string{
		"synth --out pictures --classes 4 --per-class 8", "caption --source pictures --out captions", "build --source pictures --captions captions --out dataset",
	} {
		if out, err := command(args).CombinedOutput(); err != nil {
			t.Fatalf("mcil %s: %v\n%s", args, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(killedSweep), 0o666); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, err := command("sweep s.yaml --out reference --jobs 2").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	want := sweepResults(t, filepath.Join(dir, "reference"))
	if len(want) != 3+6*3*2+4 { // tables; tuner and memory of every phase; galleries of exemplars
		t.Fatalf("%d files to compare: %v", len(want), slices.Sorted(maps.Keys(want)))
	}

	random := rand.New(rand.NewPCG(7, 8))
	hits, begun := 0, 0
	for life := 0; ; life++ {
		cmd := command("sweep s.yaml --out killed --jobs 2")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		signal := []os.Signal{os.Kill, os.Kill, os.Interrupt}[life%3]
		share := 0.05 + 0.25*random.Float64() + 0.1*float64(life) // longer and longer, so that the end is reached
		stop := time.AfterFunc(startUp+time.Duration(share*float64(whole)), func() { cmd.Process.Signal(signal) })
		cmd.Wait()
		stop.Stop()
		code := cmd.ProcessState.ExitCode()
		if code == exitDone {
			break
		}
		if code != -1 && code != exitInterrupted || life > 40 {
			t.Fatalf("life %d: exit code %d\n%s", life, code, stderr.String())
		}
		hits++
		begun += left(t, filepath.Join(dir, "killed"))
	}
	t.Logf("undisturbed in %s; hit %d times, when %d runs were begun in all", whole.Round(time.Millisecond), hits, begun)
	if hits == 0 || begun == 0 {
		t.Error("never hit")
	}
	got := sweepResults(t, filepath.Join(dir, "killed"))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s differs from the undisturbed sweep's (%d bytes, %d there)", name, len(got[name]), len(want[name]))
		}
	}
	if left := partials(t, filepath.Join(dir, "killed")); len(left) > 0 || len(got) != len(want) {
		t.Errorf("%d files, want %d; half-written: %v", len(got), len(want), left)
	}
}

// left waits until no process works on the runs of a sweep that has ended, and counts their folders.
func left(t *testing.T, dir string) int {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(dir, "exemplars-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		f, err := os.Open(run)
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for schemas.Lock(f, run) != nil {
			if time.Now().After(deadline) {
				t.Fatalf("a process still works on %s", run)
			}
			time.Sleep(5 * time.Millisecond)
		}
		f.Close()
	}
	return len(runs)
}

// sweepResults are the files of a sweep in which no times stand.
func sweepResults(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for name, content := range datasettest.Tree(t, dir) {
		base := filepath.Base(name)
		if strings.HasPrefix(base, "results.") || slices.Contains([]string{"tuner.safetensors", "memory.arrow", "gallery.json"}, base) {
			files[name] = []byte(content)
		}
	}
	return files
}
