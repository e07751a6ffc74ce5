package report

import (
	"cmp"
	"context"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/report/scene"
)

// page is what page.html is filled with.
type page struct {
	Title     string
	Style     template.CSS
	Lead      []string // sentences
	Studies   []pageStudy
	Seeded    bool // some row has several seeds
	Albums    []album
	Sheet     *figure // the gallery as one picture; nil without albums
	Scale     []scaleStep
	Published []publishedLine // the paper's table, where it names what was run
	Common    []setting
	Labels    []string
	Differ    []difference
	Runs      []runLine
	Program   []string

	tables []schemas.ResultsTable
}

// pageStudy is what the page shows of a study.
type pageStudy struct {
	ID       string // what the names of its anchors end with
	Title    string // empty where there is one study
	Matrix   pageTable
	Theirs   bool // the matrix has columns of the paper
	Seeds    string
	Accuracy pageTable
	Costs    pageTable
	Long     bool // many rows: folded away
	Figures  studyFigures
	Heats    []heatGroup
	Fold     bool // several schedules: matrices are folded away
	Worst    []worst
}

// pageTable is a table.
type pageTable struct {
	Head  []pageHead
	Lines []pageLine
}

type pageHead struct {
	Text string
	Them bool // of the paper
	Word bool // a column of text
}

type pageLine struct {
	Label  string
	Colour int
	First  bool // of those with its budget
	Cells  []pageCell
}

type pageCell struct {
	matrixCell
	Word bool
}

// publishedLine is a line of the paper's table.
type publishedLine struct {
	Name  string
	Cells []string
}

// heatGroup are the accuracy matrices of a schedule.
type heatGroup struct {
	Title string
	Heats []heat
}

// worst names the most forgotten classes of a row.
type worst struct {
	Label  string
	Colour int
	Text   string
}

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

func newPage(ctx context.Context, runs []Run, o Options) (*page, []Row, error) {
	p := &page{Title: o.Title}
	var err error
	if p.Style, err = style(); err != nil {
		return nil, nil, err
	}
	groups := group(runs)
	rows, studies := summarise(groups)
	var first []Run
	for _, g := range groups {
		first = append(first, g[0])
	}
	p.Common, p.Differ = compare(first)
	p.Lead = lead(runs, rows, studies, agreed(p.Common, p.Differ))
	p.tables = tablesOf(studies, rows, o)
	colour := rowColours(studies, len(rows))
	names := rowNames(studies, len(rows))
	p.Labels = names
	for _, r := range rows {
		p.Seeded = p.Seeded || len(r.Seeds) > 1
	}
	for i, s := range studies {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		p.Studies = append(p.Studies, newPageStudy(s, i, len(studies), rows, p.tables[i], colour, o))
	}
	if slices.ContainsFunc(p.tables, namesPublished) && !o.WithoutPublished {
		for _, m := range publishedTable() {
			line := publishedLine{Name: m.name}
			for _, a := range m.accuracy {
				line.Cells = append(line.Cells, fixed(100*a, 2))
			}
			p.Published = append(p.Published, line)
		}
	}
	if p.Albums, err = albums(groups, names, colour, o); err != nil {
		return nil, nil, err
	}
	if len(p.Albums) > 0 {
		sheet := figure{Name: "gallery"}
		if sheet.wide, err = sheetFigure(p.Albums); err != nil {
			return nil, nil, err
		}
		p.Sheet = &sheet
	}
	for l := range levels {
		p.Scale = append(p.Scale, scaleStep{l, l * 20})
	}
	for i, g := range groups {
		for _, r := range g {
			line := newRow([]Run{r})
			p.Runs = append(p.Runs, runLine{
				names[i], strconv.FormatUint(r.Report.Seed, 10), percent(line.Average.Mean), percent(line.MacroAverage.Mean),
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
	return p, rows, nil
}

// figures are all of the page's, in its order.
func (p *page) figures() (all []figure) {
	for _, s := range p.Studies {
		all = append(all, s.Figures.all()...)
	}
	if p.Sheet != nil {
		all = append(all, *p.Sheet)
	}
	return all
}

// namesPublished says whether a table has a method that the paper has.
func namesPublished(t schemas.ResultsTable) bool {
	return slices.ContainsFunc(t.Lines, func(l schemas.ResultsCells) bool {
		return l.Name != "" && l.Name == paperName(l.Method, l.Exemplars)
	})
}

// rowColours is the colour number of each row.
func rowColours(studies []study, n int) []int {
	out := make([]int, n)
	for _, s := range studies {
		for _, l := range s.lines {
			for _, i := range l.rows {
				if i >= 0 {
					out[i] = s.series[l.series].colour
				}
			}
		}
	}
	return out
}

// rowNames is what each row is called on the page: by its method, and by what else tells it from other rows.
func rowNames(studies []study, n int) []string {
	out := make([]string, n)
	for k, s := range studies {
		for _, l := range s.lines {
			name := s.lineName(l)
			for c, i := range l.rows {
				if i < 0 {
					continue
				}
				out[i] = name
				if len(s.columns) > 1 {
					out[i] += ", " + s.columns[c].title
				}
				if len(studies) > 1 {
					out[i] += ", table " + strconv.Itoa(k+1)
				}
			}
		}
	}
	return out
}

// lineName is a line's method, with its budget where there are several.
func (s study) lineName(l line) string {
	name := s.series[l.series].name()
	if b := l.budget.String(); b != "" && s.budgets() > 1 {
		name += ", " + b
	}
	return name
}

func newPageStudy(s study, n, of int, rows []Row, t schemas.ResultsTable, colour []int, o Options) pageStudy {
	out := pageStudy{Figures: figuresOf(s, n, rows, o), Theirs: publishedColumns(t) != nil, Seeds: seeded(t), Fold: len(s.columns) > 1}
	if of > 1 {
		out.ID, out.Title = "-"+strconv.Itoa(n+1), s.title
	}
	head, lines := matrix(t)
	text := textColumns(t)
	for i, h := range head {
		out.Matrix.Head = append(out.Matrix.Head, pageHead{Text: strings.TrimPrefix(h, "published "), Them: strings.HasPrefix(h, "published "), Word: i < text})
	}
	for i, line := range lines {
		l := pageLine{Label: line[0].Text, Colour: s.series[s.lines[i].series].colour, First: i > 0 && s.lines[i].budget != s.lines[i-1].budget}
		for k, c := range line[1:] {
			l.Cells = append(l.Cells, pageCell{c, k+1 < text})
		}
		out.Matrix.Lines = append(out.Matrix.Lines, l)
	}

	// The rows in the order of the matrix: by budget, then by method, then by phases.
	var members []int
	names := make([]string, len(rows))
	for _, l := range s.lines {
		for _, i := range l.rows {
			if i >= 0 {
				members, names[i] = append(members, i), s.lineName(l)
			}
		}
	}
	out.Long = len(members) > 12
	own := make([]Row, len(members))
	for k, i := range members {
		own[k] = rows[i]
	}
	for i, fields := range [][]field{accuracyFields(Row.Label), costFields(own, Row.Label)} {
		to := []*pageTable{&out.Accuracy, &out.Costs}[i]
		head, cells := grid(own, fields)
		for _, h := range head {
			if k := strings.LastIndexByte(h, ' '); k >= 0 { // a unit stays with the word before it
				h = h[:k] + "\u00a0" + h[k+1:]
			}
			to.Head = append(to.Head, pageHead{Text: h, Word: len(to.Head) == 0})
		}
		for k, line := range cells {
			l := pageLine{Label: names[members[k]], Colour: colour[members[k]]}
			for _, c := range line[1:] {
				l.Cells = append(l.Cells, pageCell{matrixCell: matrixCell{Text: c}})
			}
			to.Lines = append(to.Lines, l)
		}
	}
	for c, col := range s.columns {
		g := heatGroup{Title: col.title}
		e := s.exhibit(rows, c)
		for i, r := range e.rows {
			g.Heats = append(g.Heats, newHeat(r, e.names[i], e.series[i].colour))
			if text := worstClasses(r); text != "" {
				out.Worst = append(out.Worst, worst{e.names[i] + ", " + col.title, e.series[i].colour, text})
			}
		}
		if len(g.Heats) > 0 {
			out.Heats = append(out.Heats, g)
		}
	}
	return out
}

// worstClasses names the five classes of which most was forgotten, with the points lost.
func worstClasses(r Row) string {
	classes := slices.Concat(byPhase(r.PerClass)...)
	slices.SortStableFunc(classes, func(a, b schemas.ResultsClass) int { return cmp.Compare(b.Forgetting.Mean, a.Forgetting.Mean) })
	var parts []string
	for _, c := range classes {
		name := c.Name
		if name == "" {
			name = c.WNID
		}
		if len(parts) == 5 || c.Forgetting.Mean <= 0 || name == "" {
			break
		}
		parts = append(parts, clip(name, 40)+" "+fixed(100*c.Forgetting.Mean, 0))
	}
	return strings.Join(parts, ", ")
}

// style is the page's style sheet: the figures' colours, the page, and the ramps.
func style() (template.CSS, error) {
	b, err := files.ReadFile("page.css")
	if err != nil {
		return "", err
	}
	return template.CSS(scene.Style()) + template.CSS(b) + rampCSS(), nil
}

// lead says in a few sentences what was run. What runs do not agree on is left to the settings.
func lead(runs []Run, rows []Row, studies []study, common []setting) []string {
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
	var methods []string
	for _, s := range studies {
		for _, x := range s.series {
			if !slices.Contains(methods, x.name()) {
				methods = append(methods, x.name())
			}
		}
	}
	what := count(len(methods), "method", "methods") + " learned " + list(schedules)
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

func newHeat(r Row, name string, colour int) heat {
	h := heat{Label: name, Colour: colour, Dense: r.Phases > 10}
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
