package scene

import (
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// fonts are the Go fonts.
type fonts struct{ regular, bold *opentype.Font }

// faceKey is a face by its size, in pixels of what it is drawn on.
type faceKey struct {
	size float64
	bold bool
}

func newFonts() fonts {
	parse := func(b []byte) *opentype.Font {
		f, err := opentype.Parse(b)
		if err != nil {
			panic("scene: a font that is part of the program: " + err.Error())
		}
		return f
	}
	return fonts{parse(goregular.TTF), parse(gobold.TTF)}
}

// face returns a face, which faces keeps.
func (f fonts) face(faces map[faceKey]font.Face, k faceKey) font.Face {
	if face := faces[k]; face != nil {
		return face
	}
	from := f.regular
	if k.bold {
		from = f.bold
	}
	face, err := opentype.NewFace(from, &opentype.FaceOptions{Size: k.size, DPI: 72})
	if err != nil {
		panic("scene: a font that is part of the program: " + err.Error())
	}
	faces[k] = face
	return face
}

// TextWidth is the width of a text in px, in the Go font.
func (s *Scene) TextWidth(text string, f Font) float64 {
	if f.Size == 0 {
		f.Size = 12
	}
	const fine = 8 // glyphs are placed by 1/64 px: measured large, the error is less
	return float64(font.MeasureString(s.fonts.face(s.faces, faceKey{f.Size * fine, f.Bold}), text)) / 64 / fine
}

// Clip shortens text until it is at most width wide, and keeps both ends: names differ at the end.
func (s *Scene) Clip(text string, width float64, f Font) string {
	if s.TextWidth(text, f) <= width {
		return text
	}
	r := []rune(text)
	for n := len(r) - 1; n > 1; n-- {
		tail := n / 2
		if short := string(r[:n-tail]) + "…" + string(r[len(r)-tail:]); s.TextWidth(short, f) <= width {
			return short
		}
	}
	return "…"
}
