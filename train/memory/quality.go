package memory

import (
	"math"

	"github.com/mcil/mcil/schemas"
)

// LogVolume is the logarithm of the volume that a set of features spans: rows of [n, d] divided by their norms, M, and
// sqrt(det(M Mᵀ)), as MRDC (Wang et al., ICLR 2022) measures how much of a class's variety a set of exemplars has. A small
// number is added to the diagonal, so that more rows than dimensions, or two alike, leave it finite.
func LogVolume(features []float32, d int) float64 {
	const jitter = 1e-6
	n := len(features) / d
	rows := make([]float64, n*d)
	for i := range n {
		normalise(rows[i*d:(i+1)*d], features[i*d:(i+1)*d])
	}
	chol := make([]float64, n*n) // lower triangle
	var logDet float64
	for i := range n {
		for j := range i + 1 {
			var sum float64
			for c := range d {
				sum += rows[i*d+c] * rows[j*d+c]
			}
			if i == j {
				sum += jitter
			}
			for k := range j {
				sum -= chol[i*n+k] * chol[j*n+k]
			}
			if i == j {
				chol[i*n+i] = math.Sqrt(max(sum, jitter*jitter)) // rounding may take it below the jitter
				logDet += 2 * math.Log(chol[i*n+i])
			} else {
				chol[i*n+j] = sum / chol[j*n+j]
			}
		}
	}
	return logDet / 2
}

// QualityChoice is one quality of JPEG that a class could be stored in.
type QualityChoice = schemas.QualityChoice

// Choose is MRDC's rule: of the qualities that leave the volume as it is, within epsilon, the one that holds the most
// exemplars; the better quality where two hold as many. Where none does, the one that changes it least.
func Choose(choices []QualityChoice, epsilon float64) QualityChoice {
	best := choices[0]
	for _, c := range choices[1:] {
		near, was := math.Abs(c.Ratio-1), math.Abs(best.Ratio-1)
		var better bool
		switch in, wasIn := near < epsilon, was < epsilon; {
		case in != wasIn:
			better = in
		case in:
			better = c.Count > best.Count || c.Count == best.Count && c.Quality > best.Quality
		default:
			better = near < was || near == was && c.Quality > best.Quality
		}
		if better {
			best = c
		}
	}
	return best
}
