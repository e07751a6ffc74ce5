//go:build parity

package dataset_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestParityProcessor compares 500 pictures of many kinds with transformers' ViltImageProcessorPil: at most a level apart,
// and 99.9 % of the values equal, of each kind.
func TestParityProcessor(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), python(t), "testdata/parity_processor.py", dir, "500").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	index, err := os.Open(filepath.Join(dir, "index.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	type tally struct{ pictures, values, equal, most int }
	kinds := map[string]tally{}
	for lines := json.NewDecoder(index); ; {
		var line struct {
			File, Kind string
			W, H       int
		}
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		encoded, err := os.ReadFile(filepath.Join(dir, line.File))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, line.File+".rgb"))
		if err != nil {
			t.Fatal(err)
		}
		gridH, gridW, pixels, err := vilt.Patches(encoded)
		if err != nil || gridW*32 != line.W || gridH*32 != line.H || len(pixels) != len(want) {
			t.Errorf("%s (%s): grid %d by %d, %v, want %d by %d pixels", line.File, line.Kind, gridW, gridH, err, line.W, line.H)
			continue
		}
		k := kinds[line.Kind]
		k.pictures++
		for i, v := range pixels {
			x, y, c, n := i%32, i/32%32, i/1024%3, i/3072
			ref := want[(c*line.H+n/gridW*32+y)*line.W+n%gridW*32+x]
			k.values++
			if v == ref {
				k.equal++
			}
			k.most = max(k.most, int(v)-int(ref), int(ref)-int(v))
		}
		kinds[line.Kind] = k
	}
	sum := 0
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[name]
		sum += k.pictures
		t.Logf("%-16s %3d pictures, %d values, %.4f %% equal, at most %d apart", name, k.pictures, k.values, 100*float64(k.equal)/float64(k.values), k.most)
		if k.most > 1 || float64(k.equal) < 0.999*float64(k.values) {
			t.Errorf("%s: too far from the reference", name)
		}
	}
	if sum != 500 {
		t.Errorf("%d pictures", sum)
	}
}
