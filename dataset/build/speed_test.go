//go:build bench

package build_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
)

// TestSpeed is `make bench-dataset`: a tar of the size of ImageNet-R is built by the program, in three layouts with its
// peak memory, then as hf alone against cp of the same bytes, round after round; then rows are read at random. It needs
// MCIL_BIN, the program; MCIL_PYTHON, a Python with datasets and pyarrow, is optional.
func TestSpeed(t *testing.T) {
	bin := os.Getenv("MCIL_BIN")
	if bin == "" {
		t.Fatal("MCIL_BIN names no program: run make bench-dataset")
	}
	dir := t.TempDir()
	archive, captions := filepath.Join(dir, "big.tar"), filepath.Join(dir, "captions.csv")
	bytes := bigTar(t, archive, captions)
	t.Logf("%d pictures, %.2f GB", bigPictures, float64(bytes)/1e9)
	args := func(out, layouts string) []string {
		return []string{"build", "--source", "imagenet-r:" + archive, "--captions", captions, "--out", out, "--layout", layouts}
	}
	all := filepath.Join(dir, "all")
	took, rss := runProgram(t, bin, args(all, "hf,vilt,hub"))
	t.Logf("three layouts: %.1f s, peak memory %d MB", took.Seconds(), rss>>20)
	if rss >= 400<<20 {
		t.Errorf("peak memory %d MB, want below 400", rss>>20)
	}
	copied, out := filepath.Join(dir, "copy.tar"), filepath.Join(dir, "hf")
	yardsticks := []struct {
		name string
		cmds [][]string // one after the other
	}{
		{"cp", [][]string{{"cp", archive, copied}}},
		{"cp and sync", [][]string{{"cp", archive, copied}, {"sync", copied}}}, // the program syncs what it writes
	}
	var builds []float64
	times, ratios := make([][]float64, len(yardsticks)), make([][]float64, len(yardsticks))
	for round := range 5 {
		touchMemory(t, archive, copied)
		building, rss := runProgram(t, bin, args(out, "hf"))
		builds = append(builds, building.Seconds())
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("round %d: hf %.2f s, peak memory %d MB", round+1, building.Seconds(), rss>>20)
		for i, y := range yardsticks {
			touchMemory(t, archive, copied)
			var sum time.Duration
			for _, cmd := range y.cmds {
				took, _ := runProgram(t, cmd[0], cmd[1:])
				sum += took
			}
			times[i], ratios[i] = append(times[i], sum.Seconds()), append(ratios[i], sum.Seconds()/building.Seconds())
			line += fmt.Sprintf("; %s %.2f s", y.name, sum.Seconds())
			if err := os.Remove(copied); err != nil {
				t.Fatal(err)
			}
		}
		t.Log(line)
	}
	for i, y := range yardsticks {
		t.Logf("median: %s %.2f s (%.0f MB/s), hf %.2f s (%.0f MB/s); its speed is %.2f of %s's (%.2f to %.2f)", y.name, median(times[i]), float64(bytes)/1e6/median(times[i]),
			median(builds), float64(bytes)/1e6/median(builds), median(ratios[i]), y.name, slices.Min(ratios[i]), slices.Max(ratios[i]))
	}
	randomReads(t, all) // last: what is mapped here would count as memory of a process that is started here
}

// touchMemory copies a file and removes the copy, so that the page cache's memory is at hand for what is timed next: a virtual
// machine may have given it back, and then a cp takes eight times as long.
func touchMemory(t *testing.T, from, to string) {
	t.Helper()
	runProgram(t, "cp", []string{from, to})
	if err := os.Remove(to); err != nil {
		t.Fatal(err)
	}
}

func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// runProgram runs a program to its end, and tells how long it took and how much memory it had at most.
func runProgram(t *testing.T, name string, args []string) (took time.Duration, peakBytes int64) {
	t.Helper()
	cmd := exec.Command(name, args...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return time.Since(start), int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10
}

const bigPictures = 30_000

// bigTar writes an archive in ImageNet-R's layout: 200 classes of 150 pictures, of about 75 kB as there, and a caption of
// fifty words for each. Pictures repeat, but each has a comment of its own.
func bigTar(t *testing.T, archive, captions string) (size int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var bodies [][]byte
	for i := range 40 {
		bodies = append(bodies, noise(t, rng, 230+5*i))
	}
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := os.Create(captions)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buffered, texts := bufio.NewWriterSize(f, 1<<20), bufio.NewWriter(c)
	fmt.Fprintln(texts, "path,caption")
	w := tar.NewWriter(buffered)
	for i := range bigPictures {
		id := fmt.Sprintf("n%08d/sketch_%d.jpg", 1_000_000+i/150, i%150)
		comment := fmt.Sprintf("picture %d", i)
		body := binary.BigEndian.AppendUint16([]byte{0xFF, 0xD8, 0xFF, 0xFE}, uint16(2+len(comment)))
		body = append(append(body, comment...), bodies[i%len(bodies)][2:]...)
		if err := w.WriteHeader(&tar.Header{Name: "imagenet-r/" + id, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(texts, id, ",")
		for range 50 {
			fmt.Fprintf(texts, "word%d ", rng.IntN(8000))
		}
		fmt.Fprintln(texts)
	}
	for _, err := range []error{w.Close(), buffered.Flush(), texts.Flush(), f.Sync()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// noise is a JPEG that does not compress well, of side by side pixels.
func noise(t *testing.T, rng *rand.Rand, side int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// randomReads compares reading rows at random, every byte of the picture included, with the programs in Python.
func randomReads(t *testing.T, dir string) {
	t.Helper()
	rates := map[string]float64{}
	for _, kind := range []layout.Kind{layout.HF, layout.ViLT, layout.Hub} {
		d, err := layout.Open(filepath.Join(dir, string(kind)))
		if err != nil {
			t.Fatal(err)
		}
		rows, rng := d.Splits[dataset.Train], rand.New(rand.NewPCG(3, 4))
		n := 20_000
		if kind == layout.Hub { // a row costs its row group
			n = 500
		}
		var runs []float64
		buf := []byte(nil)
		for range 3 {
			start := time.Now()
			for range n {
				row, err := rows.Row(rng.IntN(rows.Len()))
				if err != nil {
					t.Fatal(err)
				}
				buf = append(buf[:0], row.Image...) // as a Python reader does: the bytes are its own
			}
			runs = append(runs, float64(n)/time.Since(start).Seconds())
		}
		rates[string(kind)] = median(runs)
		t.Logf("random rows, mcil on %s: %.0f a second", kind, median(runs))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	python := os.Getenv("MCIL_PYTHON")
	if python == "" {
		t.Log("MCIL_PYTHON is not set: datasets and pyarrow are not measured")
		return
	}
	out, err := exec.Command(python, "testdata/random_reads.py", dir).Output()
	if err != nil {
		t.Fatalf("random_reads.py: %v %s", err, err.(*exec.ExitError).Stderr)
	}
	var peers map[string]float64
	if err := json.Unmarshal(out, &peers); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		ours := rates[strings.Fields(name)[2]]
		t.Logf("random rows, %s: %.0f a second; mcil reads %.1f times as many", name, peers[name], ours/peers[name])
	}
}
