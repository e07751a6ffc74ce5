package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// checkReport holds a report to itself and to the phases of [testRun].
func checkReport(t *testing.T, r schemas.Report) {
	t.Helper()
	seen := []int{3, 4, 5}
	if len(r.Phases) != 3 || len(r.AccuracyMatrix) != 3 || len(r.Classes) != testClasses {
		t.Fatalf("%d phases, %d rows, %d classes", len(r.Phases), len(r.AccuracyMatrix), len(r.Classes))
	}
	sizes := []float64{3, 1, 1} // classes; test rows are alike
	var pooledSum float64
	for i, p := range r.Phases {
		if p.Phase != i || p.Classes != seen[i] || len(r.AccuracyMatrix[i]) != i+1 {
			t.Errorf("phase %d: number %d, %d classes, %d accuracies", i, p.Phase, p.Classes, len(r.AccuracyMatrix[i]))
		}
		var right float64
		for k, a := range r.AccuracyMatrix[i] {
			right += a * sizes[k]
		}
		near(t, fmt.Sprintf("phase %d: pooled accuracy", i), p.Accuracy, right/float64(seen[i]))
		if hits := p.Accuracy * float64(testTest*seen[i]); math.Abs(hits-math.Round(hits)) > 1e-9 {
			t.Errorf("phase %d: accuracy %g is not of %d rows", i, p.Accuracy, testTest*seen[i])
		}
		if p.MemoryUsedBytes > p.MemoryBudgetBytes {
			t.Errorf("phase %d: %d bytes of %d", i, p.MemoryUsedBytes, p.MemoryBudgetBytes)
		}
		pooledSum += p.Accuracy
	}
	near(t, "average accuracy", r.AverageAccuracy, pooledSum/3)
	near(t, "last accuracy", r.LastAccuracy, r.Phases[2].Accuracy)
	near(t, "macro average", r.MacroAverageAccuracy, Matrix(r.AccuracyMatrix).MacroAverage())
	near(t, "forgetting", r.Forgetting, Matrix(r.AccuracyMatrix).Forgetting())
	for i, c := range r.Classes {
		if want := max(0, i-2); c.Phase != want {
			t.Errorf("class %d (%s) is of phase %d, not %d", i, c.Name, c.Phase, want)
		}
	}
}

// samplesPerEpoch reads a run's log: for each phase, how many samples each epoch had.
func samplesPerEpoch(t *testing.T, dir string) map[int][]int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	epochs := map[int][]int{}
	for line := range bytes.Lines(b) {
		var l struct {
			Phase, Epoch, Samples int
			Loss                  float64
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Epoch != len(epochs[l.Phase]) || l.Loss <= 0 {
			t.Errorf("the log has %s after %d epochs", line, len(epochs[l.Phase]))
		}
		epochs[l.Phase] = append(epochs[l.Phase], l.Samples)
	}
	return epochs
}

func TestRunKinds(t *testing.T) {
	reports := map[string]schemas.Report{}
	for _, kind := range []string{"none", "raw", "masked"} {
		o := testRun(t)
		o.Memory.Exemplars = kind
		if kind == "none" {
			o.Memory.Budget = 0
		}
		r := mustRun(t, o)
		checkReport(t, r)
		reports[kind] = r
		held := 0 // exemplars after the phase before
		for i, p := range r.Phases {
			for _, samples := range samplesPerEpoch(t, o.Out)[i] {
				if want := testTrain*[]int{3, 1, 1}[i] + held; samples != want {
					t.Errorf("%s, phase %d: an epoch has %d samples, not %d of new classes and memory", kind, i, samples, want)
				}
			}
			file := filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "memory.arrow")
			exemplars, err := schemas.ReadExemplars(file)
			if err != nil {
				t.Fatal(err)
			}
			var used int64
			for _, e := range exemplars {
				used += memory.CostOf(e).StoredBytes
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if used != p.MemoryUsedBytes || info.Size() < used || info.Size() > used+8<<10+200*int64(len(exemplars)) {
				t.Errorf("%s, phase %d: memory.arrow holds %d bytes in %d, the report says %d", kind, i, used, info.Size(), p.MemoryUsedBytes)
			}
			held = len(exemplars)
			near(t, kind+": exemplars a class", p.ExemplarsPerClass, float64(len(exemplars))/float64(p.Classes))
		}
	}
	none, raw, masked := reports["none"], reports["raw"], reports["masked"]
	for i := range 3 {
		n, r, m := none.Phases[i], raw.Phases[i], masked.Phases[i]
		if n.ExemplarsPerClass != 0 || n.MemoryUsedBytes != 0 || n.MemoryBudgetBytes != 0 || n.NMEAccuracy != 0 || n.StoredFraction != 0 {
			t.Errorf("phase %d: without exemplars: %+v", i, n)
		}
		// two samples are worth about two whole examples, the same for every kind whatever it has learned
		if r.ExemplarsPerClass < 1.5 || r.ExemplarsPerClass > 2.5 || slices.Min(r.ClassExemplars) < 1 || r.MemoryBudgetBytes != m.MemoryBudgetBytes || r.StoredFraction != 1 || r.TokenFraction != 1 || r.PixelFraction != 1 {
			t.Errorf("phase %d: raw: %+v", i, r)
		}
		if m.ExemplarsPerClass <= r.ExemplarsPerClass || m.MemoryBudgetBytes == 0 || m.StoredFraction <= 0 || m.StoredFraction >= 1 {
			t.Errorf("phase %d: masked: %+v", i, m)
		}
	}
	if masked.Gallery != "gallery.json" || raw.Gallery != "" || none.Gallery != "" {
		t.Errorf("galleries: %q, %q, %q", masked.Gallery, raw.Gallery, none.Gallery)
	}
	// before there is a memory, exemplars make no difference
	if !reflect.DeepEqual(none.AccuracyMatrix[0], raw.AccuracyMatrix[0]) || !reflect.DeepEqual(raw.AccuracyMatrix[0], masked.AccuracyMatrix[0]) {
		t.Error("the first phase depends on the kind of exemplars")
	}
}

// TestRunInBytes: the budget in bytes is shared by all classes seen, old classes keep a prefix of what they had, and a class
// that takes less than its even share leaves the rest to the others.
func TestRunInBytes(t *testing.T) {
	o := testRun(t)
	o.Memory.Budget, o.Memory.BudgetBytes = 0, 60_000
	r := mustRun(t, o)
	checkReport(t, r)
	before := map[int][]string{}
	for i, p := range r.Phases {
		if p.MemoryBudgetBytes > 60_000 || p.MemoryBudgetBytes <= 60_000-int64(p.Classes) { // shares are whole bytes
			t.Errorf("phase %d: the budget is %d, not 60000", i, p.MemoryBudgetBytes)
		}
		var checkpoint schemas.Checkpoint
		if err := schemas.ReadJSON(filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "phase.json"), schemas.PhaseHeader, &checkpoint); err != nil {
			t.Fatal(err)
		}
		exemplars, err := schemas.ReadExemplars(filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "memory.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		now, used := map[int][]string{}, map[int]int64{}
		for _, e := range exemplars {
			now[e.Label] = append(now[e.Label], e.ID)
			used[e.Label] += memory.CostOf(e).StoredBytes
			if wnid := dataset.ID(e.ID).WNID(); r.Classes[e.Label].WNID != wnid {
				t.Errorf("phase %d: %s is stored as class %d, %s", i, e.ID, e.Label, r.Classes[e.Label].WNID)
			}
		}
		even := 60_000 / int64(p.Classes)
		for label := range p.Classes {
			budget := checkpoint.Budgets[label]
			if used[label] > budget || p.ClassExemplars[label] != len(now[label]) {
				t.Errorf("phase %d: class %d has %d bytes of %d", i, label, used[label], budget)
			}
			if budget < even && (used[label] < budget || before[label] != nil && len(now[label]) < len(before[label])) {
				t.Errorf("phase %d: class %d has less than its even share, and asked for more", i, label)
			}
			if old := before[label]; len(now[label]) > len(old) && old != nil || !slices.Equal(now[label], old[:min(len(old), len(now[label]))]) && old != nil {
				t.Errorf("phase %d: class %d holds %v, before %v", i, label, now[label], old)
			}
		}
		before = now
	}
	if len(before[0]) == 0 || len(before[0]) == testTrain {
		t.Errorf("the budget binds nothing: class 0 holds %d", len(before[0]))
	}
}

// TestRunWithoutRoom: a budget that holds no exemplar leaves the memory empty and the run sound.
func TestRunWithoutRoom(t *testing.T) {
	o := testRun(t)
	o.Memory.Budget = 0.01
	r := mustRun(t, o)
	checkReport(t, r)
	for i, p := range r.Phases {
		if p.ExemplarsPerClass != 0 || p.NMEAccuracy != 0 || p.MemoryUsedBytes != 0 || p.MemoryBudgetBytes == 0 {
			t.Errorf("phase %d: %+v", i, p)
		}
	}
}

func TestRunIsLeftAloneRefusedAndForced(t *testing.T) {
	o := testRun(t)
	o.Phases, o.Schedule.Epochs = 2, 1
	first := mustRun(t, o)
	file := filepath.Join(o.Out, "report.json")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	o.Progress = func(Event) { events++ }
	if again := mustRun(t, o); !reflect.DeepEqual(again, first) || events > 0 {
		t.Errorf("a finished run was touched: %d events", events)
	}
	if after, err := os.Stat(file); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the report was written again (%v)", err)
	}
	other := o
	other.Seed = 2
	if _, err := Run(t.Context(), other); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("another seed: %v", err)
	}
	keep := filepath.Join(o.Out, "notes.txt")
	if err := os.WriteFile(keep, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	other.Force, other.Phases = true, 1
	forced := mustRun(t, other)
	if forced.Seed != 2 || len(forced.Phases) != 1 || events == 0 {
		t.Errorf("forced: seed %d, %d phases, %d events", forced.Seed, len(forced.Phases), events)
	}
	if _, err := os.Stat(filepath.Join(o.Out, "phase-01")); err == nil {
		t.Error("force left a phase of the old run")
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("force took away what is not a run's: %v", err)
	}
}

// TestResume stops a run at every kind of moment, in one go: after phase 1; in the middle of phase 2 and with half a
// folder of it left by a kill; while phase 3 is tested; and before the report is written.
func TestResume(t *testing.T) {
	whole := mustWholeRun(t)
	o := testRun(t)
	stopAt(t, o, "phase 2 of 3: learn")
	if _, err := os.Stat(filepath.Join(o.Out, "phase-00", "phase.json")); err != nil {
		t.Fatalf("phase 1 was not saved: %v", err)
	}
	stopAt(t, o, "phase 2 of 3: remember")
	partial := filepath.Join(o.Out, "phase-01.partial")
	if err := os.MkdirAll(partial, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(partial, "tuner.safetensors"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	stopAt(t, o, "phase 3 of 3: test")
	mustRun(t, o)
	sameRun(t, o.Out, whole)
	for _, name := range []string{"report.json", "gallery.json"} {
		if err := os.Remove(filepath.Join(o.Out, name)); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, o)
	sameRun(t, o.Out, whole)
}

// TestRemoveRun: at no moment of its removal does a run look finished, or like one that lacks a phase before another.
func TestRemoveRun(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"run.json", "report.json", "gallery.json", "log.jsonl", "halfway.safetensors", "phase-00/phase.json", "phase-99/phase.json", "phase-100/phase.json", "prefix/total", "phase-notes.txt"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	order, err := runFiles(dir)
	if want := []string{"report.json", "gallery.json", "halfway.safetensors", "phase-100", "phase-99", "phase-00", "prefix", "log.jsonl"}; err != nil || !slices.Equal(order, want) {
		t.Errorf("in the order %v, not %v (%v)", order, want, err)
	}
	for _, name := range []string{"phase-101.removed", "prefix.removed"} { // left by a removal that was killed
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeRun(dir); err != nil {
		t.Fatal(err)
	}
	left, err := fs.Glob(os.DirFS(dir), "*")
	if want := []string{"phase-notes.txt", "run.json"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("it left %v, not %v (%v)", left, want, err)
	}
}

// TestLogIsWrittenAsItGoes: an epoch's line is in the file once the next epoch has begun.
func TestLogIsWrittenAsItGoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.jsonl")
	log, err := newLog(file, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	log.peak = 2e9
	log.step(method.Step{Epoch: 0, Loss: 2, Samples: 1, Tokens: 10, FLOP: 5e6, Waited: time.Second, Took: 2 * time.Second})
	log.step(method.Step{Epoch: 0, Loss: 1, Samples: 3, Tokens: 30, FLOP: 7e6, Waited: time.Second / 2, Took: time.Second})
	log.step(method.Step{Epoch: 1, Loss: 1, Samples: 4})
	want := fmt.Sprintf(`{"epoch":0,"flop":12000000,"loss":1.25,"peak_flop_per_second":2000000000,"phase":3,"samples":4,"seconds":4.5,"threads":%d,"tokens":40,"wait_seconds":1.5}`,
		runtime.GOMAXPROCS(0)) + "\n"
	if b, err := os.ReadFile(file); err != nil || string(b) != want {
		t.Errorf("the log is %q (%v)", b, err)
	}
	if err := log.close(); err != nil {
		t.Error(err)
	}
}

func TestResumeRefusesDamage(t *testing.T) {
	o := testRun(t)
	stopAt(t, o, "phase 2 of 3: learn")
	file := filepath.Join(o.Out, "phase-00", "tuner.safetensors")
	if err := vilt.WriteSafetensors(file, []*vilt.Tensor{{Name: "head.bias", Shape: []int{1}, Data: []float32{0}}}, schemas.TunerHeader.Metadata()); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "phase-00") {
		t.Errorf("a checkpoint of another shape: %v", err)
	}
	file = filepath.Join(o.Out, "phase-00", "memory.arrow")
	exemplars, err := schemas.ReadExemplars(file)
	if err != nil {
		t.Fatal(err)
	}
	exemplars[1].Tokens[0] = 65_000 // beyond the vocabulary
	if err := schemas.WriteExemplars(file, exemplars); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "does not fit the encoder") {
		t.Errorf("a memory of another vocabulary: %v", err)
	}
}

// TestWorkersAndFolders: neither the number of workers, the memory for pictures, nor where data and weights lie matters.
func TestWorkersAndFolders(t *testing.T) {
	many := testRun(t)
	many.Schedule.Workers, many.CacheBytes = 4, 1
	mustRun(t, many)
	sameRun(t, many.Out, mustWholeRun(t))
}

// TestTestRowsAreNotRead takes the test rows away once everything is prepared: a phase learns and fills its memory as ever
// and fails only when it comes to be evaluated.
func TestTestRowsAreNotRead(t *testing.T) {
	whole := mustWholeRun(t)
	r := &run{o: testRun(t).WithDefaults()}
	r.o.Schedule = r.o.Schedule.WithDefaults()
	defer r.close()
	digest, err := r.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.claim(digest); err != nil {
		t.Fatal(err)
	}
	test := r.data.Splits[dataset.Test]
	r.data.Splits[dataset.Test] = &datasettest.Rows{}
	if err := r.phase(t.Context(), 0); err == nil || !strings.HasPrefix(err.Error(), "evaluate: no test rows") {
		t.Fatalf("a phase without test rows: %v", err)
	}
	r.data.Splits[dataset.Test] = test
	saved, err := vilt.ReadSafetensors(filepath.Join(whole, "phase-00", "tuner.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.learner.State() {
		if i := slices.IndexFunc(saved, func(s *vilt.Tensor) bool { return s.Name == x.Name }); i < 0 || !slices.Equal(saved[i].Data, x.Data) {
			t.Fatalf("%s was learned otherwise without test rows", x.Name)
		}
	}
	exemplars, err := schemas.ReadExemplars(filepath.Join(whole, "phase-00", "memory.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range r.store.All() {
		if e.ID != exemplars[i].ID || !slices.Equal(e.Pixels, exemplars[i].Pixels) {
			t.Fatalf("exemplar %d is %s, not %s", i, e.ID, exemplars[i].ID)
		}
		if slices.ContainsFunc(dataset.OfClasses(test, 0, 1, 2, 3, 4), func(row int) bool { return string(test.ID(row)) == e.ID }) {
			t.Errorf("%s is a test row", e.ID)
		}
	}
}

// TestLabelsFollowTheOrder: positions in the order learned, not labels of the dataset, are what is learned and stored.
func TestLabelsFollowTheOrder(t *testing.T) {
	o := testRun(t)
	r := &run{o: o.WithDefaults()}
	defer r.close()
	r.o.Schedule = r.o.Schedule.WithDefaults()
	if _, err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	order, err := split.ClassOrder("1993", testClasses)
	if err != nil {
		t.Fatal(err)
	}
	if slices.IsSorted(order) {
		t.Fatal("the order of this test tells nothing")
	}
	for k, label := range order {
		if r.position[label] != k {
			t.Errorf("label %d is learned at %d, not %d", label, r.position[label], k)
		}
		items := r.subset(r.data.Splits[dataset.Train], []int{label})
		if items.Len() != testTrain {
			t.Fatalf("class %d has %d rows", label, items.Len())
		}
		s, err := items.Sample(t.Context(), 0, nil)
		if err != nil || s.Label != k || s.ID.WNID() != r.data.Classes[label].WNID {
			t.Errorf("a row of class %d is %s with label %d (%v)", label, s.ID, s.Label, err)
		}
	}
}

// TestUnseenClassesDoNotCompete: a class that has not been learned cannot take test rows from those that have, whatever its
// logit; and without exemplars of every class there are no class means.
func TestUnseenClassesDoNotCompete(t *testing.T) {
	r := firstPhase(t)
	before, err := r.evaluate(t.Context(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the accuracy", share(before.right, before.rows), r.reports[0].Accuracy)
	state := r.learner.State()
	bias := state[len(state)-1]
	if bias.Name != "head.bias" || len(bias.Data) != testClasses {
		t.Fatalf("%s has %d values", bias.Name, len(bias.Data))
	}
	bias.Data[3], bias.Data[4] = 1e6, 1e6
	after, err := r.evaluate(t.Context(), 0, "")
	after.perSecond = before.perSecond
	if err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("with logits of classes to come: %+v, before %+v (%v)", after, before, err)
	}
	bias.Data[2] = 1e6 // a class that was learned takes every row: its own third is right
	after, err = r.evaluate(t.Context(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the accuracy of one answer", share(after.right, after.rows), 1./3)
	near(t, "the nearest mean's accuracy, which has no bias", share(after.nearest, after.rows), share(before.nearest, before.rows))
	r.store.Shrink(1, 0)
	if gone, err := r.evaluate(t.Context(), 0, ""); err != nil || sum(gone.nearest) != 0 {
		t.Errorf("where class 1 has no exemplars the nearest mean's right answers are %d (%v)", sum(gone.nearest), err)
	}
}

func TestNarrowPicturesAreRefusedBeforeLearning(t *testing.T) {
	rows := datasettest.SomeRows(t, 2)
	rows.All[2].Width, rows.All[2].Height = 9000, 10 // the first of class 1
	data := &dataset.Dataset{Splits: map[string]dataset.Rows{dataset.Train: rows, dataset.Test: rows}}
	p := dataset.Processor{Short: 384, Long: 639, Patch: 32}
	if err := checkSizes("d", data, p, []int{0, 2}, dataset.Train, dataset.Test); err != nil {
		t.Error(err)
	}
	err := checkSizes("d", data, p, []int{0, 1}, dataset.Test)
	datasettest.WantError(t, err, dataset.ErrRefused, "dataset d: "+string(rows.All[2].ID), "9000 by 10 pixels")
}
