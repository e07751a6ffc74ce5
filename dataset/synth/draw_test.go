package synth

import (
	"image"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/disintegration/imaging"
)

func TestCatalogue(t *testing.T) {
	cs := Catalogue()
	if len(cs) < 48 {
		t.Errorf("%d classes, want at least 48", len(cs))
	}
	form := regexp.MustCompile(`^n\d{8}$`)
	seen := map[string]bool{}
	sorted := true
	for i, c := range cs {
		if !form.MatchString(c.WNID) || strings.HasPrefix(c.WNID, "n9") {
			t.Errorf("class %s has wnid %q", c.Name, c.WNID)
		}
		if seen[c.WNID] || seen[c.Name] {
			t.Errorf("class %s %s is listed twice", c.WNID, c.Name)
		}
		if c.Name == "" || strings.ContainsAny(c.Name, " \t,") {
			t.Errorf("odd name %q", c.Name)
		}
		seen[c.WNID], seen[c.Name] = true, true
		sorted = sorted && (i == 0 || cs[i-1].WNID < c.WNID)
	}
	if sorted {
		t.Error("the catalogue is in the order of wnids: the first N would be all fish")
	}
	for _, want := range []Class{{"n01443537", "goldfish"}, {"n01484850", "great_white_shark"}, {"n07742313", "Granny_Smith"}, {"n03494278", "harmonica"}} {
		if !seen[want.WNID] || !seen[want.Name] {
			t.Errorf("%v is missing", want)
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	if _, err := Draw(Class{WNID: "n99999999"}, "sketch", 1); err == nil || !strings.Contains(err.Error(), "n99999999") {
		t.Errorf("unknown class: error %v", err)
	}
	if _, err := Draw(Catalogue()[0], "photo", 1); err == nil || !strings.Contains(err.Error(), "photo") {
		t.Errorf("unknown rendition: error %v", err)
	}
}

// Every class in three or four renditions: opaque, of the right size, not blank, and the same again from the same seed.
func TestDrawEverything(t *testing.T) {
	for i, c := range Catalogue() {
		for k, r := range Renditions() {
			if (i+k)%3 != 0 {
				continue
			}
			seed := uint64(100*i + k)
			img, err := Draw(c, r, seed)
			if err != nil {
				t.Fatal(err)
			}
			if w, h := img.Rect.Dx(), img.Rect.Dy(); min(w, h) < 160 || max(w, h) > 480 {
				t.Errorf("%s %s is %d x %d", c.Name, r, w, h)
			}
			for p := 3; p < len(img.Pix); p += 4 {
				if img.Pix[p] != 255 {
					t.Fatalf("%s %s is transparent at byte %d", c.Name, r, p)
				}
			}
			if s := spread(img); s < 6 {
				t.Errorf("%s %s: brightness deviates by %.1f levels only", c.Name, r, s)
			}
			if (i+k)%9 == 0 {
				again, err := Draw(c, r, seed)
				if err != nil || string(again.Pix) != string(img.Pix) {
					t.Errorf("%s %s differs when drawn again (error %v)", c.Name, r, err)
				}
			}
		}
	}
}

// spread is the standard deviation of brightness.
func spread(img *image.NRGBA) float64 {
	var s, q, n float64
	for i := 0; i < len(img.Pix); i += 4 {
		l := rgb{img.Pix[i], img.Pix[i+1], img.Pix[i+2]}.luma()
		s, q, n = s+l, q+l*l, n+1
	}
	return math.Sqrt(max(0, q/n-s/n*s/n))
}

// Subjects are bold: before painting, the parts' bounding box lies in the picture and fills a good share of it.
func TestPlacing(t *testing.T) {
	for i, e := range entries() {
		for k := range 20 {
			p := newPen(seeded(uint64(100*i + k)))
			w, h := size(p.Rand)
			e.draw(p)
			if len(p.parts) == 0 {
				t.Fatalf("%s draws nothing", e.Name)
			}
			lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
			for _, q := range place(p.parts, p.Rand, w, h) {
				l, g := bounds(q.contours)
				lo, hi = point{min(lo.x, l.x), min(lo.y, l.y)}, point{max(hi.x, g.x), max(hi.y, g.y)}
			}
			if lo.x < 0 || lo.y < 0 || hi.x > float64(w) || hi.y > float64(h) {
				t.Errorf("%s %d reaches out of the picture: %v %v in %d x %d", e.Name, k, lo, hi, w, h)
			}
			if long := max(hi.x-lo.x, hi.y-lo.y); long < 0.55*float64(min(w, h)) {
				t.Errorf("%s %d is only %.0f pixels long in %d x %d", e.Name, k, long, w, h)
			}
		}
	}
}

// Neither colour nor background may tell the class; shape must. The same nearest-centroid classifier is given three
// views of the same pictures, half for the centroids and half for the test.
func TestOnlyShapeTellsTheClass(t *testing.T) {
	const classes, perClass = 8, 60
	views := map[string]func(*image.NRGBA) []float64{
		"mean colour":   func(m *image.NRGBA) []float64 { return vec(imaging.Resize(m, 1, 1, imaging.Box)) },
		"border colour": border,
		"edges":         edges,
	}
	got := map[string]float64{}
	feats := map[string][][][]float64{}
	for _, c := range Catalogue()[:classes] {
		per := map[string][][]float64{}
		for n := range perClass {
			rs := Renditions()
			r := rs[n%len(rs)]
			img, err := Draw(c, r, pictureSeed(11, c.WNID, r, n/len(rs)))
			if err != nil {
				t.Fatal(err)
			}
			for name, f := range views {
				per[name] = append(per[name], f(img))
			}
		}
		for name := range views {
			feats[name] = append(feats[name], per[name])
		}
	}
	for name := range views {
		got[name] = nearestCentroid(feats[name])
		t.Logf("%s: accuracy %.3f, chance %.3f", name, got[name], 1.0/classes)
	}
	// 240 test pictures: one standard deviation at chance is 0.021; three of them are allowed
	for _, name := range []string{"mean colour", "border colour"} {
		if got[name] > 1.0/classes+3*0.0214 {
			t.Errorf("%s tells the class: accuracy %.3f, chance %.3f", name, got[name], 1.0/classes)
		}
	}
	if got["edges"] < 3.0/classes {
		t.Errorf("shape does not tell the class: accuracy %.3f, chance %.3f", got["edges"], 1.0/classes)
	}
}

func vec(m *image.NRGBA) []float64 {
	var out []float64
	for i := 0; i < len(m.Pix); i += 4 {
		out = append(out, float64(m.Pix[i]), float64(m.Pix[i+1]), float64(m.Pix[i+2]))
	}
	return out
}

// border is the mean colour of the outermost eighth at each side.
func border(m *image.NRGBA) []float64 {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	var out []float64
	for _, r := range []image.Rectangle{image.Rect(0, 0, w, h/8), image.Rect(0, h-h/8, w, h), image.Rect(0, 0, w/8, h), image.Rect(w-w/8, 0, w, h)} {
		out = append(out, vec(imaging.Resize(imaging.Crop(m, r), 1, 1, imaging.Box))...)
	}
	return out
}

// edges counts gradient directions (4 bins, unsigned) in a grid of 5 x 5 cells of the grey picture, left and right
// folded together because pictures are mirrored at random.
func edges(m *image.NRGBA) []float64 {
	const side, grid, bins = 60, 5, 4
	g := imaging.Grayscale(imaging.Resize(m, side, side, imaging.Box))
	out := make([]float64, grid*grid*bins)
	at := func(x, y int) float64 { return float64(g.Pix[y*g.Stride+4*x]) }
	for y := 1; y < side-1; y++ {
		for x := 1; x < side-1; x++ {
			dx, dy := at(x+1, y)-at(x-1, y), at(x, y+1)-at(x, y-1)
			for _, s := range []float64{1, -1} {
				cx := x
				if s < 0 {
					cx = side - 1 - x
				}
				a := math.Mod(math.Atan2(dy, s*dx)+math.Pi*(1+0.5/bins), math.Pi)
				out[(y*grid/side*grid+cx*grid/side)*bins+int(a/math.Pi*bins)%bins] += math.Sqrt(math.Hypot(dx, dy))
			}
		}
	}
	var n float64
	for _, v := range out {
		n += v * v
	}
	for i := range out {
		out[i] /= math.Sqrt(n) + 1e-9
	}
	return out
}

// nearestCentroid trains on the even half of feats [class][picture][feature] and returns the accuracy on the odd half.
func nearestCentroid(feats [][][]float64) float64 {
	centre := make([][]float64, len(feats))
	for c, ps := range feats {
		centre[c] = make([]float64, len(ps[0]))
		for i, p := range ps {
			if i/10%2 == 0 {
				for k, v := range p {
					centre[c][k] += v / float64(len(ps)/2)
				}
			}
		}
	}
	right, all := 0, 0
	for c, ps := range feats {
		for i, p := range ps {
			if i/10%2 == 0 {
				continue
			}
			best, at := math.Inf(1), -1
			for k := range centre {
				var d float64
				for j, v := range p {
					d += (v - centre[k][j]) * (v - centre[k][j])
				}
				if d < best {
					best, at = d, k
				}
			}
			all++
			if at == c {
				right++
			}
		}
	}
	return float64(right) / float64(all)
}

func TestContactSheet(t *testing.T) {
	sheet := ContactSheet(Catalogue()[:2], []string{"cartoon", "sketch", "none"}, 1, 64)
	if sheet.Rect != image.Rect(0, 0, 192, 128) {
		t.Fatalf("sheet is %v", sheet.Rect)
	}
	cell := func(x, y int) float64 {
		return spread(imaging.Crop(sheet, image.Rect(x*64+20, y*64+20, x*64+44, y*64+44)))
	}
	for y := range 2 {
		if cell(0, y) == 0 || cell(1, y) == 0 || cell(2, y) != 0 {
			t.Errorf("row %d: spreads %v %v %v, want two pictures and a blank", y, cell(0, y), cell(1, y), cell(2, y))
		}
	}
}

func BenchmarkEncoded(b *testing.B) {
	for _, r := range Renditions() {
		b.Run(r, func(b *testing.B) {
			cs := Catalogue()
			i := 0
			for b.Loop() {
				if _, err := (job{cs[i%len(cs)], r, i / len(cs)}).encoded(1); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
