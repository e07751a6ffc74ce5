package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// cell is a run of one cell of a sweep: its average accuracy is what counts.
func cell(exemplars string, phases int, budget float64, seed uint64, average float64, more ...any) Run {
	r := schemas.Report{Header: schemas.ReportHeader, Method: "ssf", Exemplars: exemplars, Seed: seed, AverageAccuracy: average, LastAccuracy: average}
	for p := range phases {
		r.Phases = append(r.Phases, schemas.Phase{Phase: p, Classes: 100 * (p + 1) / phases, Accuracy: average, ExemplarsPerClass: budget})
		r.AccuracyMatrix = append(r.AccuracyMatrix, slices.Repeat([]float64{average}, p+1))
	}
	settings := map[string]any{"method": "ssf", "exemplars": exemplars, "phases": float64(phases), "seed": float64(seed), "data": "d/hf", "weights": "w"}
	if exemplars != "none" {
		settings["budget"] = budget
	}
	for i := 0; i < len(more); i += 2 {
		settings[more[i].(string)] = more[i+1]
	}
	return Run{Dir: fmt.Sprint(exemplars, phases, budget, seed, more), Report: r,
		Settings: schemas.Run{Header: schemas.RunHeader, Settings: settings, Digest: fmt.Sprint(exemplars, phases, budget, seed, more)}}
}

func TestMethodsByPhases(t *testing.T) {
	runs := []Run{
		cell("none", 10, 0, 1, 0.40), cell("none", 10, 0, 2, 0.42),
		cell("raw", 5, 5, 1, 0.70), cell("raw", 5, 5, 2, 0.72), cell("raw", 10, 5, 1, 0.60), cell("raw", 10, 5, 2, 0.62),
		cell("masked", 10, 5, 1, 0.66), cell("masked", 10, 5, 2, 0.70), cell("masked", 20, 5, 1, 0.5),
		cell("masked", 10, 1, 1, 0.50), cell("raw", 10, 1, 1, 0.51),
	}
	res := Results(runs, Options{})
	if len(res.Tables) != 1 {
		t.Fatalf("%d tables: %+v", len(res.Tables), res.Tables)
	}
	got := res.Tables[0]
	if got.Title != "d/hf, 100 classes, weights w" || !slices.Equal(got.Columns, []string{"L = 5", "L = 10", "L = 20"}) {
		t.Errorf("title %q, columns %q", got.Title, got.Columns)
	}
	head, lines := matrix(got)
	if want := []string{"method", "exemplars", "budget", "L = 5", "L = 10", "L = 20", "published L = 5", "published L = 10", "published L = 20"}; !slices.Equal(head, want) {
		t.Errorf("head %q", head)
	}
	want := []string{
		"SSF, no exemplars|none|–|–|41.0 ± 1.4|–|–|–|–",
		"SSF|raw|1 a class|–|*51.0 (n = 1)|–|–|74.8|–",
		"SSF+Ours|masked|1 a class|–|50.0 (n = 1)|–|–|76.6|–",
		"SSF|raw|5 a class|71.0 ± 1.4|61.0 ± 1.4|–|80.6|77.0|75.3",
		"SSF+Ours|masked|5 a class|–|*68.0 ± 2.8|50.0 (n = 1)|82.8|80.5|78.6",
	}
	for i, l := range lines {
		var parts []string
		for _, c := range l {
			if c.Best {
				c.Text = "*" + c.Text
			}
			parts = append(parts, c.Text)
		}
		if got := strings.Join(parts, "|"); i >= len(want) || got != want[i] {
			t.Errorf("line %d: %s", i, got)
		}
	}
	// The rows know their table; what is in it is in the file, and what is missing is not 0 there.
	b, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"cells":[{"mean":0,"n":0},{"mean":0.6799999999999999,`, `"published":[{"mean":0.8276,"n":1},{"mean":0.8055,"n":1}`, `"average_accuracy_by_seed":[0.66,0.7]`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("results.json lacks %s", want)
		}
	}
	if s := Results(runs, Options{WithoutPublished: true}).Tables[0].Lines[3].Published[1]; s.N != 0 {
		t.Error("published figures that were not asked for")
	}
}

func TestNone(t *testing.T) {
	// Without exemplars can be the best of all, and then nothing else is.
	lines := Results([]Run{cell("none", 5, 0, 1, 0.9), cell("raw", 5, 1, 1, 0.5), cell("raw", 5, 2, 1, 0.6)}, Options{}).Tables[0].Lines
	if !lines[0].Best[0] || lines[1].Best[0] || lines[2].Best[0] {
		t.Errorf("best: %+v", lines)
	}
	joint := cell("none", 5, 0, 1, 0.95) // keeps every row
	joint.Report.Method, joint.Settings.Settings["method"] = "joint", "joint"
	lines = Results([]Run{joint, cell("none", 5, 0, 1, 0.1), cell("raw", 5, 1, 1, 0.5)}, Options{}).Tables[0].Lines
	if lines[0].Name != "joint" || lines[0].Best[0] || lines[1].Best[0] || !lines[2].Best[0] {
		t.Errorf("best beside joint: %+v", lines)
	}
	lines = Results([]Run{cell("raw", 5, 1, 1, 0.5)}, Options{}).Tables[0].Lines
	if lines[0].Best[0] {
		t.Error("what stands alone is not the best")
	}
}

func TestStudiesApart(t *testing.T) {
	other := cell("raw", 10, 5, 1, 0.9)
	other.Settings.Settings["data"] = "data/emoji"
	res := Results([]Run{cell("raw", 10, 5, 1, 0.5), other}, Options{})
	if len(res.Tables) != 2 || res.Rows[0].Table == res.Rows[1].Table {
		t.Fatalf("tables %+v", res.Tables)
	}
	out := report(t, []Run{cell("raw", 10, 5, 1, 0.5), other}, Options{})
	if out["accuracy-L10.svg"] == "" || out["accuracy-L10-2.svg"] == "" || !strings.Contains(out["report.html"], `id="results-2"`) {
		t.Errorf("files %v", slices.Sorted(maps.Keys(out)))
	}
	// Phases of unequal size are another column, which the paper has no figure for.
	uneven := cell("raw", 10, 5, 1, 0.7, "init", 50.0)
	for p := range uneven.Report.Phases {
		uneven.Report.Phases[p].Classes = 55 + 5*p
	}
	table := Results([]Run{cell("raw", 10, 5, 1, 0.5), uneven, cell("masked", 10, 5, 1, 0.5)}, Options{}).Tables[0]
	if !slices.Equal(table.Columns, []string{"L = 10", "L = 10, from 55"}) || table.Lines[0].Published[1].N != 0 || table.Lines[0].Cells[1].Mean != 0.7 {
		t.Errorf("table %+v", table)
	}
}

func TestVariantsAreLines(t *testing.T) {
	table := Results([]Run{
		cell("masked", 10, 5, 1, 0.7, "mask_score", "attention", "mask_text", "mean"),
		cell("masked", 10, 5, 1, 0.6, "mask_score", "random", "mask_text", "mean"),
		cell("masked", 10, 5, 1, 0.5, "mask_score", "attention", "mask_text", "all"),
		cell("masked", 20, 5, 1, 0.4, "mask_score", "attention", "mask_text", "mean"),
		cell("raw", 10, 5, 1, 0.3),
	}, Options{}).Tables[0]
	var names []string
	for _, l := range table.Lines {
		names = append(names, l.Name+" "+l.Variant)
	}
	if want := []string{"SSF ", "SSF+Ours ", "SSF + masked mask_score random", "SSF + masked mask_text all"}; !slices.Equal(names, want) {
		t.Errorf("lines %q, want %q", names, want)
	}
	_, studies := summarise(group([]Run{cell("masked", 10, 5, 1, 0.7, "mask_score", "attention"), cell("masked", 10, 5, 1, 0.6, "mask_score", "random"), cell("raw", 10, 5, 1, 0.3)}))
	s := studies[0]
	if lines, _, more := s.chosen(0); len(lines) != 2 || more != 1 || len(s.ablation(0)) != 3 || s.series[1].colour != s.series[2].colour || s.series[0].colour == s.series[1].colour {
		t.Errorf("%d lines, %d more, %d in the ablation, series %+v", len(lines), more, len(s.ablation(0)), s.series)
	}
	// The paper's figure is of its own method alone.
	if table.Lines[1].Published[0].Mean != 0.8055 || table.Lines[2].Published[0].N != 0 {
		t.Errorf("published %+v", table.Lines)
	}
}

// TestUsualSettingsAreOneLine: what is as many as phases does not make a line of each number of phases.
func TestUsualSettingsAreOneLine(t *testing.T) {
	dual := func(phases, pool int) Run {
		r := cell("none", phases, 0, 1, 0.5, "prompt_pool", float64(pool))
		r.Report.Method, r.Settings.Settings["method"] = "dualprompt", "dualprompt"
		return r
	}
	simple := cell("none", 10, 0, 1, 0.4)
	simple.Report.Method, simple.Settings.Settings["method"] = "simplecil", "simplecil"
	table := Results([]Run{dual(5, 5), dual(10, 10), dual(20, 20), dual(10, 3), simple}, Options{}).Tables[0]
	var lines []string
	for _, l := range table.Lines {
		lines = append(lines, fmt.Sprint(l.Name, " ", l.Variant, " ", l.Cells[0].N, l.Cells[1].N, l.Cells[2].N))
	}
	if want := []string{"DualPrompt  1 1 1", "DualPrompt prompt_pool 3 0 1 0", "SimpleCIL  0 1 0"}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
	// As many prompts in all schedules are one a phase in one of them alone.
	table = Results([]Run{dual(5, 5), dual(10, 5)}, Options{}).Tables[0]
	if len(table.Lines) != 2 || table.Lines[0].Variant != "" || table.Lines[0].Cells[0].N != 1 || table.Lines[1].Variant != "prompt_pool 5" {
		t.Errorf("lines %+v", table.Lines)
	}
}

func TestPublished(t *testing.T) {
	// The two sources agree where they overlap: the figure was measured to 0.1 %.
	for _, f := range publishedFigure() {
		i := slices.IndexFunc(publishedTable(), func(p publishedMethod) bool { return p.method == "ssf" && p.exemplars == f.exemplars })
		if d := publishedTable()[i].accuracy[1] - f.accuracy[2]; math.Abs(d) > 0.001 {
			t.Errorf("%s: table and figure differ by %g", f.exemplars, d)
		}
	}
	for _, c := range []struct {
		method, exemplars string
		budget            budget
		phases            int
		want              float64
	}{
		{"ssf", "masked", budget{"budget", 5, ""}, 20, 0.7864}, {"ssf", "cim", budget{"budget", 10, ""}, 10, 0.803}, {"ssf", "cim", budget{"budget", 10, ""}, 20, 0},
		{"ssf", "mrdc", budget{"budget", 3, ""}, 10, 0}, {"ssf", "raw", budget{"budget", 2, ""}, 10, 0}, {"ssf", "raw", budget{"budget-bytes", 5, ""}, 10, 0},
		{"ssf", "none", budget{}, 10, 0}, {"l2p", "none", budget{}, 5, 0.6817}, {"l2p", "raw", budget{"budget", 5, ""}, 5, 0}, {"ssf", "raw", budget{"budget", 5, ""}, 9, 0},
	} {
		got := published(series{method: c.method, exemplars: c.exemplars}, c.budget, column{phases: c.phases, even: true})
		if got.Mean != c.want || (got.N == 1) != (c.want > 0) {
			t.Errorf("%s + %s, %s, L = %d: %v, want %g", c.method, c.exemplars, c.budget, c.phases, got, c.want)
		}
	}
}

func TestRowsOfWhatIsMeasured(t *testing.T) {
	one, two := smallRun("ssf", "raw", 1, 0.5, 0.4), smallRun("ssf", "raw", 2, 0.5, 0.4)
	for i, r := range []*Run{&one, &two} {
		r.Report.Classes = []schemas.RunClass{{WNID: "n1", Name: "fox"}, {WNID: "n2"}, {WNID: "n3", Phase: 1}, {WNID: "n4", Phase: 1}}
		d := 0.1 * float64(i)
		p := r.Report.Phases
		p[0].ClassAccuracy, p[0].NewAccuracy = []float64{0.9, 0.5}, 0.7
		p[1].ClassAccuracy, p[1].NewAccuracy, p[1].OldAccuracy, p[1].Top5Accuracy = []float64{0.4 + d, 0.6, 0.8, 0.2}, 0.5, 0.5+d, 0.95
		p[0].LearnPicturesPerSecond, p[0].LearnSeconds, p[1].LearnPicturesPerSecond, p[1].LearnSeconds = 100, 10, 200, 30
		p[0].TestPicturesPerSecond, p[1].TestPicturesPerSecond = 50, 70
	}
	one.Report.TrainedParameters, one.Report.KeptBytes = 1200, 4096 // an older program made the other
	row := Summarise([]Run{one, two})[0]
	near := func(name string, got Stat, mean, sd float64, n int) {
		t.Helper()
		if math.Abs(got.Mean-mean) > 1e-9 || math.Abs(got.SD-sd) > 1e-9 || got.N != n {
			t.Errorf("%s = %+v, want %g ± %g over %d", name, got, mean, sd, n)
		}
	}
	near("old", row.Old, 0.55, 0.1/math.Sqrt2, 2)
	near("new", row.New, 0.5, 0, 2)
	near("old at first", row.Curve[0].Old, 0, 0, 0) // there are none
	near("new at first", row.Curve[0].New, 0.7, 0, 2)
	near("top 5", row.Top5, 0.95, 0, 2)
	near("nearest mean", row.NME, 0, 0, 0)
	near("learned", row.LearnPicturesPerSecond, 175, 0, 2) // (100·10 + 200·30) / 40
	near("tested", row.TestPicturesPerSecond, 70, 0, 2)
	near("parameters", row.TrainedParameters, 1200, 0, 1)
	near("kept", row.KeptBytes, 4096, 0, 1)
	if len(row.PerClass) != 4 {
		t.Fatalf("classes %+v", row.PerClass)
	}
	fox := row.PerClass[0]
	if fox.Name != "fox" || fox.Phase != 0 || row.PerClass[2].Phase != 1 {
		t.Errorf("classes %+v", row.PerClass)
	}
	near("fox forgotten", fox.Forgetting, 0.45, 0.1/math.Sqrt2, 2) // 0.9 − 0.4 and 0.9 − 0.5
	near("fox at last", fox.Last, 0.45, 0.1/math.Sqrt2, 2)
	near("got better", row.PerClass[1].Forgetting, 0, 0, 2)
	if got := worstClasses(row); got != "fox 45" {
		t.Errorf("worst %q", got)
	}
	// Another order of classes: means by class would mix them up.
	two.Report.Classes[0], two.Report.Classes[1] = two.Report.Classes[1], two.Report.Classes[0]
	if row := Summarise([]Run{one, two})[0]; row.PerClass != nil || row.Old.N != 2 {
		t.Errorf("classes %+v", row.PerClass)
	}
	// Times that were taken out are no times of 0: the column goes.
	untimed := cell("raw", 10, 5, 1, 0.5)
	if md := render(t, func(w io.Writer) error { return WriteMarkdown(w, []Run{untimed}, Options{}) }); strings.Contains(md, "time") || strings.Contains(md, "0.0 s") {
		t.Errorf("a time that nobody took:\n%s", md)
	}
	// An old accuracy of 0 is one, where anything of its kind was measured.
	one.Report.Phases[1].OldAccuracy = 0
	near("forgotten entirely", Summarise([]Run{one})[0].Old, 0, 0, 1)
	// A run of an older program has none of it: dashes, not zeros.
	old := smallRun("ssf", "none", 1, 0.5, 0.4)
	old.Report.Phases[1].ExemplarsPerClass, old.Report.Phases[1].TokenFraction = 0, 0
	line := report(t, []Run{old}, Options{})["table.csv"]
	if !strings.Contains(line, ",0.400000,,0.300000,,,,,,,,,,0.000000,,") {
		t.Errorf("table.csv: %s", line)
	}
}

func TestPartlyDone(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, cell("raw", 10, 5, 1, 0.5))
	late := cell("masked", 10, 5, 1, 0.6)
	mkdir(t, filepath.Join(dir, "late"))
	write(t, filepath.Join(dir, "late", "run.json"), late.Settings)
	runs, unfinished, err := LoadFinished(t.Context(), []string{dir})
	if err != nil || len(runs) != 1 || !slices.Equal(unfinished, []string{filepath.Join(dir, "late")}) {
		t.Errorf("%d runs, unfinished %q, %v", len(runs), unfinished, err)
	}
}

// TestNothingIsClipped draws every figure of several reports, wide and narrow, and measures each text.
func TestNothingIsClipped(t *testing.T) {
	odd := benchmark(t)
	for i := range odd {
		odd[i].Report.Method = "a method with a name that no figure has room for"
		odd[i].Settings.Settings["data"] = strings.Repeat("/d", 30) + strings.Repeat("data", 40)
	}
	few := func(seeds, classes int, phases ...int) []Run {
		return made{phases: phases, kinds: []string{"none", "raw", "masked"}, seeds: seeds, classes: classes,
			budgets: func(int) []float64 { return []float64{1, 20000} }}.runs(t)
	}
	for name, runs := range map[string][]Run{"sweep": sweepRuns(t, 2), "odd": odd, "ablations": ablations(t), "one phase": few(1, 10, 1), "many": few(2, 60, 2, 30)} {
		p, _, err := newPage(t.Context(), runs, Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range p.figures() {
			if texts := f.wide.Clipped(); texts != nil {
				t.Errorf("%s: %s: clipped: %q", name, f.Name, texts)
			}
			if f.narrow != nil {
				if texts := f.narrow.Clipped(); texts != nil {
					t.Errorf("%s: %s, narrow: clipped: %q", name, f.Name, texts)
				}
			}
		}
		if n := len(p.figures()); n < 2 {
			t.Errorf("%s: %d figures", name, n)
		}
	}
}

// TestStaleFigures: a figure that an earlier report made and this one does not goes; nothing else does.
func TestStaleFigures(t *testing.T) {
	dir := t.TempDir()
	runs := []Run{cell("raw", 5, 5, 1, 0.5), cell("raw", 10, 5, 1, 0.5)}
	for n := 2; n > 0; n-- {
		if err := Write(t.Context(), dir, runs[:n], Options{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "accuracy-of-mine.png"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"accuracy-L5.svg": true, "accuracy-L5.png": true, "accuracy-L10.svg": false, "bytes-L10.png": false, "accuracy-of-mine.png": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]bool{"memory-L10-bytes": true, "gallery": true, "../accuracy": false, "accuracy-/../../x": false, "thesis": false, "report": false} {
		if figureName(name) != want {
			t.Errorf("figureName(%q) = %v", name, !want)
		}
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		in     []float64
		lo, hi float64
	}{
		{[]float64{0.745, 0.821}, 0.74, 0.84}, {[]float64{0.60, 0.73}, 0.6, 0.75}, {[]float64{0.44, 0.73}, 0.4, 0.8}, {[]float64{0.25, 0.9}, 0, 1},
		{[]float64{0.5}, 0.48, 0.52}, {[]float64{0, 0}, 0, 0.02}, {[]float64{1, 1}, 0.98, 1}, {[]float64{-0.1, 1.2}, 0, 1},
	} {
		if lo, hi := percentRange(c.in); math.Abs(lo-c.lo) > 1e-9 || math.Abs(hi-c.hi) > 1e-9 {
			t.Errorf("range of %v: %g to %g, want %g to %g", c.in, lo, hi, c.lo, c.hi)
		}
	}
	at := []float64{10, 11, 12, 90}
	apart(at, 16, 0, 100)
	if !slices.Equal(at, []float64{10, 26, 42, 90}) {
		t.Errorf("apart %v", at)
	}
	at = []float64{90, 95, 99}
	apart(at, 16, 0, 100)
	if !slices.Equal(at, []float64{68, 84, 100}) {
		t.Errorf("apart %v", at)
	}
	for most, want := range map[float64]float64{28: 10, 14: 5, 5: 2, 0: 1, 0.7: 0.2} {
		if got := niceStep(most, 4); math.Abs(got-want) > 1e-12 {
			t.Errorf("step of %g: %g, want %g", most, got, want)
		}
	}
	missing := []dot{{x: 1, value: Stat{N: 1}}, {x: 2}, {x: 3, value: Stat{N: 1}}, {x: 4, value: Stat{N: 1}}}
	if runs := runsOf(missing); len(runs) != 2 || len(runs[0]) != 1 || len(runs[1]) != 2 {
		t.Errorf("runs %v", runs)
	}
	for s, want := range map[string]Stat{"–": {}, "205.8 k": {Mean: 205848, N: 1}, "1.28 M": {Mean: 1.28e6, N: 3}, "1200": {Mean: 1200, N: 1}} {
		if got := thousands(want); got != s {
			t.Errorf("thousands(%v) = %q, want %q", want, got, s)
		}
	}
}

func TestGalleryOfOtherKinds(t *testing.T) {
	e := drawn(t, 0, 2, 3, 8)
	e.Kind, e.Box, e.KeptPatch, e.ReplayPNG = "cim", &schemas.GalleryBox{X: 8, Y: 0, W: 16, H: 8}, nil, e.PicturePNG
	x, err := newExemplar(e, "x")
	if err != nil {
		t.Fatal(err)
	}
	if x.Discarded != "" || x.Replay == "" || len(x.Ramp) == 0 || x.Exceptions != 0 || x.Numbers[0] != (fact{"at full resolution", "16 × 8 px (33 %)"}) {
		t.Errorf("cim: %+v", x)
	}
	e.Kind, e.Box, e.Attention, e.Quality = "mrdc", nil, nil, 25
	if x, err = newExemplar(e, "x"); err != nil || x.Ramp != nil || x.Numbers[0] != (fact{"JPEG quality", "25"}) {
		t.Errorf("mrdc: %+v, %v", x, err)
	}
	for want, spoil := range map[string]func(*schemas.GalleryExemplar){
		"box of 100x8 pixels":                     func(e *schemas.GalleryExemplar) { e.Box = &schemas.GalleryBox{W: 100, H: 8} },
		"at -1,0 is not in":                       func(e *schemas.GalleryExemplar) { e.Box = &schemas.GalleryBox{X: -1, W: 1, H: 1} },
		"replayed picture is no readable PNG":     func(e *schemas.GalleryExemplar) { e.ReplayPNG = []byte("x") },
		"replayed picture is 32x24 pixels, want ": func(e *schemas.GalleryExemplar) { e.ReplayPNG = drawn(t, 0, 3, 4, 8).PicturePNG },
	} {
		bad := e
		spoil(&bad)
		if _, err := newExemplar(bad, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestScores(t *testing.T) {
	tokens := []schemas.GalleryToken{{Text: "a", Score: 0}, {Text: "b", Score: 0.6}, {Text: "c", Score: 1}, {Text: "d", Score: 2.4}} // mean 1
	var got []int
	for _, w := range join(tokens) {
		got = append(got, w.Score)
	}
	if !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("levels %v", got)
	}
}

func TestMarkdownNamesTheSource(t *testing.T) {
	md := render(t, func(w io.Writer) error {
		return WriteMarkdown(w, []Run{cell("raw", 10, 5, 1, 0.5), cell("masked", 10, 5, 1, 0.6)}, Options{})
	})
	for _, want := range []string{"Published: arXiv 2412.09549, on MM-ImageNet-R, ViLT", "| SSF+Ours | masked    | 5 a class | **60.0** |             80.5 |\n"} {
		if !strings.Contains(md, want) {
			t.Errorf("Markdown lacks %q:\n%s", want, md)
		}
	}
}
