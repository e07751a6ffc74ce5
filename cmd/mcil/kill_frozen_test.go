package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A run with blocks that are not tuned, killed at any moment and run again, ends with the bytes of one that was left alone,
// whether its cache is its own or is given, and leaves none of its own behind.
func TestKilledFrozenRun(t *testing.T) {
	if raceEnabled {
		t.Skip("each of its processes takes several times as long; make test runs it without the race detector")
	}
	dir, err := makeFixtures(t)
	if err != nil {
		t.Fatal(err)
	}
	train := func(out string) *exec.Cmd {
		args := "train --data dataset --phases 2 --epochs 12 --batch-size 4 --budget 2 --tune-from-block 1 --out " + out
		if out == "given" {
			args += " --cache-dir cache"
		}
		cmd := exec.Command("mcil", strings.Fields(args)...)
		cmd.Dir = dir
		return cmd
	}
	began := time.Now()
	if out, err := train("left").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	random := rand.New(rand.NewPCG(1, 2))
	for _, run := range []string{"own", "given"} {
		hits := 0
		for life := 0; ; life++ {
			cmd := train(run)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			share := 0.05 + 0.4*random.Float64() + 0.1*float64(life) // longer and longer, so that the end is reached
			stop := time.AfterFunc(startUp+time.Duration(share*float64(whole)), func() { cmd.Process.Signal(os.Kill) })
			cmd.Wait()
			stop.Stop()
			code := cmd.ProcessState.ExitCode()
			if code == exitDone {
				break
			}
			if code != -1 || life > 60 {
				t.Fatalf("%s, life %d: exit code %d\n%s", run, life, code, stderr.String())
			}
			hits++
		}
		t.Logf("%s: undisturbed in %s; hit %d times", run, whole.Round(time.Millisecond), hits)
		if hits == 0 {
			t.Errorf("%s: never hit", run)
		}
		for _, name := range []string{"run.json", "gallery.json", "phase-00/tuner.safetensors", "phase-00/memory.arrow", "phase-01/tuner.safetensors", "phase-01/memory.arrow"} {
			want, err := os.ReadFile(filepath.Join(dir, "left", name))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, run, name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s differs from the undisturbed run's, or %v", run, name, err)
			}
		}
		if left, err := filepath.Glob(filepath.Join(dir, run, "prefix*")); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", run, left, err)
		}
	}
}
