package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/mcil/mcil/train/report/scene"
)

// Widths of a figure in px, for a page or a paper and for a telephone.
const (
	wide   = 760.0
	narrow = 360.0
)

// The looks that figures share.
func guide() scene.Paint   { return scene.Paint{Stroke: scene.Rule} }
func tick() scene.Paint    { return scene.Paint{Stroke: scene.Soft} }
func whisker() scene.Paint { return scene.Paint{Stroke: scene.Ink, Width: 1.25} }

func unitText() scene.Font { return scene.Font{Colour: scene.Ink} }
func centred() scene.Font  { return scene.Font{Anchor: scene.Middle} }
func endwards() scene.Font { return scene.Font{Anchor: scene.End} }

// box is the area of a panel that values are drawn in, with the values at its lower and upper edge.
type box struct {
	left, right, top, bottom float64 // px
	lo, hi                   float64
}

func (b box) y(v float64) float64 {
	return b.bottom - (b.bottom-b.top)*(min(max(v, b.lo), b.hi)-b.lo)/(b.hi-b.lo)
}

// yAxis draws a line and a number for every step, and what is measured above it.
func (b box) yAxis(s *scene.Scene, step float64, unit string, text func(v float64) string) {
	for i := 0; ; i++ {
		v := b.lo + float64(i)*step
		if v > b.hi+step/100 {
			break
		}
		s.Line(b.left, b.y(v), b.right, b.y(v), guide())
		s.Text(b.left-6, b.y(v)+4, text(v), endwards())
	}
	s.Text(b.left-34, b.top-16, unit, unitText())
}

// percentAxis is a yAxis of fractions told in percent.
func (b box) percentAxis(s *scene.Scene, unit string) {
	b.yAxis(s, percentStep(b.hi-b.lo), unit, func(v float64) string { return fixed(100*v, 0) })
}

// percentStep is how far the lines of an axis are apart that spans as much.
func percentStep(span float64) float64 {
	switch {
	case span <= 0.1001:
		return 0.02
	case span <= 0.2501:
		return 0.05
	case span <= 0.6001:
		return 0.1
	}
	return 0.2
}

// percentRange returns the range of an axis that holds all values, which are fractions, and ends at lines of the axis. One
// that would begin below 30 % begins at 0.
func percentRange(values []float64) (lo, hi float64) {
	least, most := 1.0, 0.0
	for _, v := range values {
		least, most = min(least, max(v, 0)), max(most, min(v, 1))
	}
	if most-least < 0.05 {
		least, most = max(0, least-0.02), min(1, most+0.02)
	}
	// Rounding outwards may widen the range to coarser lines.
	for _, step := range []float64{0.02, 0.05, 0.1, 0.2} {
		lo, hi = math.Floor(least/step+1e-9)*step, math.Ceil(most/step-1e-9)*step
		if lo < 0.3 && most-least > 0.1 {
			lo = 0
		}
		if percentStep(hi-lo) <= step {
			break
		}
	}
	return lo, hi
}

// dot is a point of a trace: a mean over seeds.
type dot struct {
	x      float64 // px
	value  Stat    // n of 0 parts the line
	bySeed []float64
	tip    string
}

// trace is a line of a figure.
type trace struct {
	name string
	ink  scene.Colour
	mark int
	open bool        // marks are outlines
	dash float64     // of the line, in px; 0 means none
	bar  scene.Paint // of its bars, where a legend is to tell them
	dots []dot
}

func (t trace) drawMark(s *scene.Scene, x, y, r float64, tip string) {
	if t.open {
		s.OpenMark(t.mark, x, y, r, t.ink, tip)
	} else {
		s.Mark(t.mark, x, y, r, t.ink, tip)
	}
}

// spreads are the values that an axis must hold: means, and means with their standard deviation.
func spreads(traces []trace) (v []float64) {
	for _, t := range traces {
		for _, d := range t.dots {
			if d.value.N > 0 {
				v = append(v, d.value.Mean-d.value.SD, d.value.Mean+d.value.SD)
				v = append(v, d.bySeed...)
			}
		}
	}
	return v
}

// draw draws traces: for each a line through the means, with a band of one standard deviation, or whiskers where bands is
// false, and a small point a seed.
func (b box) draw(s *scene.Scene, traces []trace, bands bool) {
	for _, t := range traces {
		for _, run := range runsOf(t.dots) {
			var upper, lower []scene.Point
			for _, d := range run {
				if d.value.N > 1 {
					upper = append(upper, scene.Point{X: d.x, Y: b.y(d.value.Mean + d.value.SD)})
					lower = append(lower, scene.Point{X: d.x, Y: b.y(d.value.Mean - d.value.SD)})
				}
			}
			if bands && len(upper) > 1 {
				slices.Reverse(lower)
				s.Polygon(append(upper, lower...), scene.Paint{Fill: t.ink, Opacity: 0.14})
			}
		}
	}
	crowded := false
	for _, t := range traces {
		if n := len(t.dots); n > 1 && (t.dots[n-1].x-t.dots[0].x)/float64(n-1) < 14 {
			crowded = true
		}
	}
	for _, t := range traces {
		for _, run := range runsOf(t.dots) {
			var points []scene.Point
			for _, d := range run {
				points = append(points, scene.Point{X: d.x, Y: b.y(d.value.Mean)})
			}
			if len(points) > 1 {
				s.Polyline(points, scene.Paint{Stroke: t.ink, Width: 2, Dash: t.dash})
			}
		}
	}
	for _, t := range traces {
		for _, d := range t.dots {
			if d.value.N == 0 {
				continue
			}
			if !bands && d.value.N > 1 {
				s.Line(d.x, b.y(d.value.Mean-d.value.SD), d.x, b.y(d.value.Mean+d.value.SD), scene.Paint{Stroke: t.ink, Width: 1.5})
			}
			if len(d.bySeed) > 1 && !crowded && bands {
				for _, v := range d.bySeed {
					s.Disk(d.x, b.y(v), 1.5, scene.Paint{Fill: t.ink, Opacity: 0.5}, "")
				}
			}
		}
	}
	r := 3.6
	if crowded {
		r = 2.4
	}
	for _, t := range traces {
		for _, d := range t.dots {
			if d.value.N > 0 {
				t.drawMark(s, d.x, b.y(d.value.Mean), r, d.tip)
			}
		}
	}
}

// runsOf parts dots where one is missing.
func runsOf(dots []dot) (runs [][]dot) {
	from := 0
	for i := 0; i <= len(dots); i++ {
		if i == len(dots) || dots[i].value.N == 0 {
			if i > from {
				runs = append(runs, dots[from:i])
			}
			from = i + 1
		}
	}
	return runs
}

// endLabels writes the name of each trace beside its last point, and its last value at the figure's right edge, pushed apart
// where they would touch.
func (b box) endLabels(s *scene.Scene, traces []trace, room float64, values bool) {
	type end struct {
		trace
		last dot
		y    float64 // px, of the label
	}
	var ends []end
	for _, t := range traces {
		for _, d := range slices.Backward(t.dots) {
			if d.value.N > 0 {
				ends = append(ends, end{t, d, b.y(d.value.Mean)})
				break
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b end) int { return cmp.Compare(a.y, b.y) })
	at := make([]float64, len(ends))
	for i, e := range ends {
		at[i] = e.y
	}
	apart(at, 16, b.top-6, b.bottom+14)
	for i, e := range ends {
		y := b.y(e.last.value.Mean)
		s.Polyline([]scene.Point{{X: e.last.x + 6, Y: y}, {X: b.right + 4, Y: y}, {X: b.right + 12, Y: at[i]}}, scene.Paint{Stroke: e.ink, Dash: 1.5})
		f := scene.Font{Colour: e.ink}
		s.TextTip(b.right+16, at[i]+4, s.Clip(e.name, room, f), tipOf(s, e.name, room, f), f)
		if values {
			s.Text(s.W, at[i]+4, percent(e.last.value.Mean), scene.Font{Colour: e.ink, Bold: true, Anchor: scene.End})
		}
	}
}

// tipOf is the whole of a text that does not fit.
func tipOf(s *scene.Scene, text string, room float64, f scene.Font) string {
	if s.TextWidth(text, f) <= room {
		return ""
	}
	return text
}

// apart moves sorted places until they are gap apart, within lo and hi if they all fit.
func apart(at []float64, gap, lo, hi float64) {
	for i := range at {
		at[i] = max(at[i], lo)
		lo = at[i] + gap
	}
	for i := range slices.Backward(at) {
		at[i] = min(at[i], hi)
		hi = at[i] - gap
	}
}

// nameRoom is the width in px that names need, at most a share of the figure's.
func nameRoom(s *scene.Scene, names []string, share float64) (room float64) {
	for _, n := range names {
		room = max(room, s.TextWidth(n, scene.Font{})*1.08) // a browser's font may be wider than the one measured
	}
	return min(room, s.W*share)
}

// legend writes marks and names in lines from y on, and returns the y below them.
func legend(s *scene.Scene, traces []trace, x0, right, y float64) float64 {
	x := x0
	for _, t := range traces {
		f := scene.Font{Colour: scene.Ink}
		swatch := 0.0
		if t.bar.Fill != scene.None {
			swatch = 15
		}
		name := s.Clip(t.name, (right-x0-16-swatch)*0.92, f) // a browser's font may be wider
		w := s.TextWidth(name, f)*1.08 + 34 + swatch
		if x > x0 && x+w-18 > right {
			x, y = x0, y+18
		}
		if t.bar.Fill != scene.None {
			s.Rect(x, y-9, 10, 10, t.bar)
		}
		t.drawMark(s, x+swatch+5, y-4, 4.2, "")
		s.Text(x+swatch+14, y, name, f)
		x += w
	}
	return y + 18
}
