package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/report/scene"
)

// classesFigure draws what was forgotten of each class: a panel a row, a bar a class. Classes are in the order of their
// phases, within a phase from the most forgotten to the least; a line is the phase's mean. The classes of the last phase
// had no time to be forgotten and are left out.
func classesFigure(e exhibit, width float64) *scene.Scene {
	s := scene.New(width, 0)
	const panel, gap, top = 76.0, 36.0, 30.0
	left, right := 34.0, width-2
	var most float64
	for _, r := range e.rows {
		for _, c := range r.PerClass {
			most = max(most, c.Forgetting.Mean)
		}
	}
	hi := math.Max(0.2, math.Ceil(most*5-1e-9)/5)
	var said []string
	last := false
	for i, r := range e.rows {
		last = i == len(e.rows)-1
		phases := byPhase(r.PerClass)
		n := 0
		for _, p := range phases {
			n += len(p)
		}
		if n == 0 {
			continue
		}
		b := box{left, right, top + float64(i)*(panel+gap), top + float64(i)*(panel+gap) + panel, 0, hi}
		step := hi / 2
		b.yAxis(s, step, "", func(v float64) string { return fixed(100*v, 0) })
		s.Mark(e.series[i].colour, 5, b.top-14, 4, e.series[i].ink(), "")
		unit := ": forgotten of each class, %"
		if width < wide {
			unit = ": forgotten, %"
		}
		s.Text(14, b.top-10, s.Clip(e.names[i], width*0.7, scene.Font{})+unit, unitText())
		pitch := (right - left) / float64(n)
		x := left
		for t, classes := range phases {
			from := x
			var mean float64
			for _, c := range classes {
				mean += c.Forgetting.Mean / float64(len(classes))
				if h := b.bottom - b.y(c.Forgetting.Mean); h > 0 {
					s.Rect(x+pitch*0.12, b.bottom-h, pitch*0.76, h, scene.Paint{Fill: e.series[i].ink(), Opacity: 0.6})
				}
				x += pitch
			}
			if t > 0 {
				s.Line(from, b.top, from, b.bottom+4, guide())
			}
			s.Line(from+1, b.y(mean), x-1, b.y(mean), scene.Paint{Stroke: scene.Ink, Width: 1.75})
			if last && (x-from >= 18 || t%2 == 0) {
				s.Text((from+x)/2, b.bottom+15, strconv.Itoa(t+1), scene.Font{Size: 11, Anchor: scene.Middle})
			}
		}
		s.Line(left, b.bottom, right, b.bottom, tick())
		said = append(said, e.names[i]+" "+percent(r.Forgetting.Mean))
		s.H = b.bottom + 18
	}
	s.Text((left+right)/2, s.H+16, "phase in which the class was learned", centred())
	s.H += 20
	s.Alt = "Mean forgetting of phases in percent: " + strings.Join(said, "; ") + "."
	return s
}

// byPhase parts classes by phase, without those of the last phase, and sorts each part from the most forgotten.
func byPhase(classes []schemas.ResultsClass) [][]schemas.ResultsClass {
	var out [][]schemas.ResultsClass
	for _, c := range classes {
		for len(out) <= c.Phase {
			out = append(out, nil)
		}
		out[c.Phase] = append(out[c.Phase], c)
	}
	if len(out) > 0 {
		out = out[:len(out)-1]
	}
	for _, p := range out {
		slices.SortStableFunc(p, func(a, b schemas.ResultsClass) int { return cmp.Compare(b.Forgetting.Mean, a.Forgetting.Mean) })
	}
	return out
}
