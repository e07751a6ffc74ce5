package scene

import (
	"image"

	"golang.org/x/image/font"
)

// Scene is a drawing. [New] makes one; W and H may be set later, once it is known how much was drawn.
type Scene struct {
	W, H  float64 // px
	Title string  // what it is, in a few words
	Alt   string  // what there is to see, in sentences

	items []item
	fonts fonts
	faces map[faceKey]font.Face // for measuring, by size
}

// New returns an empty scene of a size in px.
func New(w, h float64) *Scene {
	return &Scene{W: w, H: h, fonts: newFonts(), faces: map[faceKey]font.Face{}}
}

// Point is a place in px.
type Point struct{ X, Y float64 }

type kind int

const (
	shapeItem kind = iota
	diskItem
	textItem
	pictureItem
)

// item is one thing drawn. kind says which fields count.
type item struct {
	kind   kind
	points []Point // of a shape; of the others the first is the place
	closed bool
	paint  Paint
	w, h   float64 // of a picture; of a disk w is the radius
	text   string
	font   Font
	tip    string
	img    image.Image
	mime   string
	data   []byte
}

// Paint is how a line or an area looks.
type Paint struct {
	Fill, Stroke Colour
	Width        float64 // of the stroke in px; 0 means 1
	Dash         float64 // length of dashes, and of the gaps between them, in px; 0 means none
	Opacity      float64 // of the filling; 0 means 1
}

// Font is how a text looks.
type Font struct {
	Size   float64 // px; 0 means 12
	Bold   bool
	Anchor Anchor
	Colour Colour  // 0 means [Soft]
	Fit    float64 // px that the text is set to where a browser's font is of another width; 0 means as it comes
}

// Anchor is which part of a text stands at its place.
type Anchor int

const (
	Start Anchor = iota
	Middle
	End
)

// Line draws a straight line.
func (s *Scene) Line(x1, y1, x2, y2 float64, p Paint) { s.Polyline([]Point{{x1, y1}, {x2, y2}}, p) }

// Polyline draws lines from point to point.
func (s *Scene) Polyline(points []Point, p Paint) {
	s.items = append(s.items, item{points: points, paint: p})
}

// Polygon draws the area within points.
func (s *Scene) Polygon(points []Point, p Paint) {
	s.items = append(s.items, item{points: points, paint: p, closed: true})
}

// Rect draws a rectangle from its upper left corner.
func (s *Scene) Rect(x, y, w, h float64, p Paint) {
	s.Polygon([]Point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, p)
}

// Disk draws a disk around a point. A browser shows tip to who points at it.
func (s *Scene) Disk(x, y, r float64, p Paint, tip string) {
	s.items = append(s.items, item{kind: diskItem, points: []Point{{x, y}}, w: r, paint: p, tip: tip})
}

// Marks is the number of different shapes of [Scene.Mark].
const Marks = 8

// Mark draws a small shape of about the area of a disk of radius r, outlined so that it stands off from what is below.
// Shapes are numbered from 0 to Marks-1, so that series can be told without colours.
func (s *Scene) Mark(shape int, x, y, r float64, c Colour, tip string) {
	s.mark(shape, x, y, r, Paint{Fill: c, Stroke: Page, Width: 1}, tip)
}

// OpenMark is a [Scene.Mark] of which only the outline is drawn.
func (s *Scene) OpenMark(shape int, x, y, r float64, c Colour, tip string) {
	s.mark(shape, x, y, r, Paint{Fill: Page, Stroke: c, Width: 1.6}, tip)
}

func (s *Scene) mark(shape int, x, y, r float64, p Paint, tip string) {
	outline := func(scale float64, xy ...float64) {
		var points []Point
		for i := 0; i < len(xy); i += 2 {
			points = append(points, Point{x + scale*r*xy[i], y + scale*r*xy[i+1]})
		}
		s.items = append(s.items, item{points: points, paint: p, closed: true, tip: tip})
	}
	switch shape % Marks {
	case 0:
		s.Disk(x, y, r, p, tip)
	case 1:
		outline(0.9, -1, -1, 1, -1, 1, 1, -1, 1) // square
	case 2:
		outline(1.25, 0, -1, 1, 0.75, -1, 0.75) // triangle
	case 3:
		outline(1.3, 0, -1, 1, 0, 0, 1, -1, 0) // diamond
	case 4:
		outline(1.25, 0, 1, 1, -0.75, -1, -0.75) // triangle, down
	case 5:
		outline(1.15, -.35, -1, .35, -1, .35, -.35, 1, -.35, 1, .35, .35, .35, .35, 1, -.35, 1, -.35, .35, -1, .35, -1, -.35, -.35, -.35) // cross
	case 6:
		outline(1.25, 1, 0, -0.75, 1, -0.75, -1) // triangle, to the right
	default:
		outline(1.05, -.45, -1, .45, -1, 1, -.3, 1, .5, .45, 1, -.45, 1, -1, .5, -1, -.3) // octagon
	}
}

// Text writes a line of text.
func (s *Scene) Text(x, y float64, text string, f Font) { s.TextTip(x, y, text, "", f) }

// TextTip is Text with something that a browser shows to who points at it, such as what did not fit.
func (s *Scene) TextTip(x, y float64, text, tip string, f Font) {
	if f.Colour == 0 {
		f.Colour = Soft
	}
	if f.Size == 0 {
		f.Size = 12
	}
	s.items = append(s.items, item{kind: textItem, points: []Point{{x, y}}, text: text, tip: tip, font: f})
}

// Picture draws img into a rectangle. data is the same picture as a file of type mime, which goes into an SVG as it stands.
func (s *Scene) Picture(x, y, w, h float64, img image.Image, mime string, data []byte) {
	s.items = append(s.items, item{kind: pictureItem, points: []Point{{x, y}}, w: w, h: h, img: img, mime: mime, data: data})
}
