package scene

import (
	"fmt"
	"image/color"
	"strings"
)

// Colour is a colour of the palette or, from [RGB], a fixed one. The zero value draws nothing.
type Colour int32

// The colours of a page, and behind them those of series: see [Series].
const (
	None Colour = iota
	Page        // what is behind everything
	Ink         // text that counts
	Soft        // text and lines that explain
	Rule        // lines that only guide the eye
	Tint        // an area a little off the page
	series0
)

const fixedColour Colour = 1 << 24

// SeriesColours is how many colours of series there are.
const SeriesColours = 8

// Series returns the colour of a series, 0 to SeriesColours-1.
func Series(n int) Colour { return series0 + Colour(n%SeriesColours) }

// RGB is a fixed colour, the same in light and dark, such as of a colour scale.
func RGB(rgb uint32) Colour { return fixedColour | Colour(rgb&0xffffff) }

// tone is a colour of the palette: its name in style sheets, and what it is on a light and on a dark page.
type tone struct {
	name        string
	light, dark uint32
}

// palette is indexed by Colour. The series are after Okabe and Ito (Color Universal Design, 2008), each as dark, or on a dark
// page as light, as text of 12 px must be to be read: 4.5 to 1 against the page.
func palette() []tone {
	return []tone{
		None: {},
		Page: {"page", 0xffffff, 0x15171a},
		Ink:  {"ink", 0x1b1d21, 0xe8eaed},
		Soft: {"soft", 0x5b626c, 0xa2a9b3},
		Rule: {"rule", 0xd9dde3, 0x353a41},
		Tint: {"tint", 0xf4f6f8, 0x1e2125},
		// none, raw, mrdc, cim, masked, and three more
		series0:     {"m0", 0x6b7078, 0xa9aeb6},
		series0 + 1: {"m1", 0x0a5ea8, 0x62aef0},
		series0 + 2: {"m2", 0x9b2c80, 0xffb0d8},
		series0 + 3: {"m3", 0xb34a00, 0xff9d4d},
		series0 + 4: {"m4", 0x007a5c, 0x3fd0a4},
		series0 + 5: {"m5", 0x7a6300, 0xe0c94a},
		series0 + 6: {"m6", 0x00758f, 0x6fd6ee},
		series0 + 7: {"m7", 0x5a3fa0, 0xb9a6f5},
	}
}

// light is the colour on a light page.
func (c Colour) light() uint32 {
	if c&fixedColour != 0 {
		return uint32(c &^ fixedColour)
	}
	return palette()[c].light
}

func (c Colour) hex() string { return fmt.Sprintf("#%06x", c.light()) }

// name is the colour's name in style sheets; empty for a fixed one, which no scheme changes.
func (c Colour) name() string {
	if c == None || c&fixedColour != 0 {
		return ""
	}
	return palette()[c].name
}

func (c Colour) nrgba(opacity float64) color.NRGBA {
	v := c.light()
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), uint8(opacity*255 + 0.5)}
}

// Style is the style sheet of a page with scenes on it: the palette as variables --page, --ink, --soft, --rule, --tint and
// --m0 to --m7 for a light page, a dark one and paper, and the classes that [Scene.Inline] uses.
func Style() string {
	var b strings.Builder
	variables := func(indent string, dark bool) {
		for _, t := range palette()[1:] {
			v := t.light
			if dark {
				v = t.dark
			}
			fmt.Fprintf(&b, "%s--%s: #%06x;\n", indent, t.name, v)
		}
	}
	b.WriteString(":root {\n  color-scheme: light dark;\n")
	variables("  ", false)
	b.WriteString("}\n@media (prefers-color-scheme: dark) {\n  :root {\n")
	variables("    ", true)
	b.WriteString("  }\n}\n@media print {\n  :root {\n    color-scheme: light;\n")
	variables("    ", false)
	b.WriteString("  }\n}\n")
	for _, t := range palette()[1:] {
		fmt.Fprintf(&b, ".f-%[1]s { fill: var(--%[1]s); } .s-%[1]s { stroke: var(--%[1]s); }\n", t.name)
	}
	return b.String()
}

// darkStyle is the style sheet of an SVG of its own, whose attributes hold the light colours.
func darkStyle() string {
	var b strings.Builder
	b.WriteString("@media (prefers-color-scheme: dark) {\n")
	for _, t := range palette()[1:] {
		fmt.Fprintf(&b, ".f-%s { fill: #%06x; } .s-%s { stroke: #%06x; }\n", t.name, t.dark, t.name, t.dark)
	}
	b.WriteString("}\n")
	return b.String()
}
