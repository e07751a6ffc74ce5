package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// dealt is a cell whose classes are dealt by a first phase and increments.
func dealt(phases int, average float64, more ...any) Run {
	r := cell("masked", phases, 5, 1, average, append([]any{"init", 100 / float64(phases), "increment", 100 / float64(phases)}, more...)...)
	delete(r.Settings.Settings, "phases")
	return r
}

// linesOf are the lines of the only table of runs: name, variant, and the averages of its cells.
func linesOf(t *testing.T, runs []Run) (lines []string) {
	t.Helper()
	res := Results(runs, Options{})
	if len(res.Tables) != 1 {
		t.Fatalf("%d tables", len(res.Tables))
	}
	for _, l := range res.Tables[0].Lines {
		text := l.Name + " (" + l.Variant + ")"
		for _, c := range l.Cells {
			text += fmt.Sprint(" ", c.Mean)
		}
		lines = append(lines, text)
	}
	return lines
}

// TestOneScheduleInTwoWays: the same classes a phase, written otherwise, are a line of their own where they meet.
func TestOneScheduleInTwoWays(t *testing.T) {
	for name, c := range map[string]struct {
		runs []Run
		want []string
	}{
		"apart":   {[]Run{cell("masked", 5, 5, 1, 0.7), dealt(10, 0.6)}, []string{"SSF+Ours () 0.7 0.6"}},
		"meeting": {[]Run{cell("masked", 10, 5, 1, 0.7), dealt(10, 0.6)}, []string{"SSF+Ours () 0.7", "SSF+Ours (increment 10, init 10) 0.6"}},
		"in two columns": {[]Run{cell("masked", 5, 5, 1, 0.7), dealt(5, 0.8), cell("masked", 10, 5, 1, 0.6), dealt(10, 0.5)},
			[]string{"SSF+Ours () 0.7 0.6", "SSF+Ours (increment, init) 0.8 0.5"}},
		"beside a variant": {[]Run{cell("masked", 10, 5, 1, 0.7), dealt(10, 0.6, "mask_text", "all"), dealt(10, 0.5)},
			[]string{"SSF+Ours () 0.7", "SSF+Ours (increment 10, init 10) 0.5", "SSF + masked (mask_text all) 0.6"}},
		"in a way that nobody writes": {[]Run{dealt(10, 0.7, "increment", 10.5), dealt(10, 0.6), dealt(10, 0.5, "init", 9.5)},
			[]string{"SSF+Ours (increment 10, init 10) 0.6", "SSF+Ours (increment 10, init 9.5) 0.5", "SSF+Ours (increment 10.5, init 10) 0.7"}},
		"of numbers that contradict": {[]Run{cell("masked", 10, 5, 1, 0.7), cell("masked", 10, 5, 1, 0.6, "phases", 11.0)},
			[]string{"SSF+Ours () 0.7", "SSF+Ours (number 2) 0.6"}},
	} {
		if got := linesOf(t, c.runs); !slices.Equal(got, c.want) {
			t.Errorf("%s: lines %q, want %q", name, got, c.want)
		}
	}
}

// TestOldPrograms: what a program of before there was a setting did is its plain value, and stands in the line of that unless a run
// of a later one has the cell.
func TestOldPrograms(t *testing.T) {
	now := []any{"mask_layer", "last", "repair", 0.5, "augment", "none", "mixing", "natural", "budget_unit", "stored"}
	for name, c := range map[string]struct {
		runs []Run
		want []string
	}{
		"apart": {[]Run{cell("masked", 5, 5, 1, 0.7), cell("masked", 10, 5, 1, 0.6, now...)}, []string{"SSF+Ours () 0.7 0.6"}},
		"meeting": {[]Run{cell("masked", 5, 5, 1, 0.7), cell("masked", 10, 5, 1, 0.5), cell("masked", 10, 5, 1, 0.6, now[:2]...)},
			[]string{"SSF+Ours () 0 0.6", "SSF+Ours (mask_layer not recorded) 0.7 0.5"}},
		"of long ago": {[]Run{cell("masked", 10, 5, 1, 0.5), cell("masked", 10, 5, 1, 0.6, now...)},
			[]string{"SSF+Ours () 0.6", "SSF+Ours (augment, budget_unit and 3 others not recorded) 0.5"}},
		"beside a variant": {[]Run{cell("masked", 10, 5, 1, 0.5), cell("masked", 10, 5, 1, 0.4, "mask_layer", "0")},
			[]string{"SSF+Ours () 0.5", "SSF + masked (mask_layer 0) 0.4"}},
		"that each lack another": {[]Run{cell("masked", 10, 5, 1, 0.5, now[:2]...), cell("masked", 10, 5, 1, 0.4, now[2:4]...)},
			[]string{"SSF+Ours (mask_layer not recorded) 0.4", "SSF+Ours (repair not recorded) 0.5"}},
		"without exemplars": {[]Run{cell("none", 10, 0, 1, 0.5, "codec", "raw"), cell("none", 10, 0, 1, 0.4)},
			[]string{"SSF, no exemplars () 0.5", "SSF, no exemplars (codec not recorded) 0.4"}},
		"with an empty setting": {[]Run{cell("masked", 10, 5, 1, 0.5, "note", ""), cell("masked", 10, 5, 1, 0.4)},
			[]string{"SSF+Ours () 0.5", "SSF+Ours (note not recorded) 0.4"}},
	} {
		if got := linesOf(t, c.runs); !slices.Equal(got, c.want) {
			t.Errorf("%s: lines %q, want %q", name, got, c.want)
		}
	}
	rows := Summarise([]Run{cell("masked", 10, 5, 1, 0.5), cell("masked", 10, 5, 1, 0.6, now[:2]...)})
	if rows[0].Variant != "" || rows[1].Variant != "mask_layer not recorded" {
		t.Errorf("rows %q and %q", rows[0].Variant, rows[1].Variant)
	}
	// A panel of memory has both as curves.
	var runs []Run
	for _, b := range []float64{1, 5} {
		runs = append(runs, cell("masked", 10, b, 1, 0.5+b/100), cell("masked", 10, b, 1, 0.6+b/100, now[:2]...))
	}
	rows, studies := summarise(group(runs))
	panels, _ := studies[0].memoryPanels(rows, 0)
	if len(panels) != 1 || len(panels[0].series) != 2 || panels[0].series[0].accuracy[1].Mean != 0.65 || panels[0].series[1].accuracy[0].Mean != 0.51 {
		t.Errorf("panels %+v", panels)
	}
	// Two lines under one budget are no curve of a variant.
	s := study{series: []series{{method: "ssf"}, {method: "ssf", variant: "x"}}, lines: []line{{series: 0}, {series: 1}, {series: 1}}}
	if used := s.overBudgets(func(line) bool { return true }); !slices.Equal(used, []int{0}) {
		t.Errorf("series %v over budgets", used)
	}
}

// TestNoRowIsLost: whatever settings runs have or lack, every row is in one cell of one table, and no two lines of a table have the
// same name under the same budget.
func TestNoRowIsLost(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var runs []Run
		keys := map[string]bool{}
		for range 2 + rng.IntN(20) {
			phases := []int{5, 10}[rng.IntN(2)]
			exemplars := []string{"none", "mrdc", "masked"}[rng.IntN(3)]
			var more []any
			for _, s := range [][]any{
				{"mask_layer", "last", "0"}, {"repair", 0.5, 0.0}, {"evaluate", "test"}, {"budget_unit", "stored", "pixels"}, {"codec", "raw", "jpeg"},
				{"jpeg_quality", 90.0, 60.0}, {"epochs", 10.0, ""}, {"mask_new", 0.5}, {"init", 20.0, 0.0}, {"increment", 20.0}, {"phases", 10.0, 5.0},
				{"mrdc_qualities", []any{10.0, 25.0, 50.0}, []any{10.0, 25.0, 50.0, 75.0, 90.0}},
			} {
				if rng.IntN(3) == 0 {
					more = append(more, s[0], s[1+rng.IntN(len(s)-1)])
				}
			}
			r := cell(exemplars, phases, []float64{1, 5}[rng.IntN(2)], 1, rng.Float64(), more...)
			if rng.IntN(3) == 0 {
				delete(r.Settings.Settings, "phases")
			}
			r.Report.Method = []string{"ssf", "l2p"}[rng.IntN(2)]
			if key := groupKey(r); !keys[key] {
				keys[key], runs = true, append(runs, r)
			}
		}
		rows, studies := summarise(group(runs))
		if len(rows) != len(runs) {
			t.Fatalf("%d rows of %d runs", len(rows), len(runs))
		}
		cells := make([]int, len(rows))
		for k, s := range studies {
			names := map[string]bool{}
			for _, l := range s.lines {
				of := s.series[l.series]
				name := fmt.Sprint(of.method, " ", of.exemplars, " ", of.name(), l.budget)
				if names[name] {
					t.Errorf("two lines %q", name)
				}
				names[name] = true
				for c, i := range l.rows {
					if i < 0 {
						continue
					}
					cells[i]++
					if rows[i].Table != k || len(rows[i].Curve) != s.columns[c].phases || rows[i].Method != of.method || rows[i].Exemplars != of.exemplars {
						t.Errorf("row %+v in table %d, column %d, line %q", rows[i], k, c, name)
					}
				}
			}
		}
		for i, n := range cells {
			if n != 1 {
				t.Errorf("row %s is in %d cells", rows[i].Label(), n)
			}
		}
	}
}
