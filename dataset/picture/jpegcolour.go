package picture

import (
	"encoding/binary"
	"image"
)

// rows yields the samples of one channel at the picture's full width, row by row, as libjpeg's "fancy" enlargement makes them:
// a sample of half the size lies between those of full size, so the nearer neighbour counts three times as much as the
// farther one. Rounding alternates up and down. Other ratios, and rows of one or two samples, are repeated.
type rows struct {
	*channel
	across, down int // how many samples one becomes
	buf          []uint8
}

func (r *rows) row(y int) []uint8 {
	source := func(y int) []uint8 {
		y = min(max(y, 0), r.height-1)
		return r.pix[y*r.stride : y*r.stride+r.width]
	}
	near := source(y / r.down)
	far := source(y/r.down + y%r.down*2 - 1) // for down = 2: the one above an even row, below an odd one
	switch {
	case r.across == 1 && r.down == 1:
		return near
	case r.across == 1 && r.down == 2:
		between(r.buf, near, far, y%2+1)
	case r.across == 2 && r.down == 1 && r.width > 2:
		twiceAcross(r.buf, near)
	case r.across == 2 && r.down == 2 && r.width > 2:
		twiceBoth(r.buf, near, far)
	default:
		for x, v := range near {
			for i := range r.across {
				r.buf[x*r.across+i] = v
			}
		}
	}
	return r.buf
}

func between(dst, near, far []uint8, bias int) {
	dst, far = dst[:len(near)], far[:len(near)]
	for x, v := range near {
		dst[x] = uint8((3*int(v) + int(far[x]) + bias) >> 2)
	}
}

func twiceAcross(dst, src []uint8) {
	n := len(src)
	dst = dst[:2*n]
	before, here := int(src[0]), int(src[0])
	for x, v := range src[1:] {
		after := int(v)
		dst[2*x] = uint8((3*here + before + 1) >> 2)
		dst[2*x+1] = uint8((3*here + after + 2) >> 2)
		before, here = here, after
	}
	dst[2*n-2] = uint8((3*here + before + 1) >> 2)
	dst[2*n-1] = uint8(here)
}

func twiceBoth(dst, near, far []uint8) {
	n := len(near)
	dst, far = dst[:2*n], far[:n]
	here := 3*int(near[0]) + int(far[0])
	before := here
	for x, v := range near[1:] {
		after := 3*int(v) + int(far[x+1])
		dst[2*x] = uint8((3*here + before + 8) >> 4)
		dst[2*x+1] = uint8((3*here + after + 7) >> 4)
		before, here = here, after
	}
	dst[2*n-2] = uint8((3*here + before + 8) >> 4)
	dst[2*n-1] = uint8((4*here + 7) >> 4)
}

// colours says what a JPEG's channels mean.
type colours int

const (
	grey colours = iota
	rgb
	ycc  // luma, blue and red difference (JFIF: BT.601 from 0 to 255)
	cmyk // inverted inks
	ycck // cmyk whose first three are turned into ycc
)

// paint makes a picture of the channels' samples. Only grey shares memory with them.
func paint(channels []channel, maxH, maxV, w, h int, c colours) image.Image {
	if c == grey {
		p := channels[0]
		return &image.Gray{Pix: p.pix, Stride: p.stride, Rect: image.Rect(0, 0, w, h)}
	}
	all := make([]rows, len(channels))
	for i := range channels {
		p := &channels[i]
		all[i] = rows{channel: p, across: maxH / p.h, down: maxV / p.v}
		all[i].buf = make([]uint8, p.width*all[i].across)
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		dst := img.Pix[y*img.Stride:][:4*w]
		s0, s1, s2 := all[0].row(y)[:w], all[1].row(y)[:w], all[2].row(y)[:w]
		switch c {
		case ycc, ycck:
			fromYCC(dst, s0, s1, s2)
		default:
			for x := range s0 {
				put(dst[4*x:], s0[x], s1[x], s2[x])
			}
		}
		if c == cmyk || c == ycck {
			ink(dst, all[3].row(y)[:w], c == ycck)
		}
	}
	return img
}

// fromYCC converts with 16 bits behind the point, as libjpeg does.
func fromYCC(dst, luma, blue, red []uint8) {
	blue, red = blue[:len(luma)], red[:len(luma)]
	const half = 1 << 15
	for x, l := range luma {
		y, cb, cr := int(l), int(blue[x])-128, int(red[x])-128
		r := y + (91881*cr+half)>>16           // 1.402
		g := y + (-22554*cb-46802*cr+half)>>16 // 0.34414, 0.71414
		b := y + (116130*cb+half)>>16          // 1.772
		put(dst[4*x:], clip(r), clip(g), clip(b))
	}
}

func put(dst []uint8, r, g, b uint8) {
	binary.LittleEndian.PutUint32(dst, uint32(r)|uint32(g)<<8|uint32(b)<<16|0xFF000000)
}

// ink darkens a row by black. Adobe's files hold inverted inks, and Pillow takes every file of four inks for Adobe's; what its
// convert("RGB") makes of ink c and black k is 255-k less c times that, each product rounded. The inks of YCCK are the
// inverse of what fromYCC gives (T.872, 6.5.3).
func ink(dst, black []uint8, inverse bool) {
	for x, light := range black {
		p := dst[4*x : 4*x+3]
		for i, v := range p {
			if !inverse {
				v = ^v
			}
			t := int(v)*int(light) + 128
			p[i] = clip(int(light) - (t>>8+t)>>8)
		}
	}
}
