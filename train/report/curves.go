package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/train/report/scene"
)

// exhibit is what the figures of a column of a study are drawn from.
type exhibit struct {
	rows   []Row
	names  []string // parallel to the rows
	series []series // parallel to the rows
}

// exhibit gathers the lines that figures of column c show.
func (s study) exhibit(all []Row, c int) exhibit {
	lines, _, _ := s.chosen(c)
	return s.exhibitOf(lines, all, c)
}

func (s study) exhibitOf(lines []line, all []Row, c int) (e exhibit) {
	for _, l := range lines {
		e.rows = append(e.rows, all[l.rows[c]])
		e.names = append(e.names, s.series[l.series].name())
		e.series = append(e.series, s.series[l.series])
	}
	return e
}

// only are the rows that keep says.
func (e exhibit) only(keep func(Row) bool) (out exhibit) {
	for i, r := range e.rows {
		if keep(r) {
			out.rows, out.names, out.series = append(out.rows, r), append(out.names, e.names[i]), append(out.series, e.series[i])
		}
	}
	return out
}

// traces are the rows' curves; value says which of a point. x gives the place in px of a number of classes.
func (e exhibit) traces(x func(classes int) float64, value func(Point) (Stat, []float64)) []trace {
	var out []trace
	for i, r := range e.rows {
		t := trace{name: e.names[i], ink: e.series[i].ink(), mark: e.series[i].colour}
		for _, p := range r.Curve {
			v, bySeed := value(p)
			t.dots = append(t.dots, dot{x(p.Classes), v, bySeed, e.names[i] + ", " + strconv.Itoa(p.Classes) + " classes: " + spread(v, 100, 1) + " %"})
		}
		out = append(out, t)
	}
	return out
}

// classAxis draws the axis of classes seen: a tick a phase, as many numbers as there is room for, the last always.
func (b box) classAxis(s *scene.Scene, curve []Point) (x func(classes int) float64) {
	lo, hi := curve[0].Classes, curve[len(curve)-1].Classes
	x = func(classes int) float64 {
		if lo == hi {
			return (b.left + b.right) / 2
		}
		return b.left + 12 + (b.right-b.left-24)*float64(classes-lo)/float64(hi-lo)
	}
	taken := b.right + 30
	for _, p := range slices.Backward(curve) {
		xx := x(p.Classes)
		s.Line(xx, b.bottom, xx, b.bottom+4, tick())
		if taken-xx >= 28 {
			taken = xx
			s.Text(xx, b.bottom+18, strconv.Itoa(p.Classes), centred())
		}
	}
	return x
}

// accuracyOf is what an accuracy figure shows of a point.
func accuracyOf(p Point) (Stat, []float64) { return p.Accuracy, p.BySeed }

// accuracyRange is the range of the axis of all accuracy figures of a study, so that one can be held beside another.
func (s study) accuracyRange(all []Row) (lo, hi float64) {
	var values []float64
	for c := range s.columns {
		values = append(values, spreads(s.exhibit(all, c).traces(func(int) float64 { return 0 }, accuracyOf))...)
	}
	return percentRange(values)
}

// accuracyFigure draws accuracy over the classes seen, on an axis from lo to hi, and chance where it is on it.
func accuracyFigure(e exhibit, lo, hi, width float64) *scene.Scene {
	s := scene.New(width, 380)
	value := 40.0
	if width < wide {
		s.H, value = 320, 0
	}
	room := nameRoom(s, e.names, 0.36)
	b := box{left: 34, right: width - room - value - 20, top: 30, bottom: s.H - 46, lo: lo, hi: hi}
	b.percentAxis(s, "accuracy, %")
	curve := e.rows[0].Curve
	x := b.classAxis(s, curve)
	s.Text((b.left+b.right)/2, b.bottom+38, "classes seen, one point a phase", centred())
	if b.lo == 0 {
		lo, hi := curve[0].Classes, curve[len(curve)-1].Classes
		var chance []scene.Point
		for n := lo; n <= hi; n++ {
			chance = append(chance, scene.Point{X: x(n), Y: b.y(1 / float64(n))})
		}
		s.Polyline(chance, scene.Paint{Stroke: scene.Soft, Dash: 4})
		// where accuracies are highest: at the end the last of them may be no better than chance
		s.Text(x(lo)+6, b.y(1/float64(lo))-6, "chance", scene.Font{Size: 11})
	}
	traces := e.traces(x, accuracyOf)
	b.draw(s, traces, true)
	b.endLabels(s, traces, room, value > 0)
	var said []string
	for i, r := range e.rows {
		said = append(said, e.names[i]+" from "+percent(r.Curve[0].Accuracy.Mean)+" to "+percent(r.Curve[len(r.Curve)-1].Accuracy.Mean)+" percent")
	}
	s.Alt = "Mean accuracy from the first to the last phase: " + strings.Join(said, "; ") + "."
	return s
}

// groupsFigure draws, over the phases, accuracy on classes of earlier phases beside that on the phase's own.
func groupsFigure(e exhibit, width float64) *scene.Scene {
	s := scene.New(width, 0)
	old := func(p Point) (Stat, []float64) { return p.Old, nil }
	fresh := func(p Point) (Stat, []float64) { return p.New, nil }
	at := func(int) float64 { return 0 }
	lo, hi := percentRange(append(spreads(e.traces(at, old)), spreads(e.traces(at, fresh))...))
	top := legend(s, e.traces(at, old), 0, width, 14) + 24
	const height = 220.0
	var panels [2]box
	if width < wide {
		panels[0] = box{34, width - 4, top, top + height, lo, hi}
		panels[1] = box{34, width - 4, top + height + 84, top + 2*height + 84, lo, hi}
	} else {
		span := (width - 4 - 34 - 58) / 2
		panels[0] = box{34, 34 + span, top, top + height, lo, hi}
		panels[1] = box{34 + span + 58, width - 4, top, top + height, lo, hi}
	}
	for i, of := range []func(Point) (Stat, []float64){old, fresh} {
		b := panels[i]
		b.percentAxis(s, []string{"accuracy on classes of earlier phases, %", "accuracy on the phase's own classes, %"}[i])
		x := b.classAxis(s, e.rows[0].Curve)
		b.draw(s, e.traces(x, of), true)
		s.Text((b.left+b.right)/2, b.bottom+38, "classes seen, one point a phase", centred())
		s.H = b.bottom + 42
	}
	var said []string
	for i, r := range e.rows {
		said = append(said, e.names[i]+" "+percent(r.Old.Mean)+" percent on earlier classes and "+percent(r.New.Mean)+" on new ones")
	}
	s.Alt = "After the last phase: " + strings.Join(said, "; ") + "."
	return s
}
