package tune

import "github.com/mcil/mcil/train/vilt"

// Merge is w with every scale and shift multiplied into the map or norm that it follows:
//
//	map   gamma ⊙ (W x + b) + beta = (diag(gamma) W) x + (gamma ⊙ b + beta)
//	norm  gamma ⊙ (w ⊙ n + b) + beta = (gamma ⊙ w) ⊙ n + (gamma ⊙ b + beta)
//
// It is the same function with the parameters of the model as published (Lian et al., section 3.2), equal to the tuned one
// but for the rounding of float32. What no pair follows (word table, positions, modalities, pooler) is shared with w, which
// is left as it is.
func (s *SSF) Merge(w *vilt.Weights) *vilt.Weights {
	return w.Merged(func(place string) (gamma, beta []float32) {
		i, tuned := s.at[place]
		if !tuned {
			return nil, nil
		}
		return s.tensors[i].Data, s.tensors[i+1].Data
	})
}
