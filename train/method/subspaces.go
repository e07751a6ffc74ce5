package method

import (
	"math"

	"github.com/mcil/mcil/train/op"
)

// complete makes the directions of every class under every adapter. A class's means under the adapters up to its own phase's are
// known; the rest is complemented, for every pair of an old phase and a later one, from means that are known.
func (m *ease) complete() {
	t, d := len(m.phases), m.width()
	m.directions = make([]float32, m.phases[t-1].Seen*t*d)
	put := func(i, j int, means []float32) {
		for c := m.phases[i].Old; c < m.phases[i].Seen; c++ {
			row := means[(c-m.phases[i].Old)*d:][:d]
			copy(m.directions[(c*t+j)*d:], directionOf(row))
		}
	}
	for i := range t {
		for j := range i + 1 {
			put(i, j, m.means[i][j].Data)
		}
		for j := i + 1; j < t; j++ {
			var from, into []float32 // of the classes of phases j and later
			for k := j; k < t; k++ {
				from, into = append(from, m.means[k][i].Data...), append(into, m.means[k][j].Data...)
			}
			put(i, j, complement(m.means[i][i].Data, from, into, d))
		}
	}
}

// complement guesses the means [n,D] of old classes in a subspace in which they have none, from r newer classes that have means
// both there and in the old ones' own: an old class is taken for the mixture of newer ones that it is like at home (Zhou et al.,
// CVPR 2024, eq. 7 and 8):
//
//	S = softmax over newer classes of cos(old, from);  result = S · into
//
// old [n,D] and from [r,D] are means in the old classes' own subspace, into [r,D] those of the newer classes in the other one.
func complement(old, from, into []float32, d int) []float32 {
	n, r := len(old)/d, len(from)/d
	result, shares := make([]float32, n*d), make([]float64, r)
	for c := range n {
		var sum float64
		for k := range r {
			shares[k] = math.Exp(op.AngleOf(old[c*d:(c+1)*d], from[k*d:(k+1)*d]).Cos) // of at most 1: no need to subtract the largest
			sum += shares[k]
		}
		for e := range d {
			var v float64
			for k, s := range shares {
				v += s / sum * float64(into[k*d+e])
			}
			result[c*d+e] = float32(v)
		}
	}
	return result
}

// reweighted is what features [T,D] have in common with a class's directions [T,D], of length 1: the cosine in the subspace of
// the class's own phase, and, with the weight others each, those in the others (Zhou et al., CVPR 2024, eq. 9).
func reweighted(features, directions []float32, d, own int, others float64) (sum float64) {
	for j := range len(features) / d {
		v := op.AngleOf(features[j*d:(j+1)*d], directions[j*d:(j+1)*d]).Cos
		if j != own {
			v *= others
		}
		sum += v
	}
	return sum
}

// directionOf is a vector of length 1, or of none where x has none.
func directionOf(x []float32) []float32 {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	y := make([]float32, len(x))
	if squares == 0 {
		return y
	}
	for i, v := range x {
		y[i] = float32(float64(v) / math.Sqrt(squares))
	}
	return y
}
