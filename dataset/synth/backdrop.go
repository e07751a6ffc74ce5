package synth

import "math"

// backdrop fills the canvas behind the subject with one of several patterns of the palette's ground colours.
func (d *drawing) backdrop() {
	c, g := d.canvas, d.pal.ground
	w, h := float64(c.w), float64(c.h)
	sn, cs := math.Sincos(d.u(0, 2*math.Pi))
	step := d.u(0.06, 0.2) * min(w, h)
	switch d.IntN(9) {
	case 0:
		c.each(func(int, int) rgb { return g[0] })
	case 1:
		c.each(func(x, y int) rgb {
			return mix(g[0], g[2], 0.5+0.6*((float64(x)-w/2)*cs+(float64(y)-h/2)*sn)/max(w, h))
		})
	case 2:
		c.each(func(x, y int) rgb {
			if wrap(float64(x)*cs+float64(y)*sn, 2*step) < step {
				return g[1]
			}
			return g[0]
		})
	case 3:
		c.each(func(x, y int) rgb {
			u, v := float64(x)*cs+float64(y)*sn, float64(y)*cs-float64(x)*sn
			u, v = wrap(u, step)-step/2, wrap(v, step)-step/2
			if u*u+v*v < step*step*0.07 {
				return g[2]
			}
			return g[0]
		})
	case 4:
		c.each(func(x, y int) rgb {
			if (int(float64(x)/step)+int(float64(y)/step))%2 == 0 {
				return g[1]
			}
			return g[0]
		})
	case 5: // a horizon with hills or waves
		y0, amp, f, ph := h*d.u(0.4, 0.8), h*d.u(0, 0.09), d.u(1, 4)*2*math.Pi/w, d.u(0, 6)
		edge := make([]float64, c.w)
		for x := range edge {
			edge[x] = y0 + amp*math.Sin(f*float64(x)+ph)
		}
		c.each(func(x, y int) rgb {
			if float64(y) > edge[x] {
				return mix(g[2], g[1], (float64(y)-edge[x])/h)
			}
			return mix(g[0], g[1], float64(y)/h*0.6)
		})
	case 6: // a halo
		cx, cy, r := w*d.u(0.3, 0.7), h*d.u(0.3, 0.7), max(w, h)*d.u(0.5, 0.9)
		c.each(func(x, y int) rgb {
			dx, dy := float64(x)-cx, float64(y)-cy
			return mix(g[0], g[2], min(1, (dx*dx+dy*dy)/(r*r)))
		})
	case 7: // rays
		cx, cy, n := w*d.u(0.2, 0.8), h*d.u(0.2, 0.8), float64(d.n(5, 12))
		c.each(func(x, y int) rgb {
			if wrap(math.Atan2(float64(y)-cy, float64(x)-cx)/math.Pi*n, 2) < 1 {
				return g[1]
			}
			return g[0]
		})
	default: // paper or sand
		c.each(func(x, y int) rgb { return mix(g[0], g[1], noise(x/2, y/2, c.seed+1)) })
	}
}

// wrap is v modulo m in [0, m), far cheaper than math.Mod.
func wrap(v, m float64) float64 { return v - m*math.Floor(v/m) }

// clutter strews small things that say nothing about the class.
func (d *drawing) clutter(most int) {
	c := d.canvas
	short := float64(min(c.w, c.h))
	for range d.IntN(most + 1) {
		x, y, s := d.u(0, float64(c.w)), d.u(0, float64(c.h)), short*d.u(0.015, 0.055)
		q := newPen(d.Rand)
		q.m = affine{s, 0, x, 0, s, y}.then(rotation(d.u(0, 360)))
		switch d.IntN(5) {
		case 0:
			q.star(body, 0, 0, 1, 0.4, q.n(4, 6), 0, false)
		case 1:
			q.ell(body, 0, 0, 1, q.u(0.3, 1), 0)
		case 2:
			q.limb(body, 0.3, 0.2, -1.5, 0, 0, q.u(-1, 1), 1.5, 0)
		case 3:
			q.blob(body, -1.3, 0, 0, -0.5, 1.3, 0, 0, 0.5)
		default:
			q.poly(body, -1, 0.7, 0, -1, 1, 0.7)
		}
		col := d.pal.ground[1+d.IntN(2)]
		if d.IntN(3) == 0 {
			col = mix(d.pal.ground[0], d.pal.of[spot], 0.6)
		}
		if c.area(q.parts[0].contours) {
			c.paintFlat(1, col)
		}
	}
}
