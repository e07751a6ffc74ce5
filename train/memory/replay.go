package memory

import (
	"context"
	"math/rand/v2"

	"github.com/mcil/mcil/dataset"
)

// ReplayOptions say how exemplars become samples again.
type ReplayOptions struct {
	// Repair is the probability that the text of another exemplar of the same class takes the place of an exemplar's own: the
	// multimodal augmentation. It is the same however many a class holds, unless that is one. That the paper pairs within a
	// class is an assumption; it only says that exemplars are made more diverse.
	Repair float64
	// Black replays the whole grid, with black in the place of patches that were not kept, rather than the kept ones alone.
	Black bool
}

// Sample is e as it is replayed, with its own text.
func (o ReplayOptions) Sample(e Exemplar) (dataset.Sample, error) {
	s, err := Decode(e)
	if err == nil && o.Black {
		s = Blacken(s, e.PatchPx)
	}
	return s, err
}

// Replay is the store's exemplars as training items.
type Replay struct {
	exemplars []Exemplar
	first, n  []int // of exemplar i's class
	options   ReplayOptions
}

// Replay returns the items of the store as it is now.
func (s *Store) Replay(o ReplayOptions) *Replay {
	r := &Replay{exemplars: s.All(), options: o}
	for _, c := range s.classes {
		start := len(r.first)
		for range c.exemplars {
			r.first, r.n = append(r.first, start), append(r.n, len(c.exemplars))
		}
	}
	return r
}

func (r *Replay) Len() int { return len(r.exemplars) }

// Sample decodes exemplar i, perhaps with another's text.
func (r *Replay) Sample(_ context.Context, i int, rng *rand.Rand) (dataset.Sample, error) {
	x, err := r.options.Sample(r.exemplars[i])
	if err != nil {
		return dataset.Sample{}, err
	}
	if rng.Float64() < r.options.Repair && r.n[i] > 1 {
		k := r.first[i] + rng.IntN(r.n[i]-1)
		if k >= i { // its own is left out
			k++
		}
		other := r.exemplars[k]
		x.Tokens, x.TokenPos, x.TextLen = text(other), positions(other.TokenBits, other.TextLen), other.TextLen
	}
	return x, nil
}

var _ dataset.Items = (*Replay)(nil)
