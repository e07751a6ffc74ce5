package memory

import (
	"math"
	"testing"
)

// TestLogVolumeByHand: rows are of length 1 whatever theirs is; two at an angle span its sine, orthogonal ones 1.
func TestLogVolumeByHand(t *testing.T) {
	for _, c := range []struct {
		name     string
		features []float32
		d        int
		want     float64
	}{
		{"none", nil, 2, 1},
		{"one", []float32{3, 4}, 2, 1},
		{"orthogonal", []float32{5, 0, 0, 0, 2, 0, 0, 0, 1}, 3, 1},
		{"at 30 degrees", []float32{1, 0, float32(math.Sqrt(3)), 1}, 2, 0.5},
		{"three in space", []float32{1, 0, 0, 1, 1, 0, 1, 1, 1}, 3, 1 / math.Sqrt(2) / math.Sqrt(3)},
	} {
		if got := math.Exp(LogVolume(c.features, c.d)); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%s: volume %g, not %g", c.name, got, c.want)
		}
	}
	// the order of the rows does not matter; two alike, or more than dimensions, are nearly none, and finite
	if a, b := LogVolume([]float32{1, 0, 2, 1, -1, 3}, 2), LogVolume([]float32{-1, 3, 1, 0, 2, 1}, 2); math.Abs(a-b) > 1e-6 {
		t.Errorf("in another order: %g, not %g", b, a)
	}
	for _, f := range [][]float32{{1, 2, 1, 2}, {1, 0, 0, 1, 1, 1, 2, 1}, {0, 0, 1, 1}} {
		if v := LogVolume(f, 2); math.IsNaN(v) || math.IsInf(v, 0) || v > -5 {
			t.Errorf("rows %v have log-volume %g", f, v)
		}
	}
}

func TestChoose(t *testing.T) {
	choices := func(ratios ...float64) (out []QualityChoice) {
		for i, q := range []int{10, 25, 50, 75, 90}[:len(ratios)] {
			out = append(out, QualityChoice{Quality: q, Count: []int{14, 9, 6, 4, 2}[i], Ratio: ratios[i]})
		}
		return out
	}
	for _, c := range []struct {
		name    string
		choices []QualityChoice
		want    int
	}{
		{"the strongest that is near 1", choices(0.5, 0.85, 0.93, 1.02, 1), 50},
		{"all are", choices(1.05, 0.95, 1, 1, 1), 10},
		{"near from above too", choices(2, 1.09, 1, 1, 1), 25},
		{"epsilon itself is not near", choices(2, 1.125, 0.875, 3, 4), 75},
		{"none is: the one that changes least", choices(0.2, 0.5, 0.6, 1.3, 1.5), 75},
		{"none is, two alike: the better quality", choices(0.5, 1.5), 25},
	} {
		epsilon := 0.1
		if c.want == 75 && c.name[0] == 'e' {
			epsilon = 0.125
			c.choices[3].Ratio = 1.0625
		}
		if got := Choose(c.choices, epsilon); got.Quality != c.want {
			t.Errorf("%s: %d, not %d", c.name, got.Quality, c.want)
		}
	}
	same := []QualityChoice{{Quality: 10, Count: 3, Ratio: 1}, {Quality: 25, Count: 3, Ratio: 1}}
	if got := Choose(same, 0.1); got.Quality != 25 {
		t.Errorf("two that hold as many: %d, not the better one", got.Quality)
	}
}
