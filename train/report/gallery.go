package report

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcil/mcil/schemas"
)

const (
	levels     = 16   // colours of the attention ramp, four for each multiple of the mean
	maxSidePx  = 4096 // of a picture in a gallery; larger ones are taken for damage
	keepPNG    = 64 << 10
	jpegInPage = 90 // quality; the picture is only looked at
)

// checkExemplar returns an error unless the parts of e fit together and its picture opens.
func checkExemplar(e schemas.GalleryExemplar) error {
	if e.PatchPx < 1 || e.GridW < 1 || e.GridH < 1 || e.PatchPx > maxSidePx || e.GridW > maxSidePx/e.PatchPx || e.GridH > maxSidePx/e.PatchPx {
		return fmt.Errorf("a grid of %d by %d patches of %d pixels is not a picture", e.GridW, e.GridH, e.PatchPx)
	}
	// What is not masked may come without a map and without flags.
	whole := e.Kind != "" && e.Kind != "masked"
	if n := e.GridW * e.GridH; len(e.Attention) != n && !(whole && len(e.Attention) == 0) || len(e.KeptPatch) != n && !(whole && len(e.KeptPatch) == 0) {
		return fmt.Errorf("%d attention values and %d kept flags for %d patches", len(e.Attention), len(e.KeptPatch), n)
	}
	for _, a := range e.Attention {
		if a < 0 || math.IsNaN(float64(a)) || math.IsInf(float64(a), 0) {
			return fmt.Errorf("attention holds %g", a)
		}
	}
	w, h := e.GridW*e.PatchPx, e.GridH*e.PatchPx
	for _, p := range []struct {
		name string
		png  []byte
	}{{"picture", e.PicturePNG}, {"replayed picture", e.ReplayPNG}} {
		if p.name != "picture" && len(p.png) == 0 {
			continue
		}
		c, err := png.DecodeConfig(bytes.NewReader(p.png))
		if err != nil {
			return fmt.Errorf("%s is no readable PNG: %w", p.name, err)
		}
		if c.Width != w || c.Height != h {
			return fmt.Errorf("%s is %dx%d pixels, want %dx%d for its patches", p.name, c.Width, c.Height, w, h)
		}
	}
	if b := e.Box; b != nil && (b.X < 0 || b.Y < 0 || b.W < 1 || b.H < 1 || b.W > w-b.X || b.H > h-b.Y) {
		return fmt.Errorf("box of %dx%d pixels at %d,%d is not in a picture of %dx%d", b.W, b.H, b.X, b.Y, w, h)
	}
	return nil
}

// album is the gallery of one row.
type album struct {
	Label     string
	Seed      uint64
	Colour    int
	More      int // exemplars that were saved and are not shown
	Exemplars []exemplar

	kept []schemas.GalleryExemplar // parallel to the exemplars
}

// exemplar is one masked exemplar as the page draws it. Coordinates are in pixels of the picture.
type exemplar struct {
	ID, ClassName string
	Phase         int // from 1
	Name          string
	W, H          int
	Picture       template.URL
	Replay        template.URL // as it is replayed, where that is another picture than Discarded makes of it
	Ramp          []layer      // the patches of each colour of the ramp; none without attention
	Outline       string       // border between kept and discarded patches
	Discarded     string       // empty where nothing is
	Box           *schemas.GalleryBox
	Words         []words
	Whole         bool   // every word was kept: nothing to mark
	Stored        string // bytes, and those of the whole
	Numbers       []fact
	Exceptions    int // patches whose flag is not "above the mean"
	Describe      string
}

// layer is the area of the patches that have one colour of the ramp.
type layer struct {
	Level int
	Area  string
}

// words is a stretch of a caption that was kept, or dropped, as a whole, and has one colour.
type words struct {
	Text  string
	Kept  bool
	Score int // 0 to scoreLevels-1: how much attention, against the caption's mean; 0 where it is not known
}

// fact is a line of a small list.
type fact struct{ Name, Value string }

// newExemplar prepares e. name is unique on the page.
func newExemplar(e schemas.GalleryExemplar, name string) (exemplar, error) {
	if err := checkExemplar(e); err != nil {
		return exemplar{}, err
	}
	picture, err := pictureURL(e.PicturePNG)
	if err != nil {
		return exemplar{}, fmt.Errorf("picture is no readable PNG: %w", err)
	}
	var mean float64
	for _, a := range e.Attention {
		mean += float64(a) / float64(len(e.Attention))
	}
	x := exemplar{
		ID: e.ID, ClassName: e.ClassName, Phase: e.Phase + 1, Name: name,
		W: e.GridW * e.PatchPx, H: e.GridH * e.PatchPx, Picture: picture, Box: e.Box,
		Words: join(e.Tokens), Stored: byteText(float64(e.StoredBytes)) + " instead of " + byteText(float64(e.FullBytes)) + ratio(e.StoredBytes, e.FullBytes),
	}
	if len(e.ReplayPNG) > 0 {
		if x.Replay, err = pictureURL(e.ReplayPNG); err != nil {
			return exemplar{}, fmt.Errorf("replayed picture is no readable PNG: %w", err)
		}
	}
	if x.ClassName == "" {
		x.ClassName = e.WNID
	}
	masked := e.Kind == "" || e.Kind == "masked"
	if masked || mean > 0 {
		level := make([]int, len(e.Attention))
		for i, a := range e.Attention {
			level[i] = rampLevel(float64(a), mean)
		}
		for l := range levels {
			if a := area(e, func(i int) bool { return level[i] == l }); a != "" {
				x.Ramp = append(x.Ramp, layer{l, a})
			}
		}
	}
	patches, pieces := 0, 0
	for i, kept := range e.KeptPatch {
		if kept {
			patches++
		}
		if masked && kept != (float64(e.Attention[i]) > mean) {
			x.Exceptions++
		}
	}
	if len(e.KeptPatch) > 0 {
		x.Discarded = area(e, func(i int) bool { return !e.KeptPatch[i] })
		x.Outline = outline(e)
	}
	for _, t := range e.Tokens {
		if t.Kept {
			pieces++
		}
	}
	x.Whole = pieces == len(e.Tokens)
	x.Describe = x.ClassName + ", as it is replayed"
	if masked {
		x.Numbers = append(x.Numbers, fact{"patches kept", share(patches, len(e.KeptPatch))})
		x.Describe = fmt.Sprintf("%s: %d of %d patches kept", x.ClassName, patches, len(e.KeptPatch))
	}
	if b := e.Box; b != nil {
		x.Numbers = append(x.Numbers, fact{"at full resolution", fmt.Sprintf("%d × %d px", b.W, b.H) + ratio(b.W*b.H, x.W*x.H)})
	}
	if e.Quality > 0 {
		x.Numbers = append(x.Numbers, fact{"JPEG quality", strconv.Itoa(e.Quality)})
	}
	x.Numbers = append(x.Numbers, fact{"word pieces kept", share(pieces, len(e.Tokens))}, fact{"stored", x.Stored})
	if x.Ramp != nil {
		text := "attention, mean"
		if masked && x.Exceptions == 0 {
			text = "attention, mean = threshold"
		}
		x.Numbers = append(x.Numbers, fact{text, strconv.FormatFloat(mean, 'g', 3, 64)})
	}
	return x, nil
}

// rampLevel is the colour of attention a: 0 at nothing, levels/4 at the mean, the last from four times the mean on.
// The scale is tied to the mean, for it is the threshold: the same colour means kept in every map.
func rampLevel(a, mean float64) int {
	if mean <= 0 {
		return 0
	}
	return int(min(a/mean*levels/4, levels-1))
}

func share(n, of int) string {
	return fmt.Sprintf("%d of %d", n, of) + ratio(n, of)
}

func ratio(n, of int) string {
	if of == 0 {
		return ""
	}
	return " (" + fixed(100*float64(n)/float64(of), 0) + " %)"
}

// area returns an SVG path over the patches that are in. Neighbours in a line are one rectangle, so that no seam shows.
func area(e schemas.GalleryExemplar, in func(i int) bool) string {
	var b strings.Builder
	p := e.PatchPx
	for y := range e.GridH {
		for x := 0; x < e.GridW; x++ {
			from := x
			for x < e.GridW && in(y*e.GridW+x) {
				x++
			}
			if n := x - from; n > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv%dh-%dz", from*p, y*p, n*p, p, n*p)
			}
		}
	}
	return b.String()
}

// outline returns an SVG path along every edge between a kept and a discarded patch.
func outline(e schemas.GalleryExemplar) string {
	var b strings.Builder
	p := e.PatchPx
	for y := range e.GridH {
		for x := range e.GridW {
			i := y*e.GridW + x
			if x+1 < e.GridW && e.KeptPatch[i] != e.KeptPatch[i+1] {
				fmt.Fprintf(&b, "M%d %dv%d", (x+1)*p, y*p, p)
			}
			if y+1 < e.GridH && e.KeptPatch[i] != e.KeptPatch[i+e.GridW] {
				fmt.Fprintf(&b, "M%d %dh%d", x*p, (y+1)*p, p)
			}
		}
	}
	return b.String()
}

// join sets word pieces as text. A piece that continues a word follows without a space, and so does punctuation.
func join(tokens []schemas.GalleryToken) []words {
	var out []words
	mean := meanScore(tokens)
	open := true // whether the next piece follows without a space
	for _, t := range tokens {
		piece, glued := strings.CutPrefix(t.Text, "##")
		text := piece
		if !glued && !open && !mark(piece, ".,;:!?)]}'’%-") {
			text = " " + text
		}
		// WordPiece splits off every mark, so that "white-haired" and "it's" are three pieces.
		open = mark(piece, "([{'’-")
		level := scoreLevel(float64(t.Score), mean)
		n := len(out)
		if n > 0 && out[n-1].Kept == t.Kept && out[n-1].Score == level {
			out[n-1].Text += text
			continue
		}
		// The space between a kept and a dropped word belongs to neither; it goes with the dropped one.
		if n > 0 && t.Kept && !out[n-1].Kept && strings.HasPrefix(text, " ") {
			out[n-1].Text += " "
			text = text[1:]
		}
		out = append(out, words{text, t.Kept, level})
	}
	return out
}

// scoreLevels is the number of colours behind words.
const scoreLevels = 5

// meanScore is the mean attention that the pieces of a caption have.
func meanScore(tokens []schemas.GalleryToken) (mean float64) {
	for _, t := range tokens {
		mean += float64(t.Score) / float64(len(tokens))
	}
	return mean
}

// scoreLevel is 2 from the mean on, 4 from three times the mean on, 1 from half of it on.
func scoreLevel(score, mean float64) int {
	switch r := score / mean; {
	case !(mean > 0) || !(r >= 0.5):
		return 0
	case r < 1-1e-6: // scores that are all alike are all at the mean
		return 1
	case r < 2:
		return 2
	case r < 3:
		return 3
	}
	return 4
}

// mark reports whether s is one of the marks.
func mark(s, marks string) bool {
	return utf8.RuneCountInString(s) == 1 && strings.Contains(marks, s)
}

// pictureURL returns the picture as a data URL. A PNG that is large and opaque goes in as JPEG where that is smaller.
func pictureURL(b []byte) (template.URL, error) {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	kind := "image/png"
	if len(b) > keepPNG {
		flat := image.NewRGBA(img.Bounds())
		draw.Draw(flat, flat.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(flat, flat.Bounds(), img, img.Bounds().Min, draw.Over)
		var j bytes.Buffer
		if err := jpeg.Encode(&j, flat, &jpeg.Options{Quality: jpegInPage}); err != nil {
			return "", err
		}
		if j.Len() < len(b) {
			kind, b = "image/jpeg", j.Bytes()
		}
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b)), nil
}

// albums returns for each row the gallery of its first seed that has one.
func albums(groups [][]Run, names []string, colour []int, o Options) ([]album, error) {
	if o.GalleryPerMethod < 0 {
		return nil, nil
	}
	var out []album
	for i, g := range groups {
		for _, r := range g {
			if r.Gallery == nil || len(r.Gallery.Exemplars) == 0 {
				continue
			}
			all := r.Gallery.Exemplars
			shown := all[:min(len(all), o.GalleryPerMethod)]
			a := album{Label: names[i], Seed: r.Report.Seed, Colour: colour[i], More: len(all) - len(shown), kept: shown}
			var errs []error
			for j, e := range shown {
				x, err := newExemplar(e, fmt.Sprintf("x%d-%d", i, j))
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: gallery: exemplar %d (%s): %w", r.Dir, j, e.ID, err))
				}
				a.Exemplars = append(a.Exemplars, x)
			}
			if err := errors.Join(errs...); err != nil {
				return nil, err
			}
			out = append(out, a)
			break
		}
	}
	return out, nil
}
