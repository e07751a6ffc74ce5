//go:build bench

package peers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// calls are under way at a time, ours and the peer's.
const calls = 16

// TestSpeed is `make bench-caption`. In turns on the same machine: pictures are prepared and thrown away; the program
// captions them against an endpoint that answers at once, prepared and as they are; and the official Python client does
// the same work. Then the program's peak memory at several numbers of pictures. The endpoint is a process of its own on
// the same cores; what it uses of them is printed and is not taken out of any figure.
//
// It needs MCIL_BIN, the program, and MCIL_PYTHON, a Python with testdata/requirements.txt. MCIL_BENCH_PICTURES (3000) and
// MCIL_BENCH_ROUNDS (5) are the size of a round and their number, MCIL_BENCH_MEMORY (5000,30000) the numbers of pictures
// for which memory is measured; MCIL_BENCH_MILLION=1 adds a million tiny ones.
func TestSpeed(t *testing.T) {
	b := &bench{bin: os.Getenv("MCIL_BIN"), python: os.Getenv("MCIL_PYTHON"), dir: t.TempDir()}
	if b.bin == "" {
		t.Fatal("MCIL_BIN names no program: run make bench-caption")
	}
	pictures, rounds := number(t, "MCIL_BENCH_PICTURES", 3000), number(t, "MCIL_BENCH_ROUNDS", 5)
	large, small := filepath.Join(b.dir, "large.tar"), filepath.Join(b.dir, "small.tar")
	largeBytes, smallBytes := archive(t, large, photographs, pictures), archive(t, small, thumbnails, pictures)
	t.Logf("%d cores, %s; %d pictures of %.0f kB and %d of %.0f kB, %d calls at a time", runtime.NumCPU(), runtime.Version(),
		pictures, float64(largeBytes)/1e3/float64(pictures), pictures, float64(smallBytes)/1e3/float64(pictures), calls)
	original := hasFlag(t, "--send")
	if !original {
		t.Error("NOT MEASURED: --send original, a flag that the program does not have")
	}
	if b.python == "" {
		t.Error("NOT MEASURED: the Python client: MCIL_PYTHON names no Python")
	}
	b.endpoint = startEndpoint(t)

	work := []measured{
		{name: "preparing alone", run: func() result { return b.alone(t, large) }},
		{name: "mcil caption", run: func() result { return b.program(t, large, pictures) }},
	}
	if original {
		work = append(work,
			measured{name: "mcil caption --send original, large", run: func() result { return b.program(t, large, pictures, "--send", "original") }},
			measured{name: "mcil caption --send original, small", run: func() result { return b.program(t, small, pictures, "--send", "original") }})
	}
	if b.python != "" {
		work = append(work,
			measured{name: "Python openai", run: func() result { return b.peer(t, large, pictures) }},
			measured{name: "Python openai, original, large", run: func() result { return b.peer(t, large, pictures, "--original") }},
			measured{name: "Python openai, original, small", run: func() result { return b.peer(t, small, pictures, "--original") }})
	}
	for round := range rounds {
		var line []string
		for i := range work {
			r := work[i].run()
			work[i].results = append(work[i].results, r)
			line = append(line, fmt.Sprintf("%s %.0f/s", work[i].name, r.rate()))
		}
		t.Logf("round %d: %s", round+1, strings.Join(line, "; "))
	}
	t.Log("medians:")
	named := map[string]measured{}
	for _, w := range work {
		named[w.name] = w
		t.Logf("%-35s %5.0f pictures/s, %5.2f ms CPU a picture and %4.2f ms of the endpoint, %5.1f kB sent for one, peak memory %3.0f MB", w.name,
			w.median(result.rate), w.median(result.cpuMS), w.median(result.endpointMS), w.median(result.sentKB), w.median(result.memoryMB))
	}
	compare(t, named, "mcil caption", "preparing alone", 0.85)
	compare(t, named, "mcil caption", "Python openai", 0)
	compare(t, named, "mcil caption --send original, large", "Python openai, original, large", 0)
	compare(t, named, "mcil caption --send original, small", "Python openai, original, small", 0)
	for _, name := range []string{"mcil caption --send original, large", "mcil caption --send original, small"} {
		if w, ok := named[name]; ok {
			t.Logf("%s: %.0f pictures/s, target 1500 on 2 cores: %s", name, w.median(result.rate), met(w.median(result.rate) >= 1500))
		}
	}
	for _, name := range []string{large, small} { // room for the next
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	b.memory(t, original)
}

// memory measures the program's peak at several numbers of pictures.
func (b *bench) memory(t *testing.T, original bool) {
	type size struct {
		pictures int
		kind     string
		sends    []string
	}
	sends := []string{"prepared"}
	if original {
		sends = append(sends, "original")
	}
	var sizes []size
	for _, s := range strings.Split(setting("MCIL_BENCH_MEMORY", "5000,30000"), ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("MCIL_BENCH_MEMORY: %v", err)
		}
		sizes = append(sizes, size{n, photographs, sends})
	}
	if os.Getenv("MCIL_BENCH_MILLION") != "" {
		sizes = append(sizes, size{number(t, "MCIL_BENCH_MILLION_PICTURES", 1_000_000), specks, sends[len(sends)-1:]})
	}
	for _, s := range sizes {
		name := filepath.Join(b.dir, "memory.tar")
		bytes := archive(t, name, s.kind, s.pictures)
		for _, send := range s.sends {
			var flags []string
			if original {
				flags = []string{"--send", send}
			}
			r := b.program(t, name, s.pictures, flags...)
			t.Logf("%d pictures of %.1f kB, %s: %.0f pictures/s, peak memory %.0f MB, target 300: %s", s.pictures, float64(bytes)/1e3/float64(s.pictures),
				send, r.rate(), r.memoryMB(), met(r.memoryMB() < 300))
			if r.memoryMB() >= 300 {
				t.Errorf("peak memory %.0f MB, want below 300", r.memoryMB())
			}
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// result is one run of something over so many pictures.
type result struct {
	pictures    int
	wall        time.Duration
	cpu         time.Duration // of the process and its children
	endpointCPU time.Duration
	sentBytes   int64 // of the requests' bodies
	peakBytes   int64 // of the largest process
}

func (r result) rate() float64       { return float64(r.pictures) / r.wall.Seconds() }
func (r result) cpuMS() float64      { return r.cpu.Seconds() * 1000 / float64(r.pictures) }
func (r result) endpointMS() float64 { return r.endpointCPU.Seconds() * 1000 / float64(r.pictures) }
func (r result) sentKB() float64     { return float64(r.sentBytes) / 1e3 / float64(r.pictures) }
func (r result) memoryMB() float64   { return float64(r.peakBytes) / 1e6 }

type measured struct {
	name    string
	run     func() result
	results []result
}

func (m measured) median(of func(result) float64) float64 {
	var all []float64
	for _, r := range m.results {
		all = append(all, of(r))
	}
	return median(all)
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// compare prints how much faster ours is than theirs, round by round, by the clock and by the time on the cores, which other
// work on the machine disturbs less. Where target is not 0 it is the least ratio by the clock.
func compare(t *testing.T, named map[string]measured, ours, theirs string, target float64) {
	t.Helper()
	a, b := named[ours], named[theirs]
	if len(a.results) == 0 || len(b.results) == 0 {
		return
	}
	var clock, cores []float64
	for i := range a.results {
		clock = append(clock, a.results[i].rate()/b.results[i].rate())
		cores = append(cores, b.results[i].cpuMS()/a.results[i].cpuMS())
	}
	note := ""
	if target > 0 {
		note = fmt.Sprintf(", target %.2f: %s", target, met(median(clock) >= target))
	}
	t.Logf("%s / %s: %.2f (%.2f to %.2f) by the clock%s; %.2f (%.2f to %.2f) by CPU time without the endpoint's", ours, theirs,
		median(clock), slices.Min(clock), slices.Max(clock), note, median(cores), slices.Min(cores), slices.Max(cores))
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "MISSED"
}

type bench struct {
	bin, python, dir string
	endpoint         *endpoint
	runs             int
}

// alone is what preparing the pictures reaches by itself.
func (b *bench) alone(t *testing.T, tar string) result {
	t.Helper()
	r, peak := prepareAlone(t, tar)
	return result{pictures: r.Pictures, wall: seconds(r.Seconds), cpu: seconds(r.CPUSeconds), peakBytes: peak}
}

// program is a whole run of the program, from its start to its end, into a new store. Every picture must be asked for once.
func (b *bench) program(t *testing.T, tar string, pictures int, flags ...string) result {
	t.Helper()
	b.runs++
	out := filepath.Join(b.dir, fmt.Sprintf("captions%d", b.runs))
	args := append([]string{"caption", "--source", "imagenet-r:" + tar, "--out", out, "--endpoint", b.endpoint.url + "/v1", "--model", benchModel,
		"--workers", strconv.Itoa(calls), "--json"}, flags...)
	r, stdout := b.timed(t, pictures, exec.Command(b.bin, args...))
	var counts struct{ Total, Asked, Failed int }
	if err := json.Unmarshal(stdout, &counts); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	if counts.Total != pictures || counts.Asked != pictures || counts.Failed != 0 {
		t.Fatalf("%v: %+v, want %d asked", args, counts, pictures)
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	return r
}

// peer is the Python client's run. Its wall time does not count starting Python and importing what it uses.
func (b *bench) peer(t *testing.T, tar string, pictures int, flags ...string) result {
	t.Helper()
	out := filepath.Join(b.dir, "peer.jsonl")
	r, stdout := b.timed(t, pictures, exec.Command(b.python, append([]string{"testdata/client.py", tar, b.endpoint.url + "/v1", benchModel, strconv.Itoa(calls), out}, flags...)...))
	var told report
	if err := json.Unmarshal(stdout, &told); err != nil {
		t.Fatalf("client.py: %v\n%s", err, stdout)
	}
	if told.Pictures != pictures {
		t.Fatalf("client.py: %d pictures, want %d", told.Pictures, pictures)
	}
	r.wall = seconds(told.Seconds)
	return r
}

// timed runs a program that asks the endpoint once for each picture.
func (b *bench) timed(t *testing.T, pictures int, cmd *exec.Cmd) (result, []byte) {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "OPENAI_API_KEY=sk-none", "NO_PROXY=127.0.0.1")
	before, began := b.endpoint.stats(t), time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	after := b.endpoint.stats(t)
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	if asked := after.Requests - before.Requests; asked != int64(pictures) {
		t.Fatalf("%s: %d requests for %d pictures", cmd, asked, pictures)
	}
	return result{
		pictures: pictures, wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		endpointCPU: seconds(after.CPUSeconds - before.CPUSeconds), sentBytes: after.Bytes - before.Bytes, peakBytes: peakOf(cmd),
	}, []byte(stdout.String())
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// setting is an environment variable or its default.
func setting(name, otherwise string) string {
	if s := os.Getenv(name); s != "" {
		return s
	}
	return otherwise
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(setting(name, strconv.Itoa(otherwise)))
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: choose 1 or more", name, os.Getenv(name))
	}
	return n
}
