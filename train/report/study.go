package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/train/report/scene"
)

// study is what can stand in one table: runs on the same classes of the same data with the same encoder. Its lines are
// methods, its columns are numbers of phases.
type study struct {
	title   string // data and encoder
	columns []column
	lines   []line
	series  []series
}

// column is a schedule of classes.
type column struct {
	title  string // such as "L = 10"
	phases int
	seen   string // classes after each phase, which tells schedules apart
	even   bool   // phases of equal size, but for what remains in the first
}

// line is a method under a budget.
type line struct {
	series int // index
	budget budget
	rows   []int // parallel to the columns: index of a row; -1 where there is none
}

// series is a method whatever its budget: a colour, and a line of a figure.
type series struct {
	method, exemplars string
	variant           string // what sets it apart from others of the same name, budget aside
	altered           bool   // not what its authors call by the name: see [altered]
	colour            int
}

// name is the paper's for what is the paper's, and otherwise the method with its exemplars.
func (s series) name() string {
	n := paperName(s.method, s.exemplars)
	if n == "" || s.altered {
		n = fieldName(s.method)
		switch {
		case s.exemplars == "none" && s.method == "ssf":
			n += ", no exemplars"
		case s.exemplars != "" && s.exemplars != "none":
			n += " + " + s.exemplars
		}
	}
	if s.variant != "" {
		n += " (" + s.variant + ")"
	}
	return n
}

func (s series) ink() scene.Colour { return scene.Series(s.colour) }

// studiesOf sorts groups, which rows are parallel to, into studies.
func studiesOf(groups [][]Run, rows []Row) []study {
	type members struct {
		name, key string
		of        []int // indices of groups
	}
	var all []members
	for i, g := range groups {
		key := studyKey(g[0], g[0].identity)
		k := slices.IndexFunc(all, func(m members) bool { return m.key == key })
		if k < 0 {
			k = len(all)
			all = append(all, members{name: studyKey(g[0], setting.place), key: key})
		}
		all[k].of = append(all[k].of, i)
	}
	slices.SortFunc(all, func(a, b members) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.key, b.key)) })
	out := make([]study, len(all))
	first := make([]Run, len(all)) // of each study
	for k, m := range all {
		out[k], first[k] = newStudy(groups, rows, m.of), groups[m.of[0]][0]
	}
	tellApart(out, first)
	return out
}

// tellApart adds to titles that are alike which data or weights they are of.
func tellApart(studies []study, first []Run) {
	titles := make([]string, len(studies))
	for i := range studies {
		titles[i] = studies[i].title
	}
	for i, title := range titles {
		var like []Run
		at := 0
		for j, other := range titles {
			if i == j {
				at = len(like)
			}
			if other == title {
				like = append(like, first[j])
			}
		}
		for _, d := range differences(like) {
			if (d.Key == "data" || d.Key == "weights") && len(like) > 1 {
				studies[i].title += ", " + d.Key + " " + clip(d.Values[at], 40)
			}
		}
	}
}

// studyKey is equal for runs that can stand in one table, where value is of [Run.identity]. Of names it is what a reader
// orders tables by.
func studyKey(r Run, value func(setting) string) string {
	var b strings.Builder
	for _, s := range flatten(r.Settings.Settings) {
		if partOf(normal(s.Key)) == ofData {
			b.WriteString(s.Key + " " + value(s) + "\n")
		}
	}
	b.WriteString(strconv.Itoa(lastPhase(r.Report).Classes))
	return b.String()
}

func newStudy(groups [][]Run, rows []Row, members []int) study {
	s := study{title: studyTitle(groups[members[0]][0])}
	for _, i := range members {
		if seen := classesSeen(groups[i]); !slices.ContainsFunc(s.columns, func(c column) bool { return c.seen == seen }) {
			s.columns = append(s.columns, newColumn(rows[i], seen))
		}
	}
	slices.SortStableFunc(s.columns, func(a, b column) int {
		return cmp.Or(cmp.Compare(a.phases, b.phases), cmp.Compare(a.title, b.title), cmp.Compare(a.seen, b.seen))
	})
	type lineKey struct {
		method, exemplars string
		budget            budget
		settings          string
	}
	var keys []lineKey // in the order of the groups
	alike := map[lineKey][]int{}
	for _, i := range members {
		first := groups[i][0]
		settings := flatten(first.Settings.Settings)
		key := lineKey{rows[i].Method, rows[i].Exemplars, budgetOf(settings), ownSettings(first)}
		if alike[key] == nil {
			keys = append(keys, key)
		}
		alike[key] = append(alike[key], i)
	}
	for _, key := range keys {
		for _, part := range partLine(groups, alike[key]) {
			s.addLine(groups, rows, members, part, key.budget)
		}
	}
	s.colour()
	slices.SortStableFunc(s.lines, func(a, b line) int {
		return cmp.Or(a.budget.order(b.budget), cmp.Compare(a.series, b.series))
	})
	return s
}

// addLine adds a line of groups, which are of members, those of the study. Its rows are called what it is called, where
// their own settings do not say it: rows of old programs and of new ones have one name without.
func (s *study) addLine(groups [][]Run, rows []Row, members []int, of shared, under budget) {
	i := of.members[0]
	first := groups[i][0]
	var like []int // of the study and of the name
	for _, j := range likeNamed(groups, i) {
		if slices.Contains(members, j) {
			like = append(like, j)
		}
	}
	variant := append(told(groups, like, i, setsApart(flatten(first.Settings.Settings))), of.apart...)
	x := series{method: rows[i].Method, exemplars: rows[i].Exemplars, altered: altered(first)}
	x.variant = strings.Join(variant, ", ")
	k := slices.Index(s.series, x)
	if k < 0 {
		k = len(s.series)
		s.series = append(s.series, x)
	}
	l := line{series: k, budget: under, rows: slices.Repeat([]int{-1}, len(s.columns))}
	for _, i := range of.members {
		seen := classesSeen(groups[i])
		l.rows[slices.IndexFunc(s.columns, func(c column) bool { return c.seen == seen })] = i
		for _, part := range of.apart {
			if key, _, _ := strings.Cut(part, " "); partOf(normal(key)) == ofSchedule || strings.Contains(rows[i].Variant, part) {
				continue
			}
			rows[i].Variant = strings.TrimPrefix(rows[i].Variant+", "+part, ", ")
		}
	}
	s.lines = append(s.lines, l)
}

// ownSettings are those that set a line of a run apart, and are not as usual. The usual value may be another number in each
// column, such as one prompt a phase, and programs of before there was a setting recorded none.
func ownSettings(r Run) string {
	settings := flatten(r.Settings.Settings)
	apart := setsApart(settings)
	var b strings.Builder
	for _, x := range settings {
		plain, is := usual(r, normal(x.Key))
		if apart(normal(x.Key)) && x.Value != "" && !(is && plain == x.Value) {
			b.WriteString(x.Key + " " + x.Value + "\n")
		}
	}
	return b.String()
}

// colour orders the series, plain ones before variants, and deals out colours. A known way to keep exemplars has the same
// colour in every report.
func (s *study) colour() {
	order := make([]int, len(s.series))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := s.series[a], s.series[b]
		return cmp.Or(cmp.Compare(rank(x.exemplars), rank(y.exemplars)), cmp.Compare(x.exemplars, y.exemplars),
			cmp.Compare(x.method, y.method), cmp.Compare(x.variant, y.variant))
	})
	sorted := make([]series, len(order))
	place := make([]int, len(order))
	for i, k := range order {
		sorted[i], place[k] = s.series[k], i
	}
	s.series = sorted
	for i := range s.lines {
		s.lines[i].series = place[s.lines[i].series]
	}
	reserved := map[int]bool{}
	for _, x := range s.series {
		if r := rank(x.exemplars); r < len(known()) {
			reserved[r] = true
		}
	}
	used := map[int]bool{}
	for i := range s.series {
		if k := s.plainOf(i); k >= 0 { // a variant has the colour of what it is a variant of
			s.series[i].colour = s.series[k].colour
			continue
		}
		c := rank(s.series[i].exemplars)
		if c == len(known()) || used[c] {
			c = i % scene.SeriesColours
			for _, free := range []int{5, 6, 7, 0, 1, 2, 3, 4} {
				if !used[free] && !reserved[free] {
					c = free
					break
				}
			}
		}
		used[c] = true
		s.series[i].colour = c
	}
}

// plainOf is the series that number i is a variant of; -1 where it is none, or where that one was not run.
func (s study) plainOf(i int) int {
	if s.series[i].variant == "" {
		return -1
	}
	return slices.IndexFunc(s.series, func(x series) bool {
		return x.variant == "" && x.method == s.series[i].method && x.exemplars == s.series[i].exemplars
	})
}

// newColumn names a row's schedule.
func newColumn(r Row, seen string) column {
	c := column{title: "L = " + strconv.Itoa(r.Phases), phases: r.Phases, seen: seen, even: true}
	if r.Phases > 1 {
		first, size := r.Curve[0].Classes, r.Curve[1].Classes-r.Curve[0].Classes
		for t := 2; t < r.Phases; t++ {
			c.even = c.even && r.Curve[t].Classes-r.Curve[t-1].Classes == size
		}
		switch {
		case !c.even:
			c.title += ", uneven"
		case first != size && first != size+r.Classes%r.Phases:
			c.even = false
			c.title += ", from " + strconv.Itoa(first)
		}
	}
	return c
}

// studyTitle says what was learned, and with what encoder, as far as the settings tell.
func studyTitle(r Run) string {
	var parts []string
	settings := flatten(r.Settings.Settings)
	value := func(key string) string {
		for _, s := range settings {
			if normal(s.Key) == key {
				return s.place()
			}
		}
		return ""
	}
	if data := lookup(settings, "data"); data != "" {
		parts = append(parts, clip(shortPath(data), 40))
	}
	if classes := value("classes"); classes != "" {
		parts = append(parts, "classes "+clip(classes, 40))
	}
	parts = append(parts, count(lastPhase(r.Report).Classes, "class", "classes"))
	switch model, weights := value("model"), value("weights"); {
	case weights != "" && weights != "random":
		parts = append(parts, "weights "+clip(weights, 40))
	case model != "":
		parts = append(parts, clip(model, 40))
	}
	if e := value("evaluate"); e != "" && e != "test" {
		parts = append(parts, e+" rows")
	}
	return strings.Join(parts, ", ")
}

// shortPath is the last element of a path, and the one before it where the last names a layout.
func shortPath(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	if n := len(parts); n > 1 && slices.Contains([]string{"hf", "vilt", "hub"}, parts[n-1]) {
		return parts[n-2] + "/" + parts[n-1]
	}
	if len(parts) == 0 {
		return path
	}
	return parts[len(parts)-1]
}

// chosen are the lines that a figure of column c shows, at most scene.SeriesColours: those under one budget, and those
// without any; variants of others among them have a figure of their own. The budget is the one that the study has most cells
// of (of several, the one next to the paper's), so that the figures of all columns show the same; a column without it has
// its own. more is how many other lines there are.
func (s study) chosen(c int) (lines []line, under budget, more int) {
	var all []line
	for _, l := range s.lines {
		if l.rows[c] >= 0 {
			all = append(all, l)
		}
	}
	under = commonBudget(s.lines)
	if !slices.ContainsFunc(all, func(l line) bool { return l.budget == under }) {
		under = commonBudget(all)
	}
	for _, l := range all {
		if (l.budget.key == "" || l.budget == under) && s.plainOf(l.series) < 0 {
			lines = append(lines, l)
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.series, b.series) })
	lines = lines[:min(len(lines), scene.SeriesColours)]
	return lines, under, len(all) - len(lines)
}

// ablation are the lines of column c under the budget of its figures, variants after what they are variants of; nil without
// variants.
func (s study) ablation(c int) (lines []line) {
	_, under, _ := s.chosen(c)
	variants := false
	for i := range s.series {
		for _, l := range s.lines {
			if l.series == i && l.rows[c] >= 0 && l.budget == under {
				lines = append(lines, l)
				variants = variants || s.plainOf(i) >= 0
			}
		}
	}
	if !variants {
		return nil
	}
	return lines
}

// commonBudget is the budget of most cells of lines.
func commonBudget(lines []line) (under budget) {
	votes := map[budget]int{}
	for _, l := range lines {
		for _, row := range l.rows {
			if row >= 0 && l.budget.key != "" {
				votes[l.budget]++
			}
		}
	}
	best := 0
	for _, l := range lines { // in the lines' order, so that the choice is always the same
		n := votes[l.budget]
		if n > best || n > 0 && n == best && distance(l.budget) < distance(under) {
			best, under = n, l.budget
		}
	}
	return under
}

// distance is how far a budget is from the paper's 5 exemplars a class; budgets of another kind are farther than any.
func distance(b budget) float64 {
	if b.key != "budget" || b.counts != "" {
		return 1e18
	}
	return max(b.value-5, 5-b.value)
}
