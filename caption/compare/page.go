package compare

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// page is what page.html is filled with.
type page struct {
	Title     string
	Style     template.CSS
	Lead      []string // sentences
	Heads     []head
	Facts     []fact
	Lengths   [2]plot // wide and narrow
	Flags     []flagRow
	Leakage   []flagRow
	Classes   []flagRow // that are named most
	PairHead  []string
	Pairs     []pairRow
	Agreement [2]plot
	Moves     []moves
	Changes   []changes
	Worst     []worst
	Sample    []card
	Repeated  []repeated
	Failures  []failureTable
	Requests  []fact
	Pictures  []*thumbnail
	Sourced   bool // classes' names are known
}

// head is a variant by its label and colour.
type head struct {
	Name   string
	Label  string
	Colour int
}

// fact is a row of a table with a cell for each variant.
type fact struct {
	Name  string
	Cells []string
}

// flagRow is a row of counts, with bars in proportion to their shares.
type flagRow struct {
	Name, About string
	Code        bool
	Link        string // to the worst of them
	Cells       []amount
}

type amount struct {
	Count   string
	Percent string
	Bar     string // width in percent; empty: none
	Colour  int
}

type pairRow struct {
	A, B  head
	Cells []string
}

// moves are what a pair of variants has in common of flags.
type moves struct {
	A, B head
	Rows []fact
}

type changes struct {
	A, B  head
	Open  bool
	More  int
	Cards []card
}

// worst are the captions of a flag.
type worst struct {
	Flag, About, ID string
	Groups          []worstGroup
}

type worstGroup struct {
	Head  head
	Count string
	More  int
	Cards []card
}

// card is a picture with captions.
type card struct {
	ID, ClassName         string
	Before, Number, After string // what was measured, with the words around it
	Picture               *thumbnail
	Texts                 []cardText
}

type cardText struct {
	Head      head
	Keyed     bool // the variant is named
	Stretches []stretch
	Rest      string // of a text that is cut: how long it is
	Raw       string
	Absent    bool
}

type repeated struct {
	Head head
	Rows []schemas.TextCount
	Note string
}

type failureTable struct {
	Head head
	Rows []Failure
}

const (
	colours      = 8
	shownText    = 700 // characters of a caption
	shownRaw     = 240
	shownPrompt  = 160
	shownClasses = 10
)

func newPage(ctx context.Context, r Result, o PageOptions) (*page, error) {
	css, err := files.ReadFile("page.css")
	if err != nil {
		return nil, err
	}
	p := &page{Title: o.Title, Style: template.CSS(css), Heads: headsOf(r), PairHead: pairHead()}
	if p.Title == "" {
		p.Title = "Captions"
		if len(r.Variants) > 1 {
			p.Title = "Captions compared"
		}
	}
	byName := map[string]head{}
	for _, h := range p.Heads {
		byName[h.Name] = h
	}
	for _, v := range r.Variants {
		p.Sourced = p.Sourced || v.Leakage != nil
	}
	p.Lead = lead(r, p.Heads)
	p.Facts, p.Requests = facts(r), requests(r)
	p.Lengths = [2]plot{lengthPlot(r, p.Heads, "wide", 760), lengthPlot(r, p.Heads, "narrow", 340)}
	p.Flags = flagRows(r, p.Heads)
	p.Leakage, p.Classes = leakageRows(r, p.Heads), classRows(r, p.Heads)
	if len(r.Pairs) > 0 {
		p.Agreement = [2]plot{agreementPlot(r, byName, "wide", 760), agreementPlot(r, byName, "narrow", 340)}
	}
	for _, pair := range r.Pairs {
		p.Pairs = append(p.Pairs, newPairRow(pair, byName))
		m := moves{A: byName[pair.A], B: byName[pair.B]}
		for _, f := range pair.Flags {
			m.Rows = append(m.Rows, fact{f.Name, []string{number(f.Both), number(f.OnlyA), number(f.OnlyB), signed(float64(f.OnlyB-f.OnlyA), 0)}})
		}
		if len(m.Rows) > 0 {
			p.Moves = append(p.Moves, m)
		}
	}
	for i, v := range r.Variants {
		if len(v.Text.MostCommon) > 0 {
			p.Repeated = append(p.Repeated, repeated{p.Heads[i], clipped(v.Text.MostCommon),
				counted(v.Text.Duplicated, v.Captions) + " captions have a twin"})
		}
		if len(v.Failures) > 0 {
			f := failureTable{Head: p.Heads[i]}
			for _, x := range v.Failures {
				x.Message = clip(quoted(x.Message), shownText)
				f.Rows = append(f.Rows, x)
			}
			p.Failures = append(p.Failures, f)
		}
	}
	c := newCards(o.Source, p.Heads)
	if p.Changes, err = c.changes(ctx, r, byName); err != nil {
		return nil, err
	}
	if p.Worst, err = c.worst(ctx, r); err != nil {
		return nil, err
	}
	if p.Sample, err = c.sample(ctx, r); err != nil {
		return nil, err
	}
	p.Pictures = c.pictures.all
	return p, nil
}

func headsOf(r Result) []head {
	main := "main"
	if slices.ContainsFunc(r.Variants, func(v Variant) bool { return v.Name == main }) {
		main = "(main)"
	}
	var out []head
	for i, v := range r.Variants {
		out = append(out, head{v.Name, cmp.Or(v.Name, main), (i + 1) % colours})
	}
	return out
}

// lead says in a few sentences what is compared and what came out.
func lead(r Result, heads []head) []string {
	var out []string
	if len(r.Variants) == 1 {
		v := r.Variants[0]
		of := ""
		if r.Pictures > 0 {
			of = " of " + number(r.Pictures)
		}
		out = append(out, fmt.Sprintf("%s%s pictures of %s have a caption by %s.", number(v.Captions-v.Outside), of, r.Source, v.Model))
		if v.Captions > 0 {
			s := fmt.Sprintf("Half of the captions have %d words or more, %s of them carry a flag", v.Text.Words.P50, percent(fraction(v.Flagged, v.Captions)))
			if v.Leakage != nil {
				s += ", " + percent(v.Leakage.All.Named) + " name their class"
			}
			out = append(out, s+".")
		}
		return out
	}
	var names []string
	for i, v := range r.Variants {
		names = append(names, heads[i].Label+" by "+v.Model)
	}
	out = append(out, fmt.Sprintf("%d variants of captions for the pictures of %s: %s.", len(r.Variants), r.Source, list(names)))
	if len(r.Pairs) > 0 && r.Pairs[0].Both > 0 {
		p := r.Pairs[0]
		same := "none is the same"
		if p.Identical > 0 {
			same = percent(p.Identical) + " are the same"
		}
		out = append(out, fmt.Sprintf("On the %s that both %s and %s describe, their captions agree to %s on average; %s.",
			plural(p.Both, "picture", "pictures"), heads[0].Label, heads[1].Label, fixed(p.Agreement, 2), same))
	}
	var named []string
	for i, v := range r.Variants {
		if v.Leakage != nil && v.Leakage.All.Captions > 0 {
			named = append(named, percent(v.Leakage.All.Named)+" of "+heads[i].Label)
		}
	}
	if len(named) > 0 {
		out = append(out, "The class is named in "+list(named)+".")
	}
	return out
}

// facts is the table of variants side by side. A row of which no variant has anything is left out.
func facts(r Result) []fact {
	var out []fact
	row := func(name string, needed bool, cell func(Variant) string) {
		f := fact{Name: name}
		for _, v := range r.Variants {
			f.Cells = append(f.Cells, cell(v))
		}
		if needed {
			out = append(out, f)
		}
	}
	anyOf := func(has func(Variant) bool) bool { return slices.ContainsFunc(r.Variants, has) }
	row("model", true, func(v Variant) string { return v.Model })
	row("revision", anyOf(func(v Variant) bool { return v.Revision != "" }), func(v Variant) string { return cmp.Or(v.Revision, "–") })
	row("prompt", true, func(v Variant) string { return clip(v.Prompt, shownPrompt) })
	row("prompt may tell", anyOf(func(v Variant) bool { return len(v.Reveals) > 0 }), func(v Variant) string {
		return cmp.Or(strings.Join(v.Reveals, ", "), "–")
	})
	row("captions", true, func(v Variant) string { return number(v.Captions) })
	row("failed", true, func(v Variant) string { return number(v.Failed) })
	row("not asked yet", r.Pictures > 0, func(v Variant) string { return number(v.Missing) })
	row("not in the source", anyOf(func(v Variant) bool { return v.Outside > 0 }), func(v Variant) string { return number(v.Outside) })
	row("words, median", true, func(v Variant) string {
		return fmt.Sprintf("%d (5 to 95\u00a0%%: %d to %d)", v.Text.Words.P50, v.Text.Words.P5, v.Text.Words.P95)
	})
	row("vocabulary", true, func(v Variant) string { return number(v.Text.Vocabulary) + " words" })
	row("different captions", true, func(v Variant) string { return counted(v.Text.Distinct, v.Captions) })
	row("duplicates, exact + near", true, func(v Variant) string {
		d := v.Duplicates
		s := number(d.Exact.Captions) + " + " + number(d.Near.Captions)
		if n := d.Exact.AcrossClasses + d.Near.AcrossClasses; n > 0 {
			s += "; " + number(n) + " with one of another class"
		}
		return s
	})
	row("flagged", true, func(v Variant) string { return counted(v.Flagged, v.Captions) })
	row("name their class", anyOf(func(v Variant) bool { return v.Leakage != nil }), func(v Variant) string {
		if v.Leakage == nil {
			return "–"
		}
		return percent(v.Leakage.All.Named)
	})
	row("asked again down the ladder", anyOf(func(v Variant) bool { return len(v.Rungs) > 1 }), func(v Variant) string {
		n := 0
		for _, of := range v.Rungs[min(1, len(v.Rungs)):] {
			n += of
		}
		return number(n)
	})
	row("calls", anyOf(func(v Variant) bool { return v.Tokens.Calls > 0 }), func(v Variant) string {
		return number(v.Tokens.Calls) + "; " + plural(v.Tokens.Retried, "caption", "captions") + " took several"
	})
	row("tokens, prompt + answer", anyOf(func(v Variant) bool { return v.Tokens.Counted > 0 }), func(v Variant) string {
		return number(v.Tokens.Prompt) + " + " + number(v.Tokens.Completion)
	})
	row("latency, median", anyOf(func(v Variant) bool { return v.Latency.Captions > 0 }), func(v Variant) string {
		return number(int(v.Latency.P50)) + "\u00a0ms (95\u00a0%: " + number(int(v.Latency.P95)) + "\u00a0ms)"
	})
	return out
}

// requests is what each variant asked, in full.
func requests(r Result) []fact {
	rows := []fact{{Name: "model"}, {Name: "revision"}, {Name: "prompt"}, {Name: "decoding"}, {Name: "ladder"}, {Name: "pictures"}}
	for _, v := range r.Variants {
		var rungs []string
		for i, rung := range v.Ladder {
			rungs = append(rungs, fmt.Sprintf("%d: %s", i+1, parameters(rung)))
		}
		for i, text := range []string{v.Model, v.Revision, v.Prompt, parameters(v.Decoding), strings.Join(rungs, "; "), v.Picture} {
			rows[i].Cells = append(rows[i].Cells, cmp.Or(text, "–"))
		}
	}
	return rows
}

// parameters are sorted by name.
func parameters(m map[string]any) string {
	var out []string
	for _, name := range sortedKeys(m) {
		b, err := json.Marshal(m[name])
		if err != nil {
			b = []byte(err.Error())
		}
		out = append(out, name+" "+string(b))
	}
	return strings.Join(out, ", ")
}

func clipped(all []schemas.TextCount) []schemas.TextCount {
	var out []schemas.TextCount
	for _, t := range all {
		out = append(out, schemas.TextCount{Text: clip(t.Text, shownText), Count: t.Count})
	}
	return out
}

// quoted makes control characters, and what turns the direction of writing, visible.
func quoted(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
