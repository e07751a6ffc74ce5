package vilt

import "fmt"

// Unpadded is the part of a padded picture that takes rows.
type Unpadded struct {
	GridH, GridW int     // the picture's own grid, in patches
	Pos          []int32 // raster index in that grid of each patch that counts, as [op.Packing.Add] takes them
	Padded       []int32 // the same patches' raster index in the grid of the padded picture
}

// FromPixelMask reads the pixel mask of a padded picture, as transformers' image processor makes it for a batch: mask is
// [height,width], true where the picture is, and patch the side of a patch in pixels.
//
// As in transformers' ViltEmbeddings patch (i,j) of the padded picture's h by w counts where the pixel at (floor(i·height/h),
// floor(j·width/w)) does, GridH is the number of such patches in the first column and GridW in the first row. Patches in
// that rectangle at the upper left may be left out. One beyond it has a position of zeros in transformers, which is no place
// in the picture: such a mask is refused.
func FromPixelMask(mask []bool, height, width, patch int) (Unpadded, error) {
	var u Unpadded
	switch {
	case height < 1 || width < 1 || len(mask)/height != width || len(mask)%height != 0:
		return u, fmt.Errorf("pixel mask: %d values are not %d by %d", len(mask), height, width)
	case patch < 1 || patch > height || patch > width:
		return u, fmt.Errorf("pixel mask: %d by %d pixels hold no patch of %d", height, width, patch)
	}
	h, w := height/patch, width/patch
	counts := func(i, j int) bool { return mask[nearest(i, h, height)*width+nearest(j, w, width)] }
	for i := range h {
		if counts(i, 0) {
			u.GridH++
		}
	}
	for j := range w {
		if counts(0, j) {
			u.GridW++
		}
	}
	if u.GridH == 0 || u.GridW == 0 {
		return Unpadded{}, fmt.Errorf("pixel mask: no picture in the first row and column: padding must be to the right and below")
	}
	for i := range h {
		for j := range w {
			switch {
			case !counts(i, j):
			case i >= u.GridH || j >= u.GridW:
				return Unpadded{}, fmt.Errorf("pixel mask: patch (%d,%d) lies beyond the %d by %d patches of the first column and row: padding must be to the right and below", i, j, u.GridH, u.GridW)
			default:
				u.Pos, u.Padded = append(u.Pos, int32(i*u.GridW+j)), append(u.Padded, int32(i*w+j))
			}
		}
	}
	return u, nil
}

// nearest is the pixel of size that index i of cells looks at, in float32 as torch's interpolate(mode="nearest") has it.
func nearest(i, cells, size int) int {
	scale := float32(size) / float32(cells)
	return min(int(float32(i)*scale), size-1)
}
