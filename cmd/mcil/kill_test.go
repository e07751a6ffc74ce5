package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
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
)

// demoArgs is a demo of a few seconds: every stage takes long enough to be hit.
var demoArgs = strings.Fields("demo --out out --classes 8 --per-class 10 --phases 4 --seeds 1 --base 8 --epochs 4 --budget 1.5")

// A demo that is killed again and again ends with the bytes of one that was left alone, and so does one that is
// interrupted politely.
func TestKilledDemoEndsTheSame(t *testing.T) {
	if raceEnabled {
		t.Skip("each of its processes takes several times as long; make test runs it without the race detector")
	}
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGINT")
	}
	program := filepath.Join(t.TempDir(), "mcil")
	t.Setenv("CGO_ENABLED", "0") // as make build has it, so that its cache serves
	goCommand(t, "build", "-trimpath", "-o", program, module+"/cmd/mcil")
	reference := t.TempDir()
	began := time.Now()
	if out, err := mcilCommand(program, reference, demoArgs).CombinedOutput(); err != nil {
		t.Fatalf("the reference: %v\n%s", err, out)
	}
	whole := time.Since(began)
	want := results(t, reference)
	t.Logf("undisturbed: %d files in %s", len(want), whole.Round(10*time.Millisecond))

	for _, c := range []struct {
		name   string
		signal os.Signal
		lives  int // that end by the signal at least, as far as the work lasts
		code   int
	}{
		{"SIGKILL", os.Kill, 10, -1},
		{"SIGINT", os.Interrupt, 3, exitInterrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() {
				c.lives = min(c.lives, 3)
			}
			var dir string
			// A machine that is fast after it was slow ends the work before it was hit often enough: then again, with lives
			// that are shorter by half.
			for attempt, least := 0, c.lives*8/10; ; attempt++ {
				dir = t.TempDir()
				hit := haunt(t, program, dir, demoArgs, c.signal, c.code, c.lives, whole>>attempt)
				t.Logf("hit %d times", hit)
				if hit >= least {
					break
				}
				if attempt == 4 {
					t.Fatalf("hit %d times, want %d at least: make the demo longer", hit, least)
				}
			}
			got := results(t, dir)
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if !bytes.Equal(got[name], want[name]) {
					t.Errorf("%s differs from the undisturbed demo's (%d bytes, %d there)", name, len(got[name]), len(want[name]))
				}
			}
			for _, name := range slices.Sorted(maps.Keys(got)) {
				// Processes may share a caption store, so none may take away another's temporary file.
				if _, ok := want[name]; !ok && !strings.HasPrefix(name, filepath.Join("out", "captions", ".")) {
					t.Errorf("%s is left over", name)
				}
			}
		})
	}
}

// haunt runs a command in dir, ended by the signal again and again, until it finishes. It returns how often it was hit. whole
// is about how long it takes undisturbed.
func haunt(t *testing.T, program, dir string, args []string, signal os.Signal, code, lives int, whole time.Duration) (hit int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, uint64(lives)))
	for life := 0; ; life++ {
		// A life is a tenth of the work on average, so that lives that end by the signal are spread over it. They get
		// longer after that, so that the last one is not far: a machine that is slow by turns cannot keep it away.
		share := 0.03 + 0.17*random.Float64()
		if life >= lives {
			share += 0.2 * float64(life-lives+1)
		}
		ended, got, stderr := live(t, mcilCommand(program, dir, args), signal, time.Duration(share*float64(whole))+startUp)
		if ended && got == exitDone {
			return hit
		}
		if ended || got != code {
			t.Fatalf("life %d ended by itself: %v, exit code %d, want finished work or %d by the signal:\n%s", life, ended, got, code, stderr)
		}
		hit++
		if life > lives+60 {
			t.Fatalf("not done after %d lives; the last one said:\n%s", life+1, stderr)
		}
	}
}

// startUp is what a process takes before it works.
const startUp = 30 * time.Millisecond

func mcilCommand(program, dir string, args []string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return cmd
}

// live runs a command until it ends or its time is up and the signal ends it. ended says that the signal was not sent.
func live(t *testing.T, cmd *exec.Cmd, signal os.Signal, long time.Duration) (ended bool, code int, stderr string) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
		ended = true
	case <-time.After(long):
		if err := cmd.Process.Signal(signal); err != nil { // it ended just now
			t.Logf("signal: %v", err)
		}
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
			t.Fatalf("still runs 30 s after %v:\n%s", signal, said.String())
		}
	}
	code = cmd.ProcessState.ExitCode()
	return ended || code == exitDone, code, said.String()
}

// results are the files of a demo by name, without what measures time: the captions' journals (their number and order is
// the processes'), the runs' logs for people, and the numbers called seconds.
func results(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := timeless(t, dir)
	for _, must := range []string{
		"out/report/table.csv", "out/report/results.json", "out/dataset/manifest.json", "out/backbone/model.safetensors",
		"out/runs/masked-1/phase-03/memory.arrow", "out/runs/raw-1/phase-00/tuner.safetensors", "out/runs/none-1/report.json",
	} {
		if len(files[filepath.FromSlash(must)]) == 0 {
			t.Fatalf("the demo made no %s", must)
		}
	}
	return files
}

// timeless are the files below dir by name, as [results] has them.
func timeless(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		base := filepath.Base(name)
		if strings.HasPrefix(base, "journal-") || base == "log.jsonl" || base == "report.html" {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		switch filepath.Ext(name) {
		case ".json":
			b, err = jsonWithoutSeconds(b)
		case ".csv":
			b, err = csvWithoutSeconds(b)
		case ".md":
			b = markdownWithoutSeconds(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func jsonWithoutSeconds(b []byte) ([]byte, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // digits as they stand
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var strip func(any)
	strip = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, y := range x {
				if strings.Contains(k, "second") {
					delete(x, k)
				}
				strip(y)
			}
		case []any:
			for _, y := range x {
				strip(y)
			}
		}
	}
	strip(v)
	return json.Marshal(v)
}

func csvWithoutSeconds(b []byte) ([]byte, error) {
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, row := range rows {
		for i, cell := range row {
			if !strings.Contains(rows[0][i], "second") {
				fmt.Fprintf(&out, "%q,", cell)
			}
		}
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// markdownWithoutSeconds takes the columns of times and rates out of tables.
func markdownWithoutSeconds(b []byte) []byte {
	var out strings.Builder
	var heads []string
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "|") {
			heads = nil
			out.WriteString(line)
			continue
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if heads == nil {
			heads = cells
		}
		for i, cell := range cells {
			if head := heads[min(i, len(heads)-1)]; !strings.Contains(head, "pictures/s") && strings.TrimSpace(head) != "time" {
				out.WriteString(cell + "|")
			}
		}
		out.WriteByte('\n')
	}
	return []byte(out.String())
}

// buildArgs is a build of a few tenths of a second, of the folder food.
var buildArgs = strings.Fields("build --source food --out d --layout hf,vilt,hub --val 0.1")

// A build that is killed at any moment leaves a whole dataset or none, and the same command ends with the bytes that an
// undisturbed one makes. Where it replaces a dataset, that one or the new one is there.
func TestKilledBuild(t *testing.T) {
	source, pictures := t.TempDir(), 400
	if raceEnabled {
		pictures = 120
	}
	for _, f := range datasettest.Food101(t, pictures) {
		name := filepath.Join(source, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	workplace := func() string {
		dir := t.TempDir()
		if err := os.Symlink(source, filepath.Join(dir, "food")); err != nil {
			t.Skip("needs links: ", err)
		}
		return dir
	}
	mcil := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.Command("mcil", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mcil %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	other := append(slices.Clone(buildArgs), "--split", "ratio:0.5", "--mask-class-names") // is what will be replaced
	old := workplace()
	mcil(old, other...)
	wantOld := datasettest.Tree(t, filepath.Join(old, "d"))
	reference := workplace()
	began := time.Now()
	mcil(reference, buildArgs...)
	whole := time.Since(began) - startUp
	want := datasettest.Tree(t, filepath.Join(reference, "d"))
	t.Logf("undisturbed: %d files in %s", len(want), whole.Round(time.Millisecond))

	mcil(old, "inspect", "--verify", "d")
	mcil(reference, "inspect", "--verify", "d") // so that what has the same bytes passes, too

	check := func(t *testing.T, dir string, replaces bool) {
		t.Helper()
		// Between two renames the old dataset has this name only, and the next run puts it back.
		aside := filepath.Join(dir, ".d.replaced")
		if _, err := os.Stat(aside); err == nil && !maps.Equal(datasettest.Tree(t, aside), wantOld) {
			t.Errorf("%s is not the old dataset", aside)
		} else if _, there := os.Stat(filepath.Join(dir, "d")); there != nil {
			if replaces && err != nil {
				t.Error("neither the old nor the new dataset is there")
			}
			return
		}
		if got := datasettest.Tree(t, filepath.Join(dir, "d")); !maps.Equal(got, want) && !(replaces && maps.Equal(got, wantOld)) {
			t.Error("what is there is not a whole dataset")
		}
	}
	for _, c := range []struct {
		name     string
		replaces bool
		args     []string
		steps    []string // files whose appearance is a moment, too
	}{
		{"new", false, buildArgs, []string{".d.partial/manifest.json", "d/manifest.json"}},
		{"force", true, append(slices.Clone(buildArgs), "--force"), []string{".d.partial/manifest.json", ".d.replaced", ".d.replaced"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			moments := 8
			if testing.Short() || raceEnabled {
				moments = 3
			}
			// kill ends the command when now says so, and tells whether it was still alive.
			kill := func(now func(dir string, began time.Time) bool) (hit bool) {
				dir := workplace()
				if c.replaces {
					if err := os.CopyFS(filepath.Join(dir, "d"), os.DirFS(filepath.Join(old, "d"))); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.Command("mcil", c.args...)
				cmd.Dir = dir
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				go func() { cmd.Wait(); close(done) }()
				for began, ended := time.Now(), false; !ended && !now(dir, began); {
					select {
					case <-done:
						ended = true
					case <-time.After(100 * time.Microsecond):
					}
				}
				cmd.Process.Kill() // it may have ended
				<-done
				if code := cmd.ProcessState.ExitCode(); code > 0 {
					t.Fatalf("ended by itself with exit code %d", code)
				}
				check(t, dir, c.replaces)
				mcil(dir, c.args...)
				datasettest.SameTree(t, datasettest.Tree(t, filepath.Join(dir, "d")), want)
				beside, err := os.ReadDir(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range beside {
					if e.Name() != "d" && e.Name() != "food" {
						t.Errorf("%s is left over", e.Name())
					}
				}
				return cmd.ProcessState.ExitCode() < 0
			}
			// A machine that is fast after it was slow ends the work too soon: then earlier.
			for attempt, hits := 0, 0; hits < moments; attempt++ {
				if attempt == 5 {
					t.Fatalf("hit %d times, want %d: make the build longer", hits, moments)
				}
				span := whole >> attempt
				for i := range moments - hits {
					at := startUp + span*time.Duration(2*i+1)/time.Duration(2*(moments-hits))
					if kill(func(_ string, began time.Time) bool { return time.Since(began) >= at }) {
						hits++
					}
				}
			}
			// The last steps are short, and a clock misses them.
			for _, file := range c.steps {
				kill(func(dir string, _ time.Time) bool {
					_, err := os.Lstat(filepath.Join(dir, file))
					return err == nil
				})
			}
		})
	}
}
