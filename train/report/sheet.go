package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"slices"
	"strconv"
	"strings"

	xdraw "golang.org/x/image/draw"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/report/scene"
)

const (
	sheetWidth = 960.0 // px
	sheetCell  = 168.0 // px, the width of a picture
	sheetGap   = 10.0
	sheetFew   = 4 // exemplars of a method
	sheetDots  = 2 // pixels of a picture to a px
)

// sheetFigure draws the gallery as one picture: a line an exemplar, with the picture, the attention over it, what is kept, and
// the caption.
func sheetFigure(albums []album) (*scene.Scene, error) {
	s := scene.New(sheetWidth, 0)
	s.Title = "Exemplars as they are kept"
	y := 16.0
	var said []string
	for _, a := range albums {
		s.Mark(a.Colour, 6, y-5, 5, scene.Series(a.Colour), "")
		s.Text(18, y, s.Clip(a.Label+", seed "+strconv.FormatUint(a.Seed, 10), sheetWidth-20, scene.Font{Size: 14, Bold: true}), scene.Font{Size: 14, Bold: true, Colour: scene.Ink})
		y += 10
		for i, e := range a.kept[:min(len(a.kept), sheetFew)] {
			pictures, err := sheetPictures(e)
			if err != nil {
				return nil, fmt.Errorf("exemplar %s: %w", e.ID, err)
			}
			x, height := 0.0, 0.0
			for _, p := range pictures {
				h := sheetCell * float64(p.img.Bounds().Dy()) / float64(p.img.Bounds().Dx())
				s.Text(x, y+12, p.title, scene.Font{Size: 11})
				s.Picture(x, y+18, sheetCell, h, p.img, "image/jpeg", p.jpeg)
				x, height = x+sheetCell+sheetGap, max(height, h)
			}
			shown := a.Exemplars[i]
			s.Text(x, y+12, s.Clip(shown.ClassName+", phase "+strconv.Itoa(shown.Phase), sheetWidth-x, scene.Font{Bold: true}), scene.Font{Bold: true, Colour: scene.Ink})
			low := sheetCaption(s, x, y+30, sheetWidth-x, shown.Words, shown.Whole)
			s.Text(x, low+2, s.Clip(shown.Stored, sheetWidth-x, scene.Font{Size: 11}), scene.Font{Size: 11})
			y = max(y+18+height, low+4) + 16
			said = append(said, shown.Describe)
		}
		y += 22
	}
	s.H = y - 34
	s.Alt = strings.Join(said, "; ") + "."
	return s, nil
}

// sheetPicture is a cell of the sheet.
type sheetPicture struct {
	title string
	img   image.Image
	jpeg  []byte // the same
}

// sheetPictures draws what there is to see of an exemplar, each as wide as the others.
func sheetPictures(e schemas.GalleryExemplar) (out []sheetPicture, err error) {
	add := func(title string, img image.Image) {
		var b bytes.Buffer
		if err == nil {
			err = jpeg.Encode(&b, img, &jpeg.Options{Quality: jpegInPage})
		}
		out = append(out, sheetPicture{title, img, b.Bytes()})
	}
	whole, err := png.Decode(bytes.NewReader(e.PicturePNG))
	if err != nil {
		return nil, err
	}
	picture := image.NewRGBA(image.Rect(0, 0, sheetCell*sheetDots, int(sheetCell*sheetDots*float64(e.GridH)/float64(e.GridW))))
	draw.Draw(picture, picture.Bounds(), image.White, image.Point{}, draw.Src)
	xdraw.CatmullRom.Scale(picture, picture.Bounds(), whole, whole.Bounds(), draw.Over, nil)
	box := func(on *image.RGBA) *image.RGBA {
		if b := e.Box; b != nil {
			w, h := e.GridW*e.PatchPx, e.GridH*e.PatchPx
			frame(on, image.Rect(b.X*on.Rect.Dx()/w, b.Y*on.Rect.Dy()/h, (b.X+b.W)*on.Rect.Dx()/w, (b.Y+b.H)*on.Rect.Dy()/h))
		}
		return on
	}
	if e.Box != nil {
		boxed := image.NewRGBA(picture.Bounds())
		draw.Draw(boxed, boxed.Bounds(), picture, image.Point{}, draw.Src)
		add("picture, box", box(boxed))
	} else {
		add("picture", picture)
	}
	patch := func(i int) image.Rectangle {
		w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
		x, y := i%e.GridW, i/e.GridW
		return image.Rect(x*w/e.GridW, y*h/e.GridH, (x+1)*w/e.GridW, (y+1)*h/e.GridH)
	}
	if slices.ContainsFunc(e.Attention, func(a float32) bool { return a > 0 }) {
		seen := image.NewRGBA(picture.Bounds())
		draw.Draw(seen, seen.Bounds(), grey(picture), image.Point{}, draw.Src)
		var mean float64
		for _, a := range e.Attention {
			mean += float64(a) / float64(len(e.Attention))
		}
		for i, a := range e.Attention {
			v := colourAt(viridis(), float64(rampLevel(float64(a), mean))/(levels-1))
			over := color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 184}
			draw.Draw(seen, patch(i), image.NewUniform(over), image.Point{}, draw.Over)
		}
		add("attention", box(seen))
	}
	switch {
	case len(e.ReplayPNG) > 0:
		whole, err := png.Decode(bytes.NewReader(e.ReplayPNG))
		if err != nil {
			return nil, err
		}
		replayed := image.NewRGBA(picture.Bounds())
		xdraw.CatmullRom.Scale(replayed, replayed.Bounds(), whole, whole.Bounds(), draw.Over, nil)
		title := "replayed"
		if e.Quality > 0 {
			title += ", JPEG quality " + strconv.Itoa(e.Quality)
		}
		add(title, replayed)
	case slices.Contains(e.KeptPatch, false):
		kept := image.NewRGBA(picture.Bounds())
		draw.Draw(kept, kept.Bounds(), picture, image.Point{}, draw.Src)
		for i, k := range e.KeptPatch {
			if !k {
				draw.Draw(kept, patch(i), image.Black, image.Point{}, draw.Src)
			}
		}
		add("kept", kept)
	}
	return out, err
}

// frame draws the border of a rectangle, light on dark so that it shows on anything.
func frame(on *image.RGBA, r image.Rectangle) {
	for _, c := range []*image.Uniform{image.Black, image.White, image.White, image.Black} {
		for _, side := range []image.Rectangle{
			image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+1), image.Rect(r.Min.X, r.Max.Y-1, r.Max.X, r.Max.Y),
			image.Rect(r.Min.X, r.Min.Y, r.Min.X+1, r.Max.Y), image.Rect(r.Max.X-1, r.Min.Y, r.Max.X, r.Max.Y),
		} {
			draw.Draw(on, side, c, image.Point{}, draw.Src)
		}
		r = r.Inset(1)
	}
}

// grey is a picture without its colours.
func grey(p *image.RGBA) *image.Gray {
	g := image.NewGray(p.Bounds())
	draw.Draw(g, g.Bounds(), p, image.Point{}, draw.Src)
	return g
}

// sheetCaption writes a caption in lines of a width, and returns the y below it. Kept words are dark and underlined, and the
// more attention a word has, the deeper is what is behind it. Where the whole caption was kept, nothing is marked.
func sheetCaption(s *scene.Scene, left, y, width float64, parts []words, whole bool) float64 {
	const size, pitch = 12.0, 18.0
	x, broken := left, true // whether a line may end before the next word
	for _, p := range parts {
		f := scene.Font{Size: size, Colour: scene.Soft}
		if p.Kept {
			f.Colour, f.Bold = scene.Ink, !whole
		}
		for word := range strings.SplitAfterSeq(p.Text, " ") {
			text := strings.TrimSuffix(word, " ")
			w, space := s.TextWidth(text, f), s.TextWidth(" ", f)
			if x > left && x+w > left+width && broken {
				x, y = left, y+pitch
			}
			if text != "" {
				text = s.Clip(text, width, f)
				w = s.TextWidth(text, f)
				f.Fit = w // the next word stands where this one ends, in any font
				if p.Score > 0 {
					s.Rect(x-1, y-size, w+2, size+4, scene.Paint{Fill: scene.Series(4), Opacity: 0.08 * float64(p.Score)})
				}
				if p.Kept && !whole {
					s.Line(x, y+4, x+w, y+4, scene.Paint{Stroke: scene.Series(4), Width: 1.5})
				}
				s.Text(x, y, text, f)
				x += w
			}
			if word != "" {
				broken = strings.HasSuffix(word, " ")
			}
			if broken && word != "" && x > left {
				x += space
			}
		}
	}
	return y + pitch
}
