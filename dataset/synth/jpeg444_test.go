package synth

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
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

func TestEncode444(t *testing.T) {
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
			got, err := jpeg.Decode(bytes.NewReader(encode444(img, 95, progressive)))
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

func TestEncode444Qualities(t *testing.T) {
	img, err := Draw(Catalogue()[0], "cartoon", 5)
	if err != nil {
		t.Fatal(err)
	}
	var size int
	for _, q := range []int{10, 40, 60, 75, 95, 100} {
		b := encode444(img, q, false)
		if len(b) <= size {
			t.Errorf("quality %d gives %d bytes, no more than the one below", q, len(b))
		}
		size = len(b)
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Errorf("quality %d: %v", q, err)
		}
	}
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
