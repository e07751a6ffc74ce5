package picture

import (
	"encoding/binary"
	"image"
	"image/color"
)

// gifHeader is what is needed to put the first frame where it belongs.
type gifHeader struct {
	see    bool  // one entry of the palette is transparent
	clear  uint8 // that entry
	colour color.NRGBA
}

// readGIF walks over all blocks (GIF89a, appendix A) to the trailer. Each step is up to 255 bytes, and pictures in this format
// are few and small.
func readGIF(encoded []byte) (header, error) {
	h := header{Info: Info{Format: "gif", Mode: "palette"}, settled: true}
	if len(encoded) < 13 {
		return h, refuse("not a picture that can be read: the GIF ends in its header")
	}
	h.Width, h.Height = int(binary.LittleEndian.Uint16(encoded[6:])), int(binary.LittleEndian.Uint16(encoded[8:]))
	b := encoded[13:]
	cut := func(n int) []byte { // the next n bytes; nil where they are not there
		if n > len(b) {
			b = nil
			return nil
		}
		head := b[:n]
		b = b[n:]
		return head
	}
	table := func(flags byte) []byte {
		if flags&0x80 == 0 {
			return nil
		}
		return cut(3 << (flags&7 + 1))
	}
	blocks := func() (first []byte) { // sub-blocks up to the empty one
		for n := 0; len(b) > 0; n++ {
			block := cut(1 + int(b[0]))
			if n == 0 && len(block) > 0 {
				first = block[1:]
			}
			if len(block) == 1 {
				break
			}
		}
		return first
	}
	global, frames := table(encoded[10]), 0
	for {
		mark := cut(1)
		if mark == nil {
			h.doubt = "truncated: the GIF's blocks do not lead to its end"
			return h, nil
		}
		switch mark[0] {
		case 0x3B: // trailer
			if frames == 0 {
				h.doubt = "the GIF has no frame"
			}
			return h, nil
		case 0x21: // extension
			label := cut(1)
			if control := blocks(); label != nil && label[0] == 0xF9 && len(control) >= 4 && frames == 0 {
				h.gif.see, h.gif.clear = control[0]&1 != 0, control[3]
			}
		case 0x2C: // frame
			frame := cut(9)
			if frame == nil {
				continue
			}
			colours := global
			if local := table(frame[8]); local != nil {
				colours = local
			}
			if at := 3 * int(h.gif.clear); frames == 0 && h.gif.see {
				h.Mode = "palette-alpha"
				if at+3 <= len(colours) {
					h.gif.colour = color.NRGBA{colours[at], colours[at+1], colours[at+2], 0}
				}
			}
			cut(1) // bits a code
			blocks()
			frames++
		default:
			h.doubt = "the GIF has an unknown block"
			return h, nil
		}
	}
}

// onCanvas puts the first frame on the canvas as Pillow does: what it leaves free is transparent, or the palette's first
// colour. The transparent entry gets back its colour, which Go's decoder makes black: readers that drop alpha show it.
func (g gifHeader) onCanvas(img image.Image, w, h int) image.Image {
	frame, ok := img.(*image.Paletted)
	if !ok || len(frame.Palette) == 0 {
		return img
	}
	if g.see && int(g.clear) < len(frame.Palette) {
		frame.Palette[g.clear] = g.colour
	}
	canvas := image.Rect(0, 0, w, h)
	if frame.Rect == canvas {
		return frame
	}
	whole := image.NewPaletted(canvas, frame.Palette)
	if g.see && int(g.clear) < len(frame.Palette) {
		for i := range whole.Pix {
			whole.Pix[i] = g.clear
		}
	}
	part := frame.Rect.Intersect(canvas)
	for y := part.Min.Y; y < part.Max.Y; y++ {
		from := frame.PixOffset(part.Min.X, y)
		copy(whole.Pix[whole.PixOffset(part.Min.X, y):], frame.Pix[from:from+part.Dx()])
	}
	return whole
}
