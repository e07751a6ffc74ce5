package picture_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// samples is a picture of every format, small enough to be cut at every byte.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	paint := datasettest.Paint(23, 17, 1)
	var asBMP, moving bytes.Buffer
	if err := bmp.Encode(&asBMP, paint); err != nil {
		t.Fatal(err)
	}
	frame := image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame, frame}, Delay: []int{1, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"jpeg": datasettest.JPEG(t, paint), "progressive jpeg": fromBase64(t, progressiveJPEG), "cmyk jpeg": fromBase64(t, cmykJPEG),
		"png": datasettest.PNG(t, paint), "palette png": fromBase64(t, clearPNG), "gif": datasettest.GIF(t, paint), "moving gif": moving.Bytes(),
		"lossless webp": fromBase64(t, webp), "lossy webp": fromBase64(t, colourWebP), "alpha webp": fromBase64(t, webpLossyAlpha),
		"webp with exif": fromBase64(t, webpOrientation6), "bmp": asBMP.Bytes(), "bilevel bmp": fromBase64(t, bilevelBMP),
	}
}

// A picture cut anywhere is refused, unless the decoder finds all of it in what is left.
func TestTruncatedAnywhere(t *testing.T) {
	for name, whole := range samples(t) {
		want, err := picture.Decode(whole)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		accepted := 0
		for n := range whole {
			_, err := picture.Inspect(whole[:n])
			if err == nil {
				accepted++
				if got, err := picture.Decode(whole[:n]); err != nil || !samePixels(got, want) {
					t.Errorf("%s: %d of %d bytes pass, and are not the picture: %v", name, n, len(whole), err)
				}
				continue
			}
			datasettest.WantError(t, err, schemas.ErrRefused)
			if n > len(whole)/2 && !strings.Contains(name, "webp") && !strings.Contains(err.Error(), "the picture is damaged: truncated: the ") &&
				!strings.Contains(err.Error(), "in its header") {
				t.Errorf("%s: %d of %d bytes: %q does not say that it was cut off", name, n, len(whole), err)
			}
		}
		// Only a WebP has metadata, a filling byte or unused bits behind its pixels.
		if accepted > 0 && !strings.Contains(name, "webp") || accepted > 40 {
			t.Errorf("%s: %d cut pictures pass", name, accepted)
		}
	}
}

func samePixels(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

// What follows a picture changes nothing: cameras and writers append thumbnails, zeros and comments.
func TestTrailingBytes(t *testing.T) {
	for name, whole := range samples(t) {
		want, err := picture.Inspect(whole)
		if err != nil {
			t.Fatal(err)
		}
		for _, tail := range [][]byte{{0}, make([]byte, 5000), []byte("a line of text\n"), whole} {
			longer := slices.Concat(whole, tail)
			if got, err := picture.Inspect(longer); err != nil || got != want {
				t.Errorf("%s and %d bytes: %+v, %v, want %+v", name, len(tail), got, err, want)
			}
			if _, err := picture.Decode(longer); err != nil {
				t.Errorf("%s and %d bytes: %v", name, len(tail), err)
			}
		}
	}
}

func TestNotAPicture(t *testing.T) {
	whole := datasettest.JPEG(t, datasettest.Paint(9, 9, 1))
	twelve, lossless := bytes.Clone(whole), bytes.Clone(whole)
	frame := bytes.Index(whole, []byte{0xFF, 0xC0})
	twelve[frame+4], lossless[frame+1] = 12, 0xC3
	wide := fromBase64(t, webpLossyAlpha)
	at := bytes.Index(wide, []byte("VP8X")) + 12
	wide[at] = 8 // canvas 9 by 8
	for _, c := range []struct {
		name    string
		encoded []byte
		words   string
	}{
		{"empty", nil, "it is empty"},
		{"one byte", []byte{0xFF}, "neither JPEG, PNG"},
		{"html", []byte("<!DOCTYPE html><title>404</title>"), "it is text, such as a server's answer"},
		{"svg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "it is text"},
		{"tiff", []byte("II*\x00\x08\x00\x00\x00"), "a TIFF; make it"},
		{"heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00"), "HEIC, AVIF or a video; make it"},
		{"zeros", make([]byte, 1000), "neither JPEG, PNG"},
		{"12-bit jpeg", twelve, "a JPEG of 12 bits"},
		{"lossless jpeg", lossless, "a JPEG of a rare kind"},
		{"moving webp", fromBase64(t, webpMoving), "an animated WebP"},
		{"webp of two sizes", wide, "canvas is 9 by 8 pixels and its bitstream 8 by 8"},
		{"gif without frame", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), "the GIF has no frame"},
		{"gif bomb", []byte("GIF89a\xFF\xFF\xFF\xFF\x00\x00\x00,\x00\x00\x00\x00\xFF\xFF\xFF\xFF\x00\x02\x00;"), "65535 by 65535 pixels"},
		{"jpeg bomb", jpegSize(whole, 65535, 65535), "65535 by 65535 pixels"},
		{"jpeg without height", jpegSize(whole, 9, 0), "9 by 0 pixels"},
		{"bmp bomb", slices.Concat([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x00\x40\x00\x00\x00\x40\x00\x00\x01\x00\x18\x00"), make([]byte, 24)), "16384 by 16384 pixels"},
		{"webp bomb", []byte("RIFF\x12\x00\x00\x00WEBPVP8L\x05\x00\x00\x00\x2F\xFF\xFF\xFF\x0F\x00"), "16384 by 16384 pixels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := picture.Inspect(c.encoded)
			datasettest.WantError(t, err, schemas.ErrRefused, c.words)
			if _, again := picture.Decode(c.encoded); again == nil || again.Error() != err.Error() {
				t.Errorf("Decode: %v, want %v", again, err)
			}
		})
	}
}

// jpegSize is a JPEG whose frame header says another size.
func jpegSize(whole []byte, w, h uint16) []byte {
	b := bytes.Clone(whole)
	at := bytes.Index(b, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(b[at+5:], h)
	binary.BigEndian.PutUint16(b[at+7:], w)
	return b
}

// A frame smaller than the canvas stands where the file says, on the colour that Pillow shows.
func TestGIFCanvas(t *testing.T) {
	palette := color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{200, 100, 50, 255}}
	frame := image.NewPaletted(image.Rect(2, 1, 4, 3), palette)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{ColorModel: palette, Width: 5, Height: 4}})
	if err != nil {
		t.Fatal(err)
	}
	img, err := picture.Decode(b.Bytes())
	if err != nil || img.Bounds() != image.Rect(0, 0, 5, 4) {
		t.Fatalf("%v, %v", img, err)
	}
	for y := range 4 {
		for x := range 5 {
			want := palette[0]
			if (image.Point{x, y}).In(frame.Rect) {
				want = palette[1]
			}
			if got := color.NRGBAModel.Convert(img.At(x, y)); got != want {
				t.Errorf("%d,%d: %v, want %v", x, y, got, want)
			}
		}
	}
	// The clear colour keeps its red, green and blue.
	img, err = picture.Decode(fromBase64(t, clearGIF))
	if err != nil || img.At(1, 1) != (color.NRGBA{200, 100, 50, 0}) {
		t.Errorf("clear colour %v, %v", img.At(1, 1), err)
	}
}

// The colours of a lossy WebP are Pillow's, to the last bit.
func TestLossyWebPColours(t *testing.T) {
	img, err := picture.Decode(fromBase64(t, colourWebP))
	if err != nil {
		t.Fatal(err)
	}
	want := fromBase64(t, colourRGB)
	for i := range want {
		if got := img.(*image.NRGBA).Pix[i/3*4+i%3]; got != want[i] {
			t.Fatalf("pixel %d, channel %d is %d, want %d", i/3, i%3, got, want[i])
		}
	}
}
