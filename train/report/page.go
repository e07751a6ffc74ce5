package report

import (
	"context"
	"html/template"
	"slices"
	"strconv"
	"strings"
)

// page is what page.html is filled with.
type page struct {
	Title   string
	Style   template.CSS
	Lead    []string // sentences
	Head    []string
	Rows    []pageRow
	Seeded  bool      // some row has several seeds
	Curves  [2]plot   // wide and narrow
	Memory  [2]plot   // wide and narrow
	Costs   []costRow // of rows that keep exemplars
	Heats   []heat
	Albums  []album
	Scale   []scaleStep
	Common  []setting
	Labels  []string
	Differ  []difference
	Runs    []runLine
	Program []string
}

type pageRow struct {
	Label  string
	Colour int
	Cells  []string
}

// costRow is the mean cost of an exemplar, counted three ways, in percent of its unmasked form.
type costRow struct{ Label, Token, Pixel, Stored string }

// heat is the accuracy matrix of a row.
type heat struct {
	Label  string
	Colour int
	Heads  []int // phases from 1
	Lines  []heatLine
	Drop   []string
	Dense  bool // many phases: smaller cells
}

type heatLine struct {
	Phase int
	Cells []heatCell
	Blank []struct{} // phases that were still to come
}

type heatCell struct {
	Text  string
	Level int
}

// scaleStep is one colour of the legend of the attention maps.
type scaleStep struct {
	Level, X int
}

// runLine is one run by itself.
type runLine struct {
	Label, Seed, Average, Macro, Last, Forgetting, Exemplars, Used, Time, Digest string
}

func newPage(ctx context.Context, runs []Run, rows []Row, o Options) (*page, error) {
	p := &page{Title: o.Title}
	var err error
	if p.Style, err = style(); err != nil {
		return nil, err
	}
	groups := group(runs)
	var first []Run
	for _, g := range groups {
		first = append(first, g[0])
	}
	p.Common, p.Differ = compare(first)
	p.Lead = lead(runs, rows, agreed(p.Common, p.Differ))

	head, cells := grid(rows, o)
	for _, h := range head { // a unit stays with the word before it
		if i := strings.LastIndexByte(h, ' '); i >= 0 {
			h = h[:i] + "\u00a0" + h[i+1:]
		}
		p.Head = append(p.Head, h)
	}
	colour := colours(rows)
	for i, r := range rows {
		p.Labels = append(p.Labels, r.Label())
		p.Rows = append(p.Rows, pageRow{r.Label(), colour[i], cells[i][1:]})
		p.Seeded = p.Seeded || len(r.Seeds) > 1
		if r.TokenFraction.Mean+r.PixelFraction.Mean+r.StoredFraction.Mean > 0 {
			p.Costs = append(p.Costs, costRow{r.Label(), spread(r.TokenFraction, 100, 1), spread(r.PixelFraction, 100, 1), spread(r.StoredFraction, 100, 1)})
		}
		p.Heats = append(p.Heats, newHeat(r, colour[i]))
	}
	p.Curves = [2]plot{curves(rows, wide), curves(rows, narrow)}
	p.Memory = [2]plot{memory(rows, wide), memory(rows, narrow)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.Albums, err = albums(runs, rows, o); err != nil {
		return nil, err
	}
	for l := range levels {
		p.Scale = append(p.Scale, scaleStep{l, l * 20})
	}
	for i, g := range groups {
		for _, r := range g {
			line := newRow([]Run{r})
			p.Runs = append(p.Runs, runLine{
				rows[i].Label(), strconv.FormatUint(r.Report.Seed, 10), percent(line.Average.Mean), percent(line.MacroAverage.Mean),
				percent(line.Last.Mean), percent(line.Forgetting.Mean), fixed(line.ExemplarsPerClass.Mean, 1),
				byteText(line.UsedBytes.Mean), durationText(line.Seconds.Mean), clip(r.Settings.Digest, 12),
			})
			by := strings.TrimSpace(strings.Join([]string{r.Report.Program.Name, r.Report.Program.Version, r.Report.Program.Go}, " "))
			if by != "" && !slices.Contains(p.Program, by) {
				p.Program = append(p.Program, by)
			}
		}
	}
	slices.Sort(p.Program)
	return p, nil
}

// style is the page's style sheet: the plots' colours, the page, and the ramps.
func style() (template.CSS, error) {
	var all []byte
	for _, name := range []string{"plot.css", "page.css"} {
		b, err := files.ReadFile(name)
		if err != nil {
			return "", err
		}
		all = append(all, b...)
	}
	return template.CSS(all) + rampCSS(), nil
}

// lead says in a few sentences what was run. What runs do not agree on is left to the settings.
func lead(runs []Run, rows []Row, common []setting) []string {
	var schedules, seeds []string
	var all []uint64
	for _, r := range rows {
		s := count(r.Classes, "class", "classes") + " in " + count(r.Phases, "phase", "phases")
		if size, ok := phaseSize(r); ok && r.Phases > 1 {
			s += " of " + strconv.Itoa(size)
		}
		if !slices.Contains(schedules, s) {
			schedules = append(schedules, s)
		}
		all = append(all, r.Seeds...)
	}
	slices.Sort(all)
	for _, s := range slices.Compact(all) {
		seeds = append(seeds, strconv.FormatUint(s, 10))
	}
	what := count(len(rows), "method", "methods") + " learned " + list(schedules)
	if data := lookup(common, "data"); data != "" {
		const longest = 40 // characters of a selection that a sentence bears; any is under settings
		if classes := lookup(common, "classes"); classes != "" && len(classes) <= longest {
			data += " (classes " + classes + ")"
		}
		what = "On " + data + ", " + what
	}
	word := "seed "
	if len(seeds) > 1 {
		word = "seeds "
	}
	out := []string{what + ", with " + word + list(seeds) + ": " + count(len(runs), "run", "runs") + "."}
	switch n := lookup(common, "budget"); {
	case lookup(common, "budget-bytes") != "" && lookup(common, "budget-bytes") != "0":
		out = append(out, "The memory budget is "+lookup(common, "budget-bytes")+" bytes.")
	case n != "":
		s := "The memory budget is what " + n + " unmasked exemplars a class cost"
		if unit := lookup(common, "budget-unit"); unit != "" {
			s += ", counted as " + unit
		}
		out = append(out, s+".")
	}
	model, weights := lookup(common, "model"), lookup(common, "weights")
	switch {
	case model != "" && weights == "random":
		out = append(out, "The encoder is "+model+", with random weights.")
	case model != "" && weights != "":
		out = append(out, "The encoder is "+model+", with weights from "+weights+".")
	case model != "":
		out = append(out, "The encoder is "+model+".")
	}
	return out
}

// phaseSize is the number of classes a phase, where all phases have the same.
func phaseSize(r Row) (int, bool) {
	seen := 0
	for t, p := range r.Curve {
		if t > 0 && p.Classes-seen != r.Curve[0].Classes {
			return 0, false
		}
		seen = p.Classes
	}
	return r.Curve[0].Classes, true
}

func newHeat(r Row, colour int) heat {
	h := heat{Label: r.Label(), Colour: colour, Dense: r.Phases > 10}
	for t, row := range r.Matrix {
		h.Heads = append(h.Heads, t+1)
		line := heatLine{Phase: t + 1, Blank: make([]struct{}, r.Phases-t-1)}
		for _, a := range row {
			line.Cells = append(line.Cells, heatCell{fixed(100*a, 0), heatLevel(a)})
		}
		h.Lines = append(h.Lines, line)
	}
	for _, d := range r.Drop {
		h.Drop = append(h.Drop, fixed(100*d, 0))
	}
	return h
}
