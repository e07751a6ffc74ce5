package builtin

import "math"

// colourNames are indexed by nameColour.
var colourNames = [...]string{
	"black", "dark grey", "grey", "white", "red", "orange", "brown", "yellow", "beige", "green", "turquoise", "blue", "dark blue",
	"purple", "pink",
}

const (
	black = iota
	darkGrey
	grey
	white
	red
	orange
	brown
	yellow
	beige
	green
	turquoise
	blue
	darkBlue
	purple
	pink
)

// nameColour is the index of a colour's name, by hue, chroma (the spread of R, G and B) and lightness.
func nameColour(c colour) int {
	y, cb, cr := float64(c[0]), float64(c[1])-128, float64(c[2])-128
	r, g, b := limit(y+1.402*cr), limit(y-0.344136*cb-0.714136*cr), limit(y+1.772*cb)
	most, least := max(r, g, b), min(r, g, b)
	chroma, light := most-least, (most+least)/2
	switch {
	case most < 48:
		return black
	case chroma < 24 || chroma < 0.16*most:
		switch {
		case light < 60:
			return black
		case light < 110:
			return darkGrey
		case light < 205:
			return grey
		}
		return white
	}
	switch hue := hueOf(r, g, b, most, chroma); {
	case hue < 14 || hue >= 345:
		switch {
		case light > 185:
			return pink
		case hue >= 5 && hue < 14 && most < 150:
			return brown
		}
		return red
	case hue < 42:
		switch {
		case light > 175 && chroma < 110:
			return beige
		case most < 175 || chroma < 70:
			return brown
		}
		return orange
	case hue < 68:
		switch {
		case light > 170 && chroma < 90:
			return beige
		case most < 130:
			return brown
		}
		return yellow
	case hue < 165:
		return green
	case hue < 195:
		return turquoise
	case hue < 255:
		if most < 120 {
			return darkBlue
		}
		return blue
	case hue < 300:
		return purple
	}
	return pink
}

func limit(v float64) float64 { return max(0, min(255, v)) }

// hueOf is the hexagonal hue in degrees.
func hueOf(r, g, b, most, chroma float64) float64 {
	var h float64
	switch most {
	case r:
		h = math.Mod((g-b)/chroma+6, 6)
	case g:
		h = (b-r)/chroma + 2
	default:
		h = (r-g)/chroma + 4
	}
	return 60 * h
}
