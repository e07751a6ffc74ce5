package train

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// TestTuneFromBlock: a run whose first blocks are not tuned ends the same wherever their outputs are kept, however often it
// is stopped, and leaves no cache of its own; settings and the digest have the block.
func TestTuneFromBlock(t *testing.T) {
	o := testRun(t)
	o.TuneFromBlock = 1
	whole := timeless(mustRun(t, o))
	checkReport(t, whole)
	gone := func(dir string) {
		t.Helper()
		for _, name := range []string{prefixFolder, prefixFolder + removedPhase} {
			if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	gone(o.Out)
	same := func(what string, r schemas.Report, dir string) {
		t.Helper()
		if !reflect.DeepEqual(timeless(r), whole) {
			t.Errorf("%s: another report", what)
		}
		for _, name := range []string{"run.json", "gallery.json", "phase-02/tuner.safetensors", "phase-02/memory.arrow"} {
			x, errX := os.ReadFile(filepath.Join(dir, name))
			y, errY := os.ReadFile(filepath.Join(o.Out, name))
			if err := errors.Join(errX, errY); err != nil || !bytes.Equal(x, y) {
				t.Errorf("%s: %s differs (%v)", what, name, err)
			}
		}
	}

	given := o
	given.Out, given.Pictures.Dir = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "cache")
	same("a cache that is given", mustRun(t, given), given.Out)
	if _, err := os.Stat(filepath.Join(given.Pictures.Dir, "CACHEDIR.TAG")); err != nil {
		t.Error(err)
	}
	again := given
	again.Out = filepath.Join(t.TempDir(), "run")
	var said []string
	again.Progress = func(e Event) { said = append(said, e.Stage) }
	same("one of another run", mustRun(t, again), again.Out)
	if all := strings.Join(said, "\n"); !strings.Contains(all, "block 0: 0 outputs computed, ") {
		t.Errorf("it said %s", all)
	}

	stopped := o
	stopped.Out, stopped.Pictures.Bytes = filepath.Join(t.TempDir(), "run"), 3*4096
	stopAt(t, stopped, "phase 2 of 3: learn")
	if _, err := os.Stat(filepath.Join(stopped.Out, prefixFolder, "total")); err != nil {
		t.Errorf("no cache in the run: %v", err)
	}
	stopAt(t, stopped, "phase 3 of 3: test")
	same("stopped twice", mustRun(t, stopped), stopped.Out)
	gone(stopped.Out)

	// killed while its cache was being deleted
	for _, name := range []string{"report.json", "gallery.json"} {
		if err := os.Remove(filepath.Join(stopped.Out, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{prefixFolder, prefixFolder + removedPhase} {
		if err := os.MkdirAll(filepath.Join(stopped.Out, name, "1b"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	same("stopped at the end", mustRun(t, stopped), stopped.Out)
	gone(stopped.Out)

	other := o
	other.TuneFromBlock = 0
	if _, err := Run(t.Context(), other); !errors.Is(err, schemas.ErrRefused) || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("all blocks in the same folder: %v", err)
	}
	var settings schemas.Run
	if err := schemas.ReadJSON(filepath.Join(o.Out, "run.json"), schemas.RunHeader, &settings); err != nil || settings.Settings["tune_from_block"] != 1.0 {
		t.Errorf("settings %v (%v)", settings.Settings, err)
	}
}

// TestPrefixMakesRoom: the run's own cache, where it is full, is emptied after a phase, so that the next one has the room; and
// what is changed at random at each step takes none.
func TestPrefixMakesRoom(t *testing.T) {
	entries := func(o Options) (byPhase [][]string) {
		t.Helper()
		o.TuneFromBlock = 1
		last := ""
		o.Progress = func(e Event) {
			if stage, _, ok := strings.Cut(e.Stage, ": test"); ok && stage != last {
				last = stage
				found, err := filepath.Glob(filepath.Join(o.Out, prefixFolder, "*", "*.entry"))
				if err != nil {
					t.Error(err)
				}
				byPhase = append(byPhase, found)
			}
		}
		mustRun(t, o)
		return byPhase
	}
	small := testRun(t)
	small.Pictures.Bytes = 4 * 4096
	byPhase := entries(small)
	if len(byPhase) != 3 {
		t.Fatalf("%d phases", len(byPhase))
	}
	for i, found := range byPhase {
		if len(found) == 0 {
			t.Errorf("phase %d: nothing was kept", i+1)
		}
		for _, path := range found {
			if i > 0 && slices.Contains(byPhase[i-1], path) {
				t.Errorf("phase %d: %s is there from the phase before", i+1, path)
			}
		}
	}
	all := methodRun(t, "joint") // whose later phases read the same rows
	all.Pictures.Bytes = small.Pictures.Bytes
	byPhase = entries(all)
	for _, path := range byPhase[0] {
		if !slices.Contains(byPhase[2], path) {
			t.Errorf("joint: %s is gone", path)
		}
	}
	// whole pictures alone, which herding asks for, and the test rows
	whole, changed := testRun(t), testRun(t)
	whole.Memory.Repair, changed.Memory.Repair = -1, -1
	changed.Learning.Augment, changed.Learning.MaskNew = "jitter", 0.3
	kept, keptChanged := entries(whole), entries(changed)
	if n := len(keptChanged[0]); n == 0 || n != len(kept[0]) {
		t.Errorf("%d entries after the first phase, and %d where steps change what they see", len(kept[0]), n)
	}
}

// TestTuneFromBlockRefused: before anything is written.
func TestTuneFromBlockRefused(t *testing.T) {
	for _, block := range []int{-1, 2, 12} {
		o := testRun(t)
		o.TuneFromBlock = block
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "tune-from-block: ") {
			t.Errorf("block %d: %v", block, err)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("block %d: a run was begun", block)
		}
	}
	o := testRun(t)
	o.Pictures.Bytes = 4096
	if err := o.Validate(); !errors.Is(err, ErrOptions) {
		t.Errorf("a size without a folder or a block: %v", err)
	}
	if o.TuneFromBlock = 1; o.Validate() != nil {
		t.Errorf("a size of the run's own cache: %v", o.Validate())
	}
	if o.Pictures.Bytes = -1; !errors.Is(o.Validate(), ErrOptions) {
		t.Error("a size below 0")
	}
}
