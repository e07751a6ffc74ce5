package dataset

import (
	"context"
	"math/rand/v2"
)

// Balanced is items of which each group comes equally often: as often as the largest has items. A smaller group goes round as
// many whole times as fit, and draws the rest with the item's generator, so each epoch has other ones.
type Balanced struct {
	items  Items
	groups [][]int
	most   int // items of the largest group
}

// Balance returns the items by groups, which list indices; empty groups are left out.
func Balance(items Items, groups [][]int) *Balanced {
	b := &Balanced{items: items}
	for _, g := range groups {
		if len(g) > 0 {
			b.groups = append(b.groups, g)
			b.most = max(b.most, len(g))
		}
	}
	return b
}

func (b *Balanced) Len() int { return len(b.groups) * b.most }

func (b *Balanced) Sample(ctx context.Context, i int, rng *rand.Rand) (Sample, error) {
	group, k := b.groups[i/b.most], i%b.most
	if whole := b.most / len(group) * len(group); k >= whole {
		k = rng.IntN(len(group))
	}
	return b.items.Sample(ctx, group[k%len(group)], rng)
}

var _ Items = (*Balanced)(nil)
