package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcil/mcil/schemas"
)

// WriteMarkdown writes the tables as Markdown in aligned source: average accuracy by method and phases, then every row, then
// what the rows cost.
func WriteMarkdown(w io.Writer, runs []Run, o Options) error {
	rows, studies := summarise(group(runs))
	tables := tablesOf(studies, rows, o)
	var b strings.Builder
	for i, t := range tables {
		b.WriteString("Average accuracy in % over the phases (L)" + seeded(t) + ". Bold: the best under its budget. " + escapeMarkdown(t.Title) + ".\n")
		if publishedColumns(t) != nil {
			b.WriteString("Published: " + source + ", on " + sourceData + ", by the same number of phases and the same budget.\n")
		}
		b.WriteByte('\n')
		head, lines := matrix(t)
		for k := range head {
			head[k] = escapeMarkdown(head[k])
		}
		var cells [][]string
		for _, l := range lines {
			var line []string
			for _, c := range l {
				text := escapeMarkdown(c.Text)
				if c.Best {
					text = "**" + text + "**"
				}
				line = append(line, text)
			}
			cells = append(cells, line)
		}
		writeMarkdownTable(&b, head, cells, textColumns(t))
		b.WriteString("\nEvery row. Exemplars and bytes are those held after the last phase.\n\n")
		var members []Row
		for _, r := range rows {
			if r.Table == i {
				members = append(members, r)
			}
		}
		for k, fields := range [][]field{briefFields(members), accuracyFields(Row.Label), costFields(members, Row.Label)} {
			if k > 0 {
				b.WriteByte('\n')
			}
			head, cells := grid(members, fields)
			for _, line := range append([][]string{head}, cells...) {
				for i := range line {
					line[i] = escapeMarkdown(line[i])
				}
			}
			writeMarkdownTable(&b, head, cells, 1)
		}
		if i+1 < len(tables) {
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func escapeMarkdown(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "\n", " ", "\r", " ", "`", "\\`", "*", "\\*", "_", "\\_",
		"[", "\\[").Replace(s)
}

// writeMarkdownTable writes a table, whose first columns are text and whose others are numbers.
func writeMarkdownTable(b *strings.Builder, head []string, cells [][]string, text int) {
	lines := append([][]string{head}, cells...)
	width := make([]int, len(head))
	for _, line := range lines {
		for i := range line {
			width[i] = max(width[i], utf8.RuneCountInString(line[i]), 3)
		}
	}
	for n, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i < text {
				cell += pad
			} else {
				cell = pad + cell
			}
			if i == 0 {
				b.WriteString("|")
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteByte('\n')
		if n == 0 {
			b.WriteString("|")
			for i, n := range width {
				if i < text {
					b.WriteString(" " + strings.Repeat("-", n) + " |")
				} else {
					b.WriteString(" " + strings.Repeat("-", n-1) + ": |")
				}
			}
			b.WriteByte('\n')
		}
	}
}

// WriteCSV writes every statistic with six decimals: fractions, bytes and seconds. The standard deviation of one seed, and what
// no run has, is an empty field. Values by seed are parted by spaces, in the seeds' order.
func WriteCSV(w io.Writer, runs []Run, o Options) error {
	rows, studies := summarise(group(runs))
	return writeCSV(w, rows, tablesOf(studies, rows, o), studies)
}

func writeCSV(w io.Writer, rows []Row, tables []schemas.ResultsTable, studies []study) error {
	stats := []struct {
		name string
		of   func(Row) Stat
	}{
		{"average_accuracy", func(r Row) Stat { return r.Average }},
		{"macro_average_accuracy", func(r Row) Stat { return r.MacroAverage }},
		{"last_accuracy", func(r Row) Stat { return r.Last }},
		{"forgetting", func(r Row) Stat { return r.Forgetting }},
		{"nme_accuracy", func(r Row) Stat { return r.NME }},
		{"top5_accuracy", func(r Row) Stat { return r.Top5 }},
		{"old_accuracy", func(r Row) Stat { return r.Old }},
		{"new_accuracy", func(r Row) Stat { return r.New }},
		{"exemplars_per_class", func(r Row) Stat { return r.ExemplarsPerClass }},
		{"memory_budget_bytes", func(r Row) Stat { return r.BudgetBytes }},
		{"memory_used_bytes", func(r Row) Stat { return r.UsedBytes }},
		{"token_fraction", func(r Row) Stat { return r.TokenFraction }},
		{"pixel_fraction", func(r Row) Stat { return r.PixelFraction }},
		{"stored_fraction", func(r Row) Stat { return r.StoredFraction }},
		{"trained_parameters", func(r Row) Stat { return r.TrainedParameters }},
		{"kept_bytes", func(r Row) Stat { return r.KeptBytes }},
		{"learn_pictures_per_second", func(r Row) Stat { return r.LearnPicturesPerSecond }},
		{"test_pictures_per_second", func(r Row) Stat { return r.TestPicturesPerSecond }},
		{"seconds", func(r Row) Stat { return r.Seconds }},
	}
	bySeed := []struct {
		name string
		of   func(Row) []float64
	}{
		{"average_accuracy_by_seed", func(r Row) []float64 { return r.AverageBySeed }},
		{"last_accuracy_by_seed", func(r Row) []float64 { return r.LastBySeed }},
		{"forgetting_by_seed", func(r Row) []float64 { return r.ForgettingBySeed }},
	}
	head := []string{"label", "name", "method", "exemplars", "variant", "budget", "phases", "classes", "table", "seeds"}
	for _, s := range stats {
		head = append(head, s.name, s.name+"_sd")
	}
	for _, s := range bySeed {
		head = append(head, s.name)
	}
	c := csv.NewWriter(w)
	c.Write(append(head, "published_average_accuracy"))
	for i, r := range rows {
		name, budget, paper := "", "", Stat{}
		for n, l := range studies[r.Table].lines {
			for k, row := range l.rows {
				if row == i {
					t := tables[r.Table].Lines[n]
					name, budget, paper = t.Name, t.Budget, t.Published[k]
				}
			}
		}
		line := []string{r.Label(), name, r.Method, r.Exemplars, r.Variant, budget, strconv.Itoa(r.Phases), strconv.Itoa(r.Classes),
			strconv.Itoa(r.Table), seedText(r.Seeds, " ")}
		for _, s := range stats {
			mean, sd := "", ""
			v := s.of(r)
			if v.N > 0 {
				mean = fixed(v.Mean, 6)
			}
			if v.N > 1 {
				sd = fixed(v.SD, 6)
			}
			line = append(line, mean, sd)
		}
		for _, s := range bySeed {
			var values []string
			for _, v := range s.of(r) {
				values = append(values, fixed(v, 6))
			}
			line = append(line, strings.Join(values, " "))
		}
		text := ""
		if paper.N > 0 {
			text = fixed(paper.Mean, 6)
		}
		c.Write(append(line, text))
	}
	c.Flush()
	return c.Error()
}
