package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/train/report/scene"
)

// TestBudgetsApart: a sample is not as much memory counted in tokens, or stored as JPEG, and nothing is best of both.
func TestBudgetsApart(t *testing.T) {
	runs := []Run{
		cell("raw", 10, 2, 1, 0.5, "budget_unit", "tokens", "codec", "raw"), cell("masked", 10, 2, 1, 0.6, "budget_unit", "tokens", "codec", "raw"),
		cell("cim", 10, 2, 1, 0.7, "budget_unit", "stored", "codec", "raw"), cell("masked", 10, 2, 1, 0.4),
		cell("mrdc", 10, 2, 1, 0.8, "budget_unit", "stored", "codec", "jpeg", "jpeg_quality", 90.0),
		cell("raw", 10, 2, 1, 0.75, "codec", "jpeg", "jpeg_quality", 90.0),
		cell("raw", 10, 2, 1, 0.9, "codec", "jpeg", "jpeg_quality", 60.0),
	}
	var got []string
	for _, l := range Results(runs, Options{}).Tables[0].Lines {
		text := l.Exemplars + "|" + l.Variant + "|" + l.Budget + "|" + fixed(l.Cells[0].Mean, 2)
		if l.Best[0] {
			text += "*"
		}
		got = append(got, text)
	}
	want := []string{
		"cim||2 a class|0.70*", "masked||2 a class|0.40",
		"raw||2 a class, JPEG 60|0.90",
		"raw||2 a class, JPEG 90|0.75", "mrdc||2 a class, JPEG 90|0.80*",
		"raw||2 a class, tokens|0.50", "masked||2 a class, tokens|0.60*",
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestBytesAreBytes: under a budget of bytes another codec is another method, not another budget.
func TestBytesAreBytes(t *testing.T) {
	bytes := func(exemplars string, average float64, more ...any) Run {
		r := cell(exemplars, 10, 1, 1, average, append(more, "budget_bytes", float64(1<<20))...)
		delete(r.Settings.Settings, "budget")
		return r
	}
	lines := Results([]Run{bytes("raw", 0.5, "codec", "raw"), bytes("raw", 0.6, "codec", "jpeg", "jpeg_quality", 90.0),
		bytes("raw", 0.7, "codec", "raw", "budget_unit", "pixels")}, Options{}).Tables[0].Lines
	var got []string
	for _, l := range lines {
		got = append(got, l.Variant+"|"+l.Budget)
	}
	if want := []string{"|1.0 MiB", "codec jpeg|1.0 MiB", "|1.0 MiB, pixels"}; !slices.Equal(got, want) || !lines[1].Best[0] || lines[2].Best[0] {
		t.Errorf("lines %q: %+v", got, lines)
	}
	// Nor are two budgets one for being written alike.
	near := bytes("masked", 0.5)
	near.Settings.Settings["budget_bytes"] = float64(1<<20 + 1)
	if l := Results([]Run{bytes("raw", 0.6), near}, Options{}).Tables[0].Lines; l[0].Best[0] || l[0].Budget != l[1].Budget {
		t.Errorf("lines %+v", l)
	}
}

// TestPublishedCounts: the paper's figures stand beside budgets that are counted as its own.
func TestPublishedCounts(t *testing.T) {
	for _, c := range []struct {
		exemplars, counts string
		n                 int
	}{{"raw", "", 1}, {"raw", "tokens", 0}, {"raw", "JPEG 90", 0}, {"mrdc", "JPEG 90", 1}, {"mrdc", "JPEG 60", 0}, {"cim", "pixels", 0}} {
		if got := published(series{method: "ssf", exemplars: c.exemplars}, budget{"budget", 5, c.counts}, column{phases: 10, even: true}); got.N != c.n {
			t.Errorf("%s, %s: %+v", c.exemplars, c.counts, got)
		}
	}
}

// TestMemoryPanels: a curve is over budgets of one kind.
func TestMemoryPanels(t *testing.T) {
	var runs []Run
	for i, more := range [][]any{nil, {"budget_unit", "tokens"}, {"codec", "jpeg", "jpeg_quality", 90.0}} {
		for _, b := range []float64{1, 3} {
			runs = append(runs, cell("raw", 10, b, 1, 0.5+float64(i)/10, more...))
		}
	}
	out := report(t, runs, Options{})
	for _, name := range []string{"memory-L10.svg", "memory-L10-tokens.svg", "memory-L10-jpeg90.svg"} {
		if out[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	if got := fileWord("../A b/9"); got != "ab9" {
		t.Errorf("word %q", got)
	}
}

// TestMemoryVariants: a variant has its own curve over budgets, after those that are no variants, and looks like no other.
func TestMemoryVariants(t *testing.T) {
	runs := []Run{cell("masked", 10, 1, 1, 0.4), cell("masked", 10, 3, 1, 0.45, "mask_score", "random")} // of one budget: no curve
	for _, b := range []float64{1, 3, 5} {
		runs = append(runs, cell("raw", 10, b, 1, 0.5+b/100), cell("masked", 10, b, 1, 0.6+b/100, "mask_text", "all"))
		if b < 5 {
			runs = append(runs, cell("masked", 10, b, 1, 0.55+b/100, "mask_layer", "0"))
		}
	}
	groups := group(runs)
	rows, studies := summarise(groups)
	panels, _ := studies[0].memoryPanels(rows, 0)
	if len(panels) != 1 {
		t.Fatalf("%d panels", len(panels))
	}
	var got []string
	for _, m := range panels[0].series {
		text := m.name + ":"
		for i, a := range m.accuracy {
			if a.N > 0 {
				text += " " + panels[0].budgets[i] + "=" + fixed(a.Mean, 2)
			}
		}
		got = append(got, text)
	}
	want := []string{"SSF: 1=0.51 3=0.53 5=0.55", "SSF+Ours: 1=0.40", "SSF + masked (mask_text all): 1=0.61 3=0.63 5=0.65", "SSF + masked (mask_layer 0): 1=0.56 3=0.58"}
	if !slices.Equal(got, want) {
		t.Errorf("series %q, want %q", got, want)
	}
	distinct := func(panels []memoryPanel, kinds ...int) {
		t.Helper()
		told, series := toldInks(panels)
		type look struct {
			trace string
			bar   scene.Paint
		}
		seen := map[look]string{}
		marks := map[int]string{}
		var like []int
		for _, m := range series {
			x := m.trace()
			l := look{fmt.Sprint(x.ink, x.open, x.dash), m.bar()}
			if seen[l] != "" || marks[m.mark] != "" {
				t.Errorf("%s looks like %s%s", m.name, seen[l], marks[m.mark])
			}
			seen[l], marks[m.mark], like = m.name, m.name, append(like, m.like)
		}
		if !slices.Equal(like, kinds) {
			t.Errorf("like %v, want %v", like, kinds)
		}
		if told[0].series[0].name != panels[0].series[0].name || panels[0].series[len(panels[0].series)-1].like != 0 {
			t.Error("the panels were changed")
		}
	}
	distinct(panels, 0, 0, 1, 2)
	distinct(append(panels, publishedPanel()), 0, 0, 1, 2, 0) // SSF+CIM is the paper's alone

	out := report(t, runs, Options{})
	if svg := out["memory-L10.svg"]; !strings.Contains(svg, "stroke-dasharray=\"6\"") || !strings.Contains(svg, "stroke-dasharray=\"4.5\"") ||
		!strings.Contains(svg, "SSF + masked (mask_layer 0)</text>") {
		t.Errorf("the figure does not tell variants: %s", svg)
	}
	if !strings.Contains(out["report.html"], "it is dashed, and its bars are pale") {
		t.Error("the caption does not say what is dashed")
	}
	// Where no run is the paper's method, the paper's own does not look like what is in its place.
	var altered []Run
	for _, b := range []float64{1, 3} {
		altered = append(altered, cell("raw", 10, b, 1, 0.5), cell("masked", 10, b, 1, 0.6, "mask_text", "all"))
	}
	rows, studies = summarise(group(altered))
	panels, _ = studies[0].memoryPanels(rows, 0)
	distinct(append(panels, publishedPanel()), 0, 0, 0, 1)

	// There are as many curves as colours, those with more budgets before those with fewer.
	runs = nil
	for i := range 12 {
		for _, b := range []float64{1, 3, 5}[:2+i%2] {
			more := []any{"mask_new", float64(i) / 100}
			if i == 0 {
				more = nil
			}
			runs = append(runs, cell("masked", 10, b, 1, 0.5, more...))
		}
	}
	rows, studies = summarise(group(runs))
	panels, _ = studies[0].memoryPanels(rows, 0)
	if n := len(panels[0].series); n != scene.SeriesColours || panels[0].series[0].name != "SSF+Ours" ||
		panels[0].series[6].accuracy[2].N != 1 || panels[0].series[7].accuracy[2].N != 0 {
		t.Errorf("%d series: %+v", n, panels[0].series)
	}
	distinct(panels, 0, 1, 2, 3, 4, 5, 6, 7)
	for _, width := range []float64{wide, narrow} {
		if texts := memoryFigure(panels, width).Clipped(); texts != nil {
			t.Errorf("clipped: %q", texts)
		}
	}
}
