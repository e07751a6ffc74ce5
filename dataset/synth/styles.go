package synth

import "math"

// cartoon: flat colours, a dark outline, a soft shade on the far side of each part.
func (d *drawing) cartoon() {
	d.backdrop()
	d.clutter(8)
	width := d.px * d.u(0.9, 1.9)
	depth := d.u(0, 0.35)
	for _, p := range d.parts {
		col := d.pal.of[p.role]
		if !d.area(p.contours) {
			continue
		}
		if p.detail || depth < 0.08 {
			d.paintFlat(1, col)
		} else {
			b, shadow := d.rect, col.times(1-depth)
			edge := float64(b.Min.Y) + 0.62*float64(b.Dy())
			slope := 0.35 * float64(b.Dy()) / float64(b.Dx()+1)
			d.paint(1, func(x, y int) (rgb, float64) {
				if float64(y)+slope*float64(x-b.Min.X) > edge+0.15*float64(b.Dy()) {
					return shadow, 1
				}
				return col, 1
			})
		}
		if !p.detail && d.outline(p.contours, width) {
			d.paintFlat(1, d.pal.of[dark])
		}
	}
}

// sketch: pencil or chalk on paper; hatching in place of colour.
func (d *drawing) sketch() {
	paper := hsv(d.Float64(), 0.12*d.Float64(), 0.84+0.16*d.Float64())
	lead := hsv(d.Float64(), 0.5*d.Float64(), 0.05+0.25*d.Float64())
	if d.coin(0.2) {
		paper, lead = lead, paper
	}
	d.each(func(x, y int) rgb { return mix(paper, lead, 0.05*noise(x, y, d.seed)) })
	tone := map[role]float64{body: d.u(0, 0.5), side: d.u(0.1, 0.7), spot: d.u(0.3, 0.9), dark: 1, light: 0, ink: 1}
	angle := d.u(0, math.Pi)
	gap := d.px * d.u(1.6, 2.6)
	for i, p := range d.parts {
		if d.area(p.contours) {
			sn, cs := math.Sincos(angle + 0.5*float64(p.role))
			t := tone[p.role]
			seed := d.seed + uint32(i)
			if p.detail {
				if t == 0 {
					d.paintFlat(1, paper)
				} else {
					d.paintFlat(0.85, lead)
				}
				continue
			}
			thick := 0.15 + 0.5*t
			d.paint(1, func(x, y int) (rgb, float64) {
				if t == 0 {
					return paper, 1
				}
				u := (float64(x)*cs + float64(y)*sn) / gap
				v := float64(y)*cs - float64(x)*sn
				line := math.Floor(u)
				a := 0.0
				// each hatch line breaks off here and there
				if f := u - line; f < thick && noise(int(line), int(v/(gap*9)), seed) > 0.12 {
					a = (0.5 + 0.4*t) * (0.6 + 0.4*noise(x, y, seed))
				}
				return mix(paper, lead, a), 1
			})
		}
		if p.detail {
			continue
		}
		for range 2 { // the pencil goes round twice and never hits the same spot
			if d.outline(d.shaky(p.contours, d.px*0.7), d.px*d.u(0.5, 0.9)) {
				d.paint(0.85, func(x, y int) (rgb, float64) { return lead, 0.65 + 0.35*noise(x, y, d.seed) })
			}
		}
	}
}

// shaky moves every point a little, by up to amount pixels.
func (d *drawing) shaky(contours [][]point, amount float64) [][]point {
	ox, oy := d.u(-amount, amount), d.u(-amount, amount)
	out := make([][]point, len(contours))
	for i, c := range contours {
		out[i] = make([]point, len(c))
		ph, f := d.u(0, 6), d.u(0.3, 0.6)
		for k, q := range c {
			s := math.Sin(ph + f*float64(k))
			out[i][k] = point{q.x + ox + s*amount*0.6, q.y + oy + s*amount*0.6}
		}
	}
	return out
}

// plain fills all parts with flat colours.
func (d *drawing) plain() {
	for _, p := range d.parts {
		if d.area(p.contours) {
			d.paintFlat(1, d.pal.of[p.role])
		}
	}
}

// graphic: flat shapes without lines, at times with a long shadow, as on a poster.
func (d *drawing) graphic() {
	if d.coin(0.5) {
		d.each(func(int, int) rgb { return d.pal.ground[0] })
		short := float64(min(d.w, d.h))
		if d.coin(0.6) && d.area([][]point{ellipse(float64(d.w)/2, float64(d.h)/2, short*d.u(0.35, 0.48), short*d.u(0.35, 0.48), 0)}) {
			d.paintFlat(1, d.pal.ground[1])
		}
	} else {
		d.backdrop()
	}
	d.clutter(6)
	if d.coin(0.5) {
		dx, dy := d.u(-1, 1)*d.px*4, d.px*d.u(1, 5)
		for _, p := range d.parts {
			if !p.detail && d.area(moved(p.contours, dx, dy)) {
				d.paintFlat(1, d.pal.ground[0].times(0.72))
			}
		}
	}
	d.plain()
	if d.coin(0.3) {
		d.grain(14, 1)
	}
}

func moved(contours [][]point, dx, dy float64) [][]point {
	out := make([][]point, len(contours))
	for i, c := range contours {
		out[i] = make([]point, len(c))
		for k, q := range c {
			out[i][k] = point{q.x + dx, q.y + dy}
		}
	}
	return out
}

// sticker: flat colours inside a wide light border with a drop shadow.
func (d *drawing) sticker() {
	d.backdrop()
	d.clutter(8)
	rim := d.px * d.u(4, 7)
	border := d.pal.of[light]
	if apart(border, d.pal.ground[0]) < 60 {
		border = d.pal.of[dark]
	}
	around := func(dx, dy, alpha float64, col rgb) {
		for _, p := range d.parts {
			if k := moved(p.contours, dx, dy); d.outline(k[:1], rim) {
				d.paintFlat(alpha, col)
			}
			if k := moved(p.contours[:1], dx, dy); d.area(k) {
				d.paintFlat(alpha, col)
			}
		}
	}
	shadow := mix(d.pal.ground[0], rgb{}, 0.5)
	around(d.px*2, d.px*2.5, 1, shadow)
	around(0, 0, 1, border)
	line := d.coin(0.5)
	for _, p := range d.parts {
		if d.area(p.contours) {
			d.paintFlat(1, d.pal.of[p.role])
		}
		if line && !p.detail && d.outline(p.contours, d.px*0.7) {
			d.paintFlat(1, d.pal.of[p.role].times(0.55))
		}
	}
	if d.coin(0.4) { // a gloss across the upper part
		edge := float64(d.h) * d.u(0.3, 0.5)
		slope := d.u(-0.4, 0.4)
		for y := range d.h {
			for x := range d.w {
				if float64(y)+slope*float64(x) < edge {
					d.put(x, y, rgb{255, 255, 255}, 0.12)
				}
			}
		}
	}
}
