package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// T.81 A.3.3: the DC of a flat block is 8 times its value and the rest is zero. fdct leaves a factor of 8 to the reciprocals.
func TestFDCTKnownAnswers(t *testing.T) {
	var b [64]float32
	for i := range b {
		b[i] = 100
	}
	fdct(&b)
	if got := float64(b[0]) / 8; math.Abs(got-800) > 1e-3 {
		t.Errorf("DC %v, want 800", got)
	}
	for i, v := range b[1:] {
		if math.Abs(float64(v)) > 1e-3 {
			t.Errorf("coefficient %d of a flat block is %v", i+1, v)
		}
	}
	// a cosine of amplitude 100 along x has one coefficient, by A.3.3: 1/4 * 1/sqrt(2) * 8 rows * 4 (sum of cos^2) * 100
	for u := 1; u < 8; u++ {
		for i := range b {
			b[i] = 100 * float32(math.Cos(float64(2*(i%8)+1)*float64(u)*math.Pi/16))
		}
		fdct(&b)
		if got := float64(b[u]) / (8 * aan(uint8(u))); math.Abs(got-400*math.Sqrt2) > 1e-2 {
			t.Errorf("frequency %d: %v, want %v", u, got, 400*math.Sqrt2)
		}
	}
}

func TestEncodeJPEG(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{1, 1}, {8, 8}, {17, 9}, {64, 40}, {160, 201}} {
		w, h := size[0], size[1]
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				// colour edges one pixel wide: what 4:2:0 would smear
				c := color.NRGBA{uint8(x * 3), uint8(y * 5), uint8(128 + r.IntN(20)), 255}
				if x%16 == 3 {
					c = color.NRGBA{220, 30, 40, 255}
				}
				img.SetNRGBA(x, y, c)
			}
		}
		var plain image.Image
		for _, progressive := range []bool{false, true} {
			got, err := jpeg.Decode(bytes.NewReader(EncodeJPEG(img, 95, progressive)))
			if err != nil {
				t.Fatalf("%d x %d, progressive %v: %v", w, h, progressive, err)
			}
			y, ok := got.(*image.YCbCr)
			if !ok || y.SubsampleRatio != image.YCbCrSubsampleRatio444 || got.Bounds() != img.Rect {
				t.Fatalf("%d x %d: decoded as %T %v", w, h, got, got.Bounds())
			}
			if e := rms(img, got); e > 6 {
				t.Errorf("%d x %d, progressive %v: rms error %.1f levels at quality 95", w, h, progressive, e)
			}
			if progressive && rms(plain, got) != 0 {
				t.Errorf("%d x %d: progressive pixels differ from sequential ones", w, h)
			}
			plain = got
		}
	}
}

// drawn is a picture of slopes, edges and noise.
func drawn(w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			n := r.IntN(20)
			img.SetNRGBA(x, y, color.NRGBA{uint8(x*230/w + n), uint8(y*230/h + n), uint8(100 + (x/32+y/32)%2*100 + n), 255})
		}
	}
	return img
}

func TestEncodeJPEGQualities(t *testing.T) {
	img := drawn(160, 120)
	var size int
	for _, q := range []int{10, 40, 60, 75, 95, 100} {
		b := EncodeJPEG(img, q, false)
		if len(b) <= size {
			t.Errorf("quality %d gives %d bytes, no more than the one below", q, len(b))
		}
		size = len(b)
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Errorf("quality %d: %v", q, err)
		}
	}
}

// A scan is a file without what follows from size and quality, and decodes to the same levels.
func TestScan(t *testing.T) {
	for _, size := range [][2]int{{8, 8}, {17, 9}, {32, 320}} {
		for _, quality := range []int{1, 10, 50, 90, 100} {
			img := drawn(size[0], size[1])
			file, scan := EncodeJPEG(img, quality, false), EncodeScan(img, quality)
			if at := bytes.Index(file, scan); at != 623 || at+len(scan)+2 != len(file) {
				t.Errorf("%v, quality %d: the scan's %d bytes begin at %d of %d", size, quality, len(scan), at, len(file))
			}
			want, err := Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeScan(scan, size[0], size[1], quality)
			if err != nil || !bytes.Equal(levels(t, got), levels(t, want)) {
				t.Errorf("%v, quality %d: decoded alone it is another picture (%v)", size, quality, err)
			}
		}
	}
	for _, c := range []struct{ w, h int }{{0, 8}, {8, -1}, {1 << 16, 8}, {16, 8}} {
		if _, err := DecodeScan(EncodeScan(drawn(8, 8), 90), c.w, c.h, 90); !errors.Is(err, schemas.ErrRefused) {
			t.Errorf("one block as %d by %d pixels: %v", c.w, c.h, err)
		}
	}
}

// Blocks do not bleed: a part that is cut at multiples of eight decodes to the same levels alone.
func TestBlocksAreAlone(t *testing.T) {
	img := drawn(64, 48)
	whole, err := DecodeScan(EncodeScan(img, 60), 64, 48, 60)
	if err != nil {
		t.Fatal(err)
	}
	part := image.NewNRGBA(image.Rect(0, 0, 16, 8))
	draw.Draw(part, part.Rect, img, image.Pt(24, 32), draw.Src)
	alone, err := DecodeScan(EncodeScan(part, 60), 16, 8, 60)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 8 {
		for x := range 16 {
			if alone.NRGBAAt(x, y) != whole.NRGBAAt(24+x, 32+y) {
				t.Fatalf("%d,%d: %v alone, %v in the whole", x, y, alone.NRGBAAt(x, y), whole.NRGBAAt(24+x, 32+y))
			}
		}
	}
}

// Whatever the bytes are: no panic, and a picture of the size asked for or an error.
func FuzzDecodeScan(f *testing.F) {
	f.Add(EncodeScan(drawn(8, 8), 90), uint8(8), uint8(8), uint8(90))
	f.Add(EncodeScan(drawn(17, 40), 10), uint8(17), uint8(40), uint8(10))
	f.Add([]byte("\xFF\xD9"), uint8(1), uint8(1), uint8(0))
	f.Add(EncodeJPEG(drawn(8, 8), 50, true), uint8(8), uint8(8), uint8(50))
	f.Fuzz(func(t *testing.T, scan []byte, w, h, quality uint8) {
		img, err := DecodeScan(scan, int(w), int(h), int(quality))
		if err != nil {
			if !errors.Is(err, schemas.ErrRefused) {
				t.Errorf("error %q", err)
			}
		} else if img.Rect != image.Rect(0, 0, int(w), int(h)) {
			t.Errorf("%v, not %d by %d", img.Rect, w, h)
		}
	})
}

// rms is the root mean square difference of two pictures in levels of 255.
func rms(a, b image.Image) float64 {
	var sum float64
	r := a.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			for _, d := range []float64{float64(ar) - float64(br), float64(ag) - float64(bg), float64(ab) - float64(bb)} {
				sum += d * d / (257 * 257)
			}
		}
	}
	return math.Sqrt(sum / float64(3*r.Dx()*r.Dy()))
}
