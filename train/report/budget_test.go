package report

import (
	"slices"
	"strings"
	"testing"
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
