package synth

import (
	"math"

	"github.com/disintegration/imaging"
)

// videogame: few large pixels and few colours, at times with scan lines.
func (d *drawing) videogame() {
	cells := d.n(44, 72)
	k := float64(cells) / float64(min(d.w, d.h))
	big := d.canvas
	small := newCanvas(max(8, int(float64(d.w)*k)), max(8, int(float64(d.h)*k)), d.seed)
	for i := range d.parts {
		for _, c := range d.parts[i].contours {
			for n := range c {
				c[n] = point{c[n].x * k, c[n].y * k}
			}
		}
	}
	d.canvas = small
	d.backdrop()
	d.clutter(8)
	edge := d.coin(0.7)
	for _, p := range d.parts {
		if edge && !p.detail && d.outline(p.contours, 2) {
			d.cut()
			d.paintFlat(1, d.pal.of[dark])
		}
		if d.area(p.contours) {
			d.cut()
			d.paintFlat(1, d.pal.of[p.role])
		}
	}
	levels := float64(d.n(4, 7))
	d.each(func(x, y int) rgb {
		q := small.get(x, y)
		f := func(v uint8) uint8 { return clip(math.Round(float64(v)/255*levels) / levels * 255) }
		return rgb{f(q.r), f(q.g), f(q.b)}
	})
	d.canvas = big
	up := imaging.Resize(small.img, big.w, big.h, imaging.NearestNeighbor)
	copy(big.img.Pix, up.Pix)
	if d.coin(0.35) {
		for y := 0; y < d.h; y += 3 {
			for x := range d.w {
				d.put(x, y, rgb{}, 0.22)
			}
		}
	}
}

// cut makes the mask all or nothing.
func (c *canvas) cut() {
	for i, a := range c.mask.Pix {
		if a > 100 {
			c.mask.Pix[i] = 255
		} else {
			c.mask.Pix[i] = 0
		}
	}
}

// tattoo: ink on skin: heavy lines, stippled shading, seldom a second colour.
func (d *drawing) tattoo() {
	skin := hsv(0.05+0.05*d.Float64(), d.u(0.25, 0.6), d.u(0.55, 0.98))
	inky := hsv(d.u(0.4, 0.8), d.u(0.1, 0.7), d.u(0.08, 0.3))
	if skin.luma() < 130 {
		inky = inky.times(0.4)
	}
	tint := d.pal.of[spot]
	colour := d.coin(0.45)
	w, h := float64(d.w), float64(d.h)
	sn, cs := math.Sincos(d.u(0, 2*math.Pi))
	d.each(func(x, y int) rgb { // a limb is round: darker to two sides
		v := ((float64(x)-w/2)*cs + (float64(y)-h/2)*sn) / max(w, h)
		return skin.times(1.06 - 0.9*v*v - 0.05*noise(x/2, y/2, d.seed))
	})
	tone := map[role]float64{body: d.u(0, 0.35), side: d.u(0.15, 0.5), spot: d.u(0.35, 0.8), dark: 1, light: 0, ink: 1}
	for i, p := range d.parts {
		if d.area(p.contours) {
			b, t, seed := d.rect, tone[p.role], d.seed+uint32(i)
			if p.detail && p.role != light {
				t = 1 // thin parts have no room for dots
			}
			under := skin.times(0.97)
			if colour && (p.role == body || p.role == spot) {
				under = mix(skin, tint, 0.45)
			}
			if p.role == light {
				under = mix(skin, rgb{255, 255, 255}, 0.35)
			}
			d.paint(1, func(x, y int) (rgb, float64) {
				down := float64(y-b.Min.Y) / float64(b.Dy())
				if t == 1 || (t > 0 && noise(x/2, y/2, seed) < t*(0.5+down)) {
					return mix(under, inky, 0.85), 1
				}
				return under, 1
			})
		}
		if !p.detail && d.outline(p.contours, d.px*1.3) {
			d.paintFlat(0.93, inky)
		}
	}
	d.grain(5, 1)
}

// graffiti: spray on a wall: soft fill, a glow, a fat outline, drips.
func (d *drawing) graffiti() {
	g := d.pal.ground
	bw, bh := d.px*d.u(7, 12), d.px*d.u(4, 6)
	bricks := d.coin(0.65)
	d.each(func(x, y int) rgb {
		c := mix(g[0], g[1], noise(x/2, y/2, d.seed)*0.5)
		if bricks {
			row := math.Floor(float64(y) / bh)
			off := float64(int(row)%2) * 0.5
			col := math.Floor(float64(x)/bw + off)
			if float64(y)-row*bh < 1.5 || (float64(x)/bw+off-col)*bw < 1.5 {
				return c.times(0.8)
			}
			return c.times(0.92 + 0.14*noise(int(col), int(row), d.seed))
		}
		return c
	})
	glow := d.pal.ground[2]
	if d.coin(0.5) {
		glow = d.pal.of[light]
	}
	for _, wd := range []float64{9, 6.5, 4} {
		for _, p := range d.parts {
			if !p.detail && d.outline(p.contours[:1], d.px*wd) {
				d.paint(0.4, func(x, y int) (rgb, float64) {
					return glow, noise(x, y, d.seed)
				})
			}
		}
	}
	line := d.pal.of[dark]
	for i, p := range d.parts {
		col := d.pal.of[p.role]
		next := mix(col, d.pal.ground[2], 0.25)
		if d.area(p.contours) {
			b := d.rect
			d.paint(0.96, func(x, y int) (rgb, float64) {
				t := float64(y-b.Min.Y) / float64(b.Dy())
				if noise(x, y, d.seed+uint32(i)) < t*0.8 {
					return next, 1
				}
				return col, 1
			})
		}
		if !p.detail && d.outline(p.contours, d.px*d.u(1.3, 2.1)) {
			d.paintFlat(0.95, line)
		}
		if !p.detail && d.coin(0.25) { // a drip from a low point of the outline
			low := point{y: -1}
			for _, q := range p.contours[0] {
				if q.y > low.y {
					low = q
				}
			}
			if d.stroke([][]point{{low, {low.x, low.y + d.px*d.u(3, 9)}}}, d.px*0.8, false) {
				d.paintFlat(0.9, line)
			}
		}
	}
	for range d.n(5, 25) { // splatter
		x, y := d.u(0, float64(d.w)), d.u(0, float64(d.h))
		rad := d.px * d.u(0.2, 0.7)
		if d.area([][]point{ellipse(x, y, rad, rad, 0)}) {
			d.paintFlat(0.8, d.pal.of[role(d.IntN(3))])
		}
	}
}
