package builtin

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// workingSide is the longer side, in cells, of the grid on which regions are measured.
const workingSide = 96

// grid is a picture averaged over cells, and its luma at full size. Colours are JFIF's Y, Cb, Cr in [0,255].
type grid struct {
	w, h      int
	y, cb, cr []float32 // [h*w]

	luma   []uint8 // [full.Y][stride]
	stride int
	full   image.Point // size in pixels
	hash   uint64      // of the luma
}

// newGrid averages img, laid on white where it is transparent.
func newGrid(img image.Image) *grid {
	size := img.Bounds().Size()
	g := &grid{full: size}
	scale := min(1, workingSide/float64(max(size.X, size.Y)))
	g.w = max(1, int(math.Round(float64(size.X)*scale)))
	g.h = max(1, int(math.Round(float64(size.Y)*scale)))
	ycc, ok := img.(*image.YCbCr)
	if !ok {
		ycc = toYCbCr(img)
	}
	r := ycc.Rect
	g.luma, g.stride = ycc.Y[ycc.YOffset(r.Min.X, r.Min.Y):], ycc.YStride
	cOffset := ycc.COffset(r.Min.X, r.Min.Y)
	cx, cy := chromaSize(ycc)
	g.y = average(g.luma, g.stride, size.X, size.Y, g.w, g.h)
	g.cb = average(ycc.Cb[cOffset:], ycc.CStride, cx, cy, g.w, g.h)
	g.cr = average(ycc.Cr[cOffset:], ycc.CStride, cx, cy, g.w, g.h)
	g.hash = g.digest()
	return g
}

// chromaSize is the size of the chroma planes that cover ycc.Rect.
func chromaSize(p *image.YCbCr) (w, h int) {
	r := p.Rect
	last := p.COffset(r.Max.X-1, r.Max.Y-1) - p.COffset(r.Min.X, r.Min.Y)
	return last%p.CStride + 1, last/p.CStride + 1
}

func toYCbCr(img image.Image) *image.YCbCr {
	b := img.Bounds()
	rgba := image.NewRGBA(image.Rectangle{Max: b.Size()})
	draw.Draw(rgba, rgba.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(rgba, rgba.Rect, img, b.Min, draw.Over)
	out := image.NewYCbCr(rgba.Rect, image.YCbCrSubsampleRatio444)
	for y := range b.Dy() {
		for x := range b.Dx() {
			p, i := rgba.Pix[y*rgba.Stride+4*x:], y*out.YStride+x
			out.Y[i], out.Cb[i], out.Cr[i] = color.RGBToYCbCr(p[0], p[1], p[2])
		}
	}
	return out
}

// average is the mean of a plane of w by h over cw by ch cells.
func average(plane []uint8, stride, w, h, cw, ch int) []float32 {
	column, width := spans(w, cw)
	row, height := spans(h, ch)
	sums := make([]int32, cw*ch)
	for y := range h {
		line, to := plane[y*stride:][:w], sums[int(row[y])*cw:][:cw]
		for x, v := range line {
			to[column[x]] += int32(v)
		}
	}
	out := make([]float32, cw*ch)
	for i, s := range sums {
		n := width[i%cw] * height[i/cw]
		if n == 0 { // fewer samples than cells: take the nearest one
			x, y := i%cw*w/cw, i/cw*h/ch
			out[i] = float32(plane[y*stride+x])
			continue
		}
		out[i] = float32(s) / float32(n)
	}
	return out
}

// spans gives every one of n samples its cell of m, and every cell its number of samples.
func spans(n, m int) (cell []int32, count []int32) {
	cell, count = make([]int32, n), make([]int32, m)
	for i := range cell {
		cell[i] = int32(i * m / n)
		count[cell[i]]++
	}
	return cell, count
}

// digest is FNV-1a over a coarse rendering of the luma: it picks synonyms, so that like pictures read alike.
func (g *grid) digest() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := 0; i < len(g.y); i += 7 {
		h = (h ^ uint64(g.y[i]/16)) * prime
	}
	return h ^ h>>29
}

// colour is one cell's Y, Cb, Cr.
type colour [3]float32

func (g *grid) at(i int) colour { return colour{g.y[i], g.cb[i], g.cr[i]} }

// distance weighs chroma up: JFIF scales it down.
func (c colour) distance(d colour) float32 {
	y, cb, cr := c[0]-d[0], c[1]-d[1], c[2]-d[2]
	return float32(math.Sqrt(float64(y*y + 2*(cb*cb+cr*cr))))
}
