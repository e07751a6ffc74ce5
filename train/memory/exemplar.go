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
func Encode(s dataset.Sample, m Mask, patchPx int, c Codec) (Exemplar, error) {
	e, err := withText(s, m.Tokens, patchPx, c)
	if err != nil {
		return Exemplar{}, err
	}
	if m.Patches == nil {
		e.Pixels, err = c.whole(s, patchPx)
	} else {
		e.PatchBits = bitmap(m.Patches)
		var kept []byte
		size := 3 * patchPx * patchPx
		for i, keep := range m.Patches {
			if keep {
				kept = append(kept, s.Pixels[i*size:(i+1)*size]...)
			}
		}
		e.Pixels, err = c.patches(kept, patchPx)
	}
	if err != nil {
		return Exemplar{}, fmt.Errorf("%s: %w", s.ID, err)
	}
	if m.Patches == nil && m.Tokens == nil {
		e.FullBytes = int(CostOf(e).StoredBytes)
		return e, nil
	}
	return e, setFull(&e, s, c)
}

// Requantise stores the whole of s as a JPEG of another quality than the run's codec c has: an exemplar of MRDC.
func Requantise(s dataset.Sample, quality, patchPx int, c Codec) (Exemplar, error) {
	e, err := Encode(s, Mask{}, patchPx, Codec{Name: schemas.CodecJPEG, Quality: quality})
	if err != nil {
		return Exemplar{}, err
	}
	return e, setFull(&e, s, c)
}

// withText is an exemplar that has no picture yet.
func withText(s dataset.Sample, tokens []bool, patchPx int, c Codec) (Exemplar, error) {
	if err := c.Check(patchPx); err != nil {
		return Exemplar{}, err
	}
	c = c.withDefaults()
	e := Exemplar{
		ID: string(s.ID), Label: s.Label, Codec: c.Name, Quality: c.Quality, GridH: s.GridH, GridW: s.GridW, PatchPx: patchPx, TextLen: len(s.Tokens),
	}
	if tokens != nil {
		e.TokenBits = bitmap(tokens)
	}
	for i, id := range s.Tokens {
		if tokens != nil && !tokens[i] {
			continue
		}
		if id < 0 || id > 0xffff {
			return Exemplar{}, fmt.Errorf("%s: token id %d does not fit the two bytes of an exemplar's token", s.ID, id)
		}
		e.Tokens = append(e.Tokens, uint16(id))
	}
	return e, nil
}

func setFull(e *Exemplar, s dataset.Sample, c Codec) error {
	full, err := WholeCost(s, e.PatchPx, c)
	e.FullBytes = int(full.StoredBytes)
	return err
}

// Decode is the sample that replays e: only the kept patches and tokens, at their original positions.
func Decode(e Exemplar) (dataset.Sample, error) {
	s := dataset.Sample{
		ID: dataset.ID(e.ID), Label: e.Label, GridH: e.GridH, GridW: e.GridW, TextLen: e.TextLen,
		PatchPos: positions(e.PatchBits, e.GridH*e.GridW), Tokens: text(e), TokenPos: positions(e.TokenBits, e.TextLen),
	}
	c := Codec{e.Codec, e.Quality}
	err := c.Check(e.PatchPx)
	if err == nil && c != c.withDefaults() {
		err = fmt.Errorf("its codec %q of quality %d is not said in full", e.Codec, e.Quality)
	}
	switch {
	case err != nil:
	case e.Box != nil:
		s.Pixels, err = decodeBox(e, c)
	case len(e.PatchBits) == 0:
		s.Pixels, err = c.decodeWhole(e.Pixels, e.GridH, e.GridW, e.PatchPx)
	default:
		s.Pixels, err = c.decodePatches(e.Pixels, len(s.PatchPos), e.PatchPx)
	}
	if err != nil {
		return dataset.Sample{}, fmt.Errorf("exemplar %s: %w", e.ID, err)
	}
	return s, nil
}

func text(e Exemplar) []int32 {
	var ids []int32
	for _, id := range e.Tokens {
		ids = append(ids, int32(id))
	}
	return ids
}

// Blacken is s with its whole grid: patches that it lacks are black. The text is left as it is.
func Blacken(s dataset.Sample, patchPx int) dataset.Sample {
	size := 3 * patchPx * patchPx
	pixels := make([]uint8, s.GridH*s.GridW*size)
	for k, pos := range s.PatchPos {
		copy(pixels[int(pos)*size:], s.Pixels[k*size:(k+1)*size])
	}
	s.Pixels, s.PatchPos = pixels, positions(nil, s.GridH*s.GridW)
	return s
}

// check says whether what was read back is an exemplar: its bitmaps, pixels and tokens must be of one size, and its pictures
// must open.
func check(e Exemplar) error {
	const (
		most       = 1 << 16  // patches, pixels a side or tokens: keeps products in range
		mostPixels = 16 << 20 // of a picture, as the encoder takes it
	)
	for _, n := range []int{e.GridH, e.GridW, e.PatchPx, e.TextLen} {
		if n < 1 || n > most {
			return fmt.Errorf("exemplar %s: a grid of %d by %d patches of %d pixels and %d tokens cannot be", e.ID, e.GridH, e.GridW, e.PatchPx, e.TextLen)
		}
	}
	if e.GridH*e.PatchPx > most || e.GridW*e.PatchPx > most || e.GridH*e.PatchPx*e.GridW*e.PatchPx > mostPixels {
		return fmt.Errorf("exemplar %s: a picture of %d by %d patches of %d pixels is too large", e.ID, e.GridH, e.GridW, e.PatchPx)
	}
	if _, err := set(e.PatchBits, e.GridH*e.GridW); err != nil {
		return fmt.Errorf("exemplar %s: patches: %w", e.ID, err)
	}
	tokens, err := set(e.TokenBits, e.TextLen)
	if err != nil {
		return fmt.Errorf("exemplar %s: tokens: %w", e.ID, err)
	}
	if len(e.Tokens) != tokens || tokens == 0 {
		return fmt.Errorf("exemplar %s: %d tokens, not %d", e.ID, len(e.Tokens), tokens)
	}
	if e.Box == nil && (len(e.Rest) > 0 || e.Ratio != 0) || e.Box != nil && len(e.PatchBits) > 0 || e.FullBytes < 0 {
		return fmt.Errorf("exemplar %s: it is masked, whole and in part at once", e.ID)
	}
	_, err = Decode(e)
	return err
}

// set counts the bits of a bitmap of n flags; n where there is no bitmap. No bit is set beyond the last flag.
func set(flags []byte, n int) (int, error) {
	if len(flags) == 0 {
		return n, nil
	}
	if len(flags) != (n+7)/8 {
		return 0, fmt.Errorf("a bitmap of %d bytes for %d flags", len(flags), n)
	}
	if n%8 != 0 && flags[n/8]>>(n%8) != 0 {
		return 0, fmt.Errorf("a bitmap of %d flags has more", n)
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
		if len(flags) == 0 || i/8 < len(flags) && flags[i/8]>>(i%8)&1 == 1 {
			p = append(p, int32(i))
		}
	}
	return p
}
