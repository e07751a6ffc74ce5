package dataset_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"golang.org/x/image/bmp"

	"github.com/mcil/mcil/dataset"
)

// hugePNG is a whole PNG header that promises w by h pixels, and next to nothing after it.
func hugePNG(w, h uint32) []byte {
	chunk := func(name string, body []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		b = append(append(b, name...), body...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return append([]byte("\x89PNG\r\n\x1a\n"), append(chunk("IHDR", append(ihdr, 8, 2, 0, 0, 0)), chunk("IDAT", []byte{0x78, 0x9c})...)...)
}

func fromBase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Pictures that Go cannot encode: 16 by 16 pixels in red, as a CMYK JPEG with Adobe's inverted inks; 8 by 8 pixels of
// colour 10, 200, 30 as a lossless WebP.
const (
	cmykJPEG = "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZHhcZWdj" +
		"/8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EABUAAQEAAAAAAAAAAAAAAAAAAAAH/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAA4EQwBNAFkASwAAPwCgJ+n6gAAAAP/Z"
	webp = "UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQ5CrUo/+BiOh/AAA="
)

// fill is img, all of one colour.
func fill(img draw.Image, c color.Color) image.Image {
	draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

// transparent is img with c, alpha and all, in every pixel: drawing would lose the colour below alpha 0.
func transparent(img *image.NRGBA, c color.NRGBA) image.Image {
	for i := range img.Pix {
		img.Pix[i] = []uint8{c.R, c.G, c.B, c.A}[i%4]
	}
	return img
}

func TestPictureForms(t *testing.T) {
	r := image.Rect(0, 0, 32, 24)
	var asBMP bytes.Buffer
	if err := bmp.Encode(&asBMP, fill(image.NewNRGBA(r), color.NRGBA{200, 100, 50, 255})); err != nil {
		t.Fatal(err)
	}
	palette := color.Palette{color.NRGBA{0, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}}
	for _, c := range []struct {
		name    string
		encoded []byte
		info    dataset.PictureInfo
		want    color.NRGBA
		tol     int // JPEG rounds
	}{
		{"rgb png", encodePNG(t, fill(image.NewNRGBA(r), color.NRGBA{1, 2, 3, 255})), dataset.PictureInfo{Format: "png", Width: 32, Height: 24}, color.NRGBA{1, 2, 3, 255}, 0},
		{"transparent png", encodePNG(t, transparent(image.NewNRGBA(r), color.NRGBA{250, 20, 30, 0})), dataset.PictureInfo{Format: "png", Width: 32, Height: 24}, color.NRGBA{250, 20, 30, 255}, 0},
		{"16-bit png", encodePNG(t, fill(image.NewNRGBA64(r), color.NRGBA64{0xFFFF, 0x8080, 0x0101, 0xFFFF})), dataset.PictureInfo{Format: "png", Width: 32, Height: 24}, color.NRGBA{255, 128, 1, 255}, 0},
		{"grey png", encodePNG(t, fill(image.NewGray(r), color.Gray{77})), dataset.PictureInfo{Format: "png", Width: 32, Height: 24}, color.NRGBA{77, 77, 77, 255}, 0},
		{"16-bit grey png", encodePNG(t, fill(image.NewGray16(r), color.Gray16{0x4D4D})), dataset.PictureInfo{Format: "png", Width: 32, Height: 24}, color.NRGBA{77, 77, 77, 255}, 0},
		{"palette png", encodePNG(t, fill(image.NewPaletted(r, palette), palette[1])), dataset.PictureInfo{Format: "png", Width: 32, Height: 24}, color.NRGBA{0, 0, 255, 255}, 0},
		{"gif", encodeGIF(t, fill(image.NewPaletted(r, palette), palette[1])), dataset.PictureInfo{Format: "gif", Width: 32, Height: 24}, color.NRGBA{0, 0, 255, 255}, 0},
		{"jpeg", encodeJPEG(t, fill(image.NewNRGBA(r), color.NRGBA{200, 100, 50, 255})), dataset.PictureInfo{Format: "jpeg", Width: 32, Height: 24}, color.NRGBA{200, 100, 50, 255}, 4},
		{"grey jpeg", encodeJPEG(t, fill(image.NewGray(r), color.Gray{77})), dataset.PictureInfo{Format: "jpeg", Width: 32, Height: 24}, color.NRGBA{77, 77, 77, 255}, 1},
		{"cmyk jpeg", fromBase64(t, cmykJPEG), dataset.PictureInfo{Format: "jpeg", Width: 16, Height: 16}, color.NRGBA{255, 0, 0, 255}, 3},
		{"webp", fromBase64(t, webp), dataset.PictureInfo{Format: "webp", Width: 8, Height: 8}, color.NRGBA{10, 200, 30, 255}, 0},
		{"bmp", asBMP.Bytes(), dataset.PictureInfo{Format: "bmp", Width: 32, Height: 24}, color.NRGBA{200, 100, 50, 255}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			info, err := dataset.Inspect(c.encoded)
			if err != nil || info != c.info {
				t.Errorf("Inspect: %+v, %v, want %+v", info, err, c.info)
			}
			img, err := dataset.Decode(c.encoded)
			if err != nil || img.Bounds().Dx() != info.Width || img.Bounds().Dy() != info.Height {
				t.Fatalf("Decode: %v, %v", img, err)
			}
			// The smallest patches show the colour that training sees.
			gridH, gridW, pixels, err := dataset.Processor{Short: 8, Long: 16, Patch: 8}.Patches(c.encoded)
			if err != nil || gridH != 1 || gridW != 1 || len(pixels) != 3*8*8 {
				t.Fatalf("Patches: %d by %d, %d bytes, %v", gridH, gridW, len(pixels), err)
			}
			for k, want := range []uint8{c.want.R, c.want.G, c.want.B} {
				for _, got := range pixels[64*k : 64*k+64] {
					if d := int(got) - int(want); d > c.tol || d < -c.tol {
						t.Fatalf("channel %d is %d, want %d", k, got, want)
					}
				}
			}
		})
	}
}

func TestPictureRefused(t *testing.T) {
	whole := encodeJPEG(t, paint(64, 64, 1))
	asPNG := encodePNG(t, paint(64, 64, 1))
	flipped := bytes.Clone(asPNG)
	flipped[len(flipped)/2] ^= 0xFF
	for _, c := range []struct {
		name    string
		encoded []byte
		inspect bool // whether the header passes
		words   string
	}{
		{"nil", nil, false, "not a picture that can be read"},
		{"text", []byte("<html>404</html>"), false, "not a picture that can be read"},
		{"only magic", whole[:3], false, "not a picture that can be read"},
		{"bomb", hugePNG(60000, 60000), false, "60000 by 60000 pixels"},
		{"wide bomb", hugePNG(1<<17, 1), false, "131072 by 1 pixels"},
		{"no pixels", hugePNG(0, 5), false, ""},
		{"cut off jpeg", whole[:len(whole)/2], true, "the picture is damaged"},
		{"cut off png", asPNG[:len(asPNG)/2], true, "the picture is damaged"},
		{"flipped png", flipped, true, "the picture is damaged"},
		{"promise without pixels", hugePNG(200, 200), true, "the picture is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dataset.Inspect(c.encoded)
			if (err == nil) != c.inspect {
				t.Errorf("Inspect: %v, want an error: %v", err, !c.inspect)
			}
			_, err = dataset.Decode(c.encoded)
			wantError(t, err, dataset.ErrRefused, c.words)
		})
	}
}

// A bomb must be refused by its header: decoding it would take 14 GB.
func TestPictureBombTakesNoMemory(t *testing.T) {
	bomb := hugePNG(60000, 60000)
	if got := testing.AllocsPerRun(10, func() { dataset.Decode(bomb) }); got > 100 {
		t.Errorf("%g allocations", got)
	}
	least := hugePNG(10240, 10240) // exactly what is allowed
	if _, err := dataset.Inspect(least); err != nil {
		t.Error(err)
	}
	_, err := dataset.Inspect(hugePNG(10241, 10240))
	wantError(t, err, dataset.ErrRefused, "104857600")
}

func TestDigest(t *testing.T) {
	if got := dataset.Digest([]byte("abc")); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("digest %s", got)
	}
}
