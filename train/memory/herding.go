package memory

import "math"

// Herd orders the n rows of features ([n, d] in row-major order) by iCaRL's herding: rows are divided by their norm; the
// next one is always the row that brings the mean of those chosen closest to the mean of all. Ties go to the lower index.
func Herd(features []float32, d int) []int {
	n := len(features) / d
	rows := make([]float64, n*d)
	mean := make([]float64, d)
	for i := range n {
		row := rows[i*d : (i+1)*d]
		normalise(row, features[i*d:(i+1)*d])
		for c, v := range row {
			mean[c] += v / float64(n)
		}
	}
	sum, taken, order := make([]float64, d), make([]bool, n), make([]int, 0, n)
	for k := 1; k <= n; k++ {
		best, bestDistance := -1, math.Inf(1)
		for i := range n {
			if taken[i] {
				continue
			}
			var distance float64
			for c, v := range rows[i*d : (i+1)*d] {
				diff := mean[c] - (v+sum[c])/float64(k)
				distance += diff * diff
			}
			if distance < bestDistance || best < 0 { // best < 0: a row of NaN must not end the order
				best, bestDistance = i, distance
			}
		}
		taken[best] = true
		order = append(order, best)
		for c, v := range rows[best*d : (best+1)*d] {
			sum[c] += v
		}
	}
	return order
}

// normalise writes v / (|v| + 1e-8), as the toolboxes do.
func normalise(dst []float64, v []float32) {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	norm := math.Sqrt(square) + 1e-8
	for i, x := range v {
		dst[i] = float64(x) / norm
	}
}

// ClassMean is the normalised mean of normalised rows, for classification by the nearest mean of exemplars.
func ClassMean(features []float32, d int) []float32 {
	mean, row := make([]float64, d), make([]float64, d)
	for i := 0; i < len(features); i += d {
		normalise(row, features[i:i+d])
		for c, v := range row {
			mean[c] += v
		}
	}
	var square float64
	for _, v := range mean {
		square += v * v
	}
	out := make([]float32, d)
	for c, v := range mean {
		out[c] = float32(v / (math.Sqrt(square) + 1e-8))
	}
	return out
}

// NearestMean returns the index of the mean closest to the normalised feature; means are as [ClassMean] makes them.
func NearestMean(feature []float32, means [][]float32) int {
	row := make([]float64, len(feature))
	normalise(row, feature)
	best, bestDistance := 0, math.Inf(1)
	for k, mean := range means {
		var distance float64
		for c, v := range row {
			diff := v - float64(mean[c])
			distance += diff * diff
		}
		if distance < bestDistance {
			best, bestDistance = k, distance
		}
	}
	return best
}
