package memory

import (
	"fmt"
	"image"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// Codec is how pixels are stored. The zero value stores them as they are.
type Codec struct {
	Name    string // schemas.CodecRaw (the default) or schemas.CodecJPEG
	Quality int    // of JPEG, 1 to 100 on libjpeg's scale; default [DefaultQuality]. 0 of raw pixels
}

// DefaultQuality is above what most photographs of ImageNet-R come with, so that the memory adds little loss of its own.
const DefaultQuality = 90

func (c Codec) withDefaults() Codec {
	if c.Name == "" {
		c.Name = schemas.CodecRaw
	}
	if c.Name == schemas.CodecJPEG && c.Quality == 0 {
		c.Quality = DefaultQuality
	}
	return c
}

// Check refuses a codec that there is not, or that cannot store patches of patchPx pixels a side.
func (c Codec) Check(patchPx int) error {
	switch c = c.withDefaults(); {
	case c.Name != schemas.CodecRaw && c.Name != schemas.CodecJPEG:
		return fmt.Errorf("pixels stored as %q: only %s and %s are known", c.Name, schemas.CodecRaw, schemas.CodecJPEG)
	case c.Name == schemas.CodecRaw && c.Quality != 0:
		return fmt.Errorf("raw pixels have no quality, and %d is given", c.Quality)
	case c.Name == schemas.CodecJPEG && (c.Quality < 1 || c.Quality > 100):
		return fmt.Errorf("JPEG quality %d: must be 1 to 100", c.Quality)
	case c.Name == schemas.CodecJPEG && patchPx%8 != 0:
		return fmt.Errorf("patches of %d pixels are not whole blocks of a JPEG, which are 8: use codec raw", patchPx)
	}
	return nil
}

func (c Codec) jpeg() bool { return c.Name == schemas.CodecJPEG }

// whole stores a whole picture: a JPEG has it as it stands.
func (c Codec) whole(s dataset.Sample, patchPx int) ([]byte, error) {
	if !c.jpeg() {
		return append([]byte(nil), s.Pixels...), nil
	}
	return c.picture(dataset.Picture(s, patchPx))
}

// patches stores patches: a JPEG has them in one column. As blocks stand for themselves the arrangement changes nothing but
// the differences of mean levels between one block and the next. In a column the blocks of a patch follow one another and
// those of the next one then, so there are the fewest steps from one part of the picture to another.
func (c Codec) patches(kept []byte, patchPx int) ([]byte, error) {
	if !c.jpeg() {
		return kept, nil
	}
	n := len(kept) / (3 * patchPx * patchPx)
	return c.picture(dataset.Picture(dataset.Sample{GridH: n, GridW: 1, PatchPos: positions(nil, n), Pixels: kept}, patchPx))
}

func (c Codec) picture(img *image.NRGBA) ([]byte, error) {
	if img.Rect.Dx() >= picture.MaxSide || img.Rect.Dy() >= picture.MaxSide {
		return nil, fmt.Errorf("a picture of %d by %d pixels is too large for a JPEG: use codec raw", img.Rect.Dx(), img.Rect.Dy())
	}
	return picture.EncodeScan(img, c.withDefaults().Quality), nil
}

// decodeWhole is the inverse of whole, but for what a JPEG loses. Raw pixels are shared.
func (c Codec) decodeWhole(stored []byte, gridH, gridW, patchPx int) ([]uint8, error) {
	if want := gridH * gridW * 3 * patchPx * patchPx; !c.jpeg() && len(stored) != want {
		return nil, fmt.Errorf("%d bytes of pixels, not %d", len(stored), want)
	}
	if !c.jpeg() {
		return stored, nil
	}
	img, err := picture.DecodeScan(stored, gridW*patchPx, gridH*patchPx, c.Quality)
	if err != nil {
		return nil, err
	}
	return cut(img, patchPx), nil
}

// decodePatches is the inverse of patches.
func (c Codec) decodePatches(stored []byte, n, patchPx int) ([]uint8, error) {
	if n == 0 {
		return nil, fmt.Errorf("no patch is kept")
	}
	return c.decodeWhole(stored, n, 1, patchPx)
}

// cut is the inverse of dataset.Picture for a whole picture.
func cut(img *image.NRGBA, patchPx int) []uint8 {
	gridH, gridW := img.Rect.Dy()/patchPx, img.Rect.Dx()/patchPx
	pixels := make([]uint8, 0, gridH*gridW*3*patchPx*patchPx)
	for gy := range gridH {
		for gx := range gridW {
			for c := range 3 {
				for y := range patchPx {
					from := (gy*patchPx+y)*img.Stride + gx*patchPx*4 + c
					for x := range patchPx {
						pixels = append(pixels, img.Pix[from+4*x])
					}
				}
			}
		}
	}
	return pixels
}
