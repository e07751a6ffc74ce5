package memory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWorth: the budget of n samples is what the first n whole ones cost: 10, 20, 30 bytes here.
func TestWorth(t *testing.T) {
	w := Worth{10, 20, 30}
	for n, want := range map[float64]Budget{0: 0, 0.5: 5, 1: 10, 1.5: 20, 2: 30, 3: 60, 9: 60} {
		if got := w.Of(n); got != want {
			t.Errorf("%g samples are %d bytes, not %d", n, got, want)
		}
	}
	for amount, want := range map[int64]float64{0: 0, 5: 0.5, 10: 1, 20: 1.5, 30: 2, 60: 3, 90: 3} {
		if got := w.Samples(amount); got != want {
			t.Errorf("%d bytes are %g samples, not %g", amount, got, want)
		}
	}
	for amount := range int64(61) {
		if got := w.Of(w.Samples(amount)); int64(got) != amount {
			t.Errorf("%d bytes, in samples and back: %d", amount, got)
		}
	}
}

func TestShareByHand(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		total         float64
		demands, want []float64
	}{
		{12, []float64{inf, inf, inf}, []float64{4, 4, 4}},
		{12, []float64{1, inf, inf}, []float64{1, 5.5, 5.5}}, // what the first leaves goes to the others alike
		{12, []float64{inf, 5, 2}, []float64{5, 5, 2}},
		{12, []float64{4, 4, 4}, []float64{4, 4, 4}},
		{12, []float64{3, 0, 4}, []float64{3, 0, 4}}, // more than anybody asks for
		{0, []float64{3, inf}, []float64{0, 0}},
		{5, nil, []float64{}},
	} {
		if got := Share(c.total, c.demands); !slices.Equal(got, c.want) {
			t.Errorf("%g among %v: %v, not %v", c.total, c.demands, got, c.want)
		}
	}
}

// TestShareProperties: nobody gets more than the demand, all that is asked for is dealt out, and who gets less than the
// demand gets as much as anybody.
func TestShareProperties(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		demands := make([]float64, 1+rng.IntN(9))
		var asked float64
		for i := range demands {
			demands[i] = float64(rng.IntN(50))
			asked += demands[i]
		}
		total := float64(rng.IntN(300))
		shares := Share(total, demands)
		var dealt float64
		most := slices.Max(shares)
		for i, share := range shares {
			dealt += share
			if share < 0 || share > demands[i] || share < demands[i] && share < most-1e-9 {
				t.Fatalf("%g among %v: %v", total, demands, shares)
			}
		}
		if math.Abs(dealt-min(total, asked)) > 1e-9 {
			t.Fatalf("%g among %v: %v, %g in all", total, demands, shares, dealt)
		}
	}
}
