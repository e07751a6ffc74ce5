package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// What [Summarise] returns is what results.json holds.
type (
	Row   = schemas.ResultsRow
	Point = schemas.ResultsPoint
	Stat  = schemas.Stat
)

// NewStat returns the mean and the sample standard deviation of v, by the two-pass formula.
func NewStat(v []float64) Stat {
	s := Stat{N: len(v)}
	if s.N == 0 {
		return s
	}
	for _, x := range v {
		s.Mean += x
	}
	s.Mean /= float64(s.N)
	if s.N > 1 {
		var sum float64
		for _, x := range v {
			sum += (x - s.Mean) * (x - s.Mean)
		}
		s.SD = math.Sqrt(sum / float64(s.N-1))
	}
	return s
}

// known is the order in which the ways to keep exemplars are told: from nothing, over whole pictures, to masked ones.
func known() []string { return []string{"none", "raw", "mrdc", "cim", "masked"} }

// rank is the place of a way to keep exemplars in a table. Unknown ones come last.
func rank(exemplars string) int {
	if i := slices.Index(known(), exemplars); i >= 0 {
		return i
	}
	return len(known())
}

// groupKey is equal for runs that differ only in the seed and in how the paths of data and weights are written. The schedule of
// classes is part of it, so that curves and matrices of one row can be averaged cell by cell.
func groupKey(r Run) string { return keyOf(r, r.identity) }

// nameKey is groupKey by the names of data and weights, by which groups are ordered as a reader would.
func nameKey(r Run) string { return keyOf(r, setting.place) }

func keyOf(r Run, value func(setting) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q", r.Report.Method, r.Report.Exemplars)
	for _, p := range r.Report.Phases {
		fmt.Fprintf(&b, " %d", p.Classes)
	}
	for _, s := range flatten(r.Settings.Settings) {
		fmt.Fprintf(&b, "\n%q %q", s.Key, value(s))
	}
	return b.String()
}

// group puts runs that differ only in the seed together: ordered as [Summarise] orders its rows, each by seed.
func group(runs []Run) [][]Run {
	byKey := map[string][]Run{}
	var keys []string
	for _, r := range runs {
		k := groupKey(r)
		if byKey[k] == nil {
			keys = append(keys, k)
		}
		byKey[k] = append(byKey[k], r)
	}
	var groups [][]Run
	for _, k := range keys {
		slices.SortStableFunc(byKey[k], func(a, b Run) int { return cmp.Compare(a.Report.Seed, b.Report.Seed) })
		groups = append(groups, byKey[k])
	}
	slices.SortStableFunc(groups, func(a, b []Run) int {
		x, y := a[0].Report, b[0].Report
		return cmp.Or(
			cmp.Compare(rank(x.Exemplars), rank(y.Exemplars)),
			cmp.Compare(x.Exemplars, y.Exemplars),
			cmp.Compare(x.Method, y.Method),
			cmp.Compare(x.Phases[len(x.Phases)-1].MemoryBudgetBytes, y.Phases[len(y.Phases)-1].MemoryBudgetBytes),
			cmp.Compare(len(x.Phases), len(y.Phases)),
			cmp.Compare(nameKey(a[0]), nameKey(b[0])),
			cmp.Compare(groupKey(a[0]), groupKey(b[0])),
		)
	})
	return groups
}

// Summarise puts runs that differ only in the seed into one row. Rows are ordered by how exemplars are kept (none, raw,
// mrdc, cim, masked, then alphabetically), then by method, budget and phases. The runs are as [Load] returns them:
// every one has at least one phase.
func Summarise(runs []Run) []Row {
	rows, _ := summarise(group(runs))
	return rows
}

// summarise returns the rows of groups, and the studies that they are part of.
func summarise(groups [][]Run) ([]Row, []study) {
	variants := variants(groups)
	rows := make([]Row, len(groups))
	for i, g := range groups {
		rows[i] = newRow(g)
		rows[i].Variant = variants[i]
	}
	studies := studiesOf(groups, rows)
	for k, s := range studies {
		for _, l := range s.lines {
			for _, i := range l.rows {
				if i >= 0 {
					rows[i].Table = k
				}
			}
		}
	}
	return rows, studies
}

func newRow(runs []Run) Row {
	over := func(f func(schemas.Report) float64) Stat {
		v, _ := overRuns(runs, func(r schemas.Report) (float64, bool) { return f(r), true })
		return v
	}
	have := func(f func(schemas.Report) (float64, bool)) Stat {
		v, _ := overRuns(runs, f)
		return v
	}
	last := func(f func(schemas.Phase) float64) Stat {
		return over(func(r schemas.Report) float64 { return f(lastPhase(r)) })
	}
	keeps := func(f func(schemas.Phase) float64) Stat { // a cost without exemplars is none, not 0
		return have(func(r schemas.Report) (float64, bool) { p := lastPhase(r); return f(p), p.ExemplarsPerClass > 0 })
	}
	positive := func(f func(schemas.Report) float64) Stat {
		return have(func(r schemas.Report) (float64, bool) { v := f(r); return v, v > 0 })
	}
	first := runs[0].Report
	n := len(first.Phases)
	row := Row{
		Method: first.Method, Exemplars: first.Exemplars, Phases: n, Classes: first.Phases[n-1].Classes,
		MacroAverage:      over(func(r schemas.Report) float64 { return r.MacroAverageAccuracy }),
		NME:               positive(func(r schemas.Report) float64 { return lastPhase(r).NMEAccuracy }),
		Top5:              positive(func(r schemas.Report) float64 { return lastPhase(r).Top5Accuracy }),
		Old:               have(func(r schemas.Report) (float64, bool) { return oldAccuracy(r, n-1) }),
		New:               have(func(r schemas.Report) (float64, bool) { return newAccuracy(r, n-1) }),
		ExemplarsPerClass: last(func(p schemas.Phase) float64 { return p.ExemplarsPerClass }),
		BudgetBytes:       last(func(p schemas.Phase) float64 { return float64(p.MemoryBudgetBytes) }),
		UsedBytes:         last(func(p schemas.Phase) float64 { return float64(p.MemoryUsedBytes) }),
		TokenFraction:     keeps(func(p schemas.Phase) float64 { return p.TokenFraction }),
		PixelFraction:     keeps(func(p schemas.Phase) float64 { return p.PixelFraction }),
		StoredFraction:    keeps(func(p schemas.Phase) float64 { return p.StoredFraction }),
		Seconds: positive(func(r schemas.Report) (sum float64) {
			for _, p := range r.Phases {
				sum += p.Seconds
			}
			return sum
		}),
		TrainedParameters:      positive(func(r schemas.Report) float64 { return float64(r.TrainedParameters) }),
		KeptBytes:              positive(func(r schemas.Report) float64 { return float64(r.KeptBytes) }),
		LearnPicturesPerSecond: positive(learnRate),
		TestPicturesPerSecond:  positive(func(r schemas.Report) float64 { return lastPhase(r).TestPicturesPerSecond }),
		Drop:                   make([]float64, n-1),
		PerClass:               perClass(runs),
	}
	row.Average, row.AverageBySeed = overRuns(runs, func(r schemas.Report) (float64, bool) { return r.AverageAccuracy, true })
	row.Last, row.LastBySeed = overRuns(runs, func(r schemas.Report) (float64, bool) { return r.LastAccuracy, true })
	row.Forgetting, row.ForgettingBySeed = overRuns(runs, func(r schemas.Report) (float64, bool) { return r.Forgetting, true })
	for _, r := range runs {
		row.Seeds = append(row.Seeds, r.Report.Seed)
	}
	for t := range n {
		p := Point{
			Classes: first.Phases[t].Classes,
			Old:     have(func(r schemas.Report) (float64, bool) { return oldAccuracy(r, t) }),
			New:     have(func(r schemas.Report) (float64, bool) { return newAccuracy(r, t) }),
		}
		p.Accuracy, p.BySeed = overRuns(runs, func(r schemas.Report) (float64, bool) { return r.Phases[t].Accuracy, true })
		row.Curve = append(row.Curve, p)
		cells := make([]float64, t+1)
		for i := range cells {
			cells[i] = over(func(r schemas.Report) float64 { return r.AccuracyMatrix[t][i] }).Mean
		}
		row.Matrix = append(row.Matrix, cells)
	}
	for i := range row.Drop {
		row.Drop[i] = over(func(r schemas.Report) float64 { return drop(r.AccuracyMatrix, i) }).Mean
	}
	return row
}

// overRuns returns the statistic of what f finds in the reports, and the values themselves. f says whether there is one.
func overRuns(runs []Run, f func(schemas.Report) (float64, bool)) (Stat, []float64) {
	var v []float64
	for _, r := range runs {
		if x, ok := f(r.Report); ok {
			v = append(v, x)
		}
	}
	return NewStat(v), v
}

func lastPhase(r schemas.Report) schemas.Phase { return r.Phases[len(r.Phases)-1] }

// oldAccuracy is of the classes of earlier phases after phase t, where it was measured and there are any. 0 is left out of
// files, so that it counts as measured where anything of its kind is.
func oldAccuracy(r schemas.Report, t int) (float64, bool) {
	p := r.Phases[t]
	return p.OldAccuracy, t > 0 && (p.OldAccuracy > 0 || p.NewAccuracy > 0 || len(p.ClassAccuracy) > 0)
}

// newAccuracy is of the classes of phase t after it.
func newAccuracy(r schemas.Report, t int) (float64, bool) {
	p := r.Phases[t]
	return p.NewAccuracy, p.OldAccuracy > 0 || p.NewAccuracy > 0 || len(p.ClassAccuracy) > 0
}

// learnRate is pictures a second over all phases: what steps took, over the time they took. Without times it is the mean.
func learnRate(r schemas.Report) float64 {
	var pictures, seconds, sum float64
	for _, p := range r.Phases {
		pictures += p.LearnPicturesPerSecond * p.LearnSeconds
		seconds += p.LearnSeconds
		sum += p.LearnPicturesPerSecond
	}
	if pictures > 0 {
		return pictures / seconds
	}
	return sum / float64(len(r.Phases))
}

// perClass sums up the accuracy of each class. It is nil where a run did not measure it, or where seeds differ in the order
// of the classes.
func perClass(runs []Run) []schemas.ResultsClass {
	order := runs[0].Report.Classes
	n := lastPhase(runs[0].Report).Classes
	for _, r := range runs {
		for _, p := range r.Report.Phases {
			if len(p.ClassAccuracy) != p.Classes {
				return nil
			}
		}
		if !slices.Equal(r.Report.Classes, order) {
			return nil
		}
	}
	out := make([]schemas.ResultsClass, n)
	for c := range out {
		if c < len(order) {
			out[c].WNID, out[c].Name = order[c].WNID, order[c].Name
		}
		for t, p := range runs[0].Report.Phases { // the class came with the first phase that has seen it
			if c < p.Classes {
				out[c].Phase = t
				break
			}
		}
		out[c].Last, _ = overRuns(runs, func(r schemas.Report) (float64, bool) { return lastPhase(r).ClassAccuracy[c], true })
		out[c].Forgetting, _ = overRuns(runs, func(r schemas.Report) (float64, bool) {
			var best float64
			for _, p := range r.Phases[out[c].Phase:] {
				best = max(best, p.ClassAccuracy[c])
			}
			return best - lastPhase(r).ClassAccuracy[c], true
		})
	}
	return out
}

// drop is max over t of a[t][i], minus the last a[t][i]: what was forgotten of phase i.
func drop(a [][]float64, i int) float64 {
	best := a[i][i]
	for _, row := range a[i:] {
		best = max(best, row[i])
	}
	return best - a[len(a)-1][i]
}
