package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
)

type predictCmd struct {
	Run_      string   `arg:"" name:"run" help:"Run folder, finished or not."`
	Pairs     []string `arg:"" name:"picture caption" help:"A picture and its caption, and so on. A caption may be empty."`
	Top       int      `default:"5" help:"Classes to tell of each picture."`
	Attention string   `placeholder:"FILE.png" help:"Of one picture: write it with what the text's [CLS] attends to in red."`
	JSON      bool     `help:"Print one JSON object a picture."`
	useFlags
	threadFlag
	Workers *int `placeholder:"N" help:"Pictures decoded at a time. Default: as many as threads."`
}

func (c *predictCmd) Validate() error {
	switch {
	case len(c.Pairs)%2 != 0:
		return fmt.Errorf("%s has no caption: give pictures and captions in turn, an empty caption as ''", c.Pairs[len(c.Pairs)-1])
	case c.Top < 1:
		return fmt.Errorf("--top=%d: choose 1 or more", c.Top)
	case c.Attention != "" && len(c.Pairs) != 2:
		return errors.New("--attention is of one picture: give one")
	case c.Attention != "" && !strings.HasSuffix(c.Attention, ".png"):
		return fmt.Errorf("--attention=%s: give a name that ends in .png", c.Attention)
	case c.Workers != nil && *c.Workers < 1:
		return fmt.Errorf("--workers=%d: choose 1 or more", *c.Workers)
	}
	return errors.Join(c.useFlags.validate(), c.threadFlag.validate())
}

// prediction is what predict prints of a picture.
type prediction struct {
	Picture string  `json:"picture"`
	Caption string  `json:"caption"`
	Classes []guess `json:"classes"` // the likeliest first
}

// guess is a class with its probability.
type guess struct {
	WNID        string  `json:"wnid"`
	Name        string  `json:"name"`
	Probability float64 `json:"probability"`
}

func (c *predictCmd) Run(ctx context.Context, e *env) error {
	defer c.use()()
	workers := c.count()
	if c.Workers != nil {
		workers = *c.Workers
	}
	m, err := c.open(ctx, e, c.Run_, workers, train.PictureCache{})
	if err != nil {
		return err
	}
	defer m.Close()
	i := 0
	for p, err := range m.Predict(ctx, pairs{m, c.Pairs}, c.Attention != "") {
		if err != nil {
			return err
		}
		e.progress.done()
		out := prediction{Picture: c.Pairs[2*i], Caption: c.Pairs[2*i+1]}
		for _, k := range p.Top(c.Top) {
			out.Classes = append(out.Classes, guess{m.Classes[k].WNID, m.Classes[k].Name, p.Probabilities[k]})
		}
		if c.Attention != "" {
			if err := writeAttention(c.Attention, p, m.PatchPx()); err != nil {
				return err
			}
		}
		if err := c.print(e.stdout, out); err != nil {
			return err
		}
		i++
	}
	return nil
}

func (c *predictCmd) print(w io.Writer, p prediction) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(p)
	}
	if _, err := fmt.Fprintf(w, "%s\n", p.Picture); err != nil {
		return err
	}
	for _, g := range p.Classes {
		if _, err := fmt.Fprintf(w, "%6.2f %%  %s %s\n", 100*g.Probability, g.WNID, g.Name); err != nil {
			return err
		}
	}
	return nil
}

// pairs are pictures in files, each followed by its caption, as examples of a model.
type pairs struct {
	model *train.Model
	texts []string
}

var _ dataset.Items = pairs{}

func (p pairs) Len() int { return len(p.texts) / 2 }

func (p pairs) Sample(ctx context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	name := p.texts[2*i]
	if err := ctx.Err(); err != nil {
		return dataset.Sample{}, err
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return dataset.Sample{}, err
	}
	s, err := p.model.Encode(b, p.texts[2*i+1])
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	s.ID = dataset.ID(name)
	return s, nil
}

// writeAttention writes the picture as the model sees it, the more reddened the more a patch is attended to.
func writeAttention(path string, p train.Prediction, patchPx int) error {
	img := dataset.Picture(p.Sample, patchPx)
	least, most := slices.Min(p.Attention), slices.Max(p.Attention)
	for i, at := range p.Sample.PatchPos {
		share := float32(0.5) // all alike
		if most > least {
			share = (p.Attention[i] - least) / (most - least)
		}
		x, y := int(at)%p.Sample.GridW*patchPx, int(at)/p.Sample.GridW*patchPx
		redden(img, image.Rect(x, y, x+patchPx, y+patchPx), share)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return err
	}
	return schemas.WriteFile(path, func(w io.Writer) error { _, err := w.Write(b.Bytes()); return err })
}

// redden dims what is not attended to and lays red over what is.
func redden(img *image.NRGBA, r image.Rectangle, share float32) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			px := img.Pix[img.PixOffset(x, y):][:3]
			for c := range px {
				v := float32(px[c]) * (0.45 + 0.25*share)
				if c == 0 {
					v += 0.3 * 255 * share
				}
				px[c] = uint8(v)
			}
		}
	}
}
