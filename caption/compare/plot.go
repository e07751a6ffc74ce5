package compare

import "fmt"

// plot is a column of histograms, one under another on the same scales.
type plot struct {
	Class       string // wide or narrow
	W, H        string
	Title       string
	Ticks       []tick
	Rows        []plotRow
	Unit        string
	UnitY       string
	Top, Bottom string // of the lines at the ticks
	Right       string
}

type tick struct{ X, Y, Text string }

type plotRow struct {
	Label, Note  string
	Colour       int
	LabelY       string
	Right        string
	BaseY        string
	Bars         []bar
	MarkX        string // of the median; empty: none
	MarkY        string
	MarkH        string
	MarkText     string
	MarkTextX    string
	MarkTextY    string
	MarkTextSide string // end: the text is to the left
}

type bar struct{ X, Y, W, H, Tip string }

// series is a row of a plot: how many of its values are in each bin.
type series struct {
	Label, Note string
	Colour      int
	Bins        []int
	Total       int
	Mark        float64 // in bins; negative: none
	MarkText    string
	Tip         func(bin int) string
}

// axis says what the bins are.
type axis struct {
	Title string
	Bins  int
	Unit  string
	Ticks map[int]string // by the edge between two bins
}

const (
	rowHeight = 54.0
	rowLabel  = 36.0 // above the bars: a line for the label, and one for the mark's text
	rowGap    = 14.0
)

func histograms(rows []series, a axis, class string, w float64) plot {
	p := plot{Class: class, W: px(w), Title: a.Title, Unit: a.Unit, Top: "0", Right: px(w - 1)}
	highest := 0.0
	for _, s := range rows {
		for _, n := range s.Bins {
			highest = max(highest, fraction(n, s.Total))
		}
	}
	step := (w - 2) / float64(a.Bins)
	y := 0.0
	for _, s := range rows {
		base := y + rowLabel + rowHeight
		r := plotRow{Label: s.Label, Note: s.Note, Colour: s.Colour, LabelY: px(y + 13), BaseY: px(base + .5), Right: px(w - 1)}
		for i, n := range s.Bins {
			if n == 0 {
				continue
			}
			h := max(1, rowHeight*fraction(n, s.Total)/highest)
			r.Bars = append(r.Bars, bar{px(1 + float64(i)*step), px(base - h), px(max(step-1, .5)), px(h),
				fmt.Sprintf("%s: %s", s.Tip(i), counted(n, s.Total))})
		}
		if s.Mark >= 0 {
			x := 1 + s.Mark*step
			r.MarkX, r.MarkY, r.MarkH, r.MarkText = px(x), px(y+rowLabel-16), px(base), s.MarkText
			r.MarkTextX, r.MarkTextY = px(x+5), px(y+rowLabel-7)
			if x > w*.7 {
				r.MarkTextX, r.MarkTextSide = px(x-5), "end"
			}
		}
		p.Rows = append(p.Rows, r)
		y = base + rowGap
	}
	end := y - rowGap
	p.Bottom = px(end)
	for i := range a.Bins + 1 {
		if text, ok := a.Ticks[i]; ok {
			p.Ticks = append(p.Ticks, tick{px(1 + float64(i)*step), px(end + 16), text})
		}
	}
	p.UnitY = px(end + 34)
	p.H = px(end + 40)
	return p
}

func fraction(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}

// lengthPlot is of the number of words, in bins of one to five words.
func lengthPlot(r Result, heads []head, class string, w float64) plot {
	longest := 1
	for _, v := range r.Variants {
		longest = max(longest, len(v.Text.ByWords)-1)
	}
	per := 1 // words a bin
	for _, n := range []int{1, 2, 5} {
		if per = n; (longest+1+n-1)/n <= 34 {
			break
		}
	}
	bins := longest/per + 1
	a := axis{Title: "Words of a caption", Bins: bins, Unit: "words", Ticks: map[int]string{}}
	every := 1 // bins between ticks, so that each has 60 pixels for its number
	for _, n := range []int{1, 2, 5, 10} {
		if every = n; bins/n <= int(w/60) {
			break
		}
	}
	for i := 0; i < bins; i += every {
		a.Ticks[i] = fmt.Sprint(i * per)
	}
	var rows []series
	for i, v := range r.Variants {
		s := series{Label: heads[i].Label, Colour: heads[i].Colour, Bins: make([]int, bins), Total: v.Captions, Mark: -1}
		for n, count := range v.Text.ByWords {
			s.Bins[n/per] += count
		}
		if v.Captions > 0 {
			s.Mark = (float64(min(v.Text.Words.P50, longestCounted)) + .5) / float64(per)
			s.MarkText = fmt.Sprintf("median %d", v.Text.Words.P50)
			s.Note = fmt.Sprintf("mean %s, 5 to 95 %%: %d to %d, longest %d", fixed(v.Text.Words.Mean, 1), v.Text.Words.P5, v.Text.Words.P95, v.Text.Words.Max)
		}
		s.Tip = func(bin int) string {
			switch from, to := bin*per, bin*per+per-1; {
			case to >= longestCounted:
				return fmt.Sprintf("%d words or more", from)
			case per == 1:
				return fmt.Sprintf("%d words", from)
			default:
				return fmt.Sprintf("%d to %d words", from, to)
			}
		}
		rows = append(rows, s)
	}
	return histograms(rows, a, class, w)
}

// agreementPlot is of the agreement of each pair, in twentieths. Agreement of exactly 1 has a bin of its own.
func agreementPlot(r Result, heads map[string]head, class string, w float64) plot {
	a := axis{Title: "Agreement of two captions", Bins: agreementBins + 1, Unit: "agreement",
		Ticks: map[int]string{0: "0", 5: "0.25", 10: "0.5", 15: "0.75", 20: "1"}}
	var rows []series
	for _, p := range r.Pairs {
		s := series{
			Label: heads[p.A].Label + " and " + heads[p.B].Label, Colour: heads[p.B].Colour,
			Bins: p.ByTwentieth, Total: p.Both, Mark: -1,
		}
		if p.Both > 0 {
			s.Mark, s.MarkText = p.Agreement*agreementBins, "mean "+fixed(p.Agreement, 2)
		}
		s.Tip = func(bin int) string {
			if bin == agreementBins {
				return "1"
			}
			return fmt.Sprintf("%s to %s", fixed(float64(bin)/agreementBins, 2), fixed(float64(bin+1)/agreementBins, 2))
		}
		rows = append(rows, s)
	}
	return histograms(rows, a, class, w)
}
