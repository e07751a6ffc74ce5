package picture_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"testing"

	"golang.org/x/image/bmp"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
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

// gridOf is the width in patches of a picture whose height is one.
func gridOf(info picture.Info) int { return info.Width / info.Height }

// withoutAdobe is cmykJPEG without its APP14 segment, ycck with another transform in it: red in CMYK is violet in YCCK.
func withoutAdobe(t testing.TB) []byte {
	b := fromBase64(t, cmykJPEG)
	at := bytes.Index(b, []byte("\xFF\xEE"))
	return slices.Delete(b, at, at+16)
}

func ycck(t testing.TB) []byte {
	b := fromBase64(t, cmykJPEG)
	b[bytes.Index(b, []byte("Adobe"))+11] = 2
	return b
}

// alphaV4BMP is alphaBMP with a header of version 4.
func alphaV4BMP(t testing.TB) []byte {
	b := fromBase64(t, alphaBMP)
	b[10], b[14] = 14+108, 108
	return slices.Insert(b, 54, make([]byte, 68)...)
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
		info    picture.Info
		want    color.NRGBA
		tol     int // JPEG rounds
	}{
		{"rgb png", datasettest.PNG(t, fill(image.NewNRGBA(r), color.NRGBA{1, 2, 3, 255})), picture.Info{Format: "png", Mode: "rgb", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{1, 2, 3, 255}, 0},
		{"transparent png", datasettest.PNG(t, transparent(image.NewNRGBA(r), color.NRGBA{250, 20, 30, 0})), picture.Info{Format: "png", Mode: "rgba", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{250, 20, 30, 255}, 0},
		{"16-bit png", datasettest.PNG(t, fill(image.NewNRGBA64(r), color.NRGBA64{0xFFFF, 0x8080, 0x0101, 0xFFFF})), picture.Info{Format: "png", Mode: "rgb16", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{255, 128, 1, 255}, 0},
		{"grey png", datasettest.PNG(t, fill(image.NewGray(r), color.Gray{77})), picture.Info{Format: "png", Mode: "grey", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{77, 77, 77, 255}, 0},
		{"16-bit grey png", datasettest.PNG(t, fill(image.NewGray16(r), color.Gray16{0x4D4D})), picture.Info{Format: "png", Mode: "grey16", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{77, 77, 77, 255}, 0},
		{"palette png", datasettest.PNG(t, fill(image.NewPaletted(r, palette), palette[1])), picture.Info{Format: "png", Mode: "palette", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{0, 0, 255, 255}, 0},
		{"gif", datasettest.GIF(t, fill(image.NewPaletted(r, palette), palette[1])), picture.Info{Format: "gif", Mode: "palette", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{0, 0, 255, 255}, 0},
		{"jpeg", datasettest.JPEG(t, fill(image.NewNRGBA(r), color.NRGBA{200, 100, 50, 255})), picture.Info{Format: "jpeg", Mode: "rgb", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{200, 100, 50, 255}, 4},
		{"grey jpeg", datasettest.JPEG(t, fill(image.NewGray(r), color.Gray{77})), picture.Info{Format: "jpeg", Mode: "grey", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{77, 77, 77, 255}, 1},
		{"cmyk jpeg", fromBase64(t, cmykJPEG), picture.Info{Format: "jpeg", Mode: "cmyk", Width: 16, Height: 16, Orientation: 1}, color.NRGBA{255, 0, 0, 255}, 3},
		{"webp", fromBase64(t, webp), picture.Info{Format: "webp", Mode: "rgb", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 0},
		{"cmyk jpeg without Adobe's mark", withoutAdobe(t), picture.Info{Format: "jpeg", Mode: "cmyk", Width: 16, Height: 16, Orientation: 1}, color.NRGBA{255, 0, 0, 255}, 3},
		{"ycck jpeg", ycck(t), picture.Info{Format: "jpeg", Mode: "cmyk", Width: 16, Height: 16, Orientation: 1}, color.NRGBA{179, 0, 227, 255}, 3}, // Pillow's reading
		{"progressive jpeg", fromBase64(t, progressiveJPEG), picture.Info{Format: "jpeg", Mode: "rgb", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 2},
		{"rgb jpeg", fromBase64(t, rgbJPEG), picture.Info{Format: "jpeg", Mode: "rgb", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 2},
		{"16-bit alpha png", datasettest.PNG(t, image.NewNRGBA64(r)), picture.Info{Format: "png", Mode: "rgba16", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{0, 0, 0, 255}, 0},
		{"grey alpha png", fromBase64(t, greyAlphaPNG), picture.Info{Format: "png", Mode: "grey-alpha", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{77, 77, 77, 255}, 0},
		{"palette png with a clear colour", fromBase64(t, clearPNG), picture.Info{Format: "png", Mode: "palette-alpha", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 0},
		{"rgb png with a clear colour", fromBase64(t, clearRGBPNG), picture.Info{Format: "png", Mode: "rgba", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 0},
		{"grey png with a clear colour", fromBase64(t, clearGreyPNG), picture.Info{Format: "png", Mode: "grey-alpha", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{124, 124, 124, 255}, 0},
		{"lossy webp", fromBase64(t, webpLossy), picture.Info{Format: "webp", Mode: "rgb", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{12, 201, 33, 255}, 2},
		{"lossy alpha webp", fromBase64(t, webpLossyAlpha), picture.Info{Format: "webp", Mode: "rgba", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{12, 201, 33, 255}, 2},
		{"alpha webp", fromBase64(t, webpAlpha), picture.Info{Format: "webp", Mode: "rgba", Width: 8, Height: 8, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 0},
		{"turned webp", fromBase64(t, webpOrientation6), picture.Info{Format: "webp", Mode: "rgb", Width: 8, Height: 8, Orientation: 6}, color.NRGBA{10, 200, 30, 255}, 0},
		{"bilevel bmp", fromBase64(t, bilevelBMP), picture.Info{Format: "bmp", Mode: "palette", Width: 9, Height: 3, Orientation: 1}, color.NRGBA{255, 255, 255, 255}, 0},
		{"alpha bmp", alphaV4BMP(t), picture.Info{Format: "bmp", Mode: "rgba", Width: 2, Height: 2, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 0},
		{"bmp whose alpha does not count", fromBase64(t, alphaBMP), picture.Info{Format: "bmp", Mode: "rgb", Width: 2, Height: 2, Orientation: 1}, color.NRGBA{10, 200, 30, 255}, 0},
		{"bmp", asBMP.Bytes(), picture.Info{Format: "bmp", Mode: "rgb", Width: 32, Height: 24, Orientation: 1}, color.NRGBA{200, 100, 50, 255}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			info, err := picture.Inspect(c.encoded)
			if err != nil || info != c.info {
				t.Errorf("Inspect: %+v, %v, want %+v", info, err, c.info)
			}
			img, err := picture.Decode(c.encoded)
			if err != nil || img.Bounds().Dx() != info.Width || img.Bounds().Dy() != info.Height {
				t.Fatalf("Decode: %v, %v", img, err)
			}
			// The smallest patches show the colour that training sees.
			gridH, gridW, pixels, err := dataset.Processor{Short: 8, Long: 24, Patch: 8}.Patches(c.encoded)
			if err != nil || gridH != 1 || gridW != gridOf(info) || len(pixels) != gridW*3*8*8 {
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
	whole := datasettest.JPEG(t, datasettest.Paint(64, 64, 1))
	asPNG := datasettest.PNG(t, datasettest.Paint(64, 64, 1))
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
		{"bomb", datasettest.HugePNG(60000, 60000), false, "60000 by 60000 pixels"},
		{"wide bomb", datasettest.HugePNG(1<<17, 1), false, "131072 by 1 pixels"},
		{"no pixels", datasettest.HugePNG(0, 5), false, ""},
		{"cut off jpeg", whole[:len(whole)/2], false, "the picture is damaged: truncated"},
		{"cut off png", asPNG[:len(asPNG)/2], false, "the picture is damaged: truncated"},
		{"flipped png", flipped, true, "the picture is damaged"},
		{"promise without pixels", datasettest.HugePNG(200, 200), true, "the picture is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := picture.Inspect(c.encoded)
			if (err == nil) != c.inspect {
				t.Errorf("Inspect: %v, want an error: %v", err, !c.inspect)
			}
			_, err = picture.Decode(c.encoded)
			datasettest.WantError(t, err, schemas.ErrRefused, c.words)
		})
	}
}

// A bomb must be refused by its header: decoding it would take 14 GB.
func TestPictureBombTakesNoMemory(t *testing.T) {
	bomb := datasettest.HugePNG(60000, 60000)
	if got := testing.AllocsPerRun(10, func() { picture.Decode(bomb) }); got > 100 {
		t.Errorf("%g allocations", got)
	}
	least := datasettest.HugePNG(10240, 10240) // exactly what is allowed
	if _, err := picture.Inspect(least); err != nil {
		t.Error(err)
	}
	_, err := picture.Inspect(datasettest.HugePNG(10241, 10240))
	datasettest.WantError(t, err, schemas.ErrRefused, "104857600")
}
