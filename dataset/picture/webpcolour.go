package picture

import "image"

// studio converts what Go's decoder makes of a lossy WebP. Its luma runs from 16 to 235 (RFC 9649 refers to BT.601), and an
// image.YCbCr would be taken for JPEG's, from 0 to 255: black would be grey. The arithmetic is libwebp's (src/dsp/yuv.h), its
// smooth enlargement of chroma included (src/dsp/upsampling.c), so colours are those that Pillow reads.
func studio(img image.Image) image.Image {
	var alpha []uint8
	alphaStride := 0
	m, ok := img.(*image.YCbCr)
	if with, is := img.(*image.NYCbCrA); is {
		m, alpha, alphaStride, ok = &with.YCbCr, with.A, with.AStride, true
	}
	if !ok || m.SubsampleRatio != image.YCbCrSubsampleRatio420 || m.Rect.Min != (image.Point{}) {
		return img
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	dst := image.NewNRGBA(m.Rect)
	halfW, halfH := (w+1)/2, (h+1)/2
	for y := range h {
		near := y / 2 * m.CStride
		far := near // the row of chroma on the other side of y
		switch {
		case y%2 == 0 && y > 0:
			far -= m.CStride
		case y%2 == 1 && y/2 < halfH-1:
			far += m.CStride
		}
		for x := range w {
			side := x / 2
			switch {
			case x%2 == 0 && x > 0:
				side--
			case x%2 == 1 && x/2 < halfW-1:
				side++
			}
			chroma := func(plane []uint8) int {
				a, c := int(plane[near+x/2]), int(plane[far+x/2])
				if side == x/2 {
					return (3*a + c + 2) >> 2
				}
				b, d := int(plane[near+side]), int(plane[far+side])
				return ((a+b+c+d+8+2*(b+c))>>3 + a) >> 1
			}
			luma := 19077 * int(m.Y[y*m.YStride+x]) >> 8
			u, v := chroma(m.Cb), chroma(m.Cr)
			at := y*dst.Stride + 4*x
			dst.Pix[at] = six(luma + 26149*v>>8 - 14234)
			dst.Pix[at+1] = six(luma - 6419*u>>8 - 13320*v>>8 + 8708)
			dst.Pix[at+2] = six(luma + 33050*u>>8 - 17685)
			dst.Pix[at+3] = 255
			if alpha != nil {
				dst.Pix[at+3] = alpha[y*alphaStride+x]
			}
		}
	}
	return dst
}

// six is a number with six bits behind the point, clipped to a byte.
func six(v int) uint8 { return uint8(min(max(v>>6, 0), 255)) }
