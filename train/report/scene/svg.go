package scene

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// margin is around a scene in a file of its own; on a page it comes from around it.
const marginX, marginY = 16.0, 14.0

const family = `system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif`

// WriteSVG writes the scene as a file.
func (s *Scene) WriteSVG(w io.Writer) error {
	var b strings.Builder
	width, height := s.W+2*marginX, s.H+2*marginY
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="%s %s %s %s" width="%s" height="%s" role="img" aria-label="%s" font-family="%s">`+"\n",
		px(-marginX), px(-marginY), px(width), px(height), px(width), px(height), escape(s.label()), family)
	fmt.Fprintf(&b, "<title>%s</title>\n<desc>%s</desc>\n<style>\n%s</style>\n", escape(s.Title), escape(s.Alt), darkStyle())
	fmt.Fprintf(&b, `<rect class="f-page" fill="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", Page.hex(), px(-marginX), px(-marginY), px(width), px(height))
	s.writeItems(&b)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Inline is the scene as an element for a page that carries [Style]. class is more classes for it.
func (s *Scene) Inline(class string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="%s" viewBox="0 0 %s %s" role="img" aria-label="%s" font-family="%s">`+"\n", escape(class), px(s.W), px(s.H), escape(s.label()), family)
	s.writeItems(&b)
	b.WriteString("</svg>")
	return b.String()
}

func (s *Scene) label() string { return strings.TrimSpace(s.Title + ". " + s.Alt) }

func (s *Scene) writeItems(b *strings.Builder) {
	for _, it := range s.items {
		switch it.kind {
		case shapeItem:
			writeShape(b, it)
		case diskItem:
			fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="%s"%s`, px(it.points[0].X), px(it.points[0].Y), px(it.w), it.paint.attributes())
			closeTag(b, "circle", "", it.tip)
		case textItem:
			writeText(b, it)
		case pictureItem:
			fmt.Fprintf(b, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" href="data:%s;base64,%s"/>`+"\n", px(it.points[0].X), px(it.points[0].Y),
				px(it.w), px(it.h), escape(it.mime), base64.StdEncoding.EncodeToString(it.data))
		}
	}
}

func writeShape(b *strings.Builder, it item) {
	if len(it.points) == 0 {
		return
	}
	b.WriteString(`<path d="`)
	for i, p := range it.points {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(px(p.X) + " " + px(p.Y))
	}
	if it.closed {
		b.WriteByte('Z')
	}
	b.WriteString(`"` + it.paint.attributes())
	if !it.closed {
		b.WriteString(` stroke-linejoin="round"`)
	}
	closeTag(b, "path", "", it.tip)
}

func writeText(b *strings.Builder, it item) {
	fmt.Fprintf(b, `<text x="%s" y="%s" font-size="%s"`, px(it.points[0].X), px(it.points[0].Y), px(it.font.Size))
	switch it.font.Anchor {
	case Middle:
		b.WriteString(` text-anchor="middle"`)
	case End:
		b.WriteString(` text-anchor="end"`)
	}
	if it.font.Bold {
		b.WriteString(` font-weight="600"`)
	}
	if it.font.Fit > 0 {
		b.WriteString(` textLength="` + px(it.font.Fit) + `" lengthAdjust="spacingAndGlyphs"`)
	}
	b.WriteString(fillOf(it.font.Colour, classOf("f-", it.font.Colour)))
	closeTag(b, "text", it.text, it.tip)
}

// closeTag ends a start tag and the element, with text and tip in it.
func closeTag(b *strings.Builder, name, text, tip string) {
	if text == "" && tip == "" {
		b.WriteString("/>\n")
		return
	}
	b.WriteString(">" + escape(text))
	if tip != "" {
		b.WriteString("<title>" + escape(tip) + "</title>")
	}
	b.WriteString("</" + name + ">\n")
}

// attributes are a paint's, from class on.
func (p Paint) attributes() string {
	class := strings.TrimSpace(classOf("f-", p.Fill) + " " + classOf("s-", p.Stroke))
	s := fillOf(p.Fill, class)
	if p.Fill == None {
		s += ` fill="none"`
	} else if p.Opacity > 0 && p.Opacity < 1 {
		s += ` fill-opacity="` + px(p.Opacity) + `"`
	}
	if p.Stroke != None {
		s += ` stroke="` + p.Stroke.hex() + `"`
		if p.Width > 0 && p.Width != 1 {
			s += ` stroke-width="` + px(p.Width) + `"`
		}
		if p.Dash > 0 {
			s += ` stroke-dasharray="` + px(p.Dash) + `"`
		}
	}
	return s
}

func classOf(prefix string, c Colour) string {
	if n := c.name(); n != "" {
		return prefix + n
	}
	return ""
}

// fillOf states what an area is filled with, and the classes that override colours.
func fillOf(c Colour, class string) string {
	s := ""
	if class != "" {
		s = ` class="` + class + `"`
	}
	if c != None {
		s += ` fill="` + c.hex() + `"`
	}
	return s
}

// escape makes text safe within an element and within quotes. What XML cannot hold becomes U+FFFD.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError))))
}

// px writes a coordinate with at most two decimals.
func px(v float64) string {
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}
