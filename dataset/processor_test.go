package dataset_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
)

var vilt = dataset.Processor{Short: 384, Long: 639, Patch: 32}

// The size rule of ViLT's processor; the picture's own aspect changes a little by flooring to whole patches.
func TestProcessorSize(t *testing.T) {
	for _, c := range []struct{ w, h, wantW, wantH int }{
		{640, 480, 512, 384}, {1000, 500, 608, 320}, {333, 500, 384, 576}, {500, 500, 384, 384},
		{480, 640, 384, 512}, {500, 1000, 320, 608}, {384, 384, 384, 384}, {1, 1, 384, 384}, {32, 32, 384, 384},
		{1333, 800, 608, 352}, {5000, 300, 608, 32},
	} {
		if w, h, err := vilt.Size(c.w, c.h); w != c.wantW || h != c.wantH || err != nil {
			t.Errorf("%d by %d: %d by %d, %v, want %d by %d", c.w, c.h, w, h, err, c.wantW, c.wantH)
		}
	}
}

// ViLT's own code fails on these.
func TestProcessorRefusesNarrowPictures(t *testing.T) {
	for _, c := range [][2]int{{5000, 100}, {100, 5000}, {65536, 1}, {1, 65536}, {600, 20}, {2029, 100}} {
		_, _, err := vilt.Size(c[0], c[1])
		datasettest.WantError(t, err, dataset.ErrRefused, fmt.Sprintf("%d by %d pixels", c[0], c[1]), "more than 20.2 times", "leave it out")
	}
	for _, c := range [][2]int{{2028, 100}, {100, 2028}, {202, 10}} {
		if w, h, err := vilt.Size(c[0], c[1]); min(w, h) != 32 || err != nil {
			t.Errorf("%v: %d by %d, %v", c, w, h, err)
		}
	}
	for _, c := range [][2]int{{0, 5}, {5, 0}, {-1, 5}} {
		_, _, err := vilt.Size(c[0], c[1])
		datasettest.WantError(t, err, dataset.ErrRefused)
	}
	_, _, _, err := vilt.Patches(datasettest.PNG(t, datasettest.Paint(300, 4, 0)))
	datasettest.WantError(t, err, dataset.ErrRefused, "300 by 4 pixels")
}

// No picture gives more than 228 patches, and every side is whole patches.
func TestProcessorSizeBounds(t *testing.T) {
	most := 0
	for w := 100; w < 700; w += 7 {
		for h := 100; h < 700; h += 3 {
			nw, nh, err := vilt.Size(w, h)
			if err != nil || nw%32 != 0 || nh%32 != 0 || max(nw, nh) > 608 {
				t.Fatalf("%d by %d: %d by %d, %v", w, h, nw, nh, err)
			}
			most = max(most, nw/32*(nh/32))
		}
	}
	if most != 228 {
		t.Errorf("at most %d patches, want 228", most)
	}
}

// A picture that has the size already goes through unchanged: channel, row, column in a patch, patches in raster order.
func TestProcessorPatchLayout(t *testing.T) {
	p := dataset.Processor{Short: 8, Long: 12, Patch: 4}
	img := datasettest.Paint(12, 8, 3)
	gridH, gridW, pixels, err := p.Patches(datasettest.PNG(t, img))
	if err != nil || gridH != 2 || gridW != 3 || len(pixels) != 6*3*16 {
		t.Fatalf("grid %d by %d, %d bytes, %v", gridH, gridW, len(pixels), err)
	}
	for i, got := range pixels {
		x, y, c, k := i%4, i/4%4, i/16%3, i/48
		if want := img.Pix[img.PixOffset(k%3*4+x, k/3*4+y)+c]; got != want {
			t.Fatalf("byte %d (patch %d, channel %d, row %d, column %d) is %d, want %d", i, k, c, y, x, got, want)
		}
	}
	whole := dataset.Picture(dataset.Sample{GridH: 2, GridW: 3, PatchPos: []int32{0, 1, 2, 3, 4, 5}, Pixels: pixels}, 4)
	if !slices.Equal(whole.Pix, img.Pix) || whole.Bounds() != img.Bounds() {
		t.Error("Picture does not give back what was cut")
	}
	// Of two kept patches the rest is black and opaque.
	two := dataset.Picture(dataset.Sample{GridH: 2, GridW: 3, PatchPos: []int32{1, 5}, Pixels: slices.Concat(pixels[48:96], pixels[240:])}, 4)
	for y := range 8 {
		for x := range 12 {
			want := img.NRGBAAt(x, y)
			if k := y/4*3 + x/4; k != 1 && k != 5 {
				want.R, want.G, want.B = 0, 0, 0
			}
			if got := two.NRGBAAt(x, y); got != want {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
}

// An image that does not begin at 0,0 and one that has to be resized keep the picture's plain areas.
func TestProcessorResizes(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 100, 60)) // left half black, right half white
	for i := range img.Pix {
		if i%4 == 3 || i/4%100 >= 50 {
			img.Pix[i] = 255
		}
	}
	p := dataset.Processor{Short: 24, Long: 40, Patch: 8}
	gridH, gridW, pixels, err := p.Patches(datasettest.PNG(t, img))
	if err != nil || gridH != 3 || gridW != 5 {
		t.Fatalf("grid %d by %d, %v, want 3 by 5", gridH, gridW, err)
	}
	for k := range 15 {
		patch := pixels[k*192 : k*192+192]
		switch k % 5 {
		case 0:
			if slices.Max(patch) != 0 {
				t.Errorf("patch %d is not black", k)
			}
		case 4:
			if slices.Min(patch) != 255 {
				t.Errorf("patch %d is not white", k)
			}
		}
	}
}

// Orientation 6 is a camera held on its side: the stored first row is what is seen at the right (EXIF 2.32, table 6).
func TestProcessorOrientation(t *testing.T) {
	stored := datasettest.Paint(12, 8, 3)
	seen := image.NewNRGBA(image.Rect(0, 0, 8, 12))
	for y := range 8 {
		for x := range 12 {
			seen.SetNRGBA(7-y, x, stored.NRGBAAt(x, y))
		}
	}
	marked := datasettest.PNG(t, stored) // with an eXIf chunk behind the header's 33 bytes
	exif := []byte("eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00")
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif)-4)), exif...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(exif))
	marked = slices.Insert(marked, 33, chunk...)
	for _, c := range []struct {
		apply bool
		plain image.Image
		gridH int
	}{{false, stored, 2}, {true, seen, 3}} {
		p := dataset.Processor{Short: 8, Long: 12, Patch: 4, ApplyOrientation: c.apply}
		gridH, gridW, pixels, err := p.Patches(marked)
		if err != nil || gridH != c.gridH || gridW != 5-c.gridH {
			t.Fatalf("applied %v: grid %d by %d, %v", c.apply, gridH, gridW, err)
		}
		_, _, want, err := p.Patches(datasettest.PNG(t, c.plain))
		if err != nil || !slices.Equal(pixels, want) {
			t.Errorf("applied %v: not the pixels of the picture as it should be seen (%v)", c.apply, err)
		}
	}
}

func TestNormalise(t *testing.T) {
	dst := make([]float32, 4)
	dataset.Normalise(dst, []uint8{0, 255, 127, 51})
	for i, want := range []float32{-1, 1, -0.00392157, -0.6} {
		if d := dst[i] - want; d > 1e-6 || d < -1e-6 {
			t.Errorf("value %d is %g, want %g", i, dst[i], want)
		}
	}
}
