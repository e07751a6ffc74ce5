package report

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// field is one column of a table of rows. The first is the method; all others are numbers.
type field struct {
	Head string
	Cell func(Row) string
}

// statField is a column of percents, or of values as they are, with as many decimals.
func statField(head string, scale float64, decimals int, of func(Row) Stat) field {
	return field{head, func(r Row) string { return spread(of(r), scale, decimals) }}
}

func seedsField() field {
	return field{"seeds", func(r Row) string { return strconv.Itoa(len(r.Seeds)) }}
}

// held is a number of exemplars: no spread where there are none.
func held(r Row) string {
	if r.ExemplarsPerClass.Mean == 0 {
		return "0"
	}
	return spread(r.ExemplarsPerClass, 1, 1)
}

// byteFields are the columns of used bytes and of the budget, in one unit, chosen by the largest value.
func byteFields(rows []Row) []field {
	var most float64
	for _, r := range rows {
		most = max(most, r.UsedBytes.Mean, r.BudgetBytes.Mean)
	}
	unit, size := byteUnit(most)
	return []field{
		{"used " + unit, func(r Row) string {
			if r.UsedBytes.Mean == 0 {
				return "0"
			}
			return spread(r.UsedBytes, 1/size, byteDecimals(size))
		}},
		{"budget " + unit, func(r Row) string {
			if r.BudgetBytes.Mean == 0 {
				return none
			}
			return bytesIn(r.BudgetBytes.Mean, size)
		}},
	}
}

// briefFields are the columns that a terminal has room for.
func briefFields(rows []Row) []field {
	fields := []field{
		{"method", Row.Label},
		statField("average accuracy %", 100, 1, func(r Row) Stat { return r.Average }),
		statField("last accuracy %", 100, 1, func(r Row) Stat { return r.Last }),
		statField("forgetting %", 100, 1, func(r Row) Stat { return r.Forgetting }),
		{"exemplars per class", held},
	}
	return append(append(fields, byteFields(rows)...), seedsField())
}

// accuracyFields are all that was measured of accuracy. name is how a row is called.
func accuracyFields(name func(Row) string) []field {
	return []field{
		{"method", name},
		{"L", func(r Row) string { return strconv.Itoa(r.Phases) }},
		statField("average %", 100, 1, func(r Row) Stat { return r.Average }),
		statField("macro average %", 100, 1, func(r Row) Stat { return r.MacroAverage }),
		statField("last %", 100, 1, func(r Row) Stat { return r.Last }),
		statField("old classes, last %", 100, 1, func(r Row) Stat { return r.Old }),
		statField("new classes, last %", 100, 1, func(r Row) Stat { return r.New }),
		statField("top-5, last %", 100, 1, func(r Row) Stat { return r.Top5 }),
		statField("nearest mean, last %", 100, 1, func(r Row) Stat { return r.NME }),
		statField("forgetting %", 100, 1, func(r Row) Stat { return r.Forgetting }),
		seedsField(),
	}
}

// costFields are all that was measured of memory, size and time.
func costFields(rows []Row, name func(Row) string) []field {
	fields := []field{
		{"method", name},
		{"L", func(r Row) string { return strconv.Itoa(r.Phases) }},
		{"exemplars per class", held},
		statField("tokens, % of raw", 100, 1, func(r Row) Stat { return r.TokenFraction }),
		statField("pixels, % of raw", 100, 1, func(r Row) Stat { return r.PixelFraction }),
		statField("stored, % of raw", 100, 1, func(r Row) Stat { return r.StoredFraction }),
	}
	fields = append(fields, byteFields(rows)...)
	return append(fields,
		field{"trained parameters", func(r Row) string { return thousands(r.TrainedParameters) }},
		field{"kept", func(r Row) string {
			if r.KeptBytes.N == 0 {
				return none
			}
			return byteText(r.KeptBytes.Mean)
		}},
		statField("learned pictures/s", 1, 1, func(r Row) Stat { return r.LearnPicturesPerSecond }),
		statField("tested pictures/s", 1, 1, func(r Row) Stat { return r.TestPicturesPerSecond }),
		field{"time", func(r Row) string {
			if r.Seconds.N == 0 {
				return none
			}
			return durationText(r.Seconds.Mean)
		}},
	)
}

// grid returns the head and the cells of a table, without columns that hold nothing in any row.
func grid(rows []Row, fields []field) (head []string, cells [][]string) {
	cells = make([][]string, len(rows))
	for i, f := range fields {
		column, empty := make([]string, len(rows)), true
		for k, r := range rows {
			column[k] = f.Cell(r)
			empty = empty && column[k] == none
		}
		if empty && i > 0 {
			continue
		}
		head = append(head, f.Head)
		for k := range rows {
			cells[k] = append(cells[k], column[k])
		}
	}
	return head, cells
}

// WriteTable prints rows for a terminal: accuracies and forgetting in percent, mean ± standard deviation over seeds.
func WriteTable(w io.Writer, rows []Row) error {
	fields := briefFields(rows)
	head, cells := make([]string, len(fields)), make([][]string, len(rows))
	for i, f := range fields {
		head[i] = f.Head
		for k, r := range rows {
			cells[k] = append(cells[k], f.Cell(r))
		}
	}
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

func seedText(seeds []uint64, sep string) string {
	s := make([]string, len(seeds))
	for i, n := range seeds {
		s[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(s, sep)
}
