package dataset

import (
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/mcil/mcil/dataset/picture"
)

// Processor turns an encoded picture into patches as ViLT's own processor does (Hugging Face's ViltImageProcessorPil): the
// shorter side becomes Short pixels, the longer side at most Long, both are then floored to whole patches, and the picture is
// resized to that, bicubic with a = -0.5, with Pillow's own bytes.
type Processor struct {
	Short int // pixels; 384 in ViLT
	Long  int // pixels; 639 in ViLT
	Patch int // pixels a side; 32 in ViLT
	// ApplyOrientation turns pictures as their EXIF orientation says. ViLT's own reader does not, and that is the default.
	ApplyOrientation bool
}

// Size is the size in pixels to which a picture of w by h pixels is resized. Of a picture so narrow (about twenty times as
// long as wide, in ViLT) that nothing of its short side would be left, the error wraps [ErrRefused]: ViLT's own code fails
// on it.
func (p Processor) Size(w, h int) (int, int, error) {
	if w <= 0 || h <= 0 {
		return 0, 0, fmt.Errorf("the picture is %d by %d pixels: %w", w, h, ErrRefused)
	}
	// Each product is rounded by itself, in the reference's order.
	nw, nh := float64(p.Short), float64(p.Short)
	scale := float64(p.Short) / float64(min(w, h))
	if h < w {
		nw = float64(scale * float64(w))
	} else {
		nh = float64(scale * float64(h))
	}
	if long := max(nw, nh); long > float64(p.Long) {
		scale = float64(p.Long) / long
		nw, nh = float64(scale*nw), float64(scale*nh)
	}
	outW, outH := int(nw+0.5)/p.Patch*p.Patch, int(nh+0.5)/p.Patch*p.Patch
	if outW == 0 || outH == 0 {
		return 0, 0, fmt.Errorf("the picture is %d by %d pixels, too narrow for patches of %d pixels when its longer side is at most %d: crop or pad it until no side is more than %.1f times the other, or leave it out: %w",
			w, h, p.Patch, p.Long, p.longest(), ErrRefused)
	}
	return outW, outH, nil
}

// longest is how many times as long as wide a picture may be, rounded down to a tenth.
func (p Processor) longest() float64 {
	return math.Floor(float64(p.Long)/(float64(p.Patch)-0.5)*10) / 10
}

// Check sees, from sizes that rows record and without decoding, that the rows of the given indices can be resized at all.
// The error names the first that cannot be, and how many. Rows that record no size are taken for good.
func (p Processor) Check(rows Rows, indices []int) error {
	var first error
	bad := 0
	for _, i := range indices {
		r, err := rows.Row(i)
		if err != nil {
			return fmt.Errorf("%s: %w", rows.ID(i), err)
		}
		if r.Width <= 0 || r.Height <= 0 {
			continue
		}
		if _, _, err := p.Size(r.Width, r.Height); err != nil { // a turned picture is as narrow
			if bad++; first == nil {
				first = fmt.Errorf("%s: %w", r.ID, err)
			}
		}
	}
	if bad > 1 {
		return fmt.Errorf("%d pictures cannot be learned, the first of them %w", bad, first)
	}
	return first
}

// Patches decodes, resizes and cuts a picture. pixels is [gridH·gridW, 3·p·p] in raster order; each patch is channel, row,
// column. Alpha is dropped, as ViLT's own reader (Pillow's convert("RGB")) does.
func (p Processor) Patches(encoded []byte) (gridH, gridW int, pixels []uint8, err error) {
	img, err := picture.Decode(encoded)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("%w (mcil build --decode leaves such pictures out)", err)
	}
	return p.cut(encoded, img)
}

// cut resizes and cuts the picture decoded from encoded.
func (p Processor) cut(encoded []byte, img image.Image) (gridH, gridW int, pixels []uint8, err error) {
	if p.ApplyOrientation {
		img = picture.Orient(img, picture.Orientation(encoded))
	}
	b := img.Bounds()
	w, h, err := p.Size(b.Dx(), b.Dy())
	if err != nil {
		return 0, 0, nil, err
	}
	gridH, gridW = h/p.Patch, w/p.Patch
	area := p.Patch * p.Patch
	pixels = make([]uint8, gridH*gridW*3*area)
	r := newResampler(b.Dx(), b.Dy(), w, h)
	channels := planes(img)
	for c, channel := range channels {
		r.resize(channel, func(y int, row []uint8) {
			first := (y/p.Patch*gridW*3+c)*area + y%p.Patch*p.Patch
			for gx := range gridW {
				copy(pixels[first+gx*3*area:], row[gx*p.Patch:][:p.Patch])
			}
		})
	}
	if len(channels) == 1 {
		for patch := range slices.Chunk(pixels, 3*area) {
			copy(patch[area:], patch[:area])
			copy(patch[2*area:], patch[:area])
		}
	}
	return gridH, gridW, pixels, nil
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

// Normalise writes (v/255 - 0.5) / 0.5 for each pixel value, ViLT's mean and deviation, into dst: the same 32 bits as the
// reference for every value.
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
