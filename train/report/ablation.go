package report

import (
	"strings"

	"github.com/mcil/mcil/train/report/scene"
)

// ablationFigure draws average accuracy as a point a row, with a whisker of one standard deviation and a small point a seed. A
// thin line leads down from the first row of a kind, which the variants below it are to be held against.
func ablationFigure(e exhibit, width float64) *scene.Scene {
	s := scene.New(width, 0)
	const pitch, top = 24.0, 30.0
	room := nameRoom(s, e.names, 0.48)
	lo, hi := ablationRange(e)
	left, right := room+14, width-84
	bottom := top + pitch*float64(len(e.rows)) + 4
	x := func(v float64) float64 { return left + (right-left)*(min(max(v, lo), hi)-lo)/(hi-lo) }
	step := percentStep(hi - lo)
	for i := 0; lo+float64(i)*step <= hi+step/100; i++ {
		v := lo + float64(i)*step
		s.Line(x(v), top-4, x(v), bottom, guide())
		s.Text(x(v), bottom+16, fixed(100*v, 0), centred())
	}
	s.Text(left, top-14, "average accuracy, %", unitText())
	var said []string
	for i, r := range e.rows {
		y, ink := top+pitch*(float64(i)+0.5), e.series[i].ink()
		variant := e.series[i].variant != ""
		if !variant {
			last := i
			for last+1 < len(e.rows) && e.series[last+1].variant != "" && e.series[last+1].exemplars == e.series[i].exemplars && e.series[last+1].method == e.series[i].method {
				last++
			}
			if last > i {
				s.Line(x(r.Average.Mean), y, x(r.Average.Mean), top+pitch*float64(last+1), scene.Paint{Stroke: ink, Dash: 3})
			}
		}
		f := scene.Font{Colour: scene.Ink, Anchor: scene.End}
		if variant {
			f.Colour = scene.Soft
		}
		s.TextTip(room, y+4, s.Clip(e.names[i], room, f), tipOf(s, e.names[i], room, f), f)
		if r.Average.N > 1 {
			s.Line(x(r.Average.Mean-r.Average.SD), y, x(r.Average.Mean+r.Average.SD), y, scene.Paint{Stroke: ink, Width: 2})
			for _, v := range r.AverageBySeed {
				s.Disk(x(v), y, 1.6, scene.Paint{Fill: ink, Opacity: 0.5}, "")
			}
		}
		s.Mark(e.series[i].colour, x(r.Average.Mean), y, 4.2, ink, e.names[i]+": "+spread(r.Average, 100, 1)+" %")
		s.Text(width, y+4, spread(r.Average, 100, 1), scene.Font{Colour: scene.Ink, Anchor: scene.End})
		said = append(said, e.names[i]+" "+spread(r.Average, 100, 1)+" percent")
	}
	s.H = bottom + 20
	s.Alt = strings.Join(said, "; ") + "."
	return s
}

// ablationRange is the range of the axis.
func ablationRange(e exhibit) (lo, hi float64) {
	var values []float64
	for _, r := range e.rows {
		values = append(values, r.Average.Mean-r.Average.SD, r.Average.Mean+r.Average.SD)
		values = append(values, r.AverageBySeed...)
	}
	return percentRange(values)
}
