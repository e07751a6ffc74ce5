package synth

import (
	"image"
	"image/color"
	"image/draw"

	"github.com/disintegration/imaging"
)

// ContactSheet draws one picture of every class (rows) in every rendition (columns), each fitted into a square of cell
// pixels. Classes and renditions that cannot be drawn stay white.
func ContactSheet(classes []Class, renditions []string, seed uint64, cell int) *image.NRGBA {
	out := imaging.New(max(1, cell*len(renditions)), max(1, cell*len(classes)), color.White)
	for y, c := range classes {
		for x, r := range renditions {
			img, err := Draw(c, r, pictureSeed(seed, c.WNID, r, 0))
			if err != nil {
				continue
			}
			t := imaging.Fit(img, cell-2, cell-2, imaging.Box)
			at := image.Pt(x*cell+(cell-t.Rect.Dx())/2, y*cell+(cell-t.Rect.Dy())/2)
			draw.Draw(out, t.Rect.Add(at), t, image.Point{}, draw.Src)
		}
	}
	return out
}
