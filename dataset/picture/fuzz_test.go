package picture_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// seeds adds pictures of every kind, whole and cut.
func seeds(f *testing.F) {
	for _, s := range []string{
		cmykJPEG, rgbJPEG, progressiveJPEG, greyAlphaPNG, clearPNG, clearRGBPNG, clearGreyPNG, clearGIF, bilevelBMP, alphaBMP,
		webp, webpAlpha, webpLossy, webpLossyAlpha, webpMoving, webpOrientation6,
	} {
		f.Add(fromBase64(f, s))
	}
	for _, b := range samples(f) {
		f.Add(b)
		f.Add(b[:2*len(b)/3])
	}
	jpg, png := datasettest.JPEG(f, datasettest.Paint(9, 7, 1)), datasettest.PNG(f, datasettest.Paint(9, 7, 1))
	f.Add(jpegWith(jpg, tiff(binary.LittleEndian, 6)))
	f.Add(pngWith(png, tiff(binary.BigEndian, 3)))
	for _, b := range [][]byte{datasettest.HugePNG(60000, 60000), withoutAdobe(f), {}, []byte("<html>")} {
		f.Add(b)
	}
}

// refused asserts that an error is about the picture, in one line.
func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, schemas.ErrRefused) || strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("error %q", err)
	}
}

// Whatever the bytes are: no panic, and what is said of a picture is one of the things that can be said.
func FuzzInspect(f *testing.F) {
	seeds(f)
	modes := " grey grey16 grey-alpha grey-alpha16 rgb rgb16 rgba rgba16 palette palette-alpha cmyk "
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if o := picture.Orientation(encoded); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
		info, err := picture.Inspect(encoded)
		if err != nil {
			refused(t, err)
			return
		}
		if info.Width < 1 || info.Height < 1 || info.Width*info.Height > picture.MaxPixels || info.Orientation != picture.Orientation(encoded) ||
			!strings.Contains(modes, " "+info.Mode+" ") || !strings.Contains(" jpeg png gif webp bmp ", " "+info.Format+" ") {
			t.Errorf("%+v", info)
		}
		if longer, err := picture.Inspect(append(encoded[:len(encoded):len(encoded)], "tail"...)); err != nil || longer.Width != info.Width {
			t.Errorf("with a tail: %+v, %v, without: %+v", longer, err, info)
		}
	})
}

// What decodes has the size that its header says.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, encoded []byte) {
		info, err := picture.Inspect(encoded)
		if info.Width*info.Height > 1_000_000 {
			return
		}
		img, again := picture.Decode(encoded)
		if err != nil && again == nil {
			t.Errorf("%v, and it decodes", err)
		}
		if again != nil {
			refused(t, again)
			return
		}
		if size := img.Bounds().Size(); size.X != info.Width || size.Y != info.Height {
			t.Errorf("%v, header %+v", size, info)
		}
	})
}
