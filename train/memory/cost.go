package memory

import (
	"fmt"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Cost is what an exemplar takes, counted three ways: see the package comment.
type Cost struct {
	Tokens      int   // patches and text tokens that enter a batch
	PixelBytes  int64 // pixels that are kept, three bytes each, whatever the codec
	StoredBytes int64 // pixels as stored, box, tokens and both bitmaps
}

// Unit is which of the three counts a budget binds.
type Unit string

// Units of a budget.
const (
	Stored Unit = "stored" // the default
	Pixels Unit = "pixels"
	Tokens Unit = "tokens"
)

// Units lists the units of a budget.
func Units() []Unit { return []Unit{Stored, Pixels, Tokens} }

// In is the cost in one unit.
func (c Cost) In(u Unit) int64 {
	switch u {
	case Tokens:
		return int64(c.Tokens)
	case Pixels:
		return c.PixelBytes
	case Stored, "":
		return c.StoredBytes
	}
	panic(fmt.Sprintf("memory: no unit %q", u))
}

// Plus is the sum of two costs.
func (c Cost) Plus(d Cost) Cost {
	return Cost{c.Tokens + d.Tokens, c.PixelBytes + d.PixelBytes, c.StoredBytes + d.StoredBytes}
}

// CostOf is the cost of e as stored.
func CostOf(e Exemplar) Cost {
	patches, _ := set(e.PatchBits, e.GridH*e.GridW) // 0 where the bitmap is damaged
	c := Cost{
		Tokens:      patches + len(e.Tokens),
		PixelBytes:  int64(3 * e.PatchPx * e.PatchPx * patches),
		StoredBytes: int64(len(e.Pixels)) + int64(2*len(e.Tokens)+len(e.PatchBits)+len(e.TokenBits)),
	}
	if e.Box != nil {
		c.PixelBytes = 3 * int64(e.Box.W*e.Box.H+uncovered(e))
		c.StoredBytes += int64(len(e.Rest)) + schemas.BoxBytes
	}
	return c
}

// FullCost is the cost of the same example stored whole by the run's codec.
func FullCost(e Exemplar) Cost {
	patches := e.GridH * e.GridW
	pixels := int64(3 * e.PatchPx * e.PatchPx * patches)
	c := Cost{Tokens: patches + e.TextLen, PixelBytes: pixels, StoredBytes: pixels + int64(2*e.TextLen)}
	if e.FullBytes > 0 {
		c.StoredBytes = int64(e.FullBytes)
	}
	return c
}

// WholeCost is the cost of s stored whole: what one sample of a budget in samples is worth.
func WholeCost(s dataset.Sample, patchPx int, c Codec) (Cost, error) {
	cost := Cost{Tokens: len(s.PatchPos) + len(s.Tokens), PixelBytes: int64(len(s.Pixels))}
	cost.StoredBytes = cost.PixelBytes + int64(2*len(s.Tokens))
	if c.jpeg() {
		stored, err := c.whole(s, patchPx)
		if err != nil {
			return Cost{}, fmt.Errorf("%s: %w", s.ID, err)
		}
		cost.StoredBytes = int64(len(stored) + 2*len(s.Tokens))
	}
	return cost, nil
}
