package dataset

import (
	"image"

	"github.com/disintegration/imaging"

	"github.com/mcil/mcil/dataset/picture"
)

// Processor turns an encoded picture into patches by ViLT's rule: the shorter side becomes Short pixels, the longer side
// at most Long, both are then floored to whole patches, and the picture is resized to that (bicubic with a = -0.5, which
// imaging calls Catmull-Rom and Pillow BICUBIC). A side that the rule floors to nothing, of a picture about twenty times as
// long as wide, becomes one patch: ViLT's own code fails there, so no published number depends on it.
type Processor struct {
	Short int // pixels; 384 in ViLT
	Long  int // pixels; 639 in ViLT
	Patch int // pixels a side; 32 in ViLT
	// ApplyOrientation turns pictures as their EXIF orientation says. ViLT's own reader does not, and that is the default.
	ApplyOrientation bool
}

// Size is the size in pixels to which a picture of w by h pixels is resized.
func (p Processor) Size(w, h int) (int, int) {
	scale := float64(p.Short) / float64(min(w, h))
	nw, nh := scale*float64(w), scale*float64(h)
	if long := max(nw, nh); long > float64(p.Long) {
		nw, nh = nw*float64(p.Long)/long, nh*float64(p.Long)/long
	}
	whole := func(side float64) int { return max(1, int(side+0.5)/p.Patch) * p.Patch }
	return whole(nw), whole(nh)
}

// Patches decodes, resizes and cuts a picture. pixels is [gridH·gridW, 3·p·p] in raster order; each patch is channel, row,
// column. Alpha is dropped, as ViLT's own reader (Pillow's convert("RGB")) does.
func (p Processor) Patches(encoded []byte) (gridH, gridW int, pixels []uint8, err error) {
	img, err := picture.Decode(encoded)
	if err != nil {
		return 0, 0, nil, err
	}
	if p.ApplyOrientation {
		img = picture.Orient(img, picture.Orientation(encoded))
	}
	b := img.Bounds()
	w, h := p.Size(b.Dx(), b.Dy())
	gridH, gridW = h/p.Patch, w/p.Patch
	return gridH, gridW, cut(imaging.Resize(opaque(img), w, h, imaging.CatmullRom), gridH, gridW, p.Patch), nil
}

// opaque drops alpha: the colour below a transparent pixel counts like any other.
func opaque(img image.Image) image.Image {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return img
	}
	c := imaging.Clone(img)
	for i := 3; i < len(c.Pix); i += 4 {
		c.Pix[i] = 255
	}
	return c
}

// cut copies the patches of img.
func cut(img *image.NRGBA, gridH, gridW, patch int) []uint8 {
	pixels := make([]uint8, 3*patch*patch*gridH*gridW)
	at := 0
	for gy := range gridH {
		for gx := range gridW {
			for c := range 3 {
				for y := range patch {
					src := (gy*patch+y)*img.Stride + gx*patch*4 + c
					for x := range patch {
						pixels[at] = img.Pix[src+4*x]
						at++
					}
				}
			}
		}
	}
	return pixels
}

// Picture is the inverse of cutting: the patches at their positions, black elsewhere.
func Picture(s Sample, patch int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, s.GridW*patch, s.GridH*patch))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	at := 0
	for _, pos := range s.PatchPos {
		gy, gx := int(pos)/s.GridW, int(pos)%s.GridW
		for c := range 3 {
			for y := range patch {
				dst := (gy*patch+y)*img.Stride + gx*patch*4 + c
				for x := range patch {
					img.Pix[dst+4*x] = s.Pixels[at]
					at++
				}
			}
		}
	}
	return img
}

// Normalise writes (v/255 - 0.5) / 0.5 for each pixel value, ViLT's mean and deviation, into dst.
func Normalise(dst []float32, pixels []uint8) {
	for i, v := range pixels {
		dst[i] = normal[v]
	}
}

var normal = func() (t [256]float32) {
	for i := range t {
		t[i] = (float32(i)/255 - 0.5) / 0.5
	}
	return t
}()
