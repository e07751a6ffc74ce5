package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
)

func openModel(t *testing.T, dir string, o OpenOptions) *Model {
	t.Helper()
	m, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// phases is a learner that notes what it is to begin.
type phases struct {
	method.Learner
	begun []method.Phase
	err   error
}

func (p *phases) Begin(of method.Phase) error {
	p.begun = append(p.begun, of)
	return p.err
}

// TestOpenBeginsEveryPhase: what a learner makes as a phase begins is there before the checkpoint is read into it.
func TestOpenBeginsEveryPhase(t *testing.T) {
	classes := []schemas.RunClass{{Phase: 0}, {Phase: 0}, {Phase: 0}, {Phase: 1}, {Phase: 2}, {Phase: 2}}
	var l phases
	if err := beginAll(&l, classes); err != nil || !slices.Equal(l.begun, []method.Phase{{Seen: 3}, {Index: 1, Old: 3, Seen: 4}, {Index: 2, Old: 4, Seen: 6}}) {
		t.Errorf("begun: %v (%v)", l.begun, err)
	}
	fails := phases{err: errors.New("no")}
	if err := beginAll(&fails, classes); !errors.Is(err, fails.err) || len(fails.begun) != 1 {
		t.Errorf("begun: %v (%v)", fails.begun, err)
	}
}

func openData(t *testing.T, dir string) *dataset.Dataset {
	t.Helper()
	d, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// On its own data a run has its own accuracy to the last bit, after every phase, whatever the batch; also with random
// weights, and with longer texts.
func TestEvaluateIsTheRunsOwnAccuracy(t *testing.T) {
	data := openData(t, testRun(t).Data)
	random := testRun(t)
	random.Weights, random.Model, random.MaxText, random.Phases, random.Schedule.Epochs = "random", "tiny", 50, 2, 1
	if _, err := Run(t.Context(), random); err != nil {
		t.Fatal(err)
	}
	dirs := []string{mustWholeRun(t), random.Out}
	for _, name := range []string{"dualprompt", "coda-prompt"} { // what they answer depends on the phase
		o := testRun(t)
		o.Method, o.Memory, o.Phases, o.Schedule.Epochs, o.Schedule.LearningRate = name, MemoryOptions{}, 2, 5, 0.03
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, o.Out)
	}
	for _, dir := range dirs {
		var report schemas.Report
		if err := schemas.ReadJSON(filepath.Join(dir, "report.json"), schemas.ReportHeader, &report); err != nil {
			t.Fatal(err)
		}
		for i, p := range report.Phases {
			m := openModel(t, dir, OpenOptions{Phase: i + 1, Workers: 1 + i})
			if m.Phase != i+1 || m.Phases != len(report.Phases) || !slices.Equal(m.Classes, report.Classes[:p.Classes]) {
				t.Errorf("phase %d of %d with classes %v", m.Phase, m.Phases, m.Classes)
			}
			e, err := m.Evaluate(t.Context(), data, EvaluateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if e.Accuracy != p.Accuracy || e.Rows != testTest*p.Classes || e.OtherRows != testTest*(testClasses-p.Classes) {
				t.Errorf("%s, phase %d: accuracy %v on %d rows, %d others; the run has %v", dir, i+1, e.Accuracy, e.Rows, e.OtherRows, p.Accuracy)
			}
			right := 0.0
			for k, c := range e.Classes {
				right += c.Accuracy * float64(c.Rows)
				if c.Rows != testTest || c.Phase != m.Classes[k].Phase+1 {
					t.Errorf("class %+v", c)
				}
			}
			near(t, "accuracy by class", right/float64(e.Rows), e.Accuracy)
			if len(e.Confusions) != e.Rows || e.Top5Accuracy < e.Accuracy || p.Classes <= topMost && e.Top5Accuracy != 1 {
				t.Errorf("%d rows told, top-5 %g", len(e.Confusions), e.Top5Accuracy)
			}
		}
		if m := openModel(t, dir, OpenOptions{}); m.Phase != len(report.Phases) {
			t.Errorf("opens phase %d, not the last", m.Phase)
		}
	}
}

// samples is made examples as items.
type samples []dataset.Sample

func (s samples) Len() int { return len(s) }

func (s samples) Sample(_ context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	return s[i], nil
}

// A picture with its text gets the same answer as the row that it is, alone and among others.
func TestPredict(t *testing.T) {
	data := openData(t, testRun(t).Data)
	m := openModel(t, mustWholeRun(t), OpenOptions{})
	rows := data.Splits[dataset.Test]
	e, err := m.Evaluate(t.Context(), data, EvaluateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all samples
	for i := range rows.Len() {
		b, err := rows.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Encode(b, rows.Caption(i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	i := 0
	for p, err := range m.Predict(t.Context(), all, true) {
		if err != nil {
			t.Fatal(err)
		}
		want := e.Confusions[i]
		if want.ID != rows.ID(i) || p.Class != want.Predicted || p.Probabilities[p.Class] != want.Probability {
			t.Errorf("row %d: class %d with %g, and in the evaluation %+v", i, p.Class, p.Probabilities[p.Class], want)
		}
		sum := 0.0
		for _, x := range p.Probabilities {
			sum += x
		}
		if top := p.Top(3); top[0] != p.Class || len(top) != 3 || p.Probabilities[top[1]] < p.Probabilities[top[2]] || len(p.Top(99)) != testClasses || math.Abs(sum-1) > 1e-12 {
			t.Errorf("row %d: top %v of %v, sum %g", i, top, p.Probabilities, sum)
		}
		if len(p.Attention) != all[i].GridH*all[i].GridW || slices.Min(p.Attention) < 0 || slices.Max(p.Attention) <= 0 {
			t.Errorf("row %d: attention %v of %d x %d patches", i, p.Attention, all[i].GridH, all[i].GridW)
		}
		for alone, err := range m.Predict(t.Context(), all[i:i+1], false) {
			if err != nil || !slices.Equal(alone.Probabilities, p.Probabilities) || alone.Attention != nil {
				t.Errorf("row %d alone: %v, %v and %v", i, err, alone.Probabilities, p.Probabilities)
			}
		}
		i++
	}
	if i != len(all) {
		t.Errorf("%d of %d answers", i, len(all))
	}
	for p, err := range openModel(t, mustWholeRun(t), OpenOptions{Phase: 1}).Predict(t.Context(), all[:1], false) {
		if err != nil || len(p.Probabilities) != 3 || len(p.Top(9)) != 3 {
			t.Errorf("after phase 1, of 3 classes: %v, %v", err, p.Probabilities)
		}
	}
	if _, err := m.Encode([]byte("404 page not found"), ""); !errors.Is(err, dataset.ErrRefused) {
		t.Errorf("no picture: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	whole := mustWholeRun(t)
	weights := testRun(t).Weights
	change := func(name, old, new string) func(string) error {
		return func(dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil && !strings.Contains(string(b), old) {
				err = fmt.Errorf("%s has no %q", name, old)
			}
			return errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(strings.Replace(string(b), old, new, 1)), 0o666))
		}
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other, os.DirFS(weights)); err != nil {
		t.Fatal(err)
	}
	if err := change("config.json", "\n", " \n")(other); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		o     OpenOptions
		want  error
		text  string
	}{
		{"no run", os.RemoveAll, OpenOptions{}, fs.ErrNotExist, "run.json"},
		{"phase 4 of 3", nil, OpenOptions{Phase: 4}, ErrOptions, "has phases 1 to 3"},
		{"a phase that is not done", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "phase-02")) }, OpenOptions{Phase: 3}, dataset.ErrRefused, "2 of 3 phases are finished, not 3"},
		{"no phase", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "phase-00")) }, OpenOptions{}, dataset.ErrRefused, "none of its 3 phases is finished"},
		{"other weights", nil, OpenOptions{Weights: other}, dataset.ErrRefused, "was trained on other weights than " + other},
		{"random weights", nil, OpenOptions{Weights: "random"}, dataset.ErrRefused, "was trained on other weights than random"},
		{"weights gone", change("run.json", weights, "nowhere"), OpenOptions{}, fs.ErrNotExist, "say with --weights where they are now"},
		{"old run.json", change("run.json", "weights_digest", "weights_date"), OpenOptions{}, dataset.ErrRefused, "does not tell weights and classes"},
		{"no tuner", func(dir string) error { return os.Remove(filepath.Join(dir, "phase-02", "tuner.safetensors")) }, OpenOptions{}, fs.ErrNotExist, "tuner.safetensors"},
		{"another phase.json", change("phase-01/phase.json", `"mcil.phase"`, `"mcil.report"`), OpenOptions{}, nil, "is not a mcil.phase file"},
		{"another head", change("run.json", `"method"`, `"head": "cosine", "method"`), OpenOptions{}, schemas.ErrDamaged, "head.sigma is missing"},
		{"a head of tomorrow", change("run.json", `"head": "linear"`, `"head": "magic"`), OpenOptions{}, dataset.ErrRefused, `"magic"`},
		{"a method of tomorrow", change("run.json", `"ssf"`, `"magic"`), OpenOptions{}, nil, `method "magic"`},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if c.spoil != nil {
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
		}
		m, err := Open(t.Context(), dir, c.o)
		if err == nil {
			m.Close()
		}
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v with %q", c.name, err, c.want, c.text)
		}
	}
	// The same weights elsewhere will do, and what lacks its last phase is used after the one before.
	dir := filepath.Join(t.TempDir(), "run")
	moved := filepath.Join(t.TempDir(), "moved")
	if err := errors.Join(os.CopyFS(dir, os.DirFS(whole)), os.CopyFS(moved, os.DirFS(weights)), os.RemoveAll(filepath.Join(dir, "phase-02")), os.Remove(filepath.Join(dir, "report.json"))); err != nil {
		t.Fatal(err)
	}
	if m := openModel(t, dir, OpenOptions{Weights: moved}); m.Phase != 2 || len(m.Classes) != 4 {
		t.Errorf("phase %d with %d classes, want 2 with 4", m.Phase, len(m.Classes))
	}
}

// TestByAge: what is told of old and of new classes, by hand.
func TestByAge(t *testing.T) {
	rows := []EvaluationConfused{
		{Class: 0, Predicted: 0}, {Class: 0, Predicted: 1}, {Class: 0, Predicted: 2}, {Class: 1, Predicted: 3}, // old
		{Class: 2, Predicted: 2}, {Class: 3, Predicted: 0}, // new
	}
	e := Evaluation{Phase: 2, Classes: []EvaluationClass{{Phase: 1}, {Phase: 1}, {Phase: 2}, {Phase: 2}}, Confusions: rows}
	if a := e.byAge(); a == nil || *a != (EvaluationByAge{OldAccuracy: 0.25, NewAccuracy: 0.5, OldAsNew: 0.5}) {
		t.Errorf("%+v", a)
	}
	for _, e.Confusions = range [][]EvaluationConfused{rows[:4], rows[4:]} {
		if e.byAge() != nil {
			t.Error("two ages of one")
		}
	}
}

// TestEvaluateWithGaps: of pictures alone, of texts alone and of both; the same for any number of workers.
func TestEvaluateWithGaps(t *testing.T) {
	data := openData(t, testRun(t).Data)
	m := openModel(t, mustWholeRun(t), OpenOptions{})
	evaluate := func(m *Model, o EvaluateOptions) []EvaluationConfused {
		t.Helper()
		e, err := m.Evaluate(t.Context(), data, o)
		if err != nil || e.DropPatches != o.DropPatches || e.DropTokens != o.DropTokens {
			t.Fatal(e.DropPatches, e.DropTokens, err)
		}
		return e.Confusions
	}
	whole := evaluate(m, EvaluateOptions{})
	rows := data.Splits[dataset.Test]
	subset := dataset.Subset{Encoding: m.encoding, Rows: rows, Indices: dataset.OfClasses(rows, 0, 1, 2, 3)}
	for _, c := range []struct {
		EvaluateOptions
		items               dataset.Items
		keepImage, keepText bool
	}{
		{EvaluateOptions{DropPatches: 0.9}, dataset.Thin{Items: subset, Drop: 0.9, KeepText: true}, false, true},
		{EvaluateOptions{DropTokens: 0.9}, dataset.Thin{Items: subset, Drop: 0.9, KeepImage: true}, true, false},
		{EvaluateOptions{DropPatches: 0.9, DropTokens: 0.9}, dataset.Thin{Items: subset, Drop: 0.9}, false, false},
	} {
		gaps := evaluate(m, c.EvaluateOptions)
		if slices.Equal(gaps, whole) {
			t.Errorf("%+v: gaps change no answer", c.EvaluateOptions)
		}
		if again := evaluate(openModel(t, mustWholeRun(t), OpenOptions{Workers: 3}), c.EvaluateOptions); !slices.Equal(gaps, again) {
			t.Errorf("%+v: other answers with more workers", c.EvaluateOptions)
		}
		i := 0
		for p, err := range m.Predict(t.Context(), c.items, false) {
			if err != nil {
				t.Fatal(err)
			}
			if s := p.Sample; (len(s.Tokens) == s.TextLen) != c.keepText || (len(s.PatchPos) == s.GridH*s.GridW) != c.keepImage {
				t.Errorf("%+v: %s: %d of %d tokens, %d patches of %dx%d", c.EvaluateOptions, s.ID, len(s.Tokens), s.TextLen, len(s.PatchPos), s.GridH, s.GridW)
			}
			if p.Sample.ID != gaps[i].ID || p.Probabilities[p.Class] != gaps[i].Probability {
				t.Errorf("%+v: %s: %g; evaluated: %+v", c.EvaluateOptions, p.Sample.ID, p.Probabilities[p.Class], gaps[i])
			}
			i++
		}
	}
	for _, share := range []float64{-0.1, 1, math.NaN()} {
		for _, o := range []EvaluateOptions{{DropPatches: share}, {DropTokens: share}} {
			if _, err := m.Evaluate(t.Context(), data, o); !errors.Is(err, ErrOptions) {
				t.Errorf("dropping %+v: %v", o, err)
			}
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	m := openModel(t, mustWholeRun(t), OpenOptions{})
	data := openData(t, testRun(t).Data)
	if _, err := m.Evaluate(t.Context(), data, EvaluateOptions{Split: "val"}); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "has no val rows") {
		t.Errorf("no such split: %v", err)
	}
	strange := *data
	strange.Classes = slices.Clone(data.Classes)
	for i := range strange.Classes {
		strange.Classes[i].WNID = "x" + strange.Classes[i].WNID
	}
	if _, err := m.Evaluate(t.Context(), &strange, EvaluateOptions{}); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "none of its test rows") {
		t.Errorf("other classes: %v", err)
	}
	// Classes are told by wnid, so another dataset may number them otherwise and lack some.
	want, err := m.Evaluate(t.Context(), data, EvaluateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	strange.Classes = slices.Clone(data.Classes)
	strange.Classes[0].WNID = "x"
	e, err := m.Evaluate(t.Context(), &strange, EvaluateOptions{})
	if err != nil || e.OtherRows != testTest || e.Rows != want.Rows-testTest {
		t.Fatalf("%v: %d rows and %d others", err, e.Rows, e.OtherRows)
	}
	for i, c := range e.Classes {
		if c.WNID == data.Classes[0].WNID {
			if c.Rows != 0 || c.Accuracy != 0 {
				t.Errorf("the class that is not there: %+v", c)
			}
		} else if c != want.Classes[i] {
			t.Errorf("class %+v, want %+v", c, want.Classes[i])
		}
	}
}

// The estimate grows with what takes memory.
func TestNeed(t *testing.T) {
	o := testRun(t)
	need := func(o Options) int64 {
		t.Helper()
		n, err := Need(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	least := need(o)
	if least < processBytes || least > 1<<30 {
		t.Errorf("a run of the smallest model takes %d bytes", least)
	}
	large := o
	large.Schedule.BatchSize = 64
	if n := need(large); n <= least {
		t.Errorf("batches of 64 take %d bytes, those of 8 %d", n, least)
	}
	none := o
	none.Memory = MemoryOptions{Exemplars: "none"}
	if n := need(none); n >= least {
		t.Errorf("without exemplars %d bytes, with them %d", n, least)
	}
	single := o
	single.Protocol = Protocol{Phases: 1}
	need(single) // nobody asked for re-pairing
	none.Classes = "nothing"
	if _, err := Need(t.Context(), none); !errors.Is(err, ErrOptions) {
		t.Errorf("no classes: %v", err)
	}
}
