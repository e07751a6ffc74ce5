package memory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWorth: of examples of 10, 20 and 30 bytes the first sample is worth 30, each further one 20.
func TestWorth(t *testing.T) {
	var w Worth
	for _, cost := range []int64{10, 30, 20} {
		w.Add(cost)
	}
	for n, want := range map[float64]Budget{0: 0, 0.5: 15, 1: 30, 1.5: 40, 2: 50, 3: 70, 9: 70} {
		if got := w.Of(n); got != want {
			t.Errorf("%g samples are %d bytes, not %d", n, got, want)
		}
	}
	for amount, want := range map[int64]float64{0: 0, 15: 0.5, 30: 1, 40: 1.5, 50: 2, 70: 3, 90: 3} {
		if got := w.Samples(amount); got != want {
			t.Errorf("%d bytes are %g samples, not %g", amount, got, want)
		}
	}
	for amount := range int64(71) {
		if got := w.Of(w.Samples(amount)); int64(got) != amount {
			t.Errorf("%d bytes, in samples and back: %d", amount, got)
		}
	}
	var alike, none Worth
	for range 5 {
		alike.Add(7)
	}
	if alike.Of(3) != 21 || none.Of(3) != 0 || none.Samples(3) != 0 {
		t.Errorf("3 of 5 examples of 7 bytes are %d, 3 of none %d and %g", alike.Of(3), none.Of(3), none.Samples(3))
	}
}

// TestWorthHoldsThem: whatever the examples take, and whichever come first, one sample holds one of them, and as many samples
// as there are examples hold all.
func TestWorthHoldsThem(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		var w Worth
		var sum, largest int64
		for range 1 + rng.IntN(9) {
			cost := int64(1 + rng.IntN(1000))
			w.Add(cost)
			sum, largest = sum+cost, max(largest, cost)
		}
		if n := float64(w.Examples); int64(w.Of(1)) != largest || int64(w.Of(n)) < sum || w.Of(n+1) != w.Of(n) {
			t.Errorf("seed %d: %+v: one sample is %d, all are %d, one more %d", seed, w, w.Of(1), w.Of(n), w.Of(n+1))
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
