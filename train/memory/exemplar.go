package memory

import (
	"fmt"
	"math/bits"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Exemplar is an example in its stored form.
type Exemplar = schemas.Exemplar

// Encode stores s with the given mask. patchPx is the side of a patch in pixels.
func Encode(s dataset.Sample, m Mask, patchPx int) (Exemplar, error) {
	e := Exemplar{ID: string(s.ID), Label: s.Label, Codec: schemas.CodecRaw, GridH: s.GridH, GridW: s.GridW, PatchPx: patchPx, TextLen: len(s.Tokens)}
	size := 3 * patchPx * patchPx
	if m.Patches == nil {
		e.Pixels = append([]byte(nil), s.Pixels...)
	} else {
		e.PatchBits = bitmap(m.Patches)
		for i, keep := range m.Patches {
			if keep {
				e.Pixels = append(e.Pixels, s.Pixels[i*size:(i+1)*size]...)
			}
		}
	}
	if m.Tokens != nil {
		e.TokenBits = bitmap(m.Tokens)
	}
	for i, id := range s.Tokens {
		if m.Tokens != nil && !m.Tokens[i] {
			continue
		}
		if id < 0 || id > 0xffff {
			return Exemplar{}, fmt.Errorf("%s: token id %d does not fit the two bytes of an exemplar's token", s.ID, id)
		}
		e.Tokens = append(e.Tokens, uint16(id))
	}
	return e, nil
}

// Decode is the sample that replays e: only the kept patches and tokens, at their original positions.
func Decode(e Exemplar) (dataset.Sample, error) {
	if err := checkCodec(e); err != nil {
		return dataset.Sample{}, err
	}
	s := dataset.Sample{
		ID: dataset.ID(e.ID), Label: e.Label, GridH: e.GridH, GridW: e.GridW, Pixels: e.Pixels, TextLen: e.TextLen,
		PatchPos: positions(e.PatchBits, e.GridH*e.GridW), TokenPos: positions(e.TokenBits, e.TextLen),
	}
	for _, id := range e.Tokens {
		s.Tokens = append(s.Tokens, int32(id))
	}
	return s, nil
}

func checkCodec(e Exemplar) error {
	if e.Codec != schemas.CodecRaw {
		return fmt.Errorf("exemplar %s: its pixels are stored as %q, and only %q is read", e.ID, e.Codec, schemas.CodecRaw)
	}
	return nil
}

// check says whether what was read back is an exemplar: its bitmaps, pixels and tokens must be of one size.
func check(e Exemplar) error {
	if err := checkCodec(e); err != nil {
		return err
	}
	const most = 1 << 20 // patches, pixels a side or tokens: keeps products in range
	for _, n := range []int{e.GridH, e.GridW, e.PatchPx, e.TextLen} {
		if n < 1 || n > most {
			return fmt.Errorf("exemplar %s: a grid of %d by %d patches of %d pixels and %d tokens cannot be", e.ID, e.GridH, e.GridW, e.PatchPx, e.TextLen)
		}
	}
	patches, err := set(e.PatchBits, e.GridH*e.GridW)
	if err != nil {
		return fmt.Errorf("exemplar %s: patches: %w", e.ID, err)
	}
	if want := patches * 3 * e.PatchPx * e.PatchPx; len(e.Pixels) != want {
		return fmt.Errorf("exemplar %s: %d bytes of pixels, not %d", e.ID, len(e.Pixels), want)
	}
	tokens, err := set(e.TokenBits, e.TextLen)
	if err != nil {
		return fmt.Errorf("exemplar %s: tokens: %w", e.ID, err)
	}
	if len(e.Tokens) != tokens || tokens == 0 {
		return fmt.Errorf("exemplar %s: %d tokens, not %d", e.ID, len(e.Tokens), tokens)
	}
	return nil
}

// set counts the bits of a bitmap of n flags; n where there is no bitmap.
func set(flags []byte, n int) (int, error) {
	if len(flags) == 0 {
		return n, nil
	}
	if len(flags) != (n+7)/8 {
		return 0, fmt.Errorf("a bitmap of %d bytes for %d flags", len(flags), n)
	}
	count := 0
	for _, b := range flags {
		count += bits.OnesCount8(b)
	}
	return count, nil
}

// bitmap packs flags, least significant bit first.
func bitmap(flags []bool) []byte {
	packed := make([]byte, (len(flags)+7)/8)
	for i, f := range flags {
		if f {
			packed[i/8] |= 1 << (i % 8)
		}
	}
	return packed
}

// positions lists the set bits among the first n; all of them where there is no bitmap.
func positions(flags []byte, n int) []int32 {
	var p []int32
	for i := range n {
		if len(flags) == 0 || flags[i/8]>>(i%8)&1 == 1 {
			p = append(p, int32(i))
		}
	}
	return p
}

// Cost is what an exemplar takes, counted three ways.
type Cost struct {
	Tokens      int   // kept patches and text tokens
	PixelBytes  int64 // kept pixels, three bytes each, whatever the codec
	StoredBytes int64 // pixels as stored, tokens and both bitmaps
}

// CostOf is the cost of e as stored.
func CostOf(e Exemplar) Cost {
	patches, _ := set(e.PatchBits, e.GridH*e.GridW) // 0 where the bitmap is damaged
	return Cost{
		Tokens:      patches + len(e.Tokens),
		PixelBytes:  int64(3 * e.PatchPx * e.PatchPx * patches),
		StoredBytes: int64(len(e.Pixels)) + int64(2*len(e.Tokens)+len(e.PatchBits)+len(e.TokenBits)),
	}
}

// FullCost is the cost of the same example stored raw and without a mask.
func FullCost(e Exemplar) Cost {
	patches := e.GridH * e.GridW
	pixels := int64(3 * e.PatchPx * e.PatchPx * patches)
	return Cost{Tokens: patches + e.TextLen, PixelBytes: pixels, StoredBytes: pixels + int64(2*e.TextLen)}
}
