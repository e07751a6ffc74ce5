package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/schemas"
)

// Four writers on one store, each with its share, are killed at random moments again and again. In the end the store holds
// what a run that was left alone makes, record for record, and no picture was asked for again after its answer was saved.
// MCIL_KILLS is the number of kills; without it there are 20, or 8 where
// processes are slow.
func TestKilledCaptionWriters(t *testing.T) {
	kills := 20
	if testing.Short() || raceEnabled {
		kills = 8
	}
	if s := os.Getenv("MCIL_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("MCIL_KILLS=%s: want a number from 1 on", s)
		}
		kills = n
	}
	const writers = 4
	perClass := 12 + kills // so that there is work left for every life
	dir := t.TempDir()
	mcil := func(args ...string) *exec.Cmd {
		cmd := exec.Command("mcil", args...)
		cmd.Dir = dir
		return cmd
	}
	if out, err := mcil("synth", "--out", "pictures", "--classes", "8", "--per-class", fmt.Sprint(perClass)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	url := serving(t, mcil("serve", "--addr", "127.0.0.1:0"))
	asking := func(out string, more ...string) *exec.Cmd {
		return mcil(append([]string{"caption", "--source", "pictures", "--out", out, "--endpoint", url, "--model", "mcil-builtin-1", "--workers", "2"}, more...)...)
	}
	began := time.Now()
	if out, err := asking("clean").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	pictures := 8 * perClass

	// lives lets the writers live, each until its share is done, and kills them until there were enough kills.
	lives := func(out string, life time.Duration) int64 {
		var killed atomic.Int64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(7, uint64(w)))
				for {
					cmd := asking(out, fmt.Sprintf("--shard=%d/%d", w, writers))
					var said bytes.Buffer
					cmd.Stderr = &said
					if err := cmd.Start(); err != nil {
						t.Error(err)
						return
					}
					done := make(chan struct{})
					go func() { cmd.Wait(); close(done) }()
					var enough <-chan time.Time
					if killed.Load() < int64(kills) {
						enough = time.After(startUp + time.Duration(2*random.Float64()*float64(life)))
					}
					select {
					case <-done:
					case <-enough:
						cmd.Process.Kill()
						<-done
					}
					switch code := cmd.ProcessState.ExitCode(); code {
					case -1:
						killed.Add(1)
					case exitDone:
						return
					default:
						t.Errorf("writer %d ended with exit code %d:\n%s", w, code, said.String())
						return
					}
				}
			})
		}
		wg.Wait()
		return killed.Load()
	}
	// Lives are such that the kills are spread over the work. A machine that is fast after it was slow ends the work before
	// there were enough: then again, with shorter lives.
	store := ""
	for attempt := 0; ; attempt++ {
		store = fmt.Sprintf("store-%d", attempt)
		life := time.Duration(float64(whole)*writers/2/float64(kills)) >> attempt
		killed := lives(store, life)
		t.Logf("%d pictures, undisturbed in %s: %d kills, each after %s on average", pictures, whole.Round(time.Millisecond), killed, life.Round(time.Millisecond))
		if killed >= int64(kills) || t.Failed() {
			break
		}
		if attempt == 5 {
			t.Fatalf("%d kills, want %d: make the work longer", killed, kills)
		}
	}

	want, got := records(t, filepath.Join(dir, "clean")), records(t, filepath.Join(dir, store))
	if len(want) != pictures || len(got) != pictures {
		t.Errorf("%d records, and %d in the clean run, of %d pictures", len(got), len(want), pictures)
	}
	for id, c := range want {
		if got[id] != c {
			t.Errorf("%s: %+v, want %+v", id, got[id], c)
		}
	}
	if n := wholeLines(t, filepath.Join(dir, store)); n != pictures {
		t.Errorf("the journals hold %d records, want one for each of %d pictures: the others were asked again after they were saved", n, pictures)
	}
}

// serving starts a server that prints its URL and runs until the test ends.
func serving(t *testing.T, cmd *exec.Cmd) (url string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url)
}

// records are a store's captions by ID, without what differs from run to run.
func records(t *testing.T, dir string) map[string]schemas.Caption {
	t.Helper()
	s, err := caption.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := map[string]schemas.Caption{}
	for c, err := range s.Captions() {
		if err != nil {
			t.Fatal(err)
		}
		c.Time, c.LatencyMS, c.Attempts, c.Endpoint = "", 0, 0, ""
		all[c.ID] = c
	}
	for c, err := range s.Failures() {
		t.Errorf("a failure: %+v, %v", c, err)
	}
	return all
}

// wholeLines counts the lines of all journals that have their end.
func wholeLines(t *testing.T, dir string) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(b, []byte{'\n'})
	}
	return n
}
