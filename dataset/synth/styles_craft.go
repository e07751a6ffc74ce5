package synth

import (
	"math"

	"github.com/disintegration/imaging"
)

// painting: the flat picture is painted over with short brush strokes that take its colour, first wide, then fine.
func (d *drawing) painting() {
	d.backdrop()
	d.clutter(6)
	for _, p := range d.parts {
		if !d.area(p.contours) {
			continue
		}
		col, b := d.pal.of[p.role], d.rect
		top, foot := mix(col, rgb{255, 255, 255}, 0.15), col.times(0.75)
		d.paint(1, func(x, y int) (rgb, float64) {
			return mix(top, foot, float64(y-b.Min.Y)/float64(b.Dy())), 1
		})
	}
	under := imaging.Clone(d.img)
	at := func(x, y float64) rgb {
		q := under.Pix[min(max(int(y), 0), d.h-1)*under.Stride+4*min(max(int(x), 0), d.w-1):]
		return rgb{q[0], q[1], q[2]}
	}
	angle, swirl := d.u(0, math.Pi), d.u(1, 5)
	short := float64(min(d.w, d.h))
	for _, width := range []float64{0.035, 0.02} {
		wd := short * width * d.u(0.8, 1.2)
		count := int(float64(d.w*d.h) / (wd * wd * 3.4))
		for range count {
			x, y := d.u(0, float64(d.w)), d.u(0, float64(d.h))
			sn, cs := math.Sincos(angle + swirl*math.Sin(x/short*3)*math.Cos(y/short*3) + d.u(-0.4, 0.4))
			l := wd * d.u(0.8, 1.5)
			col := at(x, y)
			// a stroke ends where the colour below changes, or the shape would dissolve
			if apart(col, at(x+cs*l, y+sn*l)) > 40 || apart(col, at(x-cs*l, y-sn*l)) > 40 {
				l *= 0.3
			}
			d.dab(x, y, cs, sn, l, wd*d.u(0.3, 0.5), col.times(d.u(0.91, 1.09)))
		}
	}
	d.grain(d.u(3, 10), 1)
	for y := 0; y < d.h; y++ { // the weave of the canvas
		for x := y % 2; x < d.w; x += 2 {
			d.put(x, y, rgb{}, 0.05)
		}
	}
}

// dab paints one bristly stroke: centre, direction, half length and half width in pixels.
func (d *drawing) dab(cx, cy, cs, sn, l, wd float64, col rgb) {
	rx, ry := math.Abs(cs)*l+math.Abs(sn)*wd+1, math.Abs(sn)*l+math.Abs(cs)*wd+1
	for y := max(0, int(cy-ry)); y <= min(d.h-1, int(cy+ry)); y++ {
		for x := max(0, int(cx-rx)); x <= min(d.w-1, int(cx+rx)); x++ {
			dx, dy := float64(x)-cx, float64(y)-cy
			u, v := (dx*cs+dy*sn)/l, (dy*cs-dx*sn)/wd
			if e := u*u + v*v; e < 1 {
				k := 0.9
				if int(v*3+8)%2 == 0 {
					k = 0.7
				}
				if e > 0.7 {
					k *= 0.6
				}
				d.put(x, y, col, k)
			}
		}
	}
}

// origami: straight edges, and facets of different brightness where the paper is folded.
func (d *drawing) origami() {
	d.backdrop()
	tolerance := float64(min(d.w, d.h)) * d.u(0.012, 0.022)
	for i, p := range d.parts {
		k := p.contours
		if !p.detail {
			k = make([][]point, len(p.contours))
			for n, c := range p.contours {
				k[n] = simplify(c, tolerance)
			}
		}
		if !p.detail && i%2 == 0 && d.area(moved(k, d.px*1.2, d.px*1.6)) {
			d.paintFlat(0.3, rgb{})
		}
		if !d.area(k) {
			continue
		}
		col := d.pal.of[p.role]
		if p.detail {
			d.paintFlat(1, col)
			continue
		}
		b := d.rect
		type fold struct{ a, b, c, step float64 }
		folds := make([]fold, d.n(2, 4))
		for n := range folds {
			sn, cs := math.Sincos(d.u(0, 2*math.Pi))
			x, y := float64(b.Min.X)+d.u(0.25, 0.75)*float64(b.Dx()), float64(b.Min.Y)+d.u(0.25, 0.75)*float64(b.Dy())
			folds[n] = fold{cs, sn, -cs*x - sn*y, d.u(0.06, 0.16)}
		}
		var tints [16]rgb // by the sides of the folds that a pixel lies on, one bit each
		for n := range tints {
			v := 1.0
			for bit, f := range folds {
				v += f.step * float64((n>>bit&1)*2-1)
			}
			tints[n] = col.times(v)
		}
		crease := col.times(1.3)
		d.paint(1, func(x, y int) (rgb, float64) {
			n := 0
			for bit, f := range folds {
				e := f.a*float64(x) + f.b*float64(y) + f.c
				if math.Abs(e) < 0.7 {
					return crease, 1
				}
				if e > 0 {
					n |= 1 << bit
				}
			}
			return tints[n], 1
		})
		if d.outline(k, max(1, d.px*0.35)) {
			d.paintFlat(0.6, col.times(0.5))
		}
	}
	d.grain(4, 1)
}

// simplify is Douglas-Peucker on a closed contour.
func simplify(c []point, tolerance float64) []point {
	if len(c) < 5 {
		return c
	}
	far, best := 0, 0.0
	for i, q := range c {
		if e := math.Hypot(q.x-c[0].x, q.y-c[0].y); e > best {
			far, best = i, e
		}
	}
	keep := make([]bool, len(c)+1)
	keep[0], keep[far] = true, true
	closed := append(append([]point{}, c...), c[0])
	var walk func(a, b int)
	walk = func(a, b int) {
		p, q := closed[a], closed[b]
		l := math.Hypot(q.x-p.x, q.y-p.y)
		at, worst := 0, tolerance
		for i := a + 1; i < b; i++ {
			e := math.Hypot(closed[i].x-p.x, closed[i].y-p.y)
			if l > 0 {
				e = math.Abs((q.x-p.x)*(closed[i].y-p.y)-(q.y-p.y)*(closed[i].x-p.x)) / l
			}
			if e > worst {
				at, worst = i, e
			}
		}
		if at > 0 {
			keep[at] = true
			walk(a, at)
			walk(at, b)
		}
	}
	walk(0, far)
	walk(far, len(c))
	var out []point
	for i, q := range c {
		if keep[i] {
			out = append(out, q)
		}
	}
	if len(out) < 3 {
		return c
	}
	return out
}

// embroidery: parallel stitches on cloth, in a direction of its own for each part, and a raised rim.
func (d *drawing) embroidery() {
	g := d.pal.ground
	if d.coin(0.3) {
		d.backdrop()
	} else {
		d.each(func(int, int) rgb { return g[0] })
	}
	for y := range d.h { // cloth
		for x := range d.w {
			k := 0.86 + 0.14*noise(x/2, y/2, d.seed)
			if (x/2+y/2)%2 == 0 {
				k -= 0.07
			}
			d.set(x, y, d.get(x, y).times(k))
		}
	}
	thread := max(2.2, d.px*d.u(0.9, 1.4))
	length := thread * d.u(4, 8)
	stitch := func(col rgb, angle float64, seed uint32) shade {
		sn, cs := math.Sincos(angle)
		bright, deep := mix(col, rgb{255, 255, 255}, 0.22), col.times(0.5)
		return func(x, y int) (rgb, float64) {
			u, v := float64(x)*cs+float64(y)*sn, (float64(y)*cs-float64(x)*sn)/thread
			row := math.Floor(v)
			across := v - row
			along := u/length + noise(int(row), 7, seed)
			cell := math.Floor(along)
			if across < 0.16 || along-cell < 0.09 {
				return deep, 1
			}
			t := 1 - math.Abs(across-0.55)*2
			return mix(col, bright, t).times(0.82 + 0.26*noise(int(row), int(cell), seed)), 1
		}
	}
	angle := d.u(0, math.Pi)
	for i, p := range d.parts {
		col := d.pal.of[p.role]
		if d.area(p.contours) {
			d.paint(1, stitch(col, angle+d.u(-0.9, 0.9), d.seed+uint32(i)))
		}
		if !p.detail && d.outline(p.contours, thread*1.1) {
			d.paint(1, func(x, y int) (rgb, float64) {
				return mix(col.times(0.45), col, 0.6*noise(x/2, y/2, d.seed+uint32(i))), 0.9
			})
		}
	}
}
