package report

import (
	"cmp"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Widths of a plot in CSS pixels, for a page and for a telephone. Text in them is 12 pixels high.
const (
	wide   = 760.0
	narrow = 360.0
	char   = 7.3 // an upper bound of the mean width of a character, also in a wide system font
)

// plot is a drawing: shapes in the order they are painted, in pixels from the upper left.
type plot struct {
	W, H  float64
	Class string // "wide", "narrow" or, for a file of its own, ""
	Title string
	Alt   string // what there is to see, in words
	Shape []shape
	Style template.CSS // of a file of its own
	Frame string       // viewBox of a file of its own
}

// shape is one SVG element. Kind says which fields count.
type shape struct {
	Kind       string // line, path, rect, dot, text
	Class      string
	X, Y, W, H float64 // rect: corner and size; line: from and extent; dot, text: place
	D          string  // of a path
	Text       string
	Tip        string // shown by a browser when pointed at
}

// standalone returns the plot as a file of its own, with the styles that it would otherwise find on the page.
func (p plot) standalone() plot {
	css, err := files.ReadFile("plot.css")
	if err != nil {
		panic("report: plot.css is embedded: " + err.Error())
	}
	p.Class, p.Style = "", template.CSS(css)
	p.W, p.H = p.W+32, p.H+24 // a margin, which on the page comes from around it
	p.Frame = "-16 -12 " + px(p.W) + " " + px(p.H)
	return p
}

// colours deals out colour numbers 0 to 7. A known way to keep exemplars has the same colour in every report.
func colours(rows []Row) []int {
	const n = 8
	used := map[int]bool{}
	out := make([]int, len(rows))
	for i, r := range rows {
		c := rank(r.Exemplars)
		if c == len(known()) || used[c] {
			c = i % n
			for _, free := range []int{5, 6, 7, 0, 1, 2, 3, 4} {
				if !used[free] && !reserved(rows, free) {
					c = free
					break
				}
			}
		}
		used[c] = true
		out[i] = c
	}
	return out
}

// reserved reports whether a row of rows has colour c by right.
func reserved(rows []Row, c int) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return rank(r.Exemplars) == c && c < len(known()) })
}

// labelWidth is the room for the rows' labels, at most a share of w, and the labels that fit in it.
func labelWidth(rows []Row, w, share float64) (float64, []string) {
	labels := make([]string, len(rows))
	n := 0
	for i, r := range rows {
		labels[i] = r.Label()
		n = max(n, utf8.RuneCountInString(labels[i]))
	}
	n = min(n, int(w*share/char))
	for i := range labels {
		labels[i] = clipMiddle(labels[i], n)
	}
	return float64(n) * char, labels
}

// curves draws accuracy over the number of classes seen: for each row the mean, a band of one standard deviation, and a
// point a seed; chance as a dashed line.
func curves(rows []Row, w float64) plot {
	p := plot{W: w, H: 380, Class: "wide", Title: "Accuracy over the classes seen"}
	value := 34.0 // room for the last accuracy behind the label
	if w < wide {
		p.H, p.Class, value = 320, "narrow", 0
	}
	room, labels := labelWidth(rows, w, 0.4)
	left, right, top, bottom := 34.0, w-room-value-22, 32.0, p.H-46
	lo, hi := rows[0].Curve[0].Classes, rows[0].Classes
	var ticks []int
	for _, r := range rows {
		lo, hi = min(lo, r.Curve[0].Classes), max(hi, r.Classes)
		for _, pt := range r.Curve {
			ticks = append(ticks, pt.Classes)
		}
	}
	x := func(classes float64) float64 {
		if lo == hi {
			return (left + right) / 2
		}
		return left + 12 + (right-left-24)*(classes-float64(lo))/float64(hi-lo)
	}
	y := func(a float64) float64 { return bottom - (bottom-top)*a }

	for a := 0; a <= 100; a += 20 {
		yy := y(float64(a) / 100)
		p.Shape = append(p.Shape,
			shape{Kind: "line", Class: "grid", X: left, Y: yy, W: right - left},
			shape{Kind: "text", Class: "end", X: left - 6, Y: yy + 4, Text: strconv.Itoa(a)})
	}
	p.Shape = append(p.Shape, shape{Kind: "text", Class: "unit", X: 0, Y: 14, Text: "accuracy, %"})
	slices.Sort(ticks)
	ticks = slices.Compact(ticks)
	taken := w
	for _, n := range slices.Backward(ticks) { // the last one is never left out
		if xx := x(float64(n)); taken-xx >= 26 {
			taken = xx
			p.Shape = append(p.Shape, shape{Kind: "line", Class: "tick", X: xx, Y: bottom, H: 4},
				shape{Kind: "text", Class: "mid", X: xx, Y: bottom + 18, Text: strconv.Itoa(n)})
		}
	}
	p.Shape = append(p.Shape, shape{Kind: "text", Class: "mid", X: (left + right) / 2, Y: bottom + 38, Text: "classes seen, one point a phase"})

	var chance path
	from, to := x(float64(lo)), x(float64(hi))
	if lo == hi {
		from, to = left, right
	}
	for i := range 41 {
		f := float64(i) / 40
		chance.to(from+f*(to-from), y(1/(float64(lo)+f*float64(hi-lo))))
	}
	p.Shape = append(p.Shape, shape{Kind: "path", Class: "chance", D: chance.String()},
		shape{Kind: "text", Class: "small end", X: right - 4, Y: y(1/float64(hi)) - 6, Text: "chance"})

	colour := colours(rows)
	type end struct {
		row  int
		x, y float64 // of the last point
		at   float64 // of the label
	}
	var ends []end
	var lines, marks []shape
	radius, crowded := 3.2, (right-left)/float64(max(len(ticks), 1)) < 20
	if crowded {
		radius = 2
	}
	for i, r := range rows {
		class := " m" + strconv.Itoa(colour[i])
		var mean, upper, lower path
		for _, pt := range r.Curve {
			xx := x(float64(pt.Classes))
			mean.to(xx, y(pt.Accuracy.Mean))
			upper.to(xx, y(min(pt.Accuracy.Mean+pt.Accuracy.SD, 1)))
			if len(r.Seeds) > 1 && !crowded {
				for s, a := range pt.BySeed {
					marks = append(marks, shape{Kind: "dot", Class: "seed" + class, X: xx, Y: y(a), W: 1.6,
						Tip: r.Label() + ", seed " + strconv.FormatUint(r.Seeds[s], 10) + ", " + strconv.Itoa(pt.Classes) + " classes: " + percent(a) + " %"})
				}
			}
			marks = append(marks, shape{Kind: "dot", Class: "mean" + class, X: xx, Y: y(pt.Accuracy.Mean), W: radius,
				Tip: r.Label() + ", " + strconv.Itoa(pt.Classes) + " classes: " + spread(pt.Accuracy, 100, 1) + " %"})
		}
		for _, pt := range slices.Backward(r.Curve) {
			lower.to(x(float64(pt.Classes)), y(max(pt.Accuracy.Mean-pt.Accuracy.SD, 0)))
		}
		if len(r.Seeds) > 1 && len(r.Curve) > 1 {
			p.Shape = append(p.Shape, shape{Kind: "path", Class: "band" + class,
				D: upper.String() + strings.Replace(lower.String(), "M", "L", 1) + "Z"})
		}
		lines = append(lines, shape{Kind: "path", Class: "curve" + class, D: mean.String()})
		pt := r.Curve[len(r.Curve)-1]
		ends = append(ends, end{row: i, x: x(float64(pt.Classes)), y: y(pt.Accuracy.Mean)})
	}
	p.Shape = append(append(p.Shape, lines...), marks...)

	// Labels stand at the height of the last point, pushed apart where they would touch.
	const gap = 16.0
	slices.SortStableFunc(ends, func(a, b end) int { return cmp.Compare(a.y, b.y) })
	for i := range ends {
		ends[i].at = ends[i].y
		if i > 0 {
			ends[i].at = max(ends[i].at, ends[i-1].at+gap)
		}
	}
	limit := p.H - 8
	for i := range slices.Backward(ends) {
		ends[i].at = min(ends[i].at, limit)
		limit = ends[i].at - gap
	}
	for _, e := range ends {
		class := " m" + strconv.Itoa(colour[e.row])
		var leader path
		leader.to(e.x+5, e.y)
		leader.to(right+4, e.y)
		leader.to(right+12, e.at)
		p.Shape = append(p.Shape, shape{Kind: "path", Class: "leader" + class, D: leader.String()},
			shape{Kind: "text", Class: "name" + class, X: right + 16, Y: e.at + 4, Text: labels[e.row], Tip: rows[e.row].Label()})
		if value > 0 {
			p.Shape = append(p.Shape, shape{Kind: "text", Class: "end strong" + class, X: w - 2, Y: e.at + 4,
				Text: percent(rows[e.row].Curve[rows[e.row].Phases-1].Accuracy.Mean)})
		}
	}
	var said []string
	for _, r := range rows {
		said = append(said, r.Label()+" from "+percent(r.Curve[0].Accuracy.Mean)+" to "+percent(r.Curve[len(r.Curve)-1].Accuracy.Mean)+" percent")
	}
	p.Alt = "Mean accuracy from the first to the last phase: " + strings.Join(said, "; ") + "."
	return p
}

// memory draws two sets of bars: exemplars a class, and bytes used within the budget.
func memory(rows []Row, w float64) plot {
	p := plot{W: w, Class: "wide", Title: "What the memory holds after the last phase"}
	const pitch, bar, head = 26.0, 14.0, 26.0
	room, labels := labelWidth(rows, w, 0.3)
	left := room + 10
	block := head + pitch*float64(len(rows))
	// Panels: where each begins, how long a full bar is, and the room behind it for the value.
	span := (w - left - 36 - 56 - 130) / 2
	x1, y1, x2, y2, span1, span2 := left, 0.0, left+span+56+36, 0.0, span, span
	p.H = block + 4
	if w < wide {
		p.H, p.Class = 2*block+14, "narrow"
		x2, y2, span1, span2 = left, block+10, w-left-50, w-left-130
	}
	var mostCount, mostBytes float64
	for _, r := range rows {
		mostCount = max(mostCount, r.ExemplarsPerClass.Mean+r.ExemplarsPerClass.SD)
		mostBytes = max(mostBytes, r.BudgetBytes.Mean, r.UsedBytes.Mean)
	}
	unit, size := byteUnit(mostBytes)
	colour := colours(rows)
	p.Shape = append(p.Shape,
		shape{Kind: "text", Class: "unit", X: x1, Y: y1 + 14, Text: "exemplars a class"},
		shape{Kind: "text", Class: "unit", X: x2, Y: y2 + 14, Text: "used of the budget, " + unit})
	for i, r := range rows {
		class := " m" + strconv.Itoa(colour[i])
		at := head + pitch*float64(i)
		name := shape{Kind: "text", Class: "end name" + class, X: left - 10, Y: y1 + at + 12, Text: labels[i], Tip: r.Label()}
		p.Shape = append(p.Shape, name)
		if y2 > 0 {
			name.Y += y2
			p.Shape = append(p.Shape, name)
		}
		length := scaled(r.ExemplarsPerClass.Mean, mostCount, span1)
		p.Shape = append(p.Shape, shape{Kind: "rect", Class: "bar" + class, X: x1, Y: y1 + at, W: length, H: bar})
		if sd := scaled(r.ExemplarsPerClass.SD, mostCount, span1); r.ExemplarsPerClass.N > 1 && sd >= 1 {
			p.Shape = append(p.Shape, shape{Kind: "line", Class: "whisker", X: x1 + max(length-sd, 0), Y: y1 + at + bar/2, W: min(length, sd) + sd})
			length += sd
		}
		p.Shape = append(p.Shape, shape{Kind: "text", Class: "value", X: x1 + length + 6, Y: y1 + at + 12, Text: exemplarText(r.ExemplarsPerClass)})

		used, budget := scaled(r.UsedBytes.Mean, mostBytes, span2), scaled(r.BudgetBytes.Mean, mostBytes, span2)
		text := bytesIn(r.UsedBytes.Mean, size)
		if budget > 0 {
			p.Shape = append(p.Shape, shape{Kind: "rect", Class: "budget", X: x2, Y: y2 + at, W: budget, H: bar})
			text += " of " + bytesIn(r.BudgetBytes.Mean, size)
		}
		p.Shape = append(p.Shape, shape{Kind: "rect", Class: "bar" + class, X: x2, Y: y2 + at, W: used, H: bar},
			shape{Kind: "text", Class: "value", X: x2 + max(used, budget) + 6, Y: y2 + at + 12, Text: text})
	}
	var said []string
	for _, r := range rows {
		said = append(said, r.Label()+" holds "+fixed(r.ExemplarsPerClass.Mean, 1)+" exemplars a class in "+byteText(r.UsedBytes.Mean)+
			" of "+byteText(r.BudgetBytes.Mean))
	}
	p.Alt = strings.Join(said, "; ") + "."
	return p
}

// scaled is v on a scale on which most is as long as span.
func scaled(v, most, span float64) float64 {
	if most == 0 {
		return 0
	}
	return v / most * span
}

// path collects the points of a polyline.
type path struct{ b strings.Builder }

func (p *path) to(x, y float64) {
	if p.b.Len() == 0 {
		p.b.WriteByte('M')
	} else {
		p.b.WriteByte('L')
	}
	p.b.WriteString(px(x) + " " + px(y))
}

func (p *path) String() string { return p.b.String() }

// px writes a coordinate with at most one decimal.
func px(v float64) string { return strings.TrimSuffix(fixed(v, 1), ".0") }

// The template asks a shape for its coordinates in short form.
func (s shape) PX() string { return px(s.X) }
func (s shape) PY() string { return px(s.Y) }
func (s shape) PW() string { return px(s.W) }
func (s shape) PH() string { return px(s.H) }
func (s shape) X2() string { return px(s.X + s.W) }
func (s shape) Y2() string { return px(s.Y + s.H) }
