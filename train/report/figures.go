package report

import (
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/report/scene"
)

// figure is a drawing for a page and a paper, once more for a telephone, and what a reader must know of it.
type figure struct {
	Name         string // of its files
	wide, narrow *scene.Scene
	Caption      string
}

// HTML is the figure as the page carries it.
func (f figure) HTML() template.HTML {
	return template.HTML(f.wide.Inline("plot wide") + "\n" + f.narrow.Inline("plot narrow"))
}

func newFigure(name, title, caption string, draw func(width float64) *scene.Scene) figure {
	f := figure{Name: name, Caption: caption, wide: draw(wide), narrow: draw(narrow)}
	f.wide.Title, f.narrow.Title = title, title
	return f
}

// studyFigures are the figures of a study.
type studyFigures struct {
	Accuracy, Ablation, Memory, Bytes, Groups, Classes []figure
}

func (f studyFigures) all() []figure {
	return slices.Concat(f.Accuracy, f.Ablation, f.Memory, f.Bytes, f.Groups, f.Classes)
}

// figuresOf draws the figures of study number n, one a column or less where nothing was measured.
func figuresOf(s study, n int, rows []Row, o Options) studyFigures {
	var out studyFigures
	lo, hi := s.accuracyRange(rows)
	for c, col := range s.columns {
		e := s.exhibit(rows, c)
		if len(e.rows) == 0 {
			continue
		}
		suffix := "-L" + strconv.Itoa(col.phases)
		for _, other := range s.columns[:c] {
			if other.phases == col.phases {
				suffix += "b"
			}
		}
		if n > 0 {
			suffix += "-" + strconv.Itoa(n+1)
		}
		_, under, more := s.chosen(c)
		at := col.title
		if under.key != "" && s.budgets() > 1 {
			at += ", budget " + under.String()
		}
		rest := ""
		if more > 0 {
			rest = " " + count(more, "more method or budget is", "more methods or budgets are") + " in the tables."
		}
		spreadNote, from := "", ""
		switch least, most := seedsIn(e.rows); {
		case most > 1 && least == most:
			spreadNote = " Lines: mean over n = " + strconv.Itoa(most) + " seeds; bands: one sample standard deviation."
		case most > 1:
			spreadNote = " Lines: mean over n = " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + " seeds; bands: one sample standard deviation."
		default:
			spreadNote = " One seed."
		}
		acc := newFigure("accuracy"+suffix, "Accuracy over the classes seen, "+at, "", func(w float64) *scene.Scene { return accuracyFigure(e, lo, hi, w) })
		if lo > 0 {
			from = " The axis begins at " + fixed(100*lo, 0) + "\u00a0%."
		} else {
			from = " Dashed: chance, one in the number of classes seen."
		}
		acc.Caption = at + ". Accuracy on the test rows of all classes seen so far; in figures at the right, the last one." + spreadNote + from + rest
		out.Accuracy = append(out.Accuracy, acc)

		if a := s.exhibitOf(s.ablation(c), rows, c); len(a.rows) > 0 {
			from, _ := ablationRange(a)
			out.Ablation = append(out.Ablation, newFigure("ablation"+suffix, "Average accuracy of variants, "+at,
				at+". Average accuracy over the phases, "+barNote(a.rows)+". A variant is told by the settings in which it differs; the dashed line is what it is a variant of. The axis begins at "+fixed(100*from, 0)+"\u00a0%.",
				func(w float64) *scene.Scene { return ablationFigure(a, w) }))
		}

		out.Bytes = append(out.Bytes, newFigure("bytes"+suffix, "What the memory holds after the last phase, "+at,
			at+". After the last phase. The frame is the budget, the filling what is used of it. The number of exemplars follows from the budget: the less one costs, the more there are."+rest,
			func(w float64) *scene.Scene { return bytesFigure(e, w) }))

		if g := e.only(func(r Row) bool { return r.New.N > 0 }); len(g.rows) > 0 && col.phases > 1 {
			out.Groups = append(out.Groups, newFigure("groups"+suffix, "Accuracy on earlier and on new classes, "+at,
				at+". After each phase, accuracy on the test rows of the classes of all earlier phases, and of the phase's own classes; all classes seen are possible answers."+spreadNote+rest,
				func(w float64) *scene.Scene { return groupsFigure(g, w) }))
		}
		if g := e.only(func(r Row) bool { return len(r.PerClass) > 0 }); len(g.rows) > 0 && col.phases > 1 {
			out.Classes = append(out.Classes, newFigure("forgetting"+suffix, "Forgetting of each class, "+at,
				at+". A bar is a class: its best accuracy after any phase minus its last"+meanOver(g.rows)+". Classes stand by the phase that taught them, within a phase from the most forgotten to the least; the line is the phase's mean. Classes of the last phase are left out."+rest,
				func(w float64) *scene.Scene { return classesFigure(g, w) }))
		}

		panels, kinds := s.memoryPanels(rows, c)
		for i, p := range panels {
			name, note := "memory"+suffix, ""
			if key := kinds[i].key; key != "budget" {
				name += "-" + key[len("budget-"):]
			}
			if counts := kinds[i].counts; counts != "" {
				name += "-" + fileWord(counts)
			}
			all := []memoryPanel{p}
			if kinds[i] == (budget{key: "budget"}) && !o.WithoutPublished && slices.ContainsFunc(p.series, func(m memorySeries) bool {
				return slices.ContainsFunc(publishedPanel().series, func(t memorySeries) bool { return t.name == m.name })
			}) {
				all = append(all, publishedPanel())
				note = " Beside it the paper's own figure (" + source + "), on " + sourceData + ", at L = 10, as measured from its picture: other data, another axis."
			}
			if _, inks := toldInks(all); slices.ContainsFunc(inks, func(m memorySeries) bool { return m.like > 0 }) {
				note = " What is of one kind has one colour; from the second on it is dashed, and its bars are pale." + note
			}
			out.Memory = append(out.Memory, newFigure(name, "Accuracy and exemplars over budgets, "+col.title,
				col.title+". Above: average accuracy over the phases, "+barNote(e.rows)+"; below: exemplars a class that are held after the last phase."+note,
				func(w float64) *scene.Scene { return memoryFigure(all, w) }))
		}
	}
	return out
}

// fileWord is what of s can stand in the name of a file.
func fileWord(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
}

// budgets is the number of different budgets in a study.
func (s study) budgets() int {
	var seen []budget
	for _, l := range s.lines {
		if l.budget.key != "" && !slices.Contains(seen, l.budget) {
			seen = append(seen, l.budget)
		}
	}
	return len(seen)
}

// seedsIn returns the smallest and the largest number of seeds of a row.
func seedsIn(rows []Row) (least, most int) {
	least = len(rows[0].Seeds)
	for _, r := range rows {
		least, most = min(least, len(r.Seeds)), max(most, len(r.Seeds))
	}
	return least, most
}

func meanOver(rows []Row) string {
	if _, most := seedsIn(rows); most > 1 {
		return ", mean over seeds"
	}
	return ""
}

func barNote(rows []Row) string {
	if _, most := seedsIn(rows); most > 1 {
		return "mean over seeds, and whiskers of one sample standard deviation"
	}
	return "of one seed"
}

// index is what results.json says of figures.
func index(figures []figure) (out []schemas.ResultsFigure) {
	for _, f := range figures {
		out = append(out, schemas.ResultsFigure{Name: f.Name, Title: f.wide.Title, Text: f.wide.Alt})
	}
	return out
}
