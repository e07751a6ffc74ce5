package picture_test

import (
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/picture"
)

// tiff is an EXIF block with an orientation behind another field.
func tiff(order binary.AppendByteOrder, o uint16) []byte {
	b := []byte("MM\x00*")
	if order == binary.LittleEndian {
		b = []byte("II*\x00")
	}
	b = order.AppendUint16(order.AppendUint32(b, 8), 2)
	for _, f := range [][2]uint16{{0x0100, 7}, {0x0112, o}} { // image width, orientation
		b = order.AppendUint16(order.AppendUint16(b, f[0]), 3)
		b = order.AppendUint16(order.AppendUint16(order.AppendUint32(b, 1), f[1]), 0)
	}
	return order.AppendUint32(b, 0)
}

func jpegWith(jpg, exif []byte) []byte {
	exif = append([]byte("Exif\x00\x00"), exif...)
	xmp := []byte("\xFF\xE1\x00\x0Ahttp://x") // another APP1 first, as editors write it
	app1 := append(binary.BigEndian.AppendUint16([]byte{0xFF, 0xE1}, uint16(len(exif)+2)), exif...)
	return slices.Concat(jpg[:2], xmp, app1, jpg[2:])
}

func pngWith(png, exif []byte) []byte {
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif))), append([]byte("eXIf"), exif...)...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	return slices.Insert(slices.Clone(png), 33, chunk...)
}

func TestOrientation(t *testing.T) {
	img := datasettest.Paint(8, 8, 0)
	jpg, png, web := datasettest.JPEG(t, img), datasettest.PNG(t, img), fromBase64(t, webpOrientation6)
	exifAt := len(web) - 26 // Pillow's EXIF, big-endian, of one field
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for o := range uint16(10) {
			want := int(o)
			if o < 1 || o > 8 {
				want = 1
			}
			exif := tiff(order, o)
			prefixed := append([]byte("Exif\x00\x00"), exif...)
			for name, b := range map[string][]byte{
				"jpeg": jpegWith(jpg, exif), "png": pngWith(png, exif),
				"webp": webpWith(web, exifAt, exif), "webp with JPEG's prefix": webpWith(web, exifAt, prefixed),
			} {
				if got := picture.Orientation(b); got != want {
					t.Errorf("%s, %v %d: got %d", name, order, o, got)
				}
				if info, err := picture.Inspect(b); err != nil || info.Orientation != want || info.Width != 8 {
					t.Errorf("%s, %v %d: %+v, %v", name, order, o, info, err)
				}
				if _, err := picture.Decode(b); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	for _, b := range [][]byte{nil, jpg, png, jpg[:2], []byte("RIFF\xFF\xFF\xFF\xFFWEBPEXIF"), jpegWith(jpg, []byte("MM\x00*\x00\x00\x00\xFF"))} {
		if got := picture.Orientation(b); got != 1 {
			t.Errorf("%.20q: orientation %d, want 1", b, got)
		}
	}
}

// webpWith is a WebP with another content of its EXIF chunk, which is the last.
func webpWith(web []byte, at int, exif []byte) []byte {
	b := append(slices.Clone(web[:at]), exif...)
	binary.LittleEndian.PutUint32(b[at-4:], uint32(len(exif)))
	if len(exif)%2 == 1 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// Where the stored first row and first column are seen, for each orientation (EXIF 2.32, table 6).
func TestOrient(t *testing.T) {
	const w, h = 3, 2
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(10 * x), uint8(10 * y), 0, 255})
		}
	}
	seen := map[int]func(x, y int) (int, int){ // of a stored pixel
		1: func(x, y int) (int, int) { return x, y },
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return h - 1 - y, x },
		7: func(x, y int) (int, int) { return h - 1 - y, w - 1 - x },
		8: func(x, y int) (int, int) { return y, w - 1 - x },
		0: func(x, y int) (int, int) { return x, y }, 9: func(x, y int) (int, int) { return x, y },
	}
	for o, at := range seen {
		got := picture.Orient(img, o)
		if want := o >= 5 && o <= 8; (got.Bounds().Dx() == h) != want {
			t.Errorf("orientation %d: %v", o, got.Bounds())
			continue
		}
		for y := range h {
			for x := range w {
				if c := color.NRGBAModel.Convert(got.At(at(x, y))); c != img.NRGBAAt(x, y) {
					t.Errorf("orientation %d: stored pixel %d,%d is seen as %v", o, x, y, c)
				}
			}
		}
	}
}
