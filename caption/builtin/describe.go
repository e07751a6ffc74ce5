package builtin

import (
	"image"
	"strings"
)

// Describe writes three to five sentences about the pixels of img.
func Describe(img image.Image) string {
	g := newGrid(img)
	s := segment(g)
	w := writer{scene: s, hash: g.hash}
	if len(s.parts) == 0 {
		return w.blank()
	}
	parts := s.parts
	if w.main = 5*len(parts[0].cells) >= 3*s.figure.area(); w.main {
		parts = parts[:1]
	}
	w.shape = measureShape(s.figure, s.ink, parts)
	w.surface = measureSurface(g, s.ink, &w.shape, s.backdrop.shade)
	text := w.text()
	for len(strings.Fields(text)) > mostWords && w.brief < 2 {
		w.brief, w.slot = w.brief+1, 0
		text = w.text()
	}
	return text
}

// mostWords is what a description is shortened to, where leaving out the less telling clauses can.
const mostWords = 80

func (w *writer) text() string {
	var b strings.Builder
	for _, s := range []string{w.opening(), w.outline(), w.details(), w.colours(), w.look()} {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(sentence(s) + ".")
	}
	return b.String()
}

// Places in a frame or a figure, by row and column.
var places = [...]string{
	"upper left", "top", "upper right",
	"left", "middle", "right",
	"lower left", "bottom", "lower right",
}

const (
	middle    = 4
	allOver   = -1
	alongEdge = -2
)

// placeOf is the place of an offset from the middle, in fractions of the side; within slack it is the middle.
func placeOf(dx, dy, slack float64) int {
	third := func(v float64) int {
		switch {
		case v < -slack:
			return 0
		case v > slack:
			return 2
		}
		return 1
	}
	return 3*third(dy) + third(dx)
}
