package train

// Matrix holds accuracies in [0,1]: row t has, after phase t, the accuracy on the test rows of the classes of each phase
// 0..t. Rows grow by one.
type Matrix [][]float64

// AverageAccuracy is the mean over phases of the accuracy pooled over the test rows of all classes seen: the "average
// incremental accuracy" of PyCIL and PILOT (A-bar = 1/T Σ Acc_t), without their rounding.
func AverageAccuracy(pooled []float64) float64 { return mean(pooled) }

// MacroAverage is the mean over phases of the mean of the matrix row: tasks weigh alike whatever their size, as in
// CODA-Prompt and google/l2p.
func (m Matrix) MacroAverage() float64 {
	rows := make([]float64, len(m))
	for t, row := range m {
		rows[t] = mean(row)
	}
	return mean(rows)
}

// Forgetting is the mean, over the phases before the last, of the best accuracy that the phase's classes ever had minus
// the one they have at the end. The best is taken over all rows, the last included, as PILOT does, so it is never
// negative. It is 0 where there is one phase.
func (m Matrix) Forgetting() float64 {
	last := len(m) - 1
	if last < 1 {
		return 0
	}
	lost := make([]float64, last)
	for i := range last {
		best := m[last][i]
		for t := i; t < last; t++ {
			best = max(best, m[t][i])
		}
		lost[i] = best - m[last][i]
	}
	return mean(lost)
}

// CodaForgetting is CODA-Prompt's: after each phase but the first, how much the accuracy on the classes of each earlier phase
// fell in that one phase, averaged over these and then over phases. Gains make it negative. It is 0 where there is one phase.
func (m Matrix) CodaForgetting() float64 {
	var drops []float64
	for t := 1; t < len(m); t++ {
		fell := make([]float64, t)
		for i := range t {
			fell[i] = m[t-1][i] - m[t][i]
		}
		drops = append(drops, mean(fell))
	}
	return mean(drops)
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
