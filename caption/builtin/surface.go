package builtin

import (
	"cmp"
	"math"
	"slices"
)

// surface is the look of a figure's inside and of the whole picture.
type surface struct {
	colours   []share // of the figure's ink, the largest first
	edges     float64 // share of the figure's pixels on an edge
	shading   float64 // share on a soft slope
	coherence float64 // how much the edges agree in direction, 0 to 1
	stripes   float64 // direction of the lines: degrees from the horizontal, anticlockwise, in [0,180)
	busiest   int     // index into places of the part with most edges; -1 where they are spread

	mean, spread float64 // of the picture's luma
	darker       bool    // the figure than the background
	contrast     float64 // between their mean lumas
	block        int     // side in pixels of the squares that the picture is made of; 0: none
}

// share is a colour's part of a figure.
type share struct {
	name  string
	part  float64
	place int // index into places; -1: all over; -2: along the edge
}

const (
	edgeStep  = 36 // luma per pixel on an edge
	slopeStep = 5
)

func measureSurface(g *grid, ink mask, s *shape, behind colour) surface {
	var u surface
	u.palette(g, ink, s)
	u.texture(g, s)
	u.tone(g, ink, s, behind)
	u.block = findBlocks(g)
	return u
}

func (u *surface) palette(g *grid, ink mask, s *shape) {
	type sum struct{ n, x, y, r float64 }
	var sums [len(colourNames)]sum
	total, reach := 0.0, 0.0
	s.each(func(x, y int) {
		i := y*g.w + x
		if !ink.on[i] {
			return
		}
		k := nameColour(g.at(i))
		dx, dy := (float64(x)-s.cx)/float64(s.bounds.w()), (float64(y)-s.cy)/float64(s.bounds.h())
		r := math.Hypot(dx, dy)
		sums[k].n, sums[k].x, sums[k].y, sums[k].r = sums[k].n+1, sums[k].x+dx, sums[k].y+dy, sums[k].r+r
		total, reach = total+1, reach+r
	})
	for k, c := range sums {
		if c.n < 0.07*total {
			continue
		}
		place := placeOf(c.x/c.n, c.y/c.n, 0.1)
		if place == middle {
			switch mean := c.r / c.n / (reach / total); {
			case mean > 1.15:
				place = alongEdge
			case mean > 0.8:
				place = allOver
			}
		}
		u.colours = append(u.colours, share{colourNames[k], c.n / total, place})
	}
	slices.SortStableFunc(u.colours, func(a, b share) int { return cmp.Compare(b.part, a.part) })
}

// texture measures gradients at full size, inside the figure and away from its outline.
func (u *surface) texture(g *grid, s *shape) {
	inner := newMask(g.w, g.h)
	s.each(func(x, y int) {
		inner.on[y*g.w+x] = s.mask.at(x-1, y) && s.mask.at(x+1, y) && s.mask.at(x, y-1) && s.mask.at(x, y+1)
	})
	column, _ := spans(g.full.X, g.w)
	row, _ := spans(g.full.Y, g.h)
	var n, edges, slopes int
	var jxx, jyy, jxy int64
	var ninths [9]float64
	for y := 1; y+1 < g.full.Y; y++ {
		on := inner.on[int(row[y])*g.w:][:g.w]
		at := g.luma[y*g.stride:]
		up, down := g.luma[(y-1)*g.stride:], g.luma[(y+1)*g.stride:]
		third := 3 * clamp((int(row[y])-s.bounds.y0)*3/s.bounds.h(), 0, 2)
		for x := 1; x+1 < g.full.X; x++ {
			if !on[column[x]] {
				continue
			}
			n++
			dx, dy := int(at[x+1])-int(at[x-1]), int(down[x])-int(up[x])
			size := max(dx, -dx) + max(dy, -dy)
			if size >= 2*edgeStep {
				edges++
				jxx, jyy, jxy = jxx+int64(dx*dx), jyy+int64(dy*dy), jxy-int64(dx*dy)
				ninths[third+clamp((int(column[x])-s.bounds.x0)*3/s.bounds.w(), 0, 2)]++
			} else if size >= slopeStep {
				slopes++
			}
		}
	}
	u.busiest = -1
	if n == 0 {
		return
	}
	u.edges, u.shading = float64(edges)/float64(n), float64(slopes)/float64(n)
	xx, yy, xy := float64(jxx), float64(jyy), float64(jxy)
	if xx+yy > 0 {
		u.coherence = math.Hypot(xx-yy, 2*xy) / (xx + yy)
		across := math.Atan2(2*xy, xx-yy) / 2 * 180 / math.Pi
		u.stripes = math.Mod(across+90+180, 180)
	}
	best := 0
	for k, v := range ninths {
		if v > ninths[best] {
			best = k
		}
	}
	if ninths[best] > 0.26*float64(edges) && edges > 40 {
		u.busiest = best
	}
}

func clamp(v, low, high int) int { return max(low, min(high, v)) }

func (u *surface) tone(g *grid, ink mask, s *shape, behind colour) {
	sum, square := 0.0, 0.0
	for _, v := range g.y {
		sum, square = sum+float64(v), square+float64(v)*float64(v)
	}
	n := float64(len(g.y))
	u.mean = sum / n
	u.spread = math.Sqrt(max(0, square/n-u.mean*u.mean))
	inked, count := 0.0, 0.0
	s.each(func(x, y int) {
		if i := y*g.w + x; ink.on[i] {
			inked, count = inked+float64(g.y[i]), count+1
		}
	})
	d := inked/max(1, count) - float64(behind[0])
	u.darker, u.contrast = d < 0, math.Abs(d)
}

// findBlocks looks for luma steps that recur at a fixed distance and hardly occur between, as in enlarged pixel art.
func findBlocks(g *grid) int {
	if min(g.full.X, g.full.Y) < 64 {
		return 0
	}
	steps := make([]float64, g.full.X)
	for y := 0; y < g.full.Y; y += 2 {
		line := g.luma[y*g.stride:][:g.full.X]
		for x := 1; x < len(line); x++ {
			if d := int(line[x]) - int(line[x-1]); d > 24 || d < -24 {
				steps[x]++
			}
		}
	}
	total := 0.0
	for _, v := range steps {
		total += v
	}
	if total < float64(g.full.Y) {
		return 0
	}
	for side := min(g.full.X, g.full.Y) / 8; side >= 4; side-- {
		for phase := range side {
			on, hit, slots := 0.0, 0, 0
			for x := phase; x < len(steps); x += side {
				on += steps[x]
				slots++
				if steps[x] > 0 {
					hit++
				}
			}
			if on > 0.85*total && hit >= 5 && 3*hit >= slots {
				return side
			}
		}
	}
	return 0
}
