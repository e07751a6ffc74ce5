package builtin

import (
	"fmt"
	"strings"
)

// writer turns measurements into sentences. Every clause says something measured; the hash only chooses between words
// that mean the same.
type writer struct {
	scene   scene
	shape   shape
	surface surface
	main    bool // shape is of the largest part, not of all together
	hash    uint64
	slot    uint
	brief   int // clauses to leave out: 1 the tone and a colour, 2 more
}

// pick chooses a synonym.
func (w *writer) pick(options ...string) string {
	w.slot++
	return options[(w.hash>>(5*w.slot%59))%uint64(len(options))]
}

var numbers = [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight"}

func number(n int) string {
	if n < len(numbers) {
		return numbers[n]
	}
	return "many"
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

func (w *writer) background() string {
	b := w.scene.backdrop
	name := colourNames[nameColour(b.shade)]
	switch b.kind {
	case plain:
		return "a " + w.pick("plain ", "uniform ") + name + " background"
	case gradient:
		return "a " + name + " background that fades"
	case patterned:
		var names []string
		for _, c := range b.colours {
			if n := colourNames[nameColour(c)]; len(names) == 0 || names[len(names)-1] != n {
				names = append(names, n)
			}
		}
		return "a patterned background of " + list(names)
	}
	return "a busy background with much " + name
}

func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func (w *writer) blank() string {
	g := w.scene.grid
	s := measureShape(full(g), full(g), []region{wholeFrame(g)})
	w.shape = s
	w.surface = measureSurface(g, full(g), &s, w.scene.backdrop.shade)
	return fmt.Sprintf("The image features %s and nothing that stands out from it. No region has an outline of its own and nothing sticks out. "+
		"Its overall colour is %s. %s.", w.background(), w.mainColour(), sentence(w.look()))
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func full(g *grid) mask {
	m := newMask(g.w, g.h)
	for i := range m.on {
		m.on[i] = true
	}
	return m
}

func wholeFrame(g *grid) region {
	r := region{bounds: bounds{0, 0, g.w, g.h}}
	for i := range g.w * g.h {
		r.cells = append(r.cells, int32(i))
	}
	return r
}

func (w *writer) mainColour() string {
	if len(w.surface.colours) == 0 {
		return "mixed"
	}
	return w.surface.colours[0].name
}

// opening: how many regions, how large, where, on what.
func (w *writer) opening() string {
	s, g := w.shape, w.scene.grid
	frame := s.area / float64(g.w*g.h)
	size := "small"
	switch {
	case frame > 0.6:
		size = "very large"
	case frame > 0.35:
		size = "large"
	case frame > 0.12:
		size = "medium-sized"
	}
	verb := w.pick("features", "shows", "depicts")
	noun := w.pick("shape", "figure", "form")
	what := ""
	switch n := len(w.scene.parts); {
	case n == 1:
		what = fmt.Sprintf("one %s %s %s", size, w.form(), noun)
	case w.main && n == 2:
		what = fmt.Sprintf("a %s %s %s and one smaller piece", size, w.form(), noun)
	case w.main:
		what = fmt.Sprintf("a %s %s %s and %s smaller pieces", size, w.form(), noun, number(n-1))
	default:
		what = fmt.Sprintf("%s separate pieces, together %s and %s,", number(n), size, w.form())
	}
	where := "in the " + w.pick("centre", "middle")
	b := s.bounds
	x, y := float64(b.x0+b.x1)/2/float64(g.w)-0.5, float64(b.y0+b.y1)/2/float64(g.h)-0.5
	if p := placeOf(x, y, 0.07); p != middle {
		where = "at the " + places[p]
	} else if b.w() > g.w*9/10 && b.h() > g.h*9/10 {
		where = "that fills the frame"
	}
	return fmt.Sprintf("the image %s %s %s %s %s", verb, what, where, w.pick("on", "against"), w.background())
}

// form is an adjective for the overall outline.
func (w *writer) form() string {
	s := w.shape
	switch {
	case s.elongation > 3.5:
		return "rod-like"
	case s.elongation > 2.2:
		return "long and slender"
	case s.solidity > 0.93 && s.roundness < 0.09:
		return "round"
	case s.solidity > 0.93 && s.extent > 0.9:
		return "rectangular"
	case s.solidity > 0.9 && s.corners == 3:
		return "triangular"
	case s.solidity > 0.92 && s.corners >= 7:
		return "oval"
	case s.solidity < 0.5:
		return "branching"
	case s.solidity < 0.7:
		return "spread-out"
	case s.elongation > 1.5:
		return "oblong"
	}
	return "compact"
}

// outline: contour, proportions, axis, symmetry.
func (w *writer) outline() string {
	s := w.shape
	contour := ""
	switch {
	case s.solidity > 0.95:
		contour = "convex"
	case s.solidity > 0.87:
		contour = "slightly dented"
	case s.solidity > 0.74:
		contour = "notched"
	case s.solidity > 0.55:
		contour = "deeply indented"
	default:
		contour = "jagged and open"
	}
	hull := "a rounded hull"
	if s.corners <= 6 {
		hull = number(s.corners) + " corners"
	}
	p := []string{contour + " with " + hull}
	switch ratio := float64(s.bounds.w()) / float64(s.bounds.h()); {
	case ratio > 2:
		p = append(p, "much wider than tall")
	case ratio > 1.2:
		p = append(p, "wider than tall")
	case ratio < 0.5:
		p = append(p, "much taller than wide")
	case ratio < 1/1.2:
		p = append(p, "taller than wide")
	default:
		p = append(p, "as wide as tall")
	}
	if s.elongation > 1.25 {
		switch a := s.angle; {
		case a > 67 || a < -67:
			p = append(p, "upright")
		case a > 23:
			p = append(p, "slanting to the right")
		case a < -23:
			p = append(p, "slanting to the left")
		default:
			p = append(p, "lying flat")
		}
	}
	return w.pick("the outline is ", "its outline is ") + list(append(p, w.symmetry()))
}

func (w *writer) symmetry() string {
	const same = 0.86
	x, y := w.shape.mirrorX, w.shape.mirrorY
	switch {
	case x > same && y > same:
		return "symmetric both ways"
	case x > same:
		return "mirrored left to right"
	case y > same:
		return "mirrored top to bottom"
	case max(x, y) < 0.6:
		return "lopsided"
	}
	return "not symmetric"
}

// details: taper, protrusions, pieces that reach a side, holes.
func (w *writer) details() string {
	s := w.shape
	p := []string{w.taper() + " and " + w.protrusions()}
	if e := w.ends(); e != "" {
		p = append(p, e)
	}
	switch {
	case s.hollow > 0.5 && s.holes > 0:
		p = append(p, "it is hollow, drawn in outline")
	case s.hollow > 0.2 && s.holes == 1:
		p = append(p, "it encloses one wide opening like a ring")
	case s.thickness < 4:
		p = append(p, "it is made of thin lines")
	case s.holes > 0:
		p = append(p, fmt.Sprintf("it encloses %s small %s", number(s.holes), plural(s.holes, "hole")))
	}
	return strings.Join(p, "; ")
}

// ends names the two sides that most separate pieces reach, where more than one does.
func (w *writer) ends() string {
	first, second := 0, -1
	feet := w.shape.feet
	for side, n := range feet {
		if n > feet[first] {
			first = side
		}
	}
	for side, n := range feet {
		if side != first && n >= 2 && (second < 0 || n > feet[second]) {
			second = side
		}
	}
	names := [4]string{"up", "right", "down", "left"}
	switch {
	case feet[first] < 2:
		return ""
	case second < 0 || w.brief > 1:
		return fmt.Sprintf("%s ends reach %s", number(feet[first]), names[first])
	}
	return fmt.Sprintf("%s ends reach %s and %s %s", number(feet[first]), names[first], number(feet[second]), names[second])
}

func (w *writer) protrusions() string {
	tips := w.shape.tips
	if len(tips) == 0 {
		return "nothing sticks out"
	}
	const thinDegrees, alike = 50, 0.93
	thin, longest := 0, tips[0]
	for _, t := range tips {
		if t.width < thinDegrees {
			thin++
		}
		if t.length > longest.length {
			longest = t
		}
	}
	equal := 0
	for _, t := range tips {
		if t.length > alike*longest.length {
			equal++
		}
	}
	n, kind, how := len(tips), "bulge", "the longest "+direction(longest.angle)
	if 2*thin >= n {
		kind = "spike"
	}
	switch {
	case n == 1:
		return "one " + kind + " sticks out " + direction(longest.angle)
	case n == 2:
		how = direction(tips[0].angle) + " and " + direction(tips[1].angle)
	case equal == n:
		how = "all of like length"
	}
	return fmt.Sprintf("%s %s stick out, %s", number(n), plural(n, kind), how)
}

// taper compares the widths of thirds.
func (w *writer) taper() string {
	t, c := w.shape.thirds, w.shape.columns
	const more = 1.4
	switch {
	case t[1] > more*max(t[0], t[2]):
		return "it bulges at mid-height"
	case min(t[0], t[2]) > more*t[1]:
		return "it has a narrow waist"
	case t[2] > more*t[0]:
		return "it widens toward the bottom"
	case t[0] > more*t[2]:
		return "it narrows toward the bottom"
	case c[1] > more*max(c[0], c[2]):
		return "it thins out at both sides"
	case c[0] > more*c[2]:
		return "it is heavier on the left"
	case c[2] > more*c[0]:
		return "it is heavier on the right"
	}
	return "it keeps an even width"
}

func direction(angle float64) string {
	names := [...]string{"to the right", "to the upper right", "upward", "to the upper left", "to the left", "to the lower left", "downward", "to the lower right"}
	return names[int(angle/45+0.5)%len(names)]
}

// colours: up to three, with their places.
func (w *writer) colours() string {
	var p []string
	for i, c := range w.surface.colours {
		if i == 3-w.brief {
			break
		}
		text := c.name
		if i == 0 {
			text = w.pick("mostly ", "mainly ", "largely ") + c.name
			if c.part > 0.9 {
				text = "all " + c.name
			} else if c.part < 0.45 {
				text = "partly " + c.name
			}
		}
		switch {
		case i == 0 && c.part > 0.6, i == 2, c.place == allOver:
		case c.place == alongEdge:
			text += " along the edge"
		case c.place == middle:
			text += " in the middle"
		default:
			text += " at the " + places[c.place]
		}
		p = append(p, text)
	}
	if len(p) == 0 {
		return "its colours are many and mixed"
	}
	return "it is " + list(p)
}

// look: surface and tone.
func (w *writer) look() string {
	u := w.surface
	detail := "flat and smooth"
	switch {
	case u.edges > 0.04 && u.coherence > 0.45:
		detail = "striped, the stripes " + stripeName(u.stripes)
	case u.edges > 0.12:
		detail = "full of fine detail"
	case u.edges > 0.04:
		detail = "detailed in places"
	case u.shading > 0.35:
		detail = "softly shaded"
	}
	if u.busiest >= 0 && u.edges > 0.04 {
		detail += ", mostly at the " + places[u.busiest]
	}
	if u.block > 0 {
		detail += ", made of square blocks"
	}
	if w.brief > 0 {
		return "the surface is " + detail
	}
	tone := ""
	switch {
	case u.mean > 170:
		tone = "bright "
	case u.mean < 85:
		tone = "dark "
	}
	switch {
	case u.spread > 70:
		tone += "picture of strong contrast"
	case u.spread < 30:
		tone += "picture of weak contrast"
	case tone != "":
		tone += "picture"
	}
	if tone != "" {
		detail += ", in a " + tone
	}
	return "the surface is " + detail
}

func stripeName(angle float64) string {
	switch {
	case angle < 22.5 || angle >= 157.5:
		return "horizontal"
	case angle < 67.5:
		return "rising"
	case angle < 112.5:
		return "vertical"
	}
	return "falling"
}
