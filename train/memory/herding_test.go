package memory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHerdByHand: the rows are (1,0), (0,1) and (0.8,0.6) when normalised; their mean is (0.6, 0.533). Squared distances
// to it are 0.444, 0.578 and 0.044, so the third is first. With it the means of two are (0.9,0.3) and (0.4,0.8), at 0.144
// and 0.111: the second is next.
func TestHerdByHand(t *testing.T) {
	if got := Herd([]float32{2, 0, 0, 3, 4, 3}, 2); !slices.Equal(got, []int{2, 1, 0}) {
		t.Errorf("the order is %v, not [2 1 0]", got)
	}
}

func TestHerdEdges(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name     string
		features []float32
		d        int
		want     []int
	}{
		{"equal rows: ties go to the lower index", []float32{3, 4, 3, 4, 3, 4}, 2, []int{0, 1, 2}},
		{"mirrored rows: a tie that is not equality", []float32{1, 0, -1, 0}, 2, []int{0, 1}},
		{"one row", []float32{5, 5}, 2, []int{0}},
		{"no row", nil, 2, []int{}},
		{"zero rows are rows: the mean is (1/3, 0), nearer to them", []float32{0, 0, 1, 0, 0, 0}, 2, []int{0, 1, 2}},
		{"a row that is not a number does not end the order", []float32{nan, 1, 1, 0}, 2, []int{0, 1}},
	} {
		if got := Herd(c.features, c.d); !slices.Equal(got, c.want) {
			t.Errorf("%s: the order is %v, not %v", c.name, got, c.want)
		}
	}
}

// bruteHerd tries every candidate with the formula as printed: argmin |mu - 1/k (phi(x) + sum of phi(p))|.
func bruteHerd(features []float32, d int) (order []int) {
	var rows [][]float64
	for r := range slices.Chunk(features, d) {
		var norm float64
		for _, x := range r {
			norm = math.Hypot(norm, float64(x))
		}
		row := make([]float64, d)
		for i, x := range r {
			row[i] = float64(x) / (norm + 1e-8)
		}
		rows = append(rows, row)
	}
	distance := func(chosen []int) (sum float64) {
		for c := range d {
			var mu, mean float64
			for _, r := range rows {
				mu += r[c] / float64(len(rows))
			}
			for _, i := range chosen {
				mean += rows[i][c] / float64(len(chosen))
			}
			sum += (mu - mean) * (mu - mean)
		}
		return math.Sqrt(sum)
	}
	for len(order) < len(rows) {
		best, at := math.Inf(1), -1
		for i := range rows {
			if v := distance(append(slices.Clone(order), i)); !slices.Contains(order, i) && v < best {
				best, at = v, i
			}
		}
		order = append(order, at)
	}
	return order
}

func TestHerdAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		n, d := 3+rng.IntN(10), 2+rng.IntN(5) // in one dimension, and of two rows, all are ties
		features := make([]float32, n*d)
		for i := range features {
			features[i] = float32(rng.NormFloat64() + 0.5)
		}
		if got, want := Herd(features, d), bruteHerd(features, d); !slices.Equal(got, want) {
			t.Fatalf("%d rows of %d: the order is %v, not %v", n, d, got, want)
		}
	}
}

// TestClassMean: (3,4) and (0,2) become (0.6,0.8) and (0,1); their mean (0.3,0.9) has norm sqrt(0.9).
func TestClassMean(t *testing.T) {
	mean := ClassMean([]float32{3, 4, 0, 2}, 2)
	for i, want := range []float64{0.3 / math.Sqrt(0.9), 0.9 / math.Sqrt(0.9)} {
		if math.Abs(float64(mean[i])-want) > 1e-6 {
			t.Errorf("the mean's component %d is %g, not %g", i, mean[i], want)
		}
	}
	if zero := ClassMean([]float32{0, 0}, 2); zero[0] != 0 || zero[1] != 0 {
		t.Errorf("the mean of a zero row is %v", zero)
	}
}

func TestNearestMean(t *testing.T) {
	means := [][]float32{{1, 0}, {0, 1}, {0, 1}, {-1, 0}}
	for _, c := range []struct {
		feature []float32
		want    int
	}{
		{[]float32{10, 1}, 0}, // length does not matter: only the direction does
		{[]float32{0.1, 0.2}, 1},
		{[]float32{-5, 4}, 3},
		{[]float32{0, 7}, 1}, // a tie goes to the lower class
		{[]float32{1, 1}, 0},
		{[]float32{0, 0}, 0},
	} {
		if got := NearestMean(c.feature, means); got != c.want {
			t.Errorf("%v is nearest to class %d, not %d", c.feature, got, c.want)
		}
	}
}
