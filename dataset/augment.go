package dataset

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Augment is items of which each sample's picture is changed at random each time it is asked for. Its patches stay whole and
// its text stays as it is, so a masked exemplar, which has some of them only, is changed as the whole picture would be, but for
// contrast: it turns about the mean of the pixels that are there, which of a masked exemplar are those that were kept. What
// would cut patches anew (crops, turns by an angle) is not offered: an exemplar lacks the pixels for it.
type Augment struct {
	Items
	Flip   bool // half of the pictures are mirrored, left to right; a caption that says left still says it
	Jitter bool // brightness and contrast are scaled, each by a factor from 0.8 to 1.2; contrast about the mean
}

// Names of what [Augment] does.
const (
	AugmentFlip   = "flip"
	AugmentJitter = "jitter"
)

// ParseAugment reads a comma-separated list of names; none or an empty text is none of them.
func ParseAugment(spec string) (a Augment, err error) {
	if spec == "none" || spec == "" {
		return a, nil
	}
	for name := range strings.SplitSeq(spec, ",") {
		switch {
		case name == AugmentFlip && !a.Flip:
			a.Flip = true
		case name == AugmentJitter && !a.Jitter:
			a.Jitter = true
		default:
			return a, fmt.Errorf("augmentation %q: use none, or flip and jitter, each once, with commas between", spec)
		}
	}
	return a, nil
}

// String is what [ParseAugment] reads.
func (a Augment) String() string {
	var names []string
	if a.Flip {
		names = append(names, AugmentFlip)
	}
	if a.Jitter {
		names = append(names, AugmentJitter)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

func (a Augment) Sample(ctx context.Context, i int, rng *rand.Rand) (Sample, error) {
	s, err := a.Items.Sample(ctx, i, rng)
	if err != nil || len(s.PatchPos) == 0 {
		return s, err
	}
	if a.Flip && rng.IntN(2) == 1 {
		s = s.mirrored()
		s.Passing = true
	}
	if a.Jitter {
		brightness, contrast := factor(rng), factor(rng)
		s.Pixels, s.Passing = jittered(s.Pixels, brightness, contrast), true
	}
	return s, nil
}

// factor is drawn from 0.8 to 1.2, in 1/1024: whole numbers give the same pixels on every processor.
func factor(rng *rand.Rand) int { return 820 + rng.IntN(409) }

// mirrored is the sample seen in a mirror: patch (row, column) goes to (row, W-1-column), and so do the pixels within.
func (s Sample) mirrored() Sample {
	n, size := len(s.PatchPos), len(s.Pixels)/len(s.PatchPos)
	side := 1
	for 3*side*side < size {
		side++
	}
	mirror := func(pos int32) int32 {
		w := int32(s.GridW)
		return pos/w*w + w - 1 - pos%w
	}
	order := make([]int, n)
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int { return int(mirror(s.PatchPos[a]) - mirror(s.PatchPos[b])) })
	m := s
	m.PatchPos, m.Pixels = make([]int32, n), make([]uint8, len(s.Pixels))
	for to, from := range order {
		m.PatchPos[to] = mirror(s.PatchPos[from])
		src, dst := s.Pixels[from*size:(from+1)*size], m.Pixels[to*size:(to+1)*size]
		for row := 0; row < size; row += side {
			for x := range side {
				dst[row+x] = src[row+side-1-x]
			}
		}
	}
	return m
}

// jittered scales pixels by brightness and then their distance from their own mean by contrast, both in 1/1024.
func jittered(pixels []uint8, brightness, contrast int) []uint8 {
	var sum int
	for _, v := range pixels {
		sum += int(v)
	}
	mean := sum * brightness / len(pixels) // of the brighter picture, in 1/1024
	var table [256]uint8
	for v := range table {
		x := mean + (v*brightness-mean)*contrast/1024
		table[v] = uint8(min(255, max(0, (x+512)/1024)))
	}
	out := make([]uint8, len(pixels))
	for i, v := range pixels {
		out[i] = table[v]
	}
	return out
}
