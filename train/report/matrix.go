package report

import (
	"slices"
	"strconv"

	"github.com/mcil/mcil/schemas"
)

// tablesOf returns the table of each study: average accuracy, method by number of phases, the paper's beside ours.
func tablesOf(studies []study, rows []Row, o Options) []schemas.ResultsTable {
	tables := make([]schemas.ResultsTable, len(studies))
	for i, s := range studies {
		t := schemas.ResultsTable{Title: s.title}
		for _, c := range s.columns {
			t.Columns = append(t.Columns, c.title)
		}
		for _, l := range s.lines {
			of := s.series[l.series]
			name := series{method: of.method, exemplars: of.exemplars, altered: of.altered}.name() // without the variant
			line := schemas.ResultsCells{
				Name: name, Method: of.method, Exemplars: of.exemplars, Variant: of.variant, Budget: l.budget.String(),
				Cells: make([]Stat, len(s.columns)), Best: make([]bool, len(s.columns)), Published: make([]Stat, len(s.columns)),
			}
			for c, row := range l.rows {
				if row >= 0 {
					line.Cells[c] = rows[row].Average
				}
				if !o.WithoutPublished {
					line.Published[c] = published(of, l.budget, s.columns[c])
				}
			}
			t.Lines = append(t.Lines, line)
		}
		markBest(t, s.lines)
		tables[i] = t
	}
	return tables
}

// markBest marks, in each column, the highest mean of the lines with one budget and of those without any. A line without a
// budget is best where no budget beats it. What stands alone is not the best of anything, and joint, which keeps every row, is the
// bound and no rival. lines is parallel to the table's.
func markBest(t schemas.ResultsTable, lines []line) {
	rival := func(a, b budget) bool { return a.key == "" || b.key == "" || a == b }
	for c := range t.Columns {
		for i, l := range t.Lines {
			rivals, beaten := 0, false
			for j, o := range t.Lines {
				if i == j || o.Cells[c].N == 0 || o.Method == "joint" || !rival(lines[i].budget, lines[j].budget) {
					continue
				}
				rivals++
				beaten = beaten || o.Cells[c].Mean > l.Cells[c].Mean
			}
			t.Lines[i].Best[c] = l.Cells[c].N > 0 && l.Method != "joint" && rivals > 0 && !beaten
		}
	}
}

// matrixCell is a cell of a table of methods by phases.
type matrixCell struct {
	Text string
	Best bool
	Them bool // of the paper, not ours
}

// textColumns is how many columns before the numbers are text: method, exemplars, and the budget where there is one.
func textColumns(t schemas.ResultsTable) int {
	if slices.ContainsFunc(t.Lines, func(l schemas.ResultsCells) bool { return l.Budget != "" }) {
		return 3
	}
	return 2
}

// publishedColumns lists the columns for which the paper has a figure of any line.
func publishedColumns(t schemas.ResultsTable) (columns []int) {
	for c := range t.Columns {
		if slices.ContainsFunc(t.Lines, func(l schemas.ResultsCells) bool { return l.Published[c].N > 0 }) {
			columns = append(columns, c)
		}
	}
	return columns
}

// matrix returns the head and the lines of a table.
func matrix(t schemas.ResultsTable) (head []string, lines [][]matrixCell) {
	budgets := textColumns(t) == 3
	head = []string{"method", "exemplars"}
	if budgets {
		head = append(head, "budget")
	}
	head = append(head, t.Columns...)
	theirs := publishedColumns(t)
	for _, c := range theirs {
		head = append(head, "published "+t.Columns[c])
	}
	usual := usualSeeds(t)
	for _, l := range t.Lines {
		name := l.Name
		if l.Variant != "" {
			name += " (" + l.Variant + ")"
		}
		line := []matrixCell{{Text: name}, {Text: orDash(l.Exemplars)}}
		if budgets {
			line = append(line, matrixCell{Text: orDash(l.Budget)})
		}
		for c, s := range l.Cells {
			text := spread(s, 100, 1)
			if s.N > 0 && s.N != usual {
				text += " (n = " + strconv.Itoa(s.N) + ")"
			}
			line = append(line, matrixCell{Text: text, Best: l.Best[c]})
		}
		for _, c := range theirs {
			line = append(line, matrixCell{Text: spread(l.Published[c], 100, 1), Them: true})
		}
		lines = append(lines, line)
	}
	return head, lines
}

func orDash(s string) string {
	if s == "" {
		return none
	}
	return s
}

// usualSeeds is the number of seeds that most cells have; of two, the larger.
func usualSeeds(t schemas.ResultsTable) (usual int) {
	votes := map[int]int{}
	for _, l := range t.Lines {
		for _, c := range l.Cells {
			if c.N > 0 {
				votes[c.N]++
			}
		}
	}
	for _, l := range t.Lines {
		for _, c := range l.Cells {
			if c.N > 0 && (votes[c.N] > votes[usual] || votes[c.N] == votes[usual] && c.N > usual) {
				usual = c.N
			}
		}
	}
	return usual
}

// seeded says over how many seeds the cells of a table are, with a comma before it.
func seeded(t schemas.ResultsTable) string {
	switch n := usualSeeds(t); n {
	case 0:
		return ""
	case 1:
		return ", of one seed unless n says otherwise"
	default:
		return ", mean ± sample standard deviation over " + strconv.Itoa(n) + " seeds unless n says otherwise"
	}
}
