package synth

import (
	"math"
	"math/rand/v2"
)

// rgb is an opaque colour, 0..255 a channel.
type rgb struct{ r, g, b uint8 }

// palette gives every role a colour. It is drawn from the picture's seed alone, so that no class has a colour.
type palette struct {
	of     [nRoles]rgb
	ground [3]rgb // background and its companions
}

// hsv takes a hue in turns, and saturation and value in 0..1.
func hsv(h, s, v float64) rgb {
	h = (h - math.Floor(h)) * 6
	f := h - math.Floor(h)
	p, q, t := v*(1-s), v*(1-s*f), v*(1-s*(1-f))
	var r, g, b float64
	switch int(h) {
	case 0:
		r, g, b = v, t, p
	case 1:
		r, g, b = q, v, p
	case 2:
		r, g, b = p, v, t
	case 3:
		r, g, b = p, q, v
	case 4:
		r, g, b = t, p, v
	default:
		r, g, b = v, p, q
	}
	return rgb{clip(r * 255), clip(g * 255), clip(b * 255)}
}

func clip(v float64) uint8 {
	if v <= 0 {
		return 0
	}
	if v >= 255 {
		return 255
	}
	return uint8(v + 0.5)
}

// mix goes from a (t = 0) to b (t = 1).
func mix(a, b rgb, t float64) rgb {
	f := func(x, y uint8) uint8 { return clip(float64(x) + t*(float64(y)-float64(x))) }
	return rgb{f(a.r, b.r), f(a.g, b.g), f(a.b, b.b)}
}

// times scales brightness by k.
func (c rgb) times(k float64) rgb {
	return rgb{clip(float64(c.r) * k), clip(float64(c.g) * k), clip(float64(c.b) * k)}
}

// luma is Rec. 601 brightness in 0..255.
func (c rgb) luma() float64 {
	return 0.299*float64(c.r) + 0.587*float64(c.g) + 0.114*float64(c.b)
}

// apart is a rough visual distance: brightness counts most, so that grey copies keep the shape.
func apart(a, b rgb) float64 {
	d := func(x, y uint8) float64 { return math.Abs(float64(x) - float64(y)) }
	return 1.5*math.Abs(a.luma()-b.luma()) + 0.3*(d(a.r, b.r)+d(a.g, b.g)+d(a.b, b.b))
}

// newPalette draws colours in which subject and background, and neighbouring roles, can be told apart.
func newPalette(r *rand.Rand) palette {
	var p palette
	h := r.Float64()
	colour := func(h float64) rgb {
		s := 0.25 + 0.7*r.Float64()
		if r.IntN(6) == 0 {
			s *= 0.2
		}
		return hsv(h, s, 0.3+0.68*r.Float64())
	}
	far := func(least float64, from ...rgb) rgb {
		best, bestGap := rgb{}, -1.0
		for range 24 {
			c := colour(h + r.Float64())
			gap := math.Inf(1)
			for _, f := range from {
				gap = min(gap, apart(c, f))
			}
			if gap >= least {
				return c
			}
			if gap > bestGap {
				best, bestGap = c, gap
			}
		}
		return best
	}
	p.of[body] = colour(h)
	p.of[dark] = hsv(r.Float64(), 0.6*r.Float64(), 0.06+0.16*r.Float64())
	p.of[light] = hsv(r.Float64(), 0.18*r.Float64(), 0.88+0.12*r.Float64())
	p.of[ink] = p.of[dark]
	if p.of[body].luma() < 85 {
		p.of[ink] = p.of[light]
	}
	p.ground[0] = far(110, p.of[body])
	if r.IntN(5) == 0 {
		p.ground[0] = [2]rgb{p.of[light], p.of[dark]}[r.IntN(2)]
		if apart(p.ground[0], p.of[body]) < 80 {
			p.ground[0] = far(130, p.of[body])
		}
	}
	// Dark legs, tyres and outlines would be lost on a dark ground: either the ground goes up or dark and light swap.
	if l := p.ground[0].luma(); l < 80 {
		if r.IntN(2) == 0 {
			p.of[dark], p.of[light], p.of[ink] = p.of[light], p.of[dark], p.of[light]
		} else if up := mix(p.ground[0], rgb{255, 255, 255}, (95-l)/255); apart(up, p.of[body]) > 70 {
			p.ground[0] = up
		}
	}
	p.of[side] = far(60, p.of[body], p.ground[0])
	p.of[spot] = far(65, p.of[body], p.of[side], p.ground[0])
	// companions stay near the ground colour, or the pattern would drown the subject
	p.ground[1] = mix(p.ground[0], far(60, p.of[body], p.of[side]), 0.15+0.25*r.Float64())
	p.ground[2] = mix(p.ground[0], far(80, p.of[body], p.of[side]), 0.3+0.3*r.Float64())
	return p
}

// noise hashes a cell to 0..1. It is the same on every machine.
func noise(x, y int, seed uint32) float64 {
	h := uint32(x)*374761393 + uint32(y)*668265263 + seed*2246822519
	h = (h ^ h>>13) * 1274126177
	return float64((h^h>>16)&0xffff) / 65535
}
