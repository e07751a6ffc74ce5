package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// What [Summarise] returns is what results.json holds.
type (
	Row   = schemas.ResultsRow
	Point = schemas.ResultsPoint
	Stat  = schemas.Stat
)

// newStat returns the mean and the sample standard deviation of v, by the two-pass formula.
func newStat(v []float64) Stat {
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

// groupKey is equal for runs that differ only in the seed and in how the paths of data and weights are written. The schedule of classes is part of it, so that curves and
// matrices of one row can be averaged cell by cell.
func groupKey(r Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q", r.Report.Method, r.Report.Exemplars)
	for _, p := range r.Report.Phases {
		fmt.Fprintf(&b, " %d", p.Classes)
	}
	for _, s := range flatten(r.Settings.Settings) {
		fmt.Fprintf(&b, "\n%q %q", s.Key, s.place())
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
			cmp.Compare(groupKey(a[0]), groupKey(b[0])),
		)
	})
	return groups
}

// Summarise puts runs that differ only in the seed into one row. Rows are ordered by how exemplars are kept (none, raw,
// mrdc, cim, masked, then alphabetically), then by method, budget and phases. The runs are as [Load] returns them:
// every one has at least one phase.
func Summarise(runs []Run) []Row {
	groups := group(runs)
	variants := variants(groups)
	rows := make([]Row, len(groups))
	for i, g := range groups {
		rows[i] = newRow(g)
		rows[i].Variant = variants[i]
	}
	return rows
}

func newRow(runs []Run) Row {
	over := func(f func(schemas.Report) float64) Stat {
		v := make([]float64, len(runs))
		for i, r := range runs {
			v[i] = f(r.Report)
		}
		return newStat(v)
	}
	last := func(f func(schemas.Phase) float64) Stat {
		return over(func(r schemas.Report) float64 { return f(r.Phases[len(r.Phases)-1]) })
	}
	first := runs[0].Report
	n := len(first.Phases)
	row := Row{
		Method: first.Method, Exemplars: first.Exemplars, Phases: n, Classes: first.Phases[n-1].Classes,
		Average:           over(func(r schemas.Report) float64 { return r.AverageAccuracy }),
		MacroAverage:      over(func(r schemas.Report) float64 { return r.MacroAverageAccuracy }),
		Last:              over(func(r schemas.Report) float64 { return r.LastAccuracy }),
		Forgetting:        over(func(r schemas.Report) float64 { return r.Forgetting }),
		ExemplarsPerClass: last(func(p schemas.Phase) float64 { return p.ExemplarsPerClass }),
		BudgetBytes:       last(func(p schemas.Phase) float64 { return float64(p.MemoryBudgetBytes) }),
		UsedBytes:         last(func(p schemas.Phase) float64 { return float64(p.MemoryUsedBytes) }),
		TokenFraction:     last(func(p schemas.Phase) float64 { return p.TokenFraction }),
		PixelFraction:     last(func(p schemas.Phase) float64 { return p.PixelFraction }),
		StoredFraction:    last(func(p schemas.Phase) float64 { return p.StoredFraction }),
		Seconds: over(func(r schemas.Report) (sum float64) {
			for _, p := range r.Phases {
				sum += p.Seconds
			}
			return sum
		}),
		Drop: make([]float64, n-1),
	}
	for _, r := range runs {
		row.Seeds = append(row.Seeds, r.Report.Seed)
	}
	for t := range n {
		p := Point{Classes: first.Phases[t].Classes}
		for _, r := range runs {
			p.BySeed = append(p.BySeed, r.Report.Phases[t].Accuracy)
		}
		p.Accuracy = newStat(p.BySeed)
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

// drop is max over t of a[t][i], minus the last a[t][i]: what was forgotten of phase i.
func drop(a [][]float64, i int) float64 {
	best := a[i][i]
	for _, row := range a[i:] {
		best = max(best, row[i])
	}
	return best - a[len(a)-1][i]
}

// variants names, for groups of the same method and exemplars, the settings in which they differ.
func variants(groups [][]Run) []string {
	out := make([]string, len(groups))
	for i := range groups {
		var same []int
		for j := range groups {
			if groups[j][0].Report.Method == groups[i][0].Report.Method && groups[j][0].Report.Exemplars == groups[i][0].Report.Exemplars {
				same = append(same, j)
			}
		}
		if len(same) < 2 {
			continue
		}
		var runs []Run
		for _, j := range same {
			runs = append(runs, groups[j][0])
		}
		_, differ := compare(runs)
		var parts []string
		for _, d := range differ {
			if places := d.places(); len(slices.Compact(slices.Clone(places))) > 1 {
				parts = append(parts, d.Key+" "+places[slices.Index(same, i)])
			}
		}
		if len(parts) == 0 { // the schedules differ: the key holds nothing else
			r := groups[i][0].Report
			parts = []string{strconv.Itoa(r.Phases[len(r.Phases)-1].Classes) + " classes, " + strconv.Itoa(len(r.Phases)) + " phases"}
		}
		out[i] = strings.Join(parts, ", ")
	}
	return out
}
