package scene

import (
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// PixelsPerPx is how many pixels of a PNG there are to a px of the scene: 8 inches of 96 px are printed with 288 dots an inch.
const PixelsPerPx = 3

// WritePNG writes the scene as a file, on a light page.
func (s *Scene) WritePNG(w io.Writer) error {
	return png.Encode(w, s.raster(PixelsPerPx))
}

// raster draws the scene with scale pixels to a px, margins included.
func (s *Scene) raster(scale float64) *image.RGBA {
	c := canvas{
		img:   image.NewRGBA(image.Rect(0, 0, int(math.Ceil((s.W+2*marginX)*scale)), int(math.Ceil((s.H+2*marginY)*scale)))),
		scale: scale, fonts: s.fonts, faces: map[faceKey]font.Face{},
	}
	draw.Draw(c.img, c.img.Bounds(), image.NewUniform(Page.nrgba(1)), image.Point{}, draw.Src)
	for _, it := range s.items {
		p := Point{}
		if len(it.points) > 0 {
			p = c.at(it.points[0])
		}
		switch it.kind {
		case shapeItem, diskItem:
			c.shape(it)
		case textItem:
			c.text(p, it)
		case pictureItem:
			to := image.Rect(int(math.Round(p.X)), int(math.Round(p.Y)), int(math.Round(p.X+it.w*scale)), int(math.Round(p.Y+it.h*scale)))
			xdraw.CatmullRom.Scale(c.img, to, it.img, it.img.Bounds(), draw.Over, nil)
		}
	}
	return c.img
}

// canvas is a picture that is drawn on.
type canvas struct {
	img   *image.RGBA
	scale float64
	fonts fonts
	faces map[faceKey]font.Face
}

// at is the place of a point of the scene in pixels.
func (c *canvas) at(p Point) Point {
	return Point{(p.X + marginX) * c.scale, (p.Y + marginY) * c.scale}
}

func (c *canvas) text(p Point, it item) {
	face := c.fonts.face(c.faces, faceKey{it.font.Size * c.scale, it.font.Bold})
	width := float64(font.MeasureString(face, it.text)) / 64
	switch it.font.Anchor {
	case Middle:
		p.X -= width / 2
	case End:
		p.X -= width
	}
	d := font.Drawer{Dst: c.img, Src: image.NewUniform(it.font.Colour.nrgba(1)), Face: face,
		Dot: fixed.Point26_6{X: fixed.Int26_6(p.X * 64), Y: fixed.Int26_6(p.Y * 64)}}
	d.DrawString(it.text)
}

func (c *canvas) shape(it item) {
	var points []Point
	switch it.kind {
	case diskItem:
		points = circle(c.at(it.points[0]), it.w*c.scale)
	default:
		for _, p := range it.points {
			points = append(points, c.at(p))
		}
	}
	closed := it.closed || it.kind == diskItem
	if it.paint.Fill != None && closed {
		opacity := it.paint.Opacity
		if opacity == 0 {
			opacity = 1
		}
		c.fill([][]Point{points}, it.paint.Fill, opacity)
	}
	if it.paint.Stroke != None {
		width := it.paint.Width
		if width == 0 {
			width = 1
		}
		if closed && len(points) > 0 {
			points = append(points, points[0])
		}
		c.fill(stroke(points, width*c.scale, it.paint.Dash*c.scale, closed), it.paint.Stroke, 1)
	}
}

// fill draws the union of areas. All must turn the same way, which [stroke]'s do: where two that turn opposite ways overlap,
// the rasteriser counts them as nothing.
func (c *canvas) fill(areas [][]Point, colour Colour, opacity float64) {
	box := image.Rectangle{}
	for _, a := range areas {
		for _, p := range a {
			box = box.Union(image.Rect(int(math.Floor(p.X)), int(math.Floor(p.Y)), int(math.Ceil(p.X))+1, int(math.Ceil(p.Y))+1))
		}
	}
	box = box.Intersect(c.img.Bounds())
	if box.Empty() {
		return
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	for _, a := range areas {
		for i, p := range a {
			x, y := float32(p.X-float64(box.Min.X)), float32(p.Y-float64(box.Min.Y))
			if i == 0 {
				r.MoveTo(x, y)
			} else {
				r.LineTo(x, y)
			}
		}
		r.ClosePath()
	}
	r.Draw(c.img, box, image.NewUniform(colour.nrgba(opacity)), image.Point{})
}

// circle returns the corners of a polygon that is a circle to within a tenth of a pixel.
func circle(centre Point, r float64) []Point {
	n := max(12, int(math.Ceil(math.Pi/math.Acos(1-min(0.1/max(r, 0.2), 0.5)))))
	out := make([]Point, n)
	for i := range out {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		out[i] = Point{centre.X + r*cos, centre.Y + r*sin}
	}
	return out
}

// stroke returns the areas of a line of a width along points, with round joins and blunt ends. Each turns as [circle] does.
func stroke(points []Point, width, dash float64, closed bool) [][]Point {
	var out [][]Point
	for _, run := range dashes(points, dash) {
		for i := 1; i < len(run); i++ {
			a, b := run[i-1], run[i]
			length := math.Hypot(b.X-a.X, b.Y-a.Y)
			if length == 0 {
				continue
			}
			nx, ny := -(b.Y-a.Y)/length*width/2, (b.X-a.X)/length*width/2
			out = append(out, []Point{{a.X - nx, a.Y - ny}, {b.X - nx, b.Y - ny}, {b.X + nx, b.Y + ny}, {a.X + nx, a.Y + ny}})
			if i+1 < len(run) || closed && dash == 0 {
				out = append(out, circle(b, width/2))
			}
		}
	}
	return out
}

// dashes cuts a polyline into pieces of a length with gaps of the same length. Length 0 leaves it whole.
func dashes(points []Point, length float64) [][]Point {
	if length <= 0 || len(points) < 2 {
		return [][]Point{points}
	}
	var out [][]Point
	piece, left, on := []Point{points[0]}, length, true
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		for {
			d := math.Hypot(b.X-a.X, b.Y-a.Y)
			if d < left {
				left -= d
				piece = append(piece, b)
				break
			}
			f := left / d
			a = Point{a.X + f*(b.X-a.X), a.Y + f*(b.Y-a.Y)}
			if on {
				out = append(out, append(piece, a))
			}
			piece, left, on = []Point{a}, length, !on
		}
	}
	if on && len(piece) > 1 {
		out = append(out, piece)
	}
	return out
}
