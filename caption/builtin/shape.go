package builtin

import (
	"cmp"
	"math"
	"slices"
)

// shape is the geometry of a figure.
type shape struct {
	mask   mask
	bounds bounds
	area   float64 // cells
	cx, cy float64 // centroid, cells

	angle      float64 // of the main axis: degrees from the horizontal, anticlockwise, in (-90,90]
	elongation float64 // ratio of the axes' standard deviations, at least 1
	extent     float64 // area in its bounds
	solidity   float64 // area in its convex hull
	corners    int     // of the simplified hull
	roundness  float64 // spread of the radial profile over its mean; 0 for a disc

	tips      []tip // by angle, from the right anticlockwise
	mirrorX   float64
	mirrorY   float64 // overlap with the mirror image left to right, top to bottom
	thirds    [3]float64
	columns   [3]float64 // mean width of the upper, middle and lower third (of the left, ... one) over that of the bounds
	feet      [4]int     // separate pieces that reach the top, right, bottom, left eighth
	holes     int
	hollow    float64 // share of the figure that is enclosed background
	thickness float64 // of the ink, cells
}

// tip is a protrusion of the outline.
type tip struct {
	angle  float64 // degrees, anticlockwise from the right
	length float64 // from the centroid, over the mean radius
	width  float64 // of the peak at half its prominence, degrees
}

// measureShape measures the cells of figure in parts; ink is the part of it that is unlike the background.
func measureShape(figure, ink mask, parts []region) shape {
	s := shape{mask: newMask(figure.w, figure.h), bounds: parts[0].bounds}
	for _, p := range parts {
		s.bounds = s.bounds.union(p.bounds)
		for _, i := range p.cells {
			s.mask.on[i] = true
			s.cx += float64(int(i) % figure.w)
			s.cy += float64(int(i) / figure.w)
			s.area++
		}
	}
	s.cx, s.cy = s.cx/s.area, s.cy/s.area
	s.moments()
	s.extent = s.area / float64(s.bounds.w()*s.bounds.h())
	hull := s.hull()
	s.solidity = min(1, s.area/polygonArea(hull))
	s.corners = len(simplify(hull))
	s.outline()
	s.mirrorX = s.overlap(func(x, y int) (int, int) { return s.bounds.x0 + s.bounds.x1 - 1 - x, y })
	s.mirrorY = s.overlap(func(x, y int) (int, int) { return x, s.bounds.y0 + s.bounds.y1 - 1 - y })
	s.profiles()
	s.inside(ink)
	return s
}

func (s *shape) each(visit func(x, y int)) {
	for y := s.bounds.y0; y < s.bounds.y1; y++ {
		for x := s.bounds.x0; x < s.bounds.x1; x++ {
			if s.mask.on[y*s.mask.w+x] {
				visit(x, y)
			}
		}
	}
}

// moments sets the main axis from the second moments; a cell is a square, hence the twelfth.
func (s *shape) moments() {
	xx, yy, xy := s.area/12, s.area/12, 0.0
	s.each(func(x, y int) {
		dx, dy := float64(x)-s.cx, s.cy-float64(y)
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	})
	s.angle = math.Atan2(2*xy, xx-yy) / 2 * 180 / math.Pi
	mid, half := (xx+yy)/2, math.Hypot((xx-yy)/2, xy)
	s.elongation = math.Sqrt((mid + half) / max(mid-half, 1e-9))
}

type point struct{ x, y float64 }

// hull is the convex hull of the cells' corners (Andrew's monotone chain).
func (s *shape) hull() []point {
	var p []point
	for y := s.bounds.y0; y < s.bounds.y1; y++ {
		first, last := -1, -1
		for x := s.bounds.x0; x < s.bounds.x1; x++ {
			if s.mask.on[y*s.mask.w+x] {
				if first < 0 {
					first = x
				}
				last = x
			}
		}
		if first >= 0 {
			for _, c := range [4][2]int{{first, y}, {last + 1, y}, {first, y + 1}, {last + 1, y + 1}} {
				p = append(p, point{float64(c[0]), float64(c[1])})
			}
		}
	}
	slices.SortFunc(p, func(a, b point) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	chain := func(out []point, q point, from int) []point {
		for len(out) >= from+2 && cross(out[len(out)-2], out[len(out)-1], q) <= 0 {
			out = out[:len(out)-1]
		}
		return append(out, q)
	}
	var out []point
	for _, q := range p {
		out = chain(out, q, 0)
	}
	upper := len(out) - 1
	for i := len(p) - 2; i >= 0; i-- {
		out = chain(out, p[i], upper)
	}
	return out[:len(out)-1]
}

func cross(o, a, b point) float64 { return (a.x-o.x)*(b.y-o.y) - (a.y-o.y)*(b.x-o.x) }

func polygonArea(p []point) float64 {
	sum := 0.0
	for i := 1; i+1 < len(p); i++ {
		sum += cross(p[0], p[i], p[i+1])
	}
	return math.Abs(sum) / 2
}

// simplify drops the vertex whose triangle with its neighbours is least, as long as that is below cornerShare of the hull
// (Visvalingam and Whyatt 1993). The ear of a regular polygon of n corners is 2(1-cos(2 pi/n))/n of it: a disc ends with
// eight corners, a hexagon keeps six.
func simplify(p []point) []point {
	const cornerShare = 0.055
	p = slices.Clone(p)
	limit := 2 * cornerShare * polygonArea(p)
	for len(p) > 3 {
		at, least := 0, math.Inf(1)
		for i := range p {
			if ear := math.Abs(cross(p[(i+len(p)-1)%len(p)], p[i], p[(i+1)%len(p)])); ear < least {
				at, least = i, ear
			}
		}
		if least >= limit {
			break
		}
		p = slices.Delete(p, at, at+1)
	}
	return p
}

const (
	sectors       = 72
	tipProminence = 0.2 // of the mean radius
)

// outline finds the protrusions: peaks of the farthest distance from the centroid in each direction.
func (s *shape) outline() {
	var far [sectors]float64
	s.each(func(x, y int) {
		dx, dy := float64(x)-s.cx, s.cy-float64(y)
		r := math.Hypot(dx, dy) + 0.5
		k := int(math.Atan2(dy, dx)/(2*math.Pi)*sectors+sectors+0.5) % sectors
		far[k] = max(far[k], r)
	})
	for k, v := range far { // a direction in which nothing lies: between its neighbours
		if v == 0 {
			far[k] = (far[(k+1)%sectors] + far[(k+sectors-1)%sectors]) / 2
		}
	}
	var profile [sectors]float64
	mean, square := 0.0, 0.0
	for k := range far {
		v := (far[(k+sectors-1)%sectors] + 2*far[k] + far[(k+1)%sectors]) / 4
		profile[k] = v
		mean, square = mean+v/sectors, square+v*v/sectors
	}
	s.roundness = math.Sqrt(max(0, square-mean*mean)) / mean
	for k, v := range profile {
		if v < profile[(k+sectors-1)%sectors] || v <= profile[(k+1)%sectors] {
			continue
		}
		left, wl := saddle(profile[:], k, -1)
		right, wr := saddle(profile[:], k, 1)
		if v-max(left, right) >= tipProminence*mean {
			s.tips = append(s.tips, tip{float64(k) * 360 / sectors, v / mean, float64(wl+wr-1) * 360 / sectors})
		}
	}
}

// saddle walks from a peak until the profile rises above it, and returns the lowest value met and the steps to half way.
// Of peaks of one height, as at the corners of a square arm, the walk to the right stops at the next: one of them counts.
func saddle(profile []float64, peak, step int) (lowest float64, half int) {
	n := len(profile)
	top := profile[peak]
	lowest = top
	for i := 1; i < n; i++ {
		v := profile[((peak+i*step)%n+n)%n]
		if v > top || v == top && step < 0 && lowest < top {
			break
		}
		lowest = min(lowest, v)
	}
	for i := 1; i < n; i++ {
		if profile[((peak+i*step)%n+n)%n] < (top+lowest)/2 {
			return lowest, i
		}
	}
	return lowest, n
}

// overlap is the intersection over union of the shape with its image under a mapping of its bounds.
func (s *shape) overlap(to func(x, y int) (int, int)) float64 {
	both := 0.0
	s.each(func(x, y int) {
		if s.mask.at(to(x, y)) {
			both++
		}
	})
	return both / (2*s.area - both)
}

func (s *shape) profiles() {
	w, h := s.bounds.w(), s.bounds.h()
	s.each(func(x, y int) {
		s.thirds[(y-s.bounds.y0)*3/h]++
		s.columns[(x-s.bounds.x0)*3/w]++
	})
	for k := range 3 {
		rows := float64(((k+1)*h+2)/3 - (k*h+2)/3)
		cols := float64(((k+1)*w+2)/3 - (k*w+2)/3)
		s.thirds[k] /= max(1, rows) * float64(w)
		s.columns[k] /= max(1, cols) * float64(h)
	}
	deep := func(n int) int { return max(1, (n+4)/8) }
	b := s.bounds
	for side, edge := range [4]bounds{
		{b.x0, b.y0, b.x1, b.y0 + deep(h)},
		{b.x1 - deep(w), b.y0, b.x1, b.y1},
		{b.x0, b.y1 - deep(h), b.x1, b.y1},
		{b.x0, b.y0, b.x0 + deep(w), b.y1},
	} {
		strip := newMask(edge.w(), edge.h())
		for y := range strip.h {
			for x := range strip.w {
				strip.on[y*strip.w+x] = s.mask.at(edge.x0+x, edge.y0+y)
			}
		}
		for _, r := range strip.regions(true, true) {
			if len(r.cells) >= 3 {
				s.feet[side]++
			}
		}
	}
}

// inside measures enclosed background and the thickness of the ink.
func (s *shape) inside(ink mask) {
	inner := newMask(s.mask.w, s.mask.h)
	inked, edge := 0.0, 0.0
	s.each(func(x, y int) {
		if !ink.at(x, y) {
			inner.on[y*inner.w+x] = true
			return
		}
		inked++
		for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			if !ink.at(x+d[0], y+d[1]) {
				edge++
			}
		}
	})
	s.hollow = 1 - inked/s.area
	s.thickness = 2 * inked / max(1, edge)
	for _, r := range inner.regions(true, false) {
		if float64(len(r.cells)) >= max(4, 0.006*s.area) {
			s.holes++
		}
	}
}
