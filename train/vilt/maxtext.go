package vilt

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Bounds of [Weights.WithMaxText]: [CLS], a piece and [SEP]; and what attention over all pairs of rows can still do.
const (
	LeastMaxText = 3
	MostMaxText  = 4096
)

const textPositions = "embeddings.text_embeddings.position_embeddings.weight"

// WithMaxText is w for texts of up to n tokens. A longer table of text positions is drawn from the old one as missing-aware
// prompts (Lee et al., CVPR 2023) do on ViLT: torch's interpolate(mode="bilinear", align_corners=False) along the positions,
// so every token sits elsewhere than before. A shorter one is the first n rows as they are: captions are cut, positions
// stay. All other tensors are shared with w.
func (w *Weights) WithMaxText(n int) (*Weights, error) {
	if n < LeastMaxText || n > MostMaxText {
		return nil, fmt.Errorf("text positions: %d: must be between %d and %d", n, LeastMaxText, MostMaxText)
	}
	old := w.get(textPositions)
	resized := newTensor(textPositions, n, w.Config.Width)
	if n <= w.Config.MaxText {
		copy(resized.Data, old.Data)
	} else {
		stretch(resized.Data, old.Data, w.Config.Width)
	}
	c := w.Config
	c.MaxText = n
	return w.with(c, resized), nil
}

// with is w of shape c, with some tensors in the place of those of the same name.
func (w *Weights) with(c Config, changed ...*Tensor) *Weights {
	out := &Weights{Config: c, tensors: slices.Clone(w.tensors), byName: maps.Clone(w.byName)}
	for _, t := range changed {
		out.byName[t.Name] = t
	}
	for i, t := range out.tensors {
		out.tensors[i] = out.byName[t.Name]
	}
	return out
}

// stretch resizes rows of d columns. Row i of n lies at (i+0.5)·L/n - 0.5 of the L old ones, not before the first. The order
// of float32 operations is that of torch's general kernel on a CPU with fused multiply-add, which is the one that it takes
// where n+d is above 128; a smaller table may differ by a rounding.
func stretch(dst, src []float32, d int) {
	rows, n := len(src)/d, len(dst)/d
	scale := float32(rows) / float32(n)
	for i := range n {
		at := max(0, float32(scale*(float32(i)+0.5))-0.5)
		lo := min(int(at), rows-1)
		hi := min(lo+1, rows-1)
		share := min(max(at-float32(lo), 0), 1)
		a, b := src[lo*d:(lo+1)*d], src[hi*d:(hi+1)*d]
		for c := range d {
			far := float32(share * b[c])
			dst[i*d+c] = float32(math.FMA(float64(1-share), float64(a[c]), float64(far)))
		}
	}
}
