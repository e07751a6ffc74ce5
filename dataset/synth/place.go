package synth

import (
	"math"
	"math/rand/v2"
)

// size draws the picture's sides in pixels: both in 160..480, portrait, landscape and sometimes nearly square.
func size(r *rand.Rand) (w, h int) {
	short := 160 + r.IntN(141)
	long := min(480, int(float64(short)*(1+0.8*r.Float64()*r.Float64()+0.05*r.Float64())))
	if r.IntN(2) == 0 {
		return short, long
	}
	return long, short
}

// place poses the parts in a picture of w x h pixels: mirrored, turned, sheared, bent a little and scaled so that the
// subject's bounding box has the area of a square of 0.7 to 1.05 of the picture's shorter side, or as much as fits.
func place(parts []part, r *rand.Rand, w, h int) []part {
	u := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	m := rotation(u(-14, 14))
	if r.IntN(12) == 0 {
		m = rotation(u(-35, 35))
	}
	m = m.then(affine{a: u(0.9, 1.1), b: u(-0.12, 0.12), d: u(-0.06, 0.06), e: u(0.9, 1.1)})
	if r.IntN(2) == 0 {
		m = m.then(affine{a: -1, e: 1})
	}
	// A low-frequency bend and a weak perspective: smooth, so that outlines stay closed and in order.
	ax, ay := u(0, 0.035), u(0, 0.035)
	fx, fy, px, py := u(1.5, 4), u(1.5, 4), u(0, 6.3), u(0, 6.3)
	tilt := u(-0.1, 0.1)
	warp := func(q point) point {
		q = m.apply(q)
		q.x, q.y = q.x+ax*math.Sin(fx*q.y+px), q.y+ay*math.Sin(fy*q.x+py)
		k := 1 + tilt*q.y
		return point{q.x * k, q.y * k}
	}
	out := make([]part, len(parts))
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for i, p := range parts {
		out[i] = part{p.role, make([][]point, len(p.contours)), p.detail}
		for k, c := range p.contours {
			t := make([]point, len(c))
			for n, q := range c {
				t[n] = warp(q)
			}
			out[i].contours[k] = t
		}
		l, g := bounds(out[i].contours)
		lo, hi = point{min(lo.x, l.x), min(lo.y, l.y)}, point{max(hi.x, g.x), max(hi.y, g.y)}
	}
	bw, bh := hi.x-lo.x, hi.y-lo.y
	short := float64(min(w, h))
	room := min(float64(w)/bw, float64(h)/bh)
	k := min(u(0.82, 0.98)*room, u(0.7, 1.05)*short/math.Sqrt(bw*bh))
	slackX, slackY := (float64(w)-k*bw)/2, (float64(h)-k*bh)/2
	ox := float64(w)/2 + slackX*u(-0.7, 0.7) - k*(lo.x+hi.x)/2
	oy := float64(h)/2 + slackY*u(-0.7, 0.7) - k*(lo.y+hi.y)/2
	for i := range out {
		for _, c := range out[i].contours {
			for n, q := range c {
				c[n] = point{ox + k*q.x, oy + k*q.y}
			}
		}
	}
	return out
}
