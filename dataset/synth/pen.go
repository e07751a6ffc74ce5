package synth

import (
	"math"
	"math/rand/v2"
)

// point is in class space while a class program runs (x right, y down, about -1..1) and in pixels after placing.
type point struct{ x, y float64 }

// role says what a part is to the picture. Colours are given to roles, never to classes.
type role uint8

const (
	body  role = iota // the large part that makes the silhouette
	side              // a second part: wing, lid, cabin
	spot              // markings that are large enough to see
	dark              // pupils, tyres, openings
	light             // eye whites, windows, highlights
	ink               // thin lines drawn on top
	nRoles
)

// part is one filled region. Holes are contours of opposite direction (non-zero winding).
type part struct {
	role     role
	contours [][]point
	detail   bool // small or thin: gets no outline of its own
}

// pen collects the parts that a class program draws. Later parts lie over earlier ones.
type pen struct {
	*rand.Rand
	parts []part
	m     affine
}

// affine maps (x, y) to (a*x+b*y+c, d*x+e*y+f).
type affine struct{ a, b, c, d, e, f float64 }

func identity() affine { return affine{a: 1, e: 1} }

func (m affine) apply(p point) point {
	return point{m.a*p.x + m.b*p.y + m.c, m.d*p.x + m.e*p.y + m.f}
}

// then is the map that applies n first and m second.
func (m affine) then(n affine) affine {
	return affine{
		m.a*n.a + m.b*n.d, m.a*n.b + m.b*n.e, m.a*n.c + m.b*n.f + m.c,
		m.d*n.a + m.e*n.d, m.d*n.b + m.e*n.e, m.d*n.c + m.e*n.f + m.f,
	}
}

func rotation(deg float64) affine {
	s, c := math.Sincos(deg * math.Pi / 180)
	return affine{c, -s, 0, s, c, 0}
}

// u is uniform in [lo, hi).
func (p *pen) u(lo, hi float64) float64 { return lo + (hi-lo)*p.Float64() }

// j jitters v by up to the fraction rel of itself.
func (p *pen) j(v, rel float64) float64 { return v * (1 + rel*(2*p.Float64()-1)) }

// n is uniform in lo..hi, both included.
func (p *pen) n(lo, hi int) int { return lo + p.IntN(hi-lo+1) }

// coin is true with probability q.
func (p *pen) coin(q float64) bool { return p.Float64() < q }

// at runs f in a frame moved to (x, y), turned by deg (clockwise on screen) and scaled by s.
func (p *pen) at(x, y, deg, s float64, f func()) {
	old := p.m
	r := rotation(deg)
	p.m = old.then(affine{r.a * s, r.b * s, x, r.d * s, r.e * s, y})
	f()
	p.m = old
}

// flip runs f as it is and then mirrored left to right, which is how limbs come in pairs.
func (p *pen) flip(f func()) {
	f()
	p.mirrored(f)
}

func (p *pen) mirrored(f func()) {
	old := p.m
	p.m = old.then(affine{a: -1, e: 1})
	f()
	p.m = old
}

func (p *pen) add(r role, detail bool, contours ...[]point) {
	for i, c := range contours {
		t := make([]point, len(c))
		for k, q := range c {
			t[k] = p.m.apply(q)
		}
		contours[i] = t
	}
	p.parts = append(p.parts, part{r, contours, detail})
}

func pairs(xy []float64) []point {
	if len(xy)%2 != 0 {
		panic("synth: odd number of coordinates")
	}
	pts := make([]point, len(xy)/2)
	for i := range pts {
		pts[i] = point{xy[2*i], xy[2*i+1]}
	}
	return pts
}

// poly fills a polygon with straight sides.
func (p *pen) poly(r role, xy ...float64) { p.add(r, false, split(pairs(xy), true)) }

// blob fills the smooth closed curve through the points.
func (p *pen) blob(r role, xy ...float64) { p.add(r, false, smooth(pairs(xy), true)) }

// sym and symPoly take the right half from top to bottom and mirror it at x = 0.
func (p *pen) sym(r role, xy ...float64)     { p.add(r, false, smooth(mirrorHalf(xy), true)) }
func (p *pen) symPoly(r role, xy ...float64) { p.add(r, false, split(mirrorHalf(xy), true)) }

func mirrorHalf(xy []float64) []point {
	h := pairs(xy)
	out := h
	for i := len(h) - 1; i >= 0; i-- {
		if math.Abs(h[i].x) > 1e-9 {
			out = append(out, point{-h[i].x, h[i].y})
		}
	}
	return out
}

// ell fills an ellipse turned by deg.
func (p *pen) ell(r role, cx, cy, rx, ry, deg float64) { p.add(r, false, ellipse(cx, cy, rx, ry, deg)) }

// dot is a small ellipse without an outline.
func (p *pen) dot(r role, cx, cy, rad float64) { p.add(r, true, ellipse(cx, cy, rad, rad, 0)) }

// ring is a disc with a round hole: outer radius ro, inner radius ri.
func (p *pen) ring(r role, cx, cy, ro, ri float64) {
	in := ellipse(cx, cy, ri, ri, 0)
	for i, k := 0, len(in)-1; i < k; i, k = i+1, k-1 {
		in[i], in[k] = in[k], in[i]
	}
	p.add(r, false, ellipse(cx, cy, ro, ro, 0), in)
}

// box is a rectangle with corners of radius rad.
func (p *pen) box(r role, x0, y0, x1, y1, rad float64) {
	rad = min(rad, (x1-x0)/2, (y1-y0)/2)
	if rad <= 0 {
		p.poly(r, x0, y0, x1, y0, x1, y1, x0, y1)
		return
	}
	var c []point
	corner := func(cx, cy, from float64) {
		for i := 0; i <= 4; i++ {
			s, k := math.Sincos((from + float64(i)*22.5) * math.Pi / 180)
			c = append(c, point{cx + rad*k, cy + rad*s})
		}
	}
	corner(x1-rad, y0+rad, -90)
	corner(x1-rad, y1-rad, 0)
	corner(x0+rad, y1-rad, 90)
	corner(x0+rad, y0+rad, 180)
	p.add(r, false, split(c, true))
}

// limb is a smooth band through the points, w0 wide at its start and w1 at its end.
func (p *pen) limb(r role, w0, w1 float64, xy ...float64) {
	p.add(r, false, ribbon(smooth(pairs(xy), false), w0, w1))
}

// bar is a band with straight segments.
func (p *pen) bar(r role, w float64, xy ...float64) {
	p.add(r, false, ribbon(split(pairs(xy), false), w, w))
}

// line is a thin smooth stroke on top of other parts.
func (p *pen) line(r role, w float64, xy ...float64) {
	p.add(r, true, ribbon(smooth(pairs(xy), false), w, w))
}

// eye is a round eye that looks out of the picture; rad is that of the white.
func (p *pen) eye(x, y, rad float64) {
	p.add(light, rad < 0.05, ellipse(x, y, rad, rad, 0))
	p.dot(dark, x+rad*0.2, y, rad*p.u(0.45, 0.65))
}

// wheel is a tyre with a hub.
func (p *pen) wheel(x, y, rad float64) {
	p.ell(dark, x, y, rad, rad, 0)
	p.dot(light, x, y, rad*0.45)
}

// star is a star with n tips, outer radius ro and inner radius ri, rounded if soft.
func (p *pen) star(r role, cx, cy, ro, ri float64, n int, deg float64, soft bool) {
	var c []point
	for i := range 2 * n {
		rad := ro
		if i%2 == 1 {
			rad = ri
		}
		s, k := math.Sincos(deg*math.Pi/180 + math.Pi*float64(i)/float64(n) - math.Pi/2)
		c = append(c, point{cx + rad*k, cy + rad*s})
	}
	if soft {
		p.add(r, false, smooth(c, true))
		return
	}
	p.add(r, false, split(c, true))
}

func ellipse(cx, cy, rx, ry, deg float64) []point {
	n := 28
	if max(rx, ry) < 0.08 {
		n = 12
	}
	st, ct := math.Sincos(deg * math.Pi / 180)
	c := make([]point, n)
	for i := range c {
		s, k := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		c[i] = point{cx + rx*k*ct - ry*s*st, cy + rx*k*st + ry*s*ct}
	}
	return c
}

// split puts points on long straight sides, so that the warp of the picture bends them too.
func split(c []point, closed bool) []point {
	const longest = 0.25
	var out []point
	for i, a := range c {
		out = append(out, a)
		if i+1 == len(c) && !closed {
			break
		}
		b := c[(i+1)%len(c)]
		n := int(math.Hypot(b.x-a.x, b.y-a.y) / longest)
		for k := 1; k <= n; k++ {
			t := float64(k) / float64(n+1)
			out = append(out, point{a.x + t*(b.x-a.x), a.y + t*(b.y-a.y)})
		}
	}
	return out
}

// smooth is the uniform Catmull-Rom curve through c.
func smooth(c []point, closed bool) []point {
	const steps = 5
	n := len(c)
	if n < 3 {
		return split(c, closed)
	}
	get := func(i int) point {
		if closed {
			return c[(i+n)%n]
		}
		return c[min(max(i, 0), n-1)]
	}
	spans := n
	if !closed {
		spans = n - 1
	}
	out := make([]point, 0, spans*steps+1)
	for i := range spans {
		a, b, d, e := get(i-1), get(i), get(i+1), get(i+2)
		for k := range steps {
			t := float64(k) / steps
			out = append(out, point{catmull(a.x, b.x, d.x, e.x, t), catmull(a.y, b.y, d.y, e.y, t)})
		}
	}
	if !closed {
		out = append(out, c[n-1])
	}
	return out
}

func catmull(a, b, c, d, t float64) float64 {
	return 0.5 * (2*b + t*(c-a+t*(2*a-5*b+4*c-d+t*(3*b-a-3*c+d))))
}

// ribbon gives the outline of an open curve with round ends.
func ribbon(c []point, w0, w1 float64) []point {
	n := len(c)
	left, right := make([]point, 0, n+8), make([]point, 0, n)
	var firstAng, lastAng float64
	for i := range c {
		a, b := c[max(i-1, 0)], c[min(i+1, n-1)]
		dx, dy := b.x-a.x, b.y-a.y
		l := math.Hypot(dx, dy)
		if l == 0 {
			l = 1
		}
		w := (w0 + (w1-w0)*float64(i)/float64(n-1)) / 2
		nx, ny := -dy/l*w, dx/l*w
		left = append(left, point{c[i].x + nx, c[i].y + ny})
		right = append(right, point{c[i].x - nx, c[i].y - ny})
		if i == 0 {
			firstAng = math.Atan2(dy, dx)
		}
		lastAng = math.Atan2(dy, dx)
	}
	limit := func(at point, w, from float64) {
		for k := 1; k < 4; k++ {
			s, q := math.Sincos(from - math.Pi*float64(k)/4)
			left = append(left, point{at.x + w/2*q, at.y + w/2*s})
		}
	}
	limit(c[n-1], w1, lastAng+math.Pi/2)
	for i := n - 1; i >= 0; i-- {
		left = append(left, right[i])
	}
	limit(c[0], w0, firstAng-math.Pi/2)
	return left
}
