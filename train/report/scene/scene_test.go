package scene

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// drawn is a scene with everything on it.
func drawn() *Scene {
	s := New(100, 60)
	s.Title, s.Alt = "a <b> & c", `"quoted"`
	s.Rect(10, 10, 20, 10, Paint{Fill: Series(4)})
	s.Rect(40, 10, 20, 10, Paint{Fill: Series(1), Opacity: 0.5, Stroke: Ink, Width: 2})
	s.Line(0, 40, 100, 40, Paint{Stroke: Rule, Dash: 4})
	s.Disk(80, 20, 6, Paint{Fill: RGB(0x123456)}, "<tip>")
	for i := range Marks {
		s.Mark(i, 5+10*float64(i), 50, 4, Series(i), "")
	}
	s.Text(50, 34, "x < y & z\x01", Font{Anchor: Middle, Colour: Ink, Bold: true})
	img := image.NewRGBA(image.Rect(0, 0, 2, 2))
	img.Set(0, 0, color.White)
	s.Picture(90, 0, 10, 10, img, "image/png", []byte("PNG"))
	return s
}

func TestSVG(t *testing.T) {
	var b bytes.Buffer
	if err := drawn().WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{
		`viewBox="-16 -14 132 88" width="132" height="88"`, `aria-label="a &lt;b&gt; &amp; c. &#34;quoted&#34;"`,
		`<path d="M10 10L30 10L30 20L10 20Z" class="f-m4" fill="#007a5c"/>`,
		`class="f-m1 s-ink" fill="#0a5ea8" fill-opacity="0.5" stroke="#1b1d21" stroke-width="2"/>`,
		`<path d="M0 40L100 40" class="s-rule" fill="none" stroke="#d9dde3" stroke-dasharray="4" stroke-linejoin="round"/>`,
		`<circle cx="80" cy="20" r="6" fill="#123456"><title>&lt;tip&gt;</title></circle>`,
		`<text x="50" y="34" font-size="12" text-anchor="middle" font-weight="600" class="f-ink" fill="#1b1d21">x &lt; y &amp; z` + "\ufffd</text>",
		`href="data:image/png;base64,UE5H"`, ".f-m4 { fill: #3fd0a4; }",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the file lacks %s", want)
		}
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	// Every class of an element is one that the style sheets know.
	for _, part := range strings.Split(out, ` class="`)[1:] {
		for c := range strings.FieldsSeq(part[:strings.IndexByte(part, '"')]) {
			if !strings.Contains(Style(), "."+c+" {") || !strings.Contains(darkStyle(), "."+c+" {") {
				t.Errorf("no style for %s", c)
			}
		}
	}
}

func TestPNG(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(drawn().WritePNG(&a), drawn().WritePNG(&b)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same scene gives other bytes")
	}
	img, err := png.Decode(&a)
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, 132*PixelsPerPx, 88*PixelsPerPx) {
		t.Errorf("bounds %v", img.Bounds())
	}
	at := func(x, y float64) uint32 { // of the scene
		r, g, b, _ := img.At(int((x+marginX)*PixelsPerPx), int((y+marginY)*PixelsPerPx)).RGBA()
		return r>>8<<16 | g>>8<<8 | b>>8
	}
	for _, c := range []struct {
		what string
		x, y float64
		want uint32
	}{
		{"page", -10, -10, 0xffffff}, {"rectangle", 20, 15, 0x007a5c}, {"beside it", 31, 15, 0xffffff}, {"half of blue on white", 50, 15, 0x84aed3},
		{"border", 40, 15, 0x1b1d21}, {"border, corner of the join", 60, 10, 0x1b1d21}, {"dash", 2, 40, 0xd9dde3}, {"gap", 6, 40, 0xffffff},
		{"second dash", 10, 40, 0xd9dde3}, {"disk", 80, 20, 0x123456}, {"within its radius", 84, 23, 0x123456}, {"out of it", 85, 25, 0xffffff},
		{"picture", 92, 2, 0xffffff}, {"diamond", 35, 46.5, 0xb34a00}, {"beside the diamond", 39, 46.5, 0xffffff},
	} {
		got := at(c.x, c.y)
		for shift := 0; shift <= 16; shift += 8 {
			if d := int(got>>shift&0xff) - int(c.want>>shift&0xff); d < -2 || d > 2 {
				t.Errorf("%s: %06x, want %06x", c.what, got, c.want)
				break
			}
		}
	}
	// Something is written where the text is, and centred there.
	var sum, n float64
	for x := 20.0; x < 80; x += 0.25 {
		for y := 24.0; y < 38; y += 0.25 {
			if at(x, y) == 0x1b1d21 {
				sum, n = sum+x, n+1
			}
		}
	}
	if n < 50 || math.Abs(sum/n-50) > 4 {
		t.Errorf("%g dark places, centred at %g", n, sum/n)
	}
}

func TestDashes(t *testing.T) {
	got := dashes([]Point{{0, 0}, {5, 0}, {5, 5}}, 2)
	want := [][]Point{{{0, 0}, {2, 0}}, {{4, 0}, {5, 0}, {5, 1}}, {{5, 3}, {5, 5}}}
	if !slices.EqualFunc(got, want, func(a, b []Point) bool { return slices.Equal(a, b) }) {
		t.Errorf("dashes %v, want %v", got, want)
	}
	if got := dashes([]Point{{0, 0}, {1, 0}}, 0); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("a line without dashes is cut: %v", got)
	}
}

// Areas of one stroke turn the same way: otherwise they would erase each other where they overlap.
func TestStrokeTurnsOneWay(t *testing.T) {
	for _, a := range stroke([]Point{{0, 0}, {10, 0}, {10, 10}, {0, 3}, {-5, -9}}, 2, 0, false) {
		var twice float64
		for i, p := range a {
			q := a[(i+1)%len(a)]
			twice += p.X*q.Y - q.X*p.Y
		}
		if twice <= 0 {
			t.Errorf("area %g of %v", twice/2, a)
		}
	}
}

func TestTextWidthAndClip(t *testing.T) {
	s := New(0, 0)
	one, two := s.TextWidth("masked", Font{}), s.TextWidth("masked", Font{Size: 24})
	if one < 30 || one > 50 || math.Abs(two-2*one) > 0.1 {
		t.Errorf("widths %g and %g", one, two)
	}
	if got := s.Clip("ssf + masked", 500, Font{}); got != "ssf + masked" {
		t.Errorf("clipped %q", got)
	}
	got := s.Clip("ssf + masked (mask_score random)", 100, Font{})
	if !strings.HasPrefix(got, "ssf") || !strings.HasSuffix(got, "m)") || !strings.Contains(got, "…") || s.TextWidth(got, Font{}) > 100 {
		t.Errorf("clipped to %q", got)
	}
	s.Text(10, 10, "out of the scene by far", Font{})
	if got := s.Clipped(); len(got) != 1 {
		t.Errorf("clipped %q", got)
	}
}

// linear is an sRGB colour as linear light.
func linear(c uint32) (out [3]float64) {
	for i := range out {
		v := float64(c>>(16-8*i)&0xff) / 255
		if v <= 0.04045 {
			out[i] = v / 12.92
		} else {
			out[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return out
}

// lab is linear light as CIE L*a*b*, D65.
func lab(c [3]float64) (l, a, b float64) {
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.9505)
	y := f(0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2])
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.089)
	return 116*y - 16, 500 * (x - y), 200 * (y - z)
}

// Series are told apart, and read, by those who see colours otherwise: the matrices are of Machado, Oliveira and Fernandes
// (IEEE TVCG 2009) for complete dichromacy. 10 is a difference that is seen at a glance; shapes of marks help beyond it.
func TestColoursForEveryEye(t *testing.T) {
	eyes := map[string][9]float64{
		"all cones": {1, 0, 0, 0, 1, 0, 0, 0, 1},
		"protan":    {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
		"deutan":    {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	}
	for name, m := range eyes {
		see := func(c uint32) (l, a, b float64) {
			v := linear(c)
			var out [3]float64
			for i := range out {
				out[i] = min(max(m[3*i]*v[0]+m[3*i+1]*v[1]+m[3*i+2]*v[2], 0), 1)
			}
			return lab(out)
		}
		for dark := range 2 {
			tones := palette()[series0:]
			for i := range 5 {
				for j := range i {
					c, d := tones[i].light, tones[j].light
					if dark == 1 {
						c, d = tones[i].dark, tones[j].dark
					}
					l1, a1, b1 := see(c)
					l2, a2, b2 := see(d)
					if e := math.Sqrt((l1-l2)*(l1-l2) + (a1-a2)*(a1-a2) + (b1-b2)*(b1-b2)); e < 10 {
						t.Errorf("%s, dark %d: %s and %s differ by %.1f", name, dark, tones[i].name, tones[j].name, e)
					}
				}
			}
		}
	}
	luminance := func(c uint32) float64 { v := linear(c); return 0.2126*v[0] + 0.7152*v[1] + 0.0722*v[2] }
	contrast := func(a, b uint32) float64 {
		x, y := luminance(a), luminance(b)
		return (max(x, y) + 0.05) / (min(x, y) + 0.05)
	}
	p := palette()
	for _, c := range append(p[series0:], p[Ink], p[Soft]) {
		if l, d := contrast(c.light, p[Page].light), contrast(c.dark, p[Page].dark); l < 4.5 || d < 4.5 {
			t.Errorf("%s as text has a contrast of %.1f on light and %.1f on dark", c.name, l, d)
		}
	}
}
