package memory

import (
	"errors"
	"fmt"
	"image"
	"iter"
	"math"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// BoxOptions say which part of a picture CIM (Luo et al., CVPR 2023) keeps at full resolution, and how small the rest
// becomes. Zero means the default, which is CIM's.
type BoxOptions struct {
	Ratio     int     // pixels of the rest for one that is kept, a square: 4 (the default) halves both sides
	Threshold float64 // of the map between its least and its largest value, 0 to 1; default 0.6
}

// WithDefaults returns o with zero fields at their defaults.
func (o BoxOptions) WithDefaults() BoxOptions {
	if o.Ratio == 0 {
		o.Ratio = 4
	}
	if o.Threshold == 0 {
		o.Threshold = 0.6
	}
	return o
}

// Validate refuses what cannot be.
func (o BoxOptions) Validate() error {
	o = o.WithDefaults()
	if _, err := step(o.Ratio); err != nil {
		return err
	}
	if !(o.Threshold > 0 && o.Threshold < 1) {
		return fmt.Errorf("threshold %g of an activation map: must be between 0 and 1", o.Threshold)
	}
	return nil
}

// step is the side of the square of pixels for which one is kept.
func step(ratio int) (int, error) {
	n := int(math.Round(math.Sqrt(float64(ratio))))
	if ratio < 4 || ratio > 256 || n*n != ratio {
		return 0, fmt.Errorf("ratio %d of a picture to its down-sampled rest: must be a square from 4 to 256", ratio)
	}
	return n, nil
}

// ActivationBox is the tight box around the pixels where a map of one value a patch, brought to the range from 0 to 1 and
// resized bilinearly to the picture, is above the threshold. A map without differences tells nothing: the box is the picture.
//
// CIM's map is that of class activation: the classifier's row for the class applied to the last feature map. A transformer
// has no such map, for its classifier reads one token; the attention that this token pays to the patches takes its place.
func (o BoxOptions) ActivationBox(values []float32, gridH, gridW, patchPx int) schemas.Box {
	o = o.WithDefaults()
	h, w := gridH*patchPx, gridW*patchPx
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, float64(v)), max(high, float64(v))
	}
	if !(high > low) {
		return schemas.Box{W: w, H: h}
	}
	// Where a pixel's centre stands in the grid of the patches' centres, as align_corners=false has it.
	place := func(x, n int) (int, int, float64) {
		f := max(0, (float64(x)+0.5)/float64(patchPx)-0.5)
		i := min(int(f), n-1)
		return i, min(i+1, n-1), f - float64(i)
	}
	at := func(y, x int) float64 { return (float64(values[y*gridW+x]) - low) / (high - low) }
	var r image.Rectangle
	for y := range h {
		y0, y1, fy := place(y, gridH)
		for x := range w {
			x0, x1, fx := place(x, gridW)
			top := at(y0, x0) + fx*(at(y0, x1)-at(y0, x0))
			bottom := at(y1, x0) + fx*(at(y1, x1)-at(y1, x0))
			if top+fy*(bottom-top) > o.Threshold {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if r.Empty() { // of small patches no pixel is near enough to the centre of the largest
		best := 0
		for i, v := range values {
			if v > values[best] {
				best = i
			}
		}
		return schemas.Box{X: best % gridW * patchPx, Y: best / gridW * patchPx, W: patchPx, H: patchPx}
	}
	return schemas.Box{X: r.Min.X, Y: r.Min.Y, W: r.Dx(), H: r.Dy()}
}

// EncodeBox stores what is in the box at full resolution and the rest of the picture down-sampled; the text whole.
func (o BoxOptions) EncodeBox(s dataset.Sample, box schemas.Box, patchPx int, c Codec) (Exemplar, error) {
	o = o.WithDefaults()
	n, err := step(o.Ratio)
	if err != nil {
		return Exemplar{}, err
	}
	e, err := withText(s, nil, patchPx, c)
	if err != nil {
		return Exemplar{}, err
	}
	e.Box, e.Ratio = &box, o.Ratio
	if err := checkBox(e); err != nil {
		return Exemplar{}, fmt.Errorf("%s: %w", s.ID, err)
	}
	img := dataset.Picture(s, patchPx)
	part := image.NewNRGBA(image.Rect(0, 0, box.W, box.H))
	for y := range box.H {
		from := img.PixOffset(box.X, box.Y+y)
		copy(part.Pix[y*part.Stride:], img.Pix[from:from+4*box.W])
	}
	rest := image.NewNRGBA(smallRect(e, n))
	for y := range rest.Rect.Dy() {
		for x := range rest.Rect.Dx() { // nearest, as torch has it: the first pixel of each square
			copy(rest.Pix[rest.PixOffset(x, y):][:4], img.Pix[img.PixOffset(x*n, y*n):])
		}
	}
	if c.jpeg() {
		flatten(rest, e, n)
		if e.Pixels, err = c.picture(part); err == nil && uncovered(e) > 0 {
			e.Rest, err = c.picture(rest)
		}
		if err != nil {
			return Exemplar{}, fmt.Errorf("%s: %w", s.ID, err)
		}
	} else {
		for i := 0; i < len(part.Pix); i += 4 {
			e.Pixels = append(e.Pixels, part.Pix[i:i+3]...)
		}
		for p := range cells(e, n) {
			e.Rest = append(e.Rest, rest.Pix[rest.PixOffset(p.X, p.Y):][:3]...)
		}
	}
	return e, setFull(&e, s, c)
}

// flatten makes the blocks of the down-sampled picture grey that nothing is read of, which then cost some bits.
func flatten(rest *image.NRGBA, e Exemplar, n int) {
	const side = 8 // of a JPEG's block
	for by := 0; by < rest.Rect.Dy(); by += side {
		for bx := 0; bx < rest.Rect.Dx(); bx += side {
			block := image.Rect(bx, by, bx+side, by+side).Intersect(rest.Rect)
			if !covered(e, block, n) {
				continue
			}
			for y := block.Min.Y; y < block.Max.Y; y++ {
				for x := block.Min.X; x < block.Max.X; x++ {
					copy(rest.Pix[rest.PixOffset(x, y):], []uint8{128, 128, 128})
				}
			}
		}
	}
}

// covered says whether the box has all that a part of the down-sampled picture stands for.
func covered(e Exemplar, part image.Rectangle, n int) bool {
	full := image.Rectangle{part.Min.Mul(n), part.Max.Mul(n)}.Intersect(image.Rect(0, 0, e.GridW*e.PatchPx, e.GridH*e.PatchPx))
	return full.In(image.Rect(e.Box.X, e.Box.Y, e.Box.X+e.Box.W, e.Box.Y+e.Box.H))
}

// smallRect is the down-sampled picture.
func smallRect(e Exemplar, n int) image.Rectangle {
	return image.Rect(0, 0, (e.GridW*e.PatchPx+n-1)/n, (e.GridH*e.PatchPx+n-1)/n)
}

// cells yields the pixels of the down-sampled picture that the box does not cover whole, in raster order.
func cells(e Exemplar, n int) iter.Seq[image.Point] {
	return func(yield func(image.Point) bool) {
		r := smallRect(e, n)
		for y := range r.Dy() {
			for x := range r.Dx() {
				if !covered(e, image.Rect(x, y, x+1, y+1), n) && !yield(image.Pt(x, y)) {
					return
				}
			}
		}
	}
}

// uncovered counts the cells; 0 of a ratio that cannot be.
func uncovered(e Exemplar) int {
	n, err := step(e.Ratio)
	if err != nil {
		return 0
	}
	within := func(at, length, side int) int { // cells of one direction that the box has whole; the last one may be smaller
		first, end := (at+n-1)/n, (at+length)/n
		if at+length == side {
			end = (side + n - 1) / n
		}
		return max(0, end-first)
	}
	small := smallRect(e, n)
	return small.Dx()*small.Dy() - within(e.Box.X, e.Box.W, e.GridW*e.PatchPx)*within(e.Box.Y, e.Box.H, e.GridH*e.PatchPx)
}

func checkBox(e Exemplar) error {
	b := *e.Box
	if b.X < 0 || b.Y < 0 || b.W < 1 || b.H < 1 || b.X+b.W > e.GridW*e.PatchPx || b.Y+b.H > e.GridH*e.PatchPx {
		return fmt.Errorf("a box of %d by %d pixels at %d, %d is not in a picture of %d by %d", b.W, b.H, b.X, b.Y, e.GridW*e.PatchPx, e.GridH*e.PatchPx)
	}
	return nil
}

// decodeBox puts the picture together: the rest up-sampled, what is in the box over it.
func decodeBox(e Exemplar, c Codec) ([]uint8, error) {
	n, err := step(e.Ratio)
	if err == nil {
		err = checkBox(e)
	}
	if err != nil {
		return nil, err
	}
	img := image.NewNRGBA(image.Rect(0, 0, e.GridW*e.PatchPx, e.GridH*e.PatchPx))
	small := smallRect(e, n)
	var part, rest *image.NRGBA
	if c.jpeg() {
		if part, err = picture.DecodeScan(e.Pixels, e.Box.W, e.Box.H, c.Quality); err != nil {
			return nil, fmt.Errorf("box: %w", err)
		}
		if rest = image.NewNRGBA(small); uncovered(e) > 0 { // else nothing is read of it, and nothing is stored
			if rest, err = picture.DecodeScan(e.Rest, small.Dx(), small.Dy(), c.Quality); err != nil {
				return nil, fmt.Errorf("rest: %w", err)
			}
		}
	} else {
		if len(e.Pixels) != 3*e.Box.W*e.Box.H || len(e.Rest) != 3*uncovered(e) {
			return nil, errors.New("box and rest are not of the sizes that they should have")
		}
		part, rest = image.NewNRGBA(image.Rect(0, 0, e.Box.W, e.Box.H)), image.NewNRGBA(small)
		for i := range e.Box.W * e.Box.H {
			copy(part.Pix[4*i:], e.Pixels[3*i:3*i+3])
		}
		at := 0
		for p := range cells(e, n) {
			copy(rest.Pix[rest.PixOffset(p.X, p.Y):], e.Rest[at:at+3])
			at += 3
		}
	}
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			copy(img.Pix[img.PixOffset(x, y):][:4], rest.Pix[rest.PixOffset(x/n, y/n):])
		}
	}
	for y := range e.Box.H {
		copy(img.Pix[img.PixOffset(e.Box.X, e.Box.Y+y):], part.Pix[y*part.Stride:(y+1)*part.Stride])
	}
	return cut(img, e.PatchPx), nil
}
