package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/train/report/scene"
)

// memorySeries is a series over budgets: what is held, and the accuracy that comes of it.
type memorySeries struct {
	name     string
	ink      scene.Colour
	mark     int
	like     int    // how many series before it have its ink: from 1 on it is drawn open, dashed and paler
	held     []Stat // parallel to the budgets; n of 0 where there is no run
	accuracy []Stat
}

// memoryPanel is one pair of panels of the memory figure.
type memoryPanel struct {
	title   string // whose
	data    string
	budgets []string
	unit    string
	series  []memorySeries
	without Stat // average accuracy without exemplars; n of 0 where there is no run
}

// memoryPanels returns, for column c, a panel for each kind of budget (a class, in all, in bytes; in what it is counted). Of
// a kind it tells a budget without its value.
func (s study) memoryPanels(all []Row, c int) (panels []memoryPanel, kinds []budget) {
	type kind struct {
		of   budget
		unit string
	}
	var known []kind
	for _, k := range []kind{
		{budget{key: "budget"}, "budget, whole exemplars a class"}, {budget{key: "budget-total"}, "budget, whole exemplars in all"},
		{budget{key: "budget-bytes"}, "budget"},
	} {
		for _, l := range s.lines { // in the order of what they are counted in
			of := budget{key: l.budget.key, counts: l.budget.counts}
			if of.key != k.of.key || slices.ContainsFunc(known, func(o kind) bool { return o.of == of }) {
				continue
			}
			unit := k.unit
			if of.counts != "" {
				unit += ", " + of.counts
			}
			known = append(known, kind{of, unit})
		}
	}
	for _, kind := range known {
		of := func(l line) bool {
			return l.budget.key == kind.of.key && l.budget.counts == kind.of.counts && l.rows[c] >= 0
		}
		used := s.overBudgets(of)
		var budgets []budget
		for _, l := range s.lines {
			if of(l) && slices.Contains(used, l.series) && !slices.Contains(budgets, l.budget) {
				budgets = append(budgets, l.budget)
			}
		}
		if len(budgets) < 2 { // one budget is no curve: what it holds is told with the bytes
			continue
		}
		p := memoryPanel{title: "ours", data: s.title + ", " + s.columns[c].title, unit: kind.unit}
		for _, b := range budgets {
			text := budget{key: b.key, value: b.value}.String()
			p.budgets = append(p.budgets, strings.TrimSuffix(strings.TrimSuffix(text, " a class"), " in all"))
		}
		for _, k := range used {
			m := memorySeries{name: s.series[k].name(), ink: s.series[k].ink(), mark: s.series[k].colour,
				held: make([]Stat, len(budgets)), accuracy: make([]Stat, len(budgets))}
			for _, l := range s.lines {
				if i := slices.Index(budgets, l.budget); i >= 0 && l.series == k && l.rows[c] >= 0 {
					m.held[i], m.accuracy[i] = all[l.rows[c]].ExemplarsPerClass, all[l.rows[c]].Average
				}
			}
			p.series = append(p.series, m)
		}
		if row := s.without(c, used); row >= 0 {
			p.without = all[row].Average
		}
		panels, kinds = append(panels, p), append(kinds, kind.of)
	}
	return panels, kinds
}

// without is the row of column c that learned as SSF does and held nothing, to hold the series used against; -1 where there
// is none. Finetune is the same method. One that is altered is not, unless all that is shown is.
func (s study) without(c int, used []int) int {
	plain := slices.ContainsFunc(used, func(k int) bool { return !s.series[k].altered })
	for _, method := range []string{"ssf", "finetune"} {
		for _, l := range s.lines {
			of := s.series[l.series]
			if l.rows[c] >= 0 && of.method == method && of.exemplars == "none" && of.variant == "" && !(plain && of.altered) {
				return l.rows[c]
			}
		}
	}
	return -1
}

// overBudgets lists the series that a panel shows, of lines that of picks: those that are no variant of another, then
// variants that have a curve, which takes two budgets, those of most budgets first. Variants under one are in the ablation's
// figure.
func (s study) overBudgets(of func(line) bool) (used []int) {
	type place struct {
		series int
		budget budget
	}
	seen := map[place]bool{}
	count := make([]int, len(s.series)) // of budgets
	for _, l := range s.lines {
		if at := (place{l.series, l.budget}); of(l) && !seen[at] {
			seen[at] = true
			count[l.series]++
		}
	}
	for k, n := range count {
		if n > 1 || n == 1 && s.plainOf(k) < 0 {
			used = append(used, k)
		}
	}
	slices.SortStableFunc(used, func(a, b int) int {
		switch x, y := s.plainOf(a) >= 0, s.plainOf(b) >= 0; {
		case x && y:
			return cmp.Compare(count[b], count[a])
		case x:
			return 1
		case y:
			return -1
		}
		return cmp.Compare(a, b)
	})
	return used[:min(len(used), scene.SeriesColours)]
}

// toldInks are panels in which series of one colour and different names are told apart: all but the first get marks that no
// other has, and are drawn otherwise. Series are those of all panels, one a name.
func toldInks(panels []memoryPanel) (told []memoryPanel, series []memorySeries) {
	taken := map[int]bool{}
	for _, p := range panels {
		for _, m := range p.series {
			if !slices.ContainsFunc(series, func(o memorySeries) bool { return o.name == m.name }) {
				series, taken[m.mark] = append(series, m), true
			}
		}
	}
	for i := range series {
		for _, before := range series[:i] {
			if before.ink == series[i].ink {
				series[i].like++
			}
		}
		for mark := range scene.Marks {
			if series[i].like > 0 && !taken[mark] {
				taken[mark], series[i].mark = true, mark
				break
			}
		}
	}
	for _, p := range panels {
		p.series = slices.Clone(p.series)
		for k := range p.series {
			of := series[slices.IndexFunc(series, func(o memorySeries) bool { return o.name == p.series[k].name })]
			p.series[k].like, p.series[k].mark = of.like, of.mark
		}
		told = append(told, p)
	}
	return told, series
}

// bar is how a series' bars look.
func (m memorySeries) bar() scene.Paint {
	if m.like == 0 {
		return scene.Paint{Fill: m.ink, Opacity: 0.85}
	}
	return scene.Paint{Fill: m.ink, Opacity: 0.5 * math.Pow(0.72, float64(m.like-1)), Stroke: m.ink}
}

// trace is the series as a line.
func (m memorySeries) trace() trace {
	t := trace{name: m.name, ink: m.ink, mark: m.mark}
	if m.like > 0 {
		t.open, t.dash = true, 6*math.Pow(0.75, float64(m.like-1))
	}
	return t
}

// publishedPanel is the paper's own figure of memory.
func publishedPanel() memoryPanel {
	p := memoryPanel{title: "published", data: source + ", " + sourceData + ", L = 10", unit: "budget, whole exemplars a class"}
	for _, b := range publishedBudgets() {
		p.budgets = append(p.budgets, strconv.FormatFloat(b, 'f', -1, 64))
	}
	for _, f := range publishedFigure() {
		m := memorySeries{name: paperName("ssf", f.exemplars), ink: scene.Series(rank(f.exemplars)), mark: rank(f.exemplars)}
		for i := range publishedBudgets() {
			m.held, m.accuracy = append(m.held, Stat{Mean: f.held[i], N: 1}), append(m.accuracy, Stat{Mean: f.accuracy[i], N: 1})
		}
		p.series = append(p.series, m)
	}
	return p
}

// memoryFigure draws accuracy above the number of exemplars that are held, over budgets; the panels side by side, or below
// each other where the figure is narrow. Both kinds of panel share no axis of accuracy: the data are not the same.
func memoryFigure(panels []memoryPanel, width float64) *scene.Scene {
	s := scene.New(width, 0)
	panels, series := toldInks(panels)
	var names []trace
	for _, m := range series {
		t := m.trace()
		if slices.ContainsFunc(series, func(o memorySeries) bool { return o.like > 0 }) {
			t.bar = m.bar() // a colour alone no longer says whose it is
		}
		names = append(names, t)
	}
	top := legend(s, names, 0, width, 14)
	var said []string
	if width < wide {
		for _, p := range panels {
			top = p.draw(s, 0, width, top) + 26
		}
		s.H = top - 26
	} else {
		const gap = 36.0
		span := (width - gap*float64(len(panels)-1)) / float64(len(panels))
		for i, p := range panels {
			x := float64(i) * (span + gap)
			s.H = max(s.H, p.draw(s, x, x+span, top))
		}
	}
	for _, p := range panels {
		for _, m := range p.series {
			var points []string
			for i, b := range p.budgets {
				if m.accuracy[i].N > 0 {
					points = append(points, fixed(m.held[i].Mean, 1)+" exemplars and "+percent(m.accuracy[i].Mean)+" percent at "+b)
				}
			}
			said = append(said, m.name+" ("+p.title+") "+strings.Join(points, ", "))
		}
	}
	s.Alt = strings.Join(said, "; ") + "."
	return s
}

// draw draws a pair of panels between left and right from top down, and returns its lower end.
func (p memoryPanel) draw(s *scene.Scene, left, right, top float64) float64 {
	f := scene.Font{Colour: scene.Ink, Bold: true}
	s.Text(left, top+12, p.title, f)
	room, small := (right-left)*0.92, scene.Font{Size: 11}
	s.TextTip(left, top+28, s.Clip(p.data, room, small), tipOf(s, p.data, room, small), small)
	lines := box{left: left + 34, right: right - 2, top: top + 66, bottom: top + 232}
	bars := box{left: lines.left, right: lines.right, top: lines.bottom + 46, bottom: lines.bottom + 46 + 120}
	pitch := (lines.right - lines.left) / float64(len(p.budgets))
	centre := func(i int) float64 { return lines.left + pitch*(float64(i)+0.5) }

	var traces []trace
	var most float64
	for k, m := range p.series {
		t := m.trace()
		for i, a := range m.accuracy {
			off := (float64(k) - float64(len(p.series)-1)/2) * min(3, pitch/20) // so that whiskers stand side by side
			t.dots = append(t.dots, dot{centre(i) + off, a, nil, m.name + ", budget " + p.budgets[i] + ": " + spread(a, 100, 1) + " %"})
			most = max(most, m.held[i].Mean+m.held[i].SD)
		}
		traces = append(traces, t)
	}
	values := spreads(traces)
	lines.lo, lines.hi = percentRange(values)
	near := p.without.N > 0 && p.without.Mean > lines.lo-(lines.hi-lines.lo)/2
	if near {
		lines.lo, lines.hi = percentRange(append(values, p.without.Mean))
	}
	lines.percentAxis(s, "average accuracy, %")
	switch {
	case near:
		y := lines.y(p.without.Mean)
		s.Line(lines.left, y, lines.right, y, scene.Paint{Stroke: scene.Soft, Dash: 4})
		at := y - 5
		if at < lines.top+10 {
			at = y + 14
		}
		s.Text(lines.right-2, at, "no exemplars", scene.Font{Size: 11, Anchor: scene.End})
	case p.without.N > 0: // a line far below would leave no room for the others
		s.Text(lines.right-2, lines.bottom-5, "no exemplars: "+spread(p.without, 100, 1), scene.Font{Size: 11, Anchor: scene.End})
	}
	lines.draw(s, traces, false)

	step := niceStep(most, 4)
	bars.hi = math.Max(step, math.Ceil(most/step-1e-9)*step)
	bars.yAxis(s, step, "exemplars a class", func(v float64) string { return fixed(v, max(0, int(math.Ceil(-math.Log10(step)-1e-9)))) })
	width := min(pitch*0.84/float64(len(p.series)), 34)
	for i, b := range p.budgets {
		x := centre(i) - width*float64(len(p.series))/2
		for _, m := range p.series {
			if h := m.held[i]; h.N > 0 {
				y := bars.y(h.Mean)
				s.Rect(x+width*0.06, y, width*0.88, bars.bottom-y, m.bar())
				if h.N > 1 && h.SD > 0 && bars.y(h.Mean-h.SD)-bars.y(h.Mean+h.SD) > 1 {
					s.Line(x+width/2, bars.y(h.Mean-h.SD), x+width/2, bars.y(h.Mean+h.SD), whisker())
					y = bars.y(h.Mean + h.SD)
				}
				text := fixed(h.Mean, 1)
				text = strings.TrimSuffix(text, ".0")
				if h.Mean >= 10 {
					text = fixed(h.Mean, 0)
				}
				if f := (scene.Font{Size: 10, Anchor: scene.Middle}); s.TextWidth(text, f) <= width+3 {
					w := s.TextWidth(text, f)
					s.Rect(x+width/2-w/2-1, y-12, w+2, 11, scene.Paint{Fill: scene.Page}) // no line of the axis through a number
					s.Text(x+width/2, y-3, text, f)
				}
			}
			x += width
		}
		s.Line(centre(i), bars.bottom, centre(i), bars.bottom+4, tick())
		s.Text(centre(i), bars.bottom+18, b, centred())
	}
	s.Line(bars.left, bars.bottom, bars.right, bars.bottom, tick())
	s.Text((bars.left+bars.right)/2, bars.bottom+38, p.unit, centred())
	return bars.bottom + 42
}

// niceStep is 1, 2 or 5 times a power of ten, so that at most n steps make most.
func niceStep(most float64, n int) float64 {
	if most <= 0 {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, f := range []float64{1, 2, 5} {
		if f*p*float64(n) >= most {
			return f * p
		}
	}
	return 10 * p
}

// bytesFigure draws two sets of bars: exemplars a class, and bytes used within the budget.
func bytesFigure(e exhibit, w float64) *scene.Scene {
	s := scene.New(w, 0)
	const pitch, bar, head = 26.0, 14.0, 26.0
	room := nameRoom(s, e.names, 0.32)
	left := room + 10
	block := head + pitch*float64(len(e.rows))
	// Panels: where each begins, how long a full bar is, and the room behind it for the value.
	span := (w - left - 36 - 56 - 130) / 2
	x1, y1, x2, y2, span1, span2 := left, 0.0, left+span+56+36, 0.0, span, span
	s.H = block
	if w < wide {
		s.H = 2*block + 10
		x2, y2, span1, span2 = left, block+10, w-left-50, w-left-130
	}
	var mostCount, mostBytes float64
	for _, r := range e.rows {
		mostCount = max(mostCount, r.ExemplarsPerClass.Mean+r.ExemplarsPerClass.SD)
		mostBytes = max(mostBytes, r.BudgetBytes.Mean, r.UsedBytes.Mean)
	}
	unit, size := byteUnit(mostBytes)
	s.Text(x1, y1+14, "exemplars a class", unitText())
	s.Text(x2, y2+14, "used of the budget, "+unit, unitText())
	var said []string
	for i, r := range e.rows {
		fill := scene.Paint{Fill: e.series[i].ink()}
		at := head + pitch*float64(i)
		f := scene.Font{Colour: e.series[i].ink(), Anchor: scene.End}
		for _, y := range slices.Compact([]float64{y1, y2}) {
			s.TextTip(left-10, y+at+12, s.Clip(e.names[i], room, f), tipOf(s, e.names[i], room, f), f)
		}
		length := scaled(r.ExemplarsPerClass.Mean, mostCount, span1)
		s.Rect(x1, y1+at, length, bar, fill)
		if sd := scaled(r.ExemplarsPerClass.SD, mostCount, span1); r.ExemplarsPerClass.N > 1 && sd >= 1 {
			s.Line(x1+max(length-sd, 0), y1+at+bar/2, x1+length+sd, y1+at+bar/2, whisker())
			length += sd
		}
		s.Text(x1+length+6, y1+at+12, exemplarText(r.ExemplarsPerClass), unitText())

		used, budget := scaled(r.UsedBytes.Mean, mostBytes, span2), scaled(r.BudgetBytes.Mean, mostBytes, span2)
		text := bytesIn(r.UsedBytes.Mean, size)
		if budget > 0 {
			s.Rect(x2, y2+at, budget, bar, scene.Paint{Fill: scene.Tint, Stroke: scene.Soft})
			text += " of " + bytesIn(r.BudgetBytes.Mean, size)
		}
		s.Rect(x2, y2+at, used, bar, fill)
		s.Text(x2+max(used, budget)+6, y2+at+12, text, unitText())
		said = append(said, e.names[i]+" holds "+fixed(r.ExemplarsPerClass.Mean, 1)+" exemplars a class in "+byteText(r.UsedBytes.Mean)+
			" of "+byteText(r.BudgetBytes.Mean))
	}
	s.Alt = strings.Join(said, "; ") + "."
	return s
}

// scaled is v on a scale on which most is as long as span.
func scaled(v, most, span float64) float64 {
	if most == 0 {
		return 0
	}
	return v / most * span
}
