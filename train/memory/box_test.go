package memory

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// TestActivationBoxByHand: of two patches of four pixels with 0 and 1 the map rises from centre to centre, x = 1.5 to 5.5:
// it is (x-1.5)/4 at column x, above 0.6 from column 4 (0.625) on; above 0.4 from column 4 too (column 3 has 0.375); above 0.3
// from column 3.
func TestActivationBoxByHand(t *testing.T) {
	for _, c := range []struct {
		name      string
		threshold float64
		values    []float32
		h, w      int
		want      schemas.Box
	}{
		{"rises to the right", 0, []float32{0, 1}, 1, 2, schemas.Box{X: 4, W: 4, H: 4}},
		{"rises to the right, threshold 0.3", 0.3, []float32{0, 1}, 1, 2, schemas.Box{X: 3, W: 5, H: 4}},
		{"of any range", 0, []float32{-5, 3}, 1, 2, schemas.Box{X: 4, W: 4, H: 4}},
		{"falls to the right", 0, []float32{1, 0}, 1, 2, schemas.Box{W: 4, H: 4}},
		{"down", 0, []float32{0, 1}, 2, 1, schemas.Box{Y: 4, W: 4, H: 4}},
		{"two peaks are in one box", 0, []float32{1, 0, 0, 0, 1}, 1, 5, schemas.Box{W: 20, H: 4}},
		{"a corner", 0, []float32{0, 0, 0, 1}, 2, 2, schemas.Box{X: 4, Y: 4, W: 4, H: 4}},
		{"no differences: the picture", 0, []float32{2, 2, 2, 2, 2, 2}, 2, 3, schemas.Box{W: 12, H: 8}},
	} {
		if got := (BoxOptions{Threshold: c.threshold}).ActivationBox(c.values, c.h, c.w, 4); got != c.want {
			t.Errorf("%s: %+v, not %+v", c.name, got, c.want)
		}
	}
	// patches of one or two pixels: where no pixel is above the threshold the largest patch is the box
	if got, want := (BoxOptions{Threshold: 0.9}).ActivationBox([]float32{0, 1, 0}, 1, 3, 2), (schemas.Box{X: 2, W: 2, H: 2}); got != want {
		t.Errorf("a peak between pixels: %+v, not %+v", got, want)
	}
}

// TestBoxRoundTrip: a picture of 4 by 6 pixels that are all their own, box of 2 by 3 at column 1, row 1, ratio 4. Squares of
// two by two have their first pixel, but for what is in the box.
func TestBoxRoundTrip(t *testing.T) {
	const px = 2
	s := whole("n1/a.jpg", 0, 3, 2, px, 4)
	e, err := BoxOptions{}.EncodeBox(s, schemas.Box{X: 1, Y: 1, W: 2, H: 3}, px, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	img, got := dataset.Picture(s, px), dataset.Picture(decoded(t, e), px)
	for y := range 6 {
		for x := range 4 {
			want := img.NRGBAAt(x/2*2, y/2*2)
			if x >= 1 && x < 3 && y >= 1 && y < 4 {
				want = img.NRGBAAt(x, y)
			}
			if got.NRGBAAt(x, y) != want {
				t.Errorf("pixel %d, %d is %v, not %v", x, y, got.NRGBAAt(x, y), want)
			}
		}
	}
	// The box has no square whole: 6 and 6 pixels of 3 bytes, the box's 8 bytes, 4 tokens of 2.
	if c, want := CostOf(e), (Cost{Tokens: 10, PixelBytes: 36, StoredBytes: 36 + 8 + 8}); c != want {
		t.Errorf("it costs %+v, not %+v", c, want)
	}
	if f, want := FullCost(e), (Cost{Tokens: 10, PixelBytes: 72, StoredBytes: 80}); f != want {
		t.Errorf("in full it costs %+v, not %+v", f, want)
	}
	// Where the box ends with squares, the cost is CIM's: b + (1-b)/4, here with 8 of 24 pixels 8 + 16/4.
	e, err = BoxOptions{}.EncodeBox(s, schemas.Box{X: 0, Y: 2, W: 4, H: 2}, px, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	if c := CostOf(e); c.PixelBytes != 3*(8+16/4) || len(e.Pixels) != 24 || len(e.Rest) != 12 {
		t.Errorf("a box of whole squares: %+v, %d and %d bytes", c, len(e.Pixels), len(e.Rest))
	}
}

// TestBoxCells: uncovered counts what cells yields, whatever box, picture and ratio.
func TestBoxCells(t *testing.T) {
	for _, n := range []int{2, 3, 4} {
		for h := 1; h <= 7; h++ {
			for y := range h {
				for bh := 1; bh <= h-y; bh++ {
					for _, x := range []int{0, 2, 3} {
						e := Exemplar{GridH: h, GridW: 8, PatchPx: 1, Ratio: n * n, Box: &schemas.Box{X: x, Y: y, W: 8 - x - x%2, H: bh}}
						count := 0
						for range cells(e, n) {
							count++
						}
						if got := uncovered(e); got != count {
							t.Fatalf("%+v in 8 by %d, ratio %d: %d cells, not %d", *e.Box, h, n*n, got, count)
						}
					}
				}
			}
		}
	}
}

// TestBoxAsJPEG: the parts lose what a JPEG loses and no more, the part of the rest below the box costs next to nothing, and a
// box that is the picture stores no rest.
func TestBoxAsJPEG(t *testing.T) {
	const px = 16
	s := smooth("n1/a.jpg", 4, 4, px, 3)
	box := schemas.Box{X: 16, Y: 16, W: 32, H: 48}
	exact, err := BoxOptions{}.EncodeBox(s, box, px, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	lossy, err := BoxOptions{}.EncodeBox(s, box, px, Codec{schemas.CodecJPEG, 95})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	want := decoded(t, exact).Pixels
	for i, v := range decoded(t, lossy).Pixels {
		d := float64(v) - float64(want[i])
		sum += d * d
	}
	if mean := sum / float64(len(want)); mean > 10 || mean == 0 {
		t.Errorf("mean square error %.1f", mean)
	}
	if a, b := CostOf(exact), CostOf(lossy); a.PixelBytes != b.PixelBytes || a.PixelBytes != 3*(32*48+(64*64-32*48)/4) || b.StoredBytes >= a.StoredBytes/3 {
		t.Errorf("raw %+v, as JPEG %+v", a, b)
	}
	all, err := BoxOptions{}.EncodeBox(s, schemas.Box{W: 64, H: 64}, px, jpeg75)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Encode(s, Mask{}, px, jpeg75)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Rest) != 0 || !slices.Equal(all.Pixels, plain.Pixels) || !slices.Equal(decoded(t, all).Pixels, decoded(t, plain).Pixels) ||
		CostOf(all).StoredBytes != CostOf(plain).StoredBytes+8 {
		t.Errorf("a box that is the picture: %d and %d bytes, not %d", len(all.Pixels), len(all.Rest), len(plain.Pixels))
	}
	for _, e := range []Exemplar{exact, lossy, all} {
		if err := check(e); err != nil {
			t.Error(err)
		}
	}
}

func TestBoxRefuses(t *testing.T) {
	s := whole("n1/a.jpg", 0, 2, 2, 4, 3)
	for words, c := range map[string]struct {
		o   BoxOptions
		box schemas.Box
	}{
		"not in a picture of 8 by 8": {BoxOptions{}, schemas.Box{X: 4, W: 5, H: 2}},
		"box of 0 by 2":              {BoxOptions{}, schemas.Box{H: 2}},
		"at -1":                      {BoxOptions{}, schemas.Box{X: -1, W: 3, H: 2}},
		"ratio 5":                    {BoxOptions{Ratio: 5}, schemas.Box{W: 3, H: 2}},
		"square from 4":              {BoxOptions{Ratio: 1}, schemas.Box{W: 3, H: 2}},
	} {
		if _, err := c.o.EncodeBox(s, c.box, 4, Codec{}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v, want %q", c, err, words)
		}
	}
	for _, o := range []BoxOptions{{Ratio: -4}, {Ratio: 8}, {Ratio: 400}, {Threshold: 1}, {Threshold: -0.1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is valid", o)
		}
	}
	if err := (BoxOptions{Ratio: 9, Threshold: 0.2}).Validate(); err != nil {
		t.Error(err)
	}
	for name, damage := range map[string]func(*Exemplar){
		"no rest":      func(e *Exemplar) { e.Rest = nil },
		"short pixels": func(e *Exemplar) { e.Pixels = e.Pixels[3:] },
		"a mask too":   func(e *Exemplar) { e.PatchBits = []byte{1} },
		"no box":       func(e *Exemplar) { e.Box = nil },
		"box outside":  func(e *Exemplar) { e.Box = &schemas.Box{X: 7, W: 3, H: 3} },
		"no ratio":     func(e *Exemplar) { e.Ratio = 0 },
	} {
		e, err := BoxOptions{}.EncodeBox(s, schemas.Box{X: 1, Y: 1, W: 3, H: 3}, 4, Codec{})
		if err != nil {
			t.Fatal(err)
		}
		damage(&e)
		if check(e) == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}
