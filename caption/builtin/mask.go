package builtin

import (
	"cmp"
	"slices"
)

// mask marks cells of a grid of width w.
type mask struct {
	w, h int
	on   []bool
}

func newMask(w, h int) mask { return mask{w, h, make([]bool, w*h)} }

func (m mask) area() int {
	n := 0
	for _, v := range m.on {
		if v {
			n++
		}
	}
	return n
}

// at is false outside.
func (m mask) at(x, y int) bool {
	return x >= 0 && y >= 0 && x < m.w && y < m.h && m.on[y*m.w+x]
}

// region is a connected part of a mask.
type region struct {
	cells  []int32
	bounds bounds
}

// bounds are of cells, the upper ones exclusive.
type bounds struct{ x0, y0, x1, y1 int }

func (b bounds) w() int { return b.x1 - b.x0 }
func (b bounds) h() int { return b.y1 - b.y0 }

func (b bounds) union(c bounds) bounds {
	return bounds{min(b.x0, c.x0), min(b.y0, c.y0), max(b.x1, c.x1), max(b.y1, c.y1)}
}

// regions parts the cells of m that equal value into 8-connected regions (4-connected for holes, so that a diagonal line
// closes them), the largest first.
func (m mask) regions(value, diagonal bool) []region {
	seen := make([]bool, len(m.on))
	stack := make([]int32, 0, len(m.on))
	var out []region
	for start, v := range m.on {
		if v != value || seen[start] {
			continue
		}
		r := region{bounds: bounds{m.w, m.h, 0, 0}}
		stack = append(stack[:0], int32(start))
		seen[start] = true
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := int(i)%m.w, int(i)/m.w
			r.cells = append(r.cells, i)
			r.bounds = r.bounds.union(bounds{x, y, x + 1, y + 1})
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if !diagonal && dx != 0 && dy != 0 {
						continue
					}
					nx, ny := x+dx, y+dy
					if nx < 0 || ny < 0 || nx >= m.w || ny >= m.h {
						continue
					}
					if k := ny*m.w + nx; m.on[k] == value && !seen[k] {
						seen[k] = true
						stack = append(stack, int32(k))
					}
				}
			}
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b region) int { return cmp.Compare(len(b.cells), len(a.cells)) })
	return out
}

// touchesFrame says whether a region reaches the picture's edge.
func (m mask) touchesFrame(b bounds) bool {
	return b.x0 == 0 || b.y0 == 0 || b.x1 == m.w || b.y1 == m.h
}

// scene is a picture parted into background and foreground.
type scene struct {
	grid     *grid
	backdrop backdrop
	ink      mask     // unlike the background
	figure   mask     // ink with what it encloses, less specks
	parts    []region // of figure, the largest first
}

const (
	leastFrame = 0.004 // of the frame's cells: smaller regions are specks
	leastShare = 0.03  // of the largest region
)

func segment(g *grid) scene {
	s := scene{grid: g, backdrop: findBackdrop(g), ink: newMask(g.w, g.h), figure: newMask(g.w, g.h)}
	d := make([]float32, g.w*g.h)
	for i := range d {
		d[i] = s.backdrop.distance(g, i)
		if s.backdrop.kind == busy { // what matters is more often in the middle
			x, y := float32(i%g.w)/float32(g.w)-0.5, float32(i/g.w)/float32(g.h)-0.5
			d[i] *= 1.15 - 1.4*(x*x+y*y)
		}
	}
	t := otsu(d)
	if s.backdrop.kind == plain || s.backdrop.kind == gradient {
		t = min(t, max(15, 2.5*s.backdrop.noise)) // the pale parts of a figure belong to it
	}
	for i, v := range d {
		s.ink.on[i] = v > t
	}
	// What the background reaches from the frame is background; the rest is ink or enclosed by it.
	closed := newMask(g.w, g.h)
	for i := range closed.on {
		closed.on[i] = true
	}
	for _, r := range s.ink.regions(false, false) {
		if s.ink.touchesFrame(r.bounds) {
			for _, i := range r.cells {
				closed.on[i] = false
			}
		}
	}
	for _, r := range closed.regions(true, true) {
		if len(s.parts) > 0 && float64(len(r.cells)) < leastShare*float64(len(s.parts[0].cells)) ||
			float64(len(r.cells)) < leastFrame*float64(len(closed.on)) {
			break
		}
		s.parts = append(s.parts, r)
		for _, i := range r.cells {
			s.figure.on[i] = true
		}
	}
	for i, on := range s.figure.on {
		s.ink.on[i] = s.ink.on[i] && on
	}
	return s
}
