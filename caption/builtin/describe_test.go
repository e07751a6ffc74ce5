package builtin

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// turned maps a point into a frame that is turned about (cx, cy), scaled by 1/r.
func turned(x, y, cx, cy, r, angle float64) (u, v float64) {
	s, c := math.Sincos(angle)
	dx, dy := (x-cx)/r, (y-cy)/r
	return c*dx + s*dy, -s*dx + c*dy
}

// figures are drawn in the unit disc, y down.
var figures = []struct {
	name string
	in   func(u, v float64) bool
}{
	{"disc", func(u, v float64) bool { return u*u+v*v < 1 }},
	{"square", func(u, v float64) bool { return max(math.Abs(u), math.Abs(v)) < 0.75 }},
	{"triangle", func(u, v float64) bool { return v < 0.6 && v > 1.8*math.Abs(u)-1 }},
	{"bar", func(u, v float64) bool { return math.Abs(u) < 1 && math.Abs(v) < 0.14 }},
	{"star", func(u, v float64) bool {
		a := math.Mod(math.Atan2(u, -v)+4*math.Pi, 2*math.Pi/5) - math.Pi/5
		return math.Hypot(u, v) < 0.45/math.Cos(a)*(1+1.15*math.Pow(math.Abs(a)/(math.Pi/5), 1.5))
	}},
	{"ring", func(u, v float64) bool { r := math.Hypot(u, v); return r < 1 && r > 0.55 }},
	{"cross", func(u, v float64) bool {
		return min(math.Abs(u), math.Abs(v)) < 0.2 && max(math.Abs(u), math.Abs(v)) < 1
	}},
	{"crescent", func(u, v float64) bool { return u*u+v*v < 1 && (u-0.5)*(u-0.5)+v*v > 0.8 }},
	{"pair", func(u, v float64) bool { return math.Hypot(math.Abs(u)-0.6, v) < 0.4 }},
	{"table", func(u, v float64) bool {
		return math.Abs(u) < 1 && v > -0.6 && v < -0.3 || math.Abs(math.Abs(u)-0.8) < 0.12 && v >= -0.3 && v < 0.8
	}},
}

func TestDescribeShapes(t *testing.T) {
	for name, says := range map[string][]string{
		"disc":     {"round", "convex with a rounded hull", "as wide as tall", "symmetric both ways", "nothing sticks out"},
		"square":   {"rectangular", "convex with four corners", "as wide as tall", "symmetric both ways"},
		"triangle": {"triangular", "three corners", "mirrored left to right", "widens toward the bottom"},
		"bar":      {"rod-like", "much wider than tall", "lying flat"},
		"star":     {"five spikes stick out, all of like length", "mirrored left to right"},
		"ring":     {"one wide opening like a ring", "a rounded hull", "symmetric both ways"},
		"cross":    {"four spikes stick out, all of like length", "symmetric both ways"},
		"crescent": {"mirrored top to bottom"},
		"pair":     {"two separate pieces"},
		"table":    {"two ends reach down", "mirrored left to right"},
	} {
		for _, f := range figures {
			if f.name != name {
				continue
			}
			text := Describe(paint(200, 200, color.White, color.RGBA{30, 60, 200, 255}, func(x, y float64) bool {
				return f.in(turned(x, y, 100, 100, 70, 0))
			}))
			for _, s := range append(says, "plain white background|uniform white background", "all blue", "flat and smooth") {
				found := false
				for _, alternative := range strings.Split(s, "|") {
					found = found || strings.Contains(text, alternative)
				}
				if !found {
					t.Errorf("%s: %q lacks %q", name, text, s)
				}
			}
		}
	}
}

func TestDescribePlacesColoursTextures(t *testing.T) {
	in := func(cx, cy, r float64) func(x, y float64) bool {
		return func(x, y float64) bool { return math.Hypot(x-cx, y-cy) < r }
	}
	red, green := color.RGBA{210, 20, 20, 255}, color.RGBA{20, 150, 40, 255}
	striped := paint(200, 200, color.White, red, in(100, 100, 80)).(*image.RGBA)
	for y := range 200 {
		for x := range 200 {
			if in(100, 100, 80)(float64(x), float64(y)) && x/8%2 == 0 {
				striped.Set(x, y, color.Black)
			}
		}
	}
	fading := image.NewRGBA(image.Rect(0, 0, 200, 200))
	for y := range 200 {
		for x := range 200 {
			fading.Set(x, y, color.Gray{uint8(100 + y/2)})
			if in(100, 100, 30)(float64(x), float64(y)) {
				fading.Set(x, y, green)
			}
		}
	}
	halves := paint(200, 200, color.Black, red, in(100, 100, 60)).(*image.RGBA)
	for y := 100; y < 200; y++ {
		for x := range 200 {
			if in(100, 100, 60)(float64(x), float64(y)) {
				halves.Set(x, y, color.RGBA{240, 220, 30, 255})
			}
		}
	}
	for name, c := range map[string]struct {
		img  image.Image
		says []string
	}{
		"upper left":    {paint(200, 200, color.Black, red, in(50, 50, 30)), []string{"small", "upper left", "black background", "red", "dark"}},
		"lower right":   {paint(300, 200, green, color.White, in(240, 150, 40)), []string{"lower right", "green background", "white"}},
		"fills":         {paint(200, 200, color.White, red, in(100, 100, 99)), []string{"very large", "fills the frame"}},
		"stripes":       {striped, []string{"vertical"}},
		"fading":        {fading, []string{"grey background that fades", "green"}},
		"two colours":   {halves, []string{"red at the top", "yellow at the bottom"}},
		"nothing":       {paint(64, 64, green, green, in(0, 0, 1)), []string{"green background and nothing that stands out", "nothing sticks out"}},
		"one pixel":     {paint(1, 1, red, red, in(0, 0, 1)), []string{"red"}},
		"a line":        {paint(500, 1, red, red, in(0, 0, 1)), []string{"red"}},
		"transparent":   {image.NewNRGBA(image.Rect(0, 0, 30, 30)), []string{"white background"}},
		"offset bounds": {paint(200, 200, color.Black, red, in(50, 50, 30)).(*image.RGBA).SubImage(image.Rect(10, 10, 150, 150)), []string{"upper left", "red"}},
	} {
		text := Describe(c.img)
		for _, s := range c.says {
			if !strings.Contains(text, s) {
				t.Errorf("%s: %q lacks %q", name, text, s)
			}
		}
	}
}

// sample draws a figure at a random size, place, angle and in random colours.
func sample(r *rand.Rand, in func(u, v float64) bool) image.Image {
	back := color.RGBA{uint8(150 + r.IntN(106)), uint8(150 + r.IntN(106)), uint8(150 + r.IntN(106)), 255}
	front := color.RGBA{uint8(r.IntN(110)), uint8(r.IntN(110)), uint8(r.IntN(110)), 255}
	radius, angle := 35+30*r.Float64(), 0.5*(r.Float64()-0.5)
	cx, cy := 80+20*(r.Float64()-0.5), 80+20*(r.Float64()-0.5)
	return paint(160, 160, back, front, func(x, y float64) bool { return in(turned(x, y, cx, cy, radius, angle)) })
}

// A classifier of words must learn shapes from the texts: nearest neighbour by the words that two texts share.
func TestTextsTellShapes(t *testing.T) {
	const known, asked = 12, 6
	r := rand.New(rand.NewPCG(3, 4))
	type text struct {
		label int
		words map[string]bool
	}
	draw := func(label int) text {
		words, previous := map[string]bool{}, ""
		for _, w := range strings.FieldsFunc(Describe(sample(r, figures[label].in)), func(r rune) bool { return strings.ContainsRune(" .,;", r) }) {
			words[w], words[previous+" "+w] = true, true
			previous = w
		}
		return text{label, words}
	}
	var memory []text
	for label := range figures {
		for range known {
			memory = append(memory, draw(label))
		}
	}
	right := 0
	for label := range figures {
		for range asked {
			q, best, at := draw(label), -1.0, 0
			for _, m := range memory {
				both := 0.0
				for w := range q.words {
					if m.words[w] {
						both++
					}
				}
				if s := both / float64(len(q.words)+len(m.words)); s > best {
					best, at = s, m.label
				}
			}
			if at == label {
				right++
			}
		}
	}
	if share := float64(right) / float64(asked*len(figures)); share < 0.7 {
		t.Errorf("%.2f of the shapes were told from their texts, by chance %.2f", share, 1/float64(len(figures)))
	}
}

func TestDescribeLengthAndDeterminism(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[string]bool{}
	for i := range 60 {
		img := sample(r, figures[i%len(figures)].in)
		text := Describe(img)
		if again := Describe(img); again != text {
			t.Errorf("two texts for one picture: %q and %q", text, again)
		}
		if n := len(strings.Fields(text)); n < 40 || n > 90 {
			t.Errorf("%d words: %q", n, text)
		}
		if n := strings.Count(text, ". ") + 1; n < 3 || n > 5 || !strings.HasSuffix(text, ".") || strings.Contains(text, "  ") || strings.Contains(text, "..") {
			t.Errorf("%d sentences: %q", n, text)
		}
		seen[text] = true
	}
	if len(seen) < 55 {
		t.Errorf("%d texts for 60 pictures", len(seen))
	}
}

func TestColourNames(t *testing.T) {
	for want, rgb := range map[string][3]uint8{
		"black": {10, 10, 12}, "white": {250, 250, 245}, "grey": {150, 150, 152}, "dark grey": {80, 80, 82},
		"red": {215, 25, 30}, "orange": {250, 140, 20}, "brown": {110, 65, 30}, "yellow": {250, 225, 30}, "beige": {230, 205, 165},
		"green": {40, 160, 60}, "turquoise": {50, 200, 200}, "blue": {40, 90, 220}, "dark blue": {20, 30, 90},
		"purple": {120, 40, 180}, "pink": {250, 150, 190},
	} {
		y, cb, cr := color.RGBToYCbCr(rgb[0], rgb[1], rgb[2])
		if got := colourNames[nameColour(colour{float32(y), float32(cb), float32(cr)})]; got != want {
			t.Errorf("%v is %s, want %s", rgb, got, want)
		}
	}
}

func TestHandMeasuredShape(t *testing.T) {
	// An L of three squares of 10 cells: area 300, hull 350, one notch.
	m := newMask(40, 40)
	r := region{bounds: bounds{10, 10, 30, 30}}
	for y := 10; y < 30; y++ {
		for x := 10; x < 30; x++ {
			if x < 20 || y >= 20 {
				m.on[y*40+x] = true
				r.cells = append(r.cells, int32(y*40+x))
			}
		}
	}
	s := measureShape(m, m, []region{r})
	got := fmt.Sprintf("%.0f %.4f %.4f %d %.2f %.2f %.3f %.3f %v %d", s.area, s.extent, s.solidity, s.corners, s.cx, s.cy, s.mirrorX, s.angle, s.feet, s.holes)
	const want = "300 0.7500 0.8571 5 17.83 21.17 0.500 -45.000 [1 1 1 1] 0"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func BenchmarkDescribe(b *testing.B) {
	img := paint(336, 252, color.White, color.RGBA{200, 40, 30, 255}, func(x, y float64) bool {
		return math.Hypot(x-168, y-126) < 60+40*math.Sin(7*math.Atan2(y-126, x-168))
	})
	ycc := toYCbCr(img)
	for b.Loop() {
		Describe(ycc)
	}
}
