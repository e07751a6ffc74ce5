package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// trainArgs are two runs with all that a phase carries from one epoch to the next: a teacher, a drawn classifier, repeated
// exemplars, changed pictures. A phase is as long as several lives.
var trainArgs = strings.Fields("train --data d --out r --phases 2 --epochs 6 --batch-size 4 --exemplars mrdc --codec jpeg --budget-total 8 --seeds 1,2 --head mlp --distill 1 --mixing balanced --augment flip,jitter --mask-new 0.3")

// Runs that are killed again and again, within phases, between them and between runs, end with the bytes of ones that were
// left alone.
func TestKilledTrainEndsTheSame(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGINT")
	}
	const program = "mcil"
	source := t.TempDir()
	for _, line := range []string{
		"synth --out pictures --classes 4 --per-class 10", "caption --source pictures --out captions", "build --source pictures --captions captions --out d --layout hf",
	} {
		if out, err := mcilCommand(program, source, strings.Fields(line)).CombinedOutput(); err != nil {
			t.Fatalf("mcil %s: %v\n%s", line, err, out)
		}
	}
	workplace := func() string {
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(source, "d"), filepath.Join(dir, "d")); err != nil {
			t.Skip("needs links: ", err)
		}
		return dir
	}
	reference := workplace()
	began := time.Now()
	if out, err := mcilCommand(program, reference, trainArgs).CombinedOutput(); err != nil {
		t.Fatalf("the reference: %v\n%s", err, out)
	}
	whole := time.Since(began) - startUp
	want := timeless(t, filepath.Join(reference, "r"))
	for _, must := range []string{"seed-1/report.json", "seed-2/phase-01/tuner.safetensors", "seed-1/phase-01/memory.arrow"} {
		if len(want[filepath.FromSlash(must)]) == 0 {
			t.Fatalf("there is no %s", must)
		}
	}
	t.Logf("undisturbed: %d files in %s", len(want), whole.Round(10*time.Millisecond))
	lives := 12
	if testing.Short() || raceEnabled {
		lives = 4
	}
	for _, c := range []struct {
		name   string
		signal os.Signal
		code   int
	}{{"SIGKILL", os.Kill, -1}, {"SIGINT", os.Interrupt, exitInterrupted}} {
		t.Run(c.name, func(t *testing.T) {
			for attempt := 0; ; attempt++ {
				dir := workplace()
				hit := haunt(t, program, dir, trainArgs, c.signal, c.code, lives, whole>>attempt)
				t.Logf("hit %d times", hit)
				got := timeless(t, filepath.Join(dir, "r"))
				for _, name := range slices.Sorted(maps.Keys(want)) {
					if !bytes.Equal(got[name], want[name]) {
						t.Errorf("%s differs from the undisturbed run's (%d bytes, %d there)", name, len(got[name]), len(want[name]))
					}
				}
				for _, name := range slices.Sorted(maps.Keys(got)) {
					if _, ok := want[name]; !ok {
						t.Errorf("%s is left over", name)
					}
				}
				if hit >= lives/2 {
					return
				}
				if attempt == 4 {
					t.Fatalf("hit %d times, want %d at least: make the runs longer", hit, lives/2)
				}
			}
		})
	}
}

// Two processes on one folder: the second is refused while the first is at work, and the same command is taken afterwards.
func TestOneRunAtATime(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no locks here")
	}
	dir := t.TempDir()
	mcil := func(line string) *exec.Cmd { return mcilCommand("mcil", dir, strings.Fields(line)) }
	for _, line := range []string{
		"synth --out pictures --classes 4 --per-class 10", "caption --source pictures --out captions", "build --source pictures --captions captions --out d --layout hf",
	} {
		if out, err := mcil(line).CombinedOutput(); err != nil {
			t.Fatalf("mcil %s: %v\n%s", line, err, out)
		}
	}
	const command = "train --data d --out r --phases 2 --epochs 2000 --batch-size 4"
	first := mcil(command)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		first.Process.Kill()
		first.Wait()
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "r", "halfway.safetensors")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no epoch is done after 20 s")
		}
	}
	second := mcil(command)
	out, _ := second.CombinedOutput()
	if code := second.ProcessState.ExitCode(); code != exitRefused || !strings.Contains(string(out), "mcil: run r: another mcil train is writing it: wait for it, or give another --out\n") {
		t.Errorf("the second ended with exit code %d:\n%s", code, out)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait() // its lock ends with it
	third := mcil(command)
	var said strings.Builder
	third.Stderr = &said
	before, err := os.Stat(filepath.Join(dir, "r", "halfway.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- third.Wait() }()
	for deadline := time.After(20 * time.Second); ; {
		select {
		case err := <-ended:
			t.Fatalf("the same command afterwards ended: %v\n%s", err, said.String())
		case <-deadline:
			third.Process.Kill()
			<-ended
			t.Fatalf("the same command afterwards has done no epoch in 20 s:\n%s", said.String())
		case <-time.After(10 * time.Millisecond):
		}
		if now, err := os.Stat(filepath.Join(dir, "r", "halfway.safetensors")); err == nil && !os.SameFile(before, now) {
			break // it has gone on and done one more
		}
	}
	third.Process.Kill()
	<-ended
}
