package dataset

import (
	"context"
	"math/rand/v2"
)

// Thin is items of which each sample loses a random share of its patches and of its text tokens, or of one: PatchDropout (Liu et
// al., WACV 2023) on both modalities. It regularises, costs less than the whole sample, and shows a model samples with
// gaps, as masked exemplars have them. [CLS], [SEP] and at least one patch stay.
type Thin struct {
	Items
	Drop                float64 // probability that a patch or token is left out, in [0,1)
	KeepImage, KeepText bool    // leave that modality whole
}

func (t Thin) Sample(ctx context.Context, i int, rng *rand.Rand) (Sample, error) {
	s, err := t.Items.Sample(ctx, i, rng)
	if err != nil || t.Drop <= 0 {
		return s, err
	}
	thin := s
	thin.Passing = true
	if !t.KeepImage {
		thin.PatchPos, thin.Pixels = nil, nil
		size, spared := len(s.Pixels)/max(1, len(s.PatchPos)), 0
		if len(s.PatchPos) > 0 {
			spared = rng.IntN(len(s.PatchPos))
		}
		for k, pos := range s.PatchPos {
			if k == spared || rng.Float64() >= t.Drop {
				thin.PatchPos = append(thin.PatchPos, pos)
				thin.Pixels = append(thin.Pixels, s.Pixels[k*size:(k+1)*size]...)
			}
		}
	}
	if !t.KeepText {
		thin.Tokens, thin.TokenPos = nil, nil
		for k, id := range s.Tokens {
			if k == 0 || k == len(s.Tokens)-1 || rng.Float64() >= t.Drop {
				thin.Tokens = append(thin.Tokens, id)
				thin.TokenPos = append(thin.TokenPos, s.TokenPos[k])
			}
		}
	}
	return thin, nil
}
