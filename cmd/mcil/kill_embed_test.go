package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset/datasettest"
)

// An embedding that is killed or interrupted at any moment and run again ends with the bytes of one that was left alone.
func TestKilledEmbed(t *testing.T) {
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
		"synth --out pictures --classes 6 --per-class 16", "caption --source pictures --out captions",
		"build --source pictures --captions captions --out dataset", "pretrain --data dataset --out weights --epochs 1",
	} {
		if out, err := command(args).CombinedOutput(); err != nil {
			t.Fatalf("mcil %s: %v\n%s", args, err, out)
		}
	}
	bad := filepath.Join(dir, "pictures", "n02007558", "cartoon_1.jpg") // one that is left out
	if err := os.WriteFile(bad, []byte("404 page not found"), 0o666); err != nil {
		t.Fatal(err)
	}
	embed := func(out string) *exec.Cmd {
		return command("embed --source pictures --captions captions --weights weights --batch-size 2 --out " + out + "/f.npy --attention " + out + "/a.npy")
	}
	began := time.Now()
	reference := embed("reference")
	if out, err := reference.CombinedOutput(); reference.ProcessState.ExitCode() != exitFailures {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	want := datasettest.Tree(t, filepath.Join(dir, "reference"))

	first := embed("twice") // two at once: the second is refused, or finds the first one's work
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "twice", "f.json.partial")); err == nil {
			break
		}
	}
	second := embed("twice")
	out, err := second.CombinedOutput()
	if code := second.ProcessState.ExitCode(); code != exitFailures && (code != exitRefused || !strings.Contains(string(out), "another mcil embed is writing it")) {
		t.Errorf("the second of two: %v\n%s", err, out)
	}
	if first.Wait(); first.ProcessState.ExitCode() != exitFailures {
		t.Errorf("the first of two: %v", first.ProcessState)
	}
	datasettest.SameTree(t, datasettest.Tree(t, filepath.Join(dir, "twice")), want)

	random := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for life := 0; ; life++ {
		cmd := embed("killed")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		signal := []os.Signal{os.Kill, os.Interrupt}[life%2]
		share := 0.05 + 0.2*random.Float64() + 0.05*float64(life) // longer and longer, so that the end is reached
		stop := time.AfterFunc(startUp+time.Duration(share*float64(whole)), func() { cmd.Process.Signal(signal) })
		cmd.Wait()
		stop.Stop()
		code := cmd.ProcessState.ExitCode()
		if code == exitFailures {
			break
		}
		if code != -1 && code != exitInterrupted || life > 60 {
			t.Fatalf("life %d: exit code %d\n%s", life, code, stderr.String())
		}
		hits++
	}
	t.Logf("undisturbed in %s; hit %d times", whole.Round(time.Millisecond), hits)
	if hits == 0 {
		t.Error("never hit")
	}
	datasettest.SameTree(t, datasettest.Tree(t, filepath.Join(dir, "killed")), want)
}
