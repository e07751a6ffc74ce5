package memory

import (
	"cmp"
	"math"
	"slices"

	"github.com/mcil/mcil/schemas"
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

// Worth is what samples of a class are worth: what budgets in samples are counted in. The first is worth what the class's
// largest example takes whole, so that whichever comes first has room; each further one is worth the mean. Neither depends on
// the model, so a class's budget is the same for every kind of exemplars, in every phase. The zero value is of no examples.
type Worth schemas.Worth

// Add counts an example that takes so much whole.
func (w *Worth) Add(cost int64) {
	w.Largest, w.Total, w.Examples = max(w.Largest, cost), w.Total+cost, w.Examples+1
}

// mean is what an example takes.
func (w Worth) mean() float64 { return float64(w.Total) / float64(max(1, w.Examples)) }

// Of is what n samples are worth. A part of a sample counts as that part; a class with fewer examples has them all.
func (w Worth) Of(n float64) Budget {
	n = max(0, min(n, float64(w.Examples)))
	return Budget(math.Round(min(n, 1)*float64(w.Largest) + max(n-1, 0)*w.mean()))
}

// Samples is the inverse of Of: how many samples an amount is worth, at most all.
func (w Worth) Samples(amount int64) float64 {
	if w.Total == 0 {
		return 0
	}
	if amount <= w.Largest {
		return float64(amount) / float64(w.Largest)
	}
	return min(float64(w.Examples), 1+float64(amount-w.Largest)/w.mean())
}
