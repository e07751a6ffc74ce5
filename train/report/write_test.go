package report

import (
	"context"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// report writes runs to a new folder and returns its files by name.
func report(t *testing.T, runs []Run, o Options) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "new", "report")
	if err := Write(t.Context(), dir, runs, o); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	var results schemas.Results
	if err := schemas.ReadJSON(filepath.Join(dir, "results.json"), schemas.ResultsHeader, &results); err != nil {
		t.Fatal(err)
	}
	want := []string{"report.html", "table.md", "table.csv", "results.json"}
	for _, f := range results.Figures {
		want = append(want, f.Name+".svg", f.Name+".png")
		wellFormed(t, f.Name+".svg", out[f.Name+".svg"])
		if p, err := png.Decode(strings.NewReader(out[f.Name+".png"])); err != nil || p.Bounds().Dx() < 2000 {
			t.Errorf("%s.png is no picture to print: %v", f.Name, err)
		}
	}
	for _, name := range want {
		if out[name] == "" {
			t.Errorf("%s is missing or empty", name)
		}
	}
	if len(out) != len(want) {
		t.Errorf("%d files, want %d", len(out), len(want))
	}
	wellFormed(t, "report.html", out["report.html"])
	alone(t, out["report.html"])
	return out
}

// wellFormed holds the page to XML's rules, which are stricter than HTML's: every element closed, every attribute quoted.
func wellFormed(t *testing.T, name, s string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	d.Entity = xml.HTMLEntity
	ids := map[string]bool{}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local == "script" {
			t.Errorf("%s: has a script", name)
		}
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("%s: handler %s=%q", name, a.Name.Local, a.Value)
			}
			if a.Name.Local == "id" {
				if ids[a.Value] {
					t.Errorf("%s: id %q twice", name, a.Value)
				}
				ids[a.Value] = true
			}
		}
		if start.Name.Local == "th" && !slices.ContainsFunc(start.Attr, func(a xml.Attr) bool { return a.Name.Local == "scope" }) {
			t.Errorf("%s: th without scope", name)
		}
		if start.Name.Local == "svg" && !slices.ContainsFunc(start.Attr, func(a xml.Attr) bool { return a.Name.Local == "aria-label" && a.Value != "" }) {
			t.Errorf("%s: svg without a text", name)
		}
	}
	// Every reference inside the page leads somewhere.
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(s, -1) {
		if !ids[m[1]] {
			t.Errorf("%s: nothing has the id %q", name, m[1])
		}
	}
}

// alone checks that a page asks for nothing outside itself.
func alone(t *testing.T, s string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?i)\b(?:src|href|action|data|poster|srcset)\s*=\s*"([^"]*)"`).FindAllStringSubmatch(s, -1) {
		if !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "data:image/") {
			t.Errorf("the page refers to %.80q", m[1])
		}
	}
	for _, bad := range []string{"http://", "https://", "@import", "<link", "<script", "<iframe", "ZgotmplZ"} {
		if strings.Contains(s, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

func TestTables(t *testing.T) {
	none := smallRun("ssf", "none", 1, 0.4, 0.25)
	for i := range none.Report.Phases {
		p := &none.Report.Phases[i]
		p.ExemplarsPerClass, p.MemoryBudgetBytes, p.MemoryUsedBytes = 0, 0, 0
		p.TokenFraction, p.PixelFraction, p.StoredFraction = 0, 0, 0
	}
	runs := []Run{smallRun("ssf", "masked", 1, 0.60, 0.48), smallRun("ssf", "masked", 2, 0.62, 0.52), none}
	// SD of averages 0.02/√2 = 1.4 %, of last and forgetting 0.04/√2 = 2.8 %, of exemplars 0.7, of bytes 0.7 = 0.00 KiB.
	got := render(t, func(w io.Writer) error { return WriteTable(w, Summarise(runs)) })
	want := `method        average accuracy %  last accuracy %  forgetting %  exemplars per class     used KiB  budget KiB  seeds
ssf + none                  40.0             25.0          40.0                    0            0           –      1
ssf + masked          61.0 ± 1.4       50.0 ± 2.8    32.0 ± 2.8            7.5 ± 0.7  7.81 ± 0.00        8.00      2
`
	if got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}

	out := report(t, runs, Options{})
	if want := "| ssf + masked |         61.0 ± 1.4 |      50.0 ± 2.8 |   32.0 ± 2.8 |           7.5 ± 0.7 | 7.81 ± 0.00 |       8.00 |     2 |\n"; !strings.Contains(out["table.md"], want) {
		t.Errorf("table.md\n%s\nlacks\n%s", out["table.md"], want)
	}
	if !strings.Contains(out["report.html"], "Published (arXiv 2412.09549)") || strings.Contains(strings.ToLower(report(t, runs, Options{WithoutPublished: true})["report.html"]), "published") {
		t.Error("the paper's figures must appear unless they are not asked for")
	}

	records, err := csv.NewReader(strings.NewReader(out["table.csv"])).ReadAll()
	if err != nil || len(records) != 3 {
		t.Fatalf("table.csv: %d records, %v", len(records), err)
	}
	for line, want := range map[int]map[string]string{
		1: {"label": "ssf + none", "seeds": "1", "average_accuracy": "0.400000", "average_accuracy_sd": "", "memory_used_bytes": "0.000000", "classes": "4"},
		2: {"label": "ssf + masked", "seeds": "1 2", "average_accuracy": "0.610000", "average_accuracy_sd": "0.014142", "last_accuracy": "0.500000",
			"last_accuracy_sd": "0.028284", "forgetting": "0.320000", "exemplars_per_class": "7.500000", "exemplars_per_class_sd": "0.707107",
			"memory_used_bytes": "8001.500000", "memory_budget_bytes": "8192.000000", "stored_fraction": "0.400000", "seconds": "30.000000", "phases": "2"},
	} {
		for name, want := range want {
			i := slices.Index(records[0], name)
			if i < 0 || records[line][i] != want {
				t.Errorf("table.csv line %d, %s: %q, want %q", line, name, records[line][max(i, 0)], want)
			}
		}
	}
	for _, want := range []string{`"schema": "mcil.results"`, `"by_seed"`, `"exemplars": "masked"`} {
		if !strings.Contains(out["results.json"], want) {
			t.Errorf("results.json lacks %s", want)
		}
	}
}

func TestPageTellsWhatWasRun(t *testing.T) {
	runs := benchmark(t)
	out := report(t, runs, Options{})
	html := out["report.html"]
	for _, want := range []string{
		"On mm-imagenet-r/hf (classes n0*), 5 methods learned 20 classes in 5 phases of 4, with seeds 1 and 2: 10 runs.",
		"The memory budget is what 5 unmasked exemplars a class cost, counted as stored.",
		"The encoder is small, with weights from pretrained/small.",
		`SSF&#43;Ours, seed 1</h3>`, `</span>SSF&#43;Ours</th><td class="word">masked</td><td class="word">5 a class</td><td class="best">`, "patches kept</dt><dd>37 of 144 (26 %)", "stored</dt><dd>5.0 KiB instead of 14.2 KiB (35 %)",
		"Settings that differ (1)", `<th scope="row"><code>exemplars</code></th><td>none</td><td>raw</td>`, "mcil v0.1.0 go1.26.8",
		`<mark class="w2">sun</mark><span class="dropped w2">light. the </span>`, "ledge (carved from ",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(html, "data:image/"); n != 6 {
		t.Errorf("%d pictures, want 6: one for each exemplar of the first seed", n)
	}
	for _, name := range []string{"accuracy-L5.svg", "bytes-L5.svg"} {
		for _, want := range []string{`xmlns="http://www.w3.org/2000/svg"`, "prefers-color-scheme: dark", "SSF+Ours"} {
			if !strings.Contains(out[name], want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
	// The order in which runs are named, and the folders they lie in, change nothing.
	slices.Reverse(runs)
	for i := range runs {
		runs[i].Dir = "elsewhere"
	}
	for name, s := range report(t, runs, Options{}) {
		if s != out[name] {
			t.Errorf("%s differs for the same runs in another order", name)
		}
	}
	if s := report(t, runs, Options{GalleryPerMethod: 2})["report.html"]; strings.Count(s, "data:image/") != 4 || !strings.Contains(s, "1 more in gallery.json") {
		t.Error("two exemplars a method, and a note on the third")
	}
	if s := report(t, runs, Options{GalleryPerMethod: -1})["report.html"]; strings.Contains(s, "data:image/") {
		t.Error("no gallery was asked for")
	}
}

func TestTextIsEscaped(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>` + "`|*_[x](javascript:alert(3))"
	r := smallRun("ssf"+evil, "masked"+evil, 1, 0.5, 0.4)
	r.Settings.Settings["data"] = evil
	r.Settings.Settings[evil] = evil
	r.Settings.Digest = evil
	r.Report.Program.Version = evil
	e := drawn(t, 0, 3, 4, 8)
	e.ClassName, e.ID, e.WNID = evil, evil, evil
	for i := range e.Tokens {
		e.Tokens[i].Text = evil
	}
	r.Gallery = &schemas.Gallery{Exemplars: []schemas.GalleryExemplar{e}}
	out := report(t, []Run{r}, Options{Title: evil})
	for name, s := range out {
		if name == "results.json" || name == "table.csv" {
			continue
		}
		for _, bad := range []string{"<script", "<img"} {
			if strings.Contains(s, bad) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
	}
	if strings.Contains(render(t, func(w io.Writer) error {
		return WriteTable(w, []Row{{Method: "\x1b[31mred\u009b", Exemplars: "a\nb"}})
	}), "\x1b") {
		t.Error("a control character reaches the terminal")
	}
}

func TestSmallInputs(t *testing.T) {
	one := smallRun("ssf", "raw", 7, 0.6, 0.6)
	one.Report.Phases, one.Report.AccuracyMatrix = one.Report.Phases[:1], one.Report.AccuracyMatrix[:1]
	one.Gallery = &schemas.Gallery{}
	one.Settings.Settings = nil
	html := report(t, []Run{one}, Options{})["report.html"]
	for _, want := range []string{"1 method learned 2 classes in 1 phase, with seed 7: 1 run.", "saved no gallery"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"±  ", "Mean ± sample", "NaN", "Inf", "<tfoot"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page of one seed and one phase contains %q", bad)
		}
	}

	// Other class counts, an empty caption, attention that is nowhere.
	big := smallRun("l2p", "none", 1, 0.5, 0.4)
	big.Report.Phases[0].Classes, big.Report.Phases[1].Classes = 100, 200
	e := drawn(t, 0, 1, 1, 8)
	e.Attention, e.KeptPatch, e.Tokens, e.FullBytes = []float32{0}, []bool{false}, nil, 0
	big.Gallery = &schemas.Gallery{Exemplars: []schemas.GalleryExemplar{e}}
	html = report(t, []Run{one, big}, Options{})["report.html"]
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if !strings.Contains(html, "200 classes in 2 phases of 100 and 2 classes in 1 phase") {
		t.Error("both schedules must be told")
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	r := smallRun("ssf", "raw", 1, 0.5, 0.4)
	broken := r
	broken.Report.Phases = nil
	e := drawn(t, 0, 3, 4, 8)
	e.KeptPatch = nil
	torn := r
	torn.Gallery = &schemas.Gallery{Exemplars: []schemas.GalleryExemplar{e}}
	for want, runs := range map[string][]Run{"no runs": nil, "holds no phase": {broken}, "the same run": {r, r}, "0 kept flags": {torn}} {
		if err := Write(t.Context(), dir, runs, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, dir, []Run{r}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a refused report leaves a folder behind")
	}
}

func TestJoin(t *testing.T) {
	pieces := func(s string) (out []schemas.GalleryToken) {
		for f := range strings.FieldsSeq(s) {
			text, kept := strings.CutPrefix(f, "*")
			out = append(out, schemas.GalleryToken{Text: text, Kept: kept})
		}
		return out
	}
	for in, want := range map[string][]words{
		"":                         nil,
		"*antler ##ed deer":        {{"antler", true, 0}, {"ed deer", false, 0}},
		"a *polar *bear , on *ice": {{"a ", false, 0}, {"polar bear", true, 0}, {", on ", false, 0}, {"ice", true, 0}},
		"it ' s ( white - haired ) !": {
			{"it's (white-haired)!", false, 0}},
		"## x": {{" x", false, 0}},
	} {
		if got := join(pieces(in)); !slices.Equal(got, want) {
			t.Errorf("join(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestExemplarAreas(t *testing.T) {
	e := drawn(t, 0, 2, 3, 8)
	e.Attention = []float32{0, 1, 1, 0, 4, 0} // mean 1
	e.KeptPatch = []bool{false, true, true, false, true, false}
	x, err := newExemplar(e, "x")
	if err != nil {
		t.Fatal(err)
	}
	if want := "M0 0h8v8h-8zM0 8h8v8h-8zM16 8h8v8h-8z"; x.Discarded != want {
		t.Errorf("discarded %q, want %q", x.Discarded, want)
	}
	if want := "M8 0v8M16 8h8M8 8v8M16 8v8"; x.Outline != want {
		t.Errorf("outline %q, want %q", x.Outline, want)
	}
	want := []layer{{0, "M0 0h8v8h-8zM0 8h8v8h-8zM16 8h8v8h-8z"}, {4, "M8 0h16v8h-16z"}, {15, "M8 8h8v8h-8z"}}
	if !slices.Equal(x.Ramp, want) {
		t.Errorf("ramp %v, want %v", x.Ramp, want)
	}
	if x.Exceptions != 2 { // the two at the mean are not above it, and kept
		t.Errorf("%d exceptions, want 2", x.Exceptions)
	}
}

// TestWriteBesideOthers: of temporary files only those of a report are taken away.
func TestWriteBesideOthers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".table.csv.tmp-1", ".thesis.tex.tmp-1", "thesis.tex"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(t.Context(), dir, []Run{smallRun("ssf", "raw", 1, 0.5, 0.4)}, Options{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".table.csv.tmp-1": false, ".thesis.tex.tmp-1": true, "thesis.tex": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
