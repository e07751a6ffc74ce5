package report

import "testing"

// TestWithoutExemplars: what the panels of memory are held against is SSF that holds nothing, and no other method.
func TestWithoutExemplars(t *testing.T) {
	by := func(method string, average float64, more ...any) Run {
		r := cell("none", 10, 0, 1, average, more...)
		r.Report.Method, r.Settings.Settings["method"] = method, method
		return r
	}
	raw := func(more ...any) []Run {
		return []Run{cell("raw", 10, 1, 1, 0.5, more...), cell("raw", 10, 5, 1, 0.6, more...)}
	}
	ssf, tuned := by("ssf", 0.3), by("finetune", 0.31)
	later, first := by("ssf", 0.2, "epochs", 40.0), by("ssf", 0.1, "tune_phases", "first")
	for name, c := range map[string]struct {
		runs []Run
		want float64
	}{
		"others alone":     {append(raw(), by("ease", 0.8), by("joint", 0.9), by("simplecil", 0.7)), 0},
		"among others":     {append(raw(), by("ease", 0.8), by("joint", 0.9), ssf, tuned), 0.3},
		"finetune":         {append(raw(), by("joint", 0.9), tuned), 0.31},
		"a variant":        {append(raw("epochs", 20.0), by("ssf", 0.3, "epochs", 20.0), by("ssf", 0.2, "epochs", 40.0)), 0},
		"another variant":  {append(raw(), ssf, later), 0.3},
		"altered":          {append(raw(), first), 0},
		"altered, all are": {append(raw("tune_phases", "first"), first), 0.1},
	} {
		rows, studies := summarise(group(c.runs))
		panels, _ := studies[0].memoryPanels(rows, 0)
		if len(panels) != 1 || panels[0].without.Mean != c.want || (panels[0].without.N > 0) != (c.want > 0) {
			t.Errorf("%s: %d panels, %+v, want %g", name, len(panels), panels, c.want)
		}
	}
}
