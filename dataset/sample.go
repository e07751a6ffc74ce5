package dataset

import (
	"context"
	"math/rand/v2"
)

// Sample is an example as the encoder takes it. A masked exemplar is a Sample with fewer patches and tokens: what is kept
// carries its position in the full grid and text.
type Sample struct {
	ID    ID
	Label int

	GridH, GridW int     // of the full picture, in patches
	PatchPos     []int32 // [P] raster index of each patch in the grid, increasing
	Pixels       []uint8 // [P, 3·p·p] of each patch: channel, row, column

	Tokens   []int32 // [T] word-piece ids; the first is [CLS], the last [SEP]
	TokenPos []int32 // [T] position of each in the full text, increasing
	TextLen  int     // tokens of the full text

	// Kept is what a learner kept of the sample on disk, in its own form, where it was looked for ahead: see train/method.
	Kept []byte
	// Passing says that the sample was changed at random, so that what depends on it is not worth keeping: it will hardly be
	// asked for again.
	Passing bool
}

// Items is an indexed collection of samples. Sample may use rng for augmentation and for nothing else, so that the result
// depends on the collection, i and the generator's state only. It is called from several goroutines.
type Items interface {
	Len() int
	Sample(ctx context.Context, i int, rng *rand.Rand) (Sample, error)
}

// Concat is several collections one after another.
type Concat []Items

func (c Concat) Len() int {
	var n int
	for _, items := range c {
		n += items.Len()
	}
	return n
}

func (c Concat) Sample(ctx context.Context, i int, rng *rand.Rand) (Sample, error) {
	for _, items := range c {
		if i < items.Len() {
			return items.Sample(ctx, i, rng)
		}
		i -= items.Len()
	}
	panic("dataset: index beyond the collection")
}
