package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// column is one column of the results table. The first is the method; all others are numbers.
type column struct {
	Head string
	Cell func(Row) string
}

// columns returns the table's columns. Bytes are in one unit for the whole column, chosen by the largest value.
func columns(rows []Row, o Options) []column {
	var most float64
	published := false
	for _, r := range rows {
		most = max(most, r.UsedBytes.Mean, r.BudgetBytes.Mean)
		_, ok := o.Published[r.Label()]
		published = published || ok
	}
	unit, size := byteUnit(most)
	decimals := byteDecimals(size)
	accuracy := func(f func(Row) Stat) func(Row) string {
		return func(r Row) string { return spread(f(r), 100, 1) }
	}
	cols := []column{
		{"method", Row.Label},
		{"average accuracy %", accuracy(func(r Row) Stat { return r.Average })},
		{"last accuracy %", accuracy(func(r Row) Stat { return r.Last })},
		{"forgetting %", accuracy(func(r Row) Stat { return r.Forgetting })},
		{"exemplars per class", func(r Row) string {
			if r.ExemplarsPerClass.Mean == 0 {
				return "0"
			}
			return spread(r.ExemplarsPerClass, 1, 1)
		}},
		{"used " + unit, func(r Row) string {
			if r.UsedBytes.Mean == 0 {
				return "0"
			}
			return spread(r.UsedBytes, 1/size, decimals)
		}},
		{"budget " + unit, func(r Row) string {
			if r.BudgetBytes.Mean == 0 {
				return none
			}
			return bytesIn(r.BudgetBytes.Mean, size)
		}},
		{"seeds", func(r Row) string { return strconv.Itoa(len(r.Seeds)) }},
	}
	if published {
		cols = append(cols, column{"published (arXiv 2412.09549) %", func(r Row) string {
			if v, ok := o.Published[r.Label()]; ok {
				return percent(v)
			}
			return none
		}})
	}
	return cols
}

// grid returns the head and the cells of the table.
func grid(rows []Row, o Options) (head []string, cells [][]string) {
	cols := columns(rows, o)
	for _, c := range cols {
		head = append(head, c.Head)
	}
	for _, r := range rows {
		line := make([]string, len(cols))
		for i, c := range cols {
			line[i] = c.Cell(r)
		}
		cells = append(cells, line)
	}
	return head, cells
}

// WriteTable prints rows for a terminal: accuracies and forgetting in percent, mean ± standard deviation over seeds.
func WriteTable(w io.Writer, rows []Row) error {
	head, cells := grid(rows, Options{})
	return writeAligned(w, append([][]string{head}, cells...))
}

// writeAligned prints the first column to the left and the others to the right, two spaces apart. Control characters
// in a name cannot reach the terminal.
func writeAligned(w io.Writer, lines [][]string) error {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i := range line {
			line[i] = strings.Map(func(r rune) rune {
				if r < ' ' || r >= 0x7f && r < 0xa0 {
					return '?'
				}
				return r
			}, line[i])
			width[i] = max(width[i], utf8.RuneCountInString(line[i]))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0:
				b.WriteString(cell + pad)
			default:
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMarkdown writes the table as Markdown in aligned source.
func writeMarkdown(w io.Writer, rows []Row, o Options) error {
	head, cells := grid(rows, o)
	lines := append([][]string{head}, cells...)
	escape := strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "\n", " ", "\r", " ", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[")
	width := make([]int, len(head))
	for _, line := range lines {
		for i := range line {
			line[i] = escape.Replace(line[i])
			width[i] = max(width[i], utf8.RuneCountInString(line[i]), 3)
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("| " + cell + pad + " |")
			} else {
				b.WriteString(" " + pad + cell + " |")
			}
		}
		b.WriteByte('\n')
		if n == 0 {
			b.WriteString("| " + strings.Repeat("-", width[0]) + " |")
			for _, n := range width[1:] {
				b.WriteString(" " + strings.Repeat("-", n-1) + ": |")
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCSV writes every statistic with six decimals: fractions, bytes and seconds. The standard deviation of one seed
// is an empty field.
func writeCSV(w io.Writer, rows []Row) error {
	stats := []struct {
		name string
		of   func(Row) Stat
	}{
		{"average_accuracy", func(r Row) Stat { return r.Average }},
		{"macro_average_accuracy", func(r Row) Stat { return r.MacroAverage }},
		{"last_accuracy", func(r Row) Stat { return r.Last }},
		{"forgetting", func(r Row) Stat { return r.Forgetting }},
		{"exemplars_per_class", func(r Row) Stat { return r.ExemplarsPerClass }},
		{"memory_budget_bytes", func(r Row) Stat { return r.BudgetBytes }},
		{"memory_used_bytes", func(r Row) Stat { return r.UsedBytes }},
		{"token_fraction", func(r Row) Stat { return r.TokenFraction }},
		{"pixel_fraction", func(r Row) Stat { return r.PixelFraction }},
		{"stored_fraction", func(r Row) Stat { return r.StoredFraction }},
		{"seconds", func(r Row) Stat { return r.Seconds }},
	}
	head := []string{"label", "method", "exemplars", "variant", "phases", "classes", "seeds"}
	for _, s := range stats {
		head = append(head, s.name, s.name+"_sd")
	}
	c := csv.NewWriter(w)
	c.Write(head)
	for _, r := range rows {
		line := []string{r.Label(), r.Method, r.Exemplars, r.Variant, strconv.Itoa(r.Phases), strconv.Itoa(r.Classes), seedText(r.Seeds, " ")}
		for _, s := range stats {
			v := s.of(r)
			sd := ""
			if v.N > 1 {
				sd = fixed(v.SD, 6)
			}
			line = append(line, fixed(v.Mean, 6), sd)
		}
		c.Write(line)
	}
	c.Flush()
	return c.Error()
}

func seedText(seeds []uint64, sep string) string {
	s := make([]string, len(seeds))
	for i, n := range seeds {
		s[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(s, sep)
}
