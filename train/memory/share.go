package memory

import (
	"cmp"
	"math"
	"slices"
)

// Share deals total out to demands as evenly as they allow: nobody gets more than is asked for; who asks for less than an
// even share gets that, and what is left over goes to the others alike (max-min fairness, or water-filling). What nobody
// asks for is not dealt out.
func Share(total float64, demands []float64) []float64 {
	order := upTo(len(demands))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(demands[i], demands[j]) })
	shares := make([]float64, len(demands))
	for k, i := range order { // from the smallest: what is left is shared by those to come
		shares[i] = max(0, min(demands[i], total/float64(len(order)-k)))
		total -= shares[i]
	}
	return shares
}

// Worth is the cost of each of a class's examples stored whole, in herding's order and the budget's unit: what budgets in
// samples are counted in.
type Worth []int64

// Of is what the first n examples take. A part of n counts as that part of the next one; a class with fewer examples has
// them all.
func (w Worth) Of(n float64) Budget {
	var sum float64
	for i, cost := range w {
		share := min(1, n-float64(i))
		if share <= 0 {
			break
		}
		sum += share * float64(cost)
	}
	return Budget(math.Round(sum))
}

// Samples is the inverse of Of: how many samples an amount is worth, at most all.
func (w Worth) Samples(amount int64) float64 {
	left := float64(amount)
	for i, cost := range w {
		if left <= float64(cost) {
			return float64(i) + left/float64(max(1, cost))
		}
		left -= float64(cost)
	}
	return float64(len(w))
}
