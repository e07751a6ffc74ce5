package synth

import (
	"image"
	"math"

	"golang.org/x/image/vector"
)

// canvas is a picture in work. Not safe for concurrent use: it reuses its masks.
type canvas struct {
	img  *image.NRGBA
	w, h int
	ras  vector.Rasterizer
	mask *image.Alpha
	rect image.Rectangle // where mask lies in the picture
	seed uint32          // for grain
}

func newCanvas(w, h int, seed uint32) *canvas {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	return &canvas{img: img, w: w, h: h, mask: &image.Alpha{}, seed: seed}
}

// shade says the colour and opacity (0..1) of a pixel inside a mask.
type shade func(x, y int) (rgb, float64)

// begin readies the rasteriser for contours within lo..hi grown by pad pixels. False: nothing would be visible.
func (c *canvas) begin(contours [][]point, pad float64) bool {
	lo, hi := bounds(contours)
	b := image.Rect(int(math.Floor(lo.x-pad))-1, int(math.Floor(lo.y-pad))-1, int(math.Ceil(hi.x+pad))+1, int(math.Ceil(hi.y+pad))+1)
	// 4 canvases is more than any placing makes; it only keeps a broken shape from asking for gigabytes
	if b.Intersect(c.img.Rect).Empty() || b.Dx() > 4*c.w+16 || b.Dy() > 4*c.h+16 {
		return false
	}
	c.rect = b
	c.ras.Reset(b.Dx(), b.Dy())
	return true
}

// end turns what was drawn into the mask.
func (c *canvas) end() {
	n := c.rect.Dx() * c.rect.Dy()
	if cap(c.mask.Pix) < n {
		c.mask.Pix = make([]uint8, n+n/2)
	}
	c.mask.Pix = c.mask.Pix[:n]
	c.mask.Stride = c.rect.Dx()
	c.mask.Rect = image.Rect(0, 0, c.rect.Dx(), c.rect.Dy())
	c.ras.DrawOp = 1 // draw.Src
	c.ras.Draw(c.mask, c.mask.Rect, image.Opaque, image.Point{})
}

// area makes the mask of the inside of contours.
func (c *canvas) area(contours [][]point) bool {
	if !c.begin(contours, 0) {
		return false
	}
	ox, oy := float64(c.rect.Min.X), float64(c.rect.Min.Y)
	for _, k := range contours {
		for i, q := range k {
			if i == 0 {
				c.ras.MoveTo(float32(q.x-ox), float32(q.y-oy))
				continue
			}
			c.ras.LineTo(float32(q.x-ox), float32(q.y-oy))
		}
		c.ras.ClosePath()
	}
	c.end()
	return true
}

// outline makes the mask of a line of width pixels along closed contours.
func (c *canvas) outline(contours [][]point, width float64) bool {
	return c.stroke(contours, width, true)
}

func (c *canvas) stroke(contours [][]point, width float64, closed bool) bool {
	if !c.begin(contours, width/2+1) {
		return false
	}
	ox, oy := float64(c.rect.Min.X), float64(c.rect.Min.Y)
	r := width / 2
	for _, k := range contours {
		n := len(k)
		if !closed {
			n--
		}
		for i := range n {
			a, b := k[i], k[(i+1)%len(k)]
			dx, dy := b.x-a.x, b.y-a.y
			l := math.Hypot(dx, dy)
			if l < 1e-6 {
				continue
			}
			dx, dy = dx/l*r, dy/l*r
			// One hexagon a segment, pointed at both ends, always in the same direction: windings add up and never cancel.
			x0, y0, x1, y1 := a.x-ox, a.y-oy, b.x-ox, b.y-oy
			c.ras.MoveTo(float32(x0-dx), float32(y0-dy))
			c.ras.LineTo(float32(x0-dx*0.5+dy*0.87), float32(y0-dy*0.5-dx*0.87))
			c.ras.LineTo(float32(x0+dy), float32(y0-dx))
			c.ras.LineTo(float32(x1+dy), float32(y1-dx))
			c.ras.LineTo(float32(x1+dx), float32(y1+dy))
			c.ras.LineTo(float32(x1-dy), float32(y1+dx))
			c.ras.LineTo(float32(x0-dy), float32(y0+dx))
			c.ras.LineTo(float32(x0-dx*0.5-dy*0.87), float32(y0-dy*0.5+dx*0.87))
			c.ras.ClosePath()
		}
	}
	c.end()
	return true
}

// paint blends s through the mask, times alpha.
func (c *canvas) paint(alpha float64, s shade) {
	v := c.rect.Intersect(c.img.Rect)
	for y := v.Min.Y; y < v.Max.Y; y++ {
		m := c.mask.Pix[(y-c.rect.Min.Y)*c.mask.Stride:]
		for x := v.Min.X; x < v.Max.X; x++ {
			if a := m[x-c.rect.Min.X]; a != 0 {
				col, k := s(x, y)
				c.put(x, y, col, k*alpha*float64(a)/255)
			}
		}
	}
}

// paintFlat is paint of one colour, the common case.
func (c *canvas) paintFlat(alpha float64, col rgb) {
	v := c.rect.Intersect(c.img.Rect)
	k := int32(alpha*256 + 0.5)
	cr, cg, cb := int32(col.r), int32(col.g), int32(col.b)
	for y := v.Min.Y; y < v.Max.Y; y++ {
		m := c.mask.Pix[(y-c.rect.Min.Y)*c.mask.Stride:]
		d := c.img.Pix[c.img.PixOffset(v.Min.X, y):]
		for x := v.Min.X; x < v.Max.X; x++ {
			i := (x - v.Min.X) * 4
			if a := int32(m[x-c.rect.Min.X]); a != 0 {
				a = a * k >> 8
				q := d[i : i+3 : i+3]
				q[0] = uint8((int32(q[0])*(255-a) + cr*a + 127) / 255)
				q[1] = uint8((int32(q[1])*(255-a) + cg*a + 127) / 255)
				q[2] = uint8((int32(q[2])*(255-a) + cb*a + 127) / 255)
			}
		}
	}
}

// put blends one pixel. The caller keeps (x, y) inside the picture.
func (c *canvas) put(x, y int, col rgb, a float64) {
	q := c.img.Pix[y*c.img.Stride+4*x:]
	q = q[:3:3]
	k := int32(a * 256)
	q[0] += uint8((int32(col.r) - int32(q[0])) * k >> 8)
	q[1] += uint8((int32(col.g) - int32(q[1])) * k >> 8)
	q[2] += uint8((int32(col.b) - int32(q[2])) * k >> 8)
}

func (c *canvas) get(x, y int) rgb {
	q := c.img.Pix[y*c.img.Stride+4*x:]
	return rgb{q[0], q[1], q[2]}
}

func (c *canvas) set(x, y int, col rgb) {
	q := c.img.Pix[y*c.img.Stride+4*x:]
	q[0], q[1], q[2] = col.r, col.g, col.b
}

// each sets every pixel.
func (c *canvas) each(f func(x, y int) rgb) {
	for y := range c.h {
		for x := range c.w {
			c.set(x, y, f(x, y))
		}
	}
}

// grain adds noise of +-amount levels, in cells of the given size in pixels.
func (c *canvas) grain(amount float64, cell int) {
	for y := range c.h {
		row := c.img.Pix[y*c.img.Stride : y*c.img.Stride+4*c.w]
		for x := range c.w {
			d := int((noise(x/cell, y/cell, c.seed) - 0.5) * 2 * amount)
			for k := range 3 {
				row[4*x+k] = uint8(min(max(int(row[4*x+k])+d, 0), 255))
			}
		}
	}
}

func bounds(contours [][]point) (lo, hi point) {
	lo, hi = point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, k := range contours {
		for _, q := range k {
			lo.x, lo.y = min(lo.x, q.x), min(lo.y, q.y)
			hi.x, hi.y = max(hi.x, q.x), max(hi.y, q.y)
		}
	}
	return lo, hi
}
