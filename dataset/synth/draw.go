package synth

import (
	"fmt"
	"hash/fnv"
	"image"
	"math/rand/v2"
	"slices"
)

// Renditions are the styles that can be drawn, named as ImageNet-R's file names have them, in the order in which they
// are dealt to the pictures of a class.
func Renditions() []string {
	return []string{"cartoon", "sketch", "painting", "origami", "embroidery", "videogame", "tattoo", "graffiti", "sticker", "graphic"}
}

// drawing is the state of one picture.
type drawing struct {
	*pen
	*canvas
	pal   palette
	parts []part  // placed, in pixels, back to front
	px    float64 // a line width that suits the picture, in pixels
}

// seeded is the source of everything random in one picture.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6d63696c)) }

func newPen(r *rand.Rand) *pen { return &pen{Rand: r, m: identity()} }

// Draw makes one picture of class c in a rendition. The picture depends on the three arguments only. It fails for a
// class that is not in the Catalogue and for an unknown rendition.
func Draw(c Class, rendition string, seed uint64) (*image.NRGBA, error) {
	program := find(c.WNID)
	if program == nil {
		return nil, fmt.Errorf("synth: class %q is not in the catalogue", c.WNID)
	}
	if !slices.Contains(Renditions(), rendition) {
		return nil, fmt.Errorf("synth: unknown rendition %q: one of %v", rendition, Renditions())
	}
	r := seeded(seed)
	w, h := size(r)
	p := newPen(r)
	program(p)
	d := &drawing{
		pen:    p,
		canvas: newCanvas(w, h, r.Uint32()),
		pal:    newPalette(r),
		parts:  place(p.parts, r, w, h),
		px:     max(1.2, float64(min(w, h))*p.u(0.007, 0.014)),
	}
	switch rendition {
	case "cartoon":
		d.cartoon()
	case "sketch":
		d.sketch()
	case "painting":
		d.painting()
	case "origami":
		d.origami()
	case "embroidery":
		d.embroidery()
	case "videogame":
		d.videogame()
	case "tattoo":
		d.tattoo()
	case "graffiti":
		d.graffiti()
	case "sticker":
		d.sticker()
	case "graphic":
		d.graphic()
	}
	return d.img, nil
}

// pictureSeed makes the seed of picture n of a class and rendition. It knows nothing of how many pictures there are, so
// asking for more keeps the earlier ones.
func pictureSeed(seed uint64, wnid, rendition string, n int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%s/%d", seed, wnid, rendition, n)
	return h.Sum64()
}
