package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// The two ramps are anchors of published perceptual ones, joined by straight lines in sRGB: lightness grows (or falls)
// evenly along both, so they keep their order for colour-blind readers and in grey print.

// viridis is Smith and van der Walt's, for the attention laid over a grey picture.
func viridis() []uint32 {
	return []uint32{0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725}
}

// blues runs from almost white to dark blue (after ColorBrewer's Blues), for accuracies in a table on white.
func blues() []uint32 {
	return []uint32{0xf7fbff, 0xdeebf7, 0xc6dbef, 0x9ecae1, 0x6baed6, 0x4292c6, 0x2171b5, 0x08519c, 0x08306b}
}

// night runs from the dark page to light blue, for the same table on a dark page.
func night() []uint32 {
	return []uint32{0x1b2028, 0x1c2f45, 0x1d4063, 0x205484, 0x2a6aa3, 0x4184bf, 0x64a0d6, 0x90bdea, 0xc3dcf8}
}

// colourAt returns the colour of v in [0,1] on a ramp.
func colourAt(ramp []uint32, v float64) uint32 {
	at := min(max(v, 0), 1) * float64(len(ramp)-1)
	i := min(int(at), len(ramp)-2)
	f := at - float64(i)
	var out uint32
	for shift := 0; shift <= 16; shift += 8 {
		a, b := float64(ramp[i]>>shift&0xff), float64(ramp[i+1]>>shift&0xff)
		out |= uint32(math.Round(a+f*(b-a))) << shift
	}
	return out
}

// luminance is WCAG's relative luminance of an sRGB colour.
func luminance(c uint32) float64 {
	linear := func(v uint32) float64 {
		s := float64(v&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c>>16) + 0.7152*linear(c>>8) + 0.0722*linear(c)
}

// contrast is WCAG's contrast of two colours, from 1 to 21.
func contrast(a, b uint32) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// heatSteps is the number of colours of the accuracy matrices less one: a colour for every 5 %.
const heatSteps = 20

// rampCSS returns the classes a0…a15 (attention) and h0…h20 (accuracy), the latter for light and dark pages and paper.
func rampCSS() template.CSS {
	var b strings.Builder
	for l := range levels {
		fmt.Fprintf(&b, ".a%d { fill: #%06x; }\n", l, colourAt(viridis(), float64(l)/(levels-1)))
	}
	heat := func(indent string, ramp []uint32) {
		for i := range heatSteps + 1 {
			back := colourAt(ramp, float64(i)/heatSteps)
			ink := uint32(0xffffff)
			if contrast(0x000000, back) > contrast(ink, back) {
				ink = 0x000000
			}
			fmt.Fprintf(&b, "%s.h%d { background: #%06x; color: #%06x; }\n", indent, i, back, ink)
		}
	}
	for l := 1; l < scoreLevels; l++ {
		fmt.Fprintf(&b, ".w%d { background: color-mix(in srgb, var(--m4) %d%%, transparent); }\n", l, 8*l)
	}
	heat("", blues())
	b.WriteString("@media screen and (prefers-color-scheme: dark) {\n")
	heat("  ", night())
	b.WriteString("}\n")
	return template.CSS(b.String())
}

// heatLevel is the colour class of an accuracy.
func heatLevel(a float64) int { return int(math.Round(min(max(a, 0), 1) * heatSteps)) }
