package memory

import (
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

var jpeg75 = Codec{schemas.CodecJPEG, 75}

// smooth is whole with pixels that vary slowly, as those of a picture do.
func smooth(id string, h, w, px, n int) dataset.Sample {
	s := whole(id, 0, h, w, px, n)
	img := image.NewNRGBA(image.Rect(0, 0, w*px, h*px))
	for y := range h * px {
		for x := range w * px {
			copy(img.Pix[img.PixOffset(x, y):], []uint8{uint8(x * 255 / (w * px)), uint8(y * 255 / (h * px)), uint8(64 + (x/11+y/7)%2*90), 255})
		}
	}
	s.Pixels = cut(img, px)
	return s
}

// TestCutIsTheInverse: what is cut from a picture of patches is the patches.
func TestCutIsTheInverse(t *testing.T) {
	s := whole("n1/a.jpg", 0, 3, 2, 8, 3)
	if got := cut(dataset.Picture(s, 8), 8); !slices.Equal(got, s.Pixels) {
		t.Error("patches that were put together and cut are others")
	}
}

// TestJPEGIsThatOfThePicture: a whole exemplar is the picture's own JPEG, and a masked one has of each patch the levels that
// the whole picture has there: nothing bleeds from one patch to the next in the column.
func TestJPEGIsThatOfThePicture(t *testing.T) {
	const px, size = 16, 3 * 16 * 16
	s := smooth("n1/a.jpg", 4, 3, px, 5)
	img := dataset.Picture(s, px)
	want, err := picture.DecodeScan(picture.EncodeScan(img, 75), 3*px, 4*px, 75)
	if err != nil {
		t.Fatal(err)
	}
	lossy := cut(want, px)
	if slices.Equal(lossy, s.Pixels) {
		t.Fatal("nothing is lost: the test tells nothing")
	}
	e, err := Encode(s, Mask{}, px, jpeg75)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.Pixels, picture.EncodeScan(img, 75)) || !slices.Equal(decoded(t, e).Pixels, lossy) {
		t.Error("a whole exemplar is not the picture's JPEG")
	}
	wantCost := Cost{Tokens: 17, PixelBytes: 12 * size, StoredBytes: int64(len(e.Pixels) + 10)}
	if c, f := CostOf(e), FullCost(e); c != wantCost || f != wantCost || e.FullBytes != len(e.Pixels)+10 {
		t.Errorf("it costs %+v, %+v in full, not %+v", c, f, wantCost)
	}
	if c, err := WholeCost(s, px, jpeg75); err != nil || c != wantCost {
		t.Errorf("whole it costs %+v, not %+v (%v)", c, wantCost, err)
	}
	m := Mask{Patches: make([]bool, 12), Tokens: []bool{true, false, true, true, true}}
	var kept []byte
	for _, i := range []int{1, 5, 6, 11} {
		m.Patches[i] = true
		kept = append(kept, lossy[i*size:(i+1)*size]...)
	}
	masked, err := Encode(s, m, px, jpeg75)
	if err != nil {
		t.Fatal(err)
	}
	got := decoded(t, masked)
	if !slices.Equal(got.Pixels, kept) || !slices.Equal(got.PatchPos, []int32{1, 5, 6, 11}) || !slices.Equal(got.TokenPos, []int32{0, 2, 3, 4}) {
		t.Error("a masked exemplar's patches are not those of the whole picture's JPEG")
	}
	if c := CostOf(masked); c.StoredBytes != int64(len(masked.Pixels)+8+2+1) || c.PixelBytes != 4*size || FullCost(masked) != wantCost {
		t.Errorf("masked it costs %+v, %+v in full", c, FullCost(masked))
	}
	if err := check(masked); err != nil {
		t.Error(err)
	}
	// an exemplar of MRDC is held to the run's codec
	q10, err := Requantise(s, 10, px, jpeg75)
	if err != nil {
		t.Fatal(err)
	}
	if q10.Quality != 10 || len(q10.Pixels) >= len(e.Pixels) || FullCost(q10) != wantCost || !slices.Equal(q10.Pixels, picture.EncodeScan(img, 10)) {
		t.Errorf("of quality 10: %d bytes at %d, %+v in full", len(q10.Pixels), q10.Quality, FullCost(q10))
	}
}

// TestJPEGLosesLittle: levels differ by no more than quantisation explains, and less the better the quality.
func TestJPEGLosesLittle(t *testing.T) {
	s := smooth("n1/a.jpg", 3, 3, 16, 3)
	last := 1e9
	for _, q := range []int{10, 50, 75, 90, 100} {
		e, err := Encode(s, Mask{}, 16, Codec{schemas.CodecJPEG, q})
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for i, v := range decoded(t, e).Pixels {
			d := float64(v) - float64(s.Pixels[i])
			sum += d * d
		}
		rms := sum / float64(len(s.Pixels))
		if rms >= last {
			t.Errorf("quality %d: mean square error %.2f, no less than of the one below", q, rms)
		}
		last = rms
	}
	if last > 1 {
		t.Errorf("quality 100: mean square error %.2f", last)
	}
}

func TestCodecRefuses(t *testing.T) {
	for words, c := range map[string]struct {
		codec Codec
		px    int
	}{
		"only raw and jpeg are known": {Codec{Name: "webp"}, 8},
		"raw pixels have no quality":  {Codec{Quality: 90}, 8},
		"must be 1 to 100":            {Codec{schemas.CodecJPEG, 101}, 8},
		"quality -1":                  {Codec{schemas.CodecJPEG, -1}, 8},
		"not whole blocks":            {Codec{Name: schemas.CodecJPEG}, 12},
	} {
		if err := c.codec.Check(c.px); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v, want %q", c, err, words)
		}
		if _, err := Encode(whole("n1/a.jpg", 0, 1, 1, c.px, 2), Mask{}, c.px, c.codec); err == nil {
			t.Errorf("%+v: encoded", c)
		}
	}
	if e, err := Encode(whole("n1/a.jpg", 0, 1, 1, 8, 2), Mask{}, 8, Codec{Name: schemas.CodecJPEG}); err != nil || e.Quality != DefaultQuality {
		t.Errorf("without a quality: %d (%v)", e.Quality, err)
	}
}

// TestBlacken: the kept patches at their places, black around them, the text as it was.
func TestBlacken(t *testing.T) {
	s := dataset.Sample{GridH: 1, GridW: 3, PatchPos: []int32{1}, Pixels: []uint8{7, 8, 9}, Tokens: []int32{1, 5}, TokenPos: []int32{0, 2}, TextLen: 3}
	b := Blacken(s, 1)
	if !slices.Equal(b.Pixels, []uint8{0, 0, 0, 7, 8, 9, 0, 0, 0}) || !slices.Equal(b.PatchPos, []int32{0, 1, 2}) || len(b.Tokens) != 2 || len(s.PatchPos) != 1 {
		t.Errorf("%+v", b)
	}
	var store Store
	e, err := Encode(whole("n1/a.jpg", 0, 1, 3, 8, 3), Mask{Patches: []bool{false, true, false}}, 8, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(0, 1<<20, each([]Exemplar{e})); err != nil {
		t.Fatal(err)
	}
	for black, want := range map[bool]int{false: 1, true: 3} {
		got, err := store.Replay(ReplayOptions{Black: black}).Sample(t.Context(), 0, Generator(1, ""))
		if err != nil || len(got.PatchPos) != want {
			t.Errorf("black %v: %d patches, not %d (%v)", black, len(got.PatchPos), want, err)
		}
	}
}

// FuzzRestore: whatever is read back, it is refused or decodes to a sample whose parts fit together.
func FuzzRestore(f *testing.F) {
	s := smooth("n1/a.jpg", 2, 3, 8, 5)
	m := Mask{Patches: []bool{true, false, false, true, true, false}, Tokens: []bool{true, false, false, true, true}}
	for _, c := range []Codec{{}, jpeg75} {
		for _, m := range []Mask{{}, m} {
			e, err := Encode(s, m, 8, c)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(c.jpeg(), e.Quality, 2, 3, 8, e.PatchBits, e.Pixels, 5, e.TokenBits, len(e.Tokens), 0, 0, 0, 0, 0, []byte(nil))
		}
		e, err := BoxOptions{}.EncodeBox(s, schemas.Box{X: 3, Y: 2, W: 9, H: 11}, 8, c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.jpeg(), e.Quality, 2, 3, 8, []byte(nil), e.Pixels, 5, []byte(nil), 5, 3, 2, 9, 11, 4, e.Rest)
	}
	f.Fuzz(func(t *testing.T, jpeg bool, quality, h, w, px int, patchBits, pixels []byte, textLen int, tokenBits []byte, tokens, x, y, bw, bh, ratio int, rest []byte) {
		e := Exemplar{ID: "f", Codec: schemas.CodecRaw, Quality: quality, GridH: h, GridW: w, PatchPx: px, PatchBits: patchBits, Pixels: pixels,
			TextLen: textLen, TokenBits: tokenBits, Tokens: make([]uint16, max(0, min(tokens, 1000))), Ratio: ratio, Rest: rest}
		if jpeg {
			e.Codec = schemas.CodecJPEG
		}
		if bw != 0 || bh != 0 {
			e.Box = &schemas.Box{X: x, Y: y, W: bw, H: bh}
		}
		var store Store
		if err := store.Restore([]Exemplar{e}, map[int]Budget{0: 1 << 40}); err != nil {
			return
		}
		got, err := Decode(e)
		if err != nil || len(got.Pixels) != 3*px*px*len(got.PatchPos) || len(got.Tokens) != len(got.TokenPos) || len(got.Tokens) == 0 {
			t.Errorf("taken, and it decodes to %d patches of %d bytes and %d tokens (%v)", len(got.PatchPos), len(got.Pixels), len(got.Tokens), err)
		}
		for _, p := range got.PatchPos {
			if int(p) >= h*w {
				t.Errorf("patch %d of %d by %d", p, h, w)
			}
		}
		if c := CostOf(e); c.StoredBytes < int64(len(pixels)) || c.Tokens < 1 || c.PixelBytes < 0 {
			t.Errorf("it costs %+v", c)
		}
	})
}
