package compare

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// about says in words what a flag is, and what its value measures. Others are shown by their names.
func about(flag string) (is, measures string) {
	switch flag {
	case caption.FlagEmpty:
		return "no word is left", "characters left"
	case caption.FlagCutOff:
		return "ended by the limit on tokens, or within a clause", "words"
	case caption.FlagRepetition:
		return "a loop of words or sentences", "of it repeats"
	case caption.FlagCharacterRun:
		return "one character again and again", "times"
	case caption.FlagEcho:
		return "repeats the prompt", "of the prompt"
	case caption.FlagPrefixOnly:
		return "begins, and says nothing", "words of content"
	case caption.FlagMixedScripts:
		return "letters of several scripts", "in other scripts"
	case caption.FlagDuplicate:
		return "the same caption as another picture's", "pictures have it"
	case caption.FlagNearDuplicate:
		return "nearly the same as another picture's", "similar"
	case dataset.FlagNamesClass:
		return "names its own class", "places"
	case dataset.FlagNamesOther:
		return "names another class, with its own or without", "places"
	}
	return "", ""
}

// bars is a table of counts.
type bars struct {
	Head  string
	Heads []head
	Rows  []flagRow
}

func newBars(head string, heads []head, rows []flagRow) bars { return bars{head, heads, rows} }

func shareCell(n, total int, widest float64, colour int) amount {
	c := amount{Count: number(n), Colour: colour}
	if n > 0 && widest > 0 {
		c.Percent = percent(fraction(n, total))
		c.Bar = px(max(1, 100*fraction(n, total)/widest))
	}
	return c
}

func flagRows(r Result, heads []head) []flagRow {
	counts := map[string][]int{}
	widest := 0.0
	for i, v := range r.Variants {
		for _, f := range v.Flags {
			if counts[f.Name] == nil {
				counts[f.Name] = make([]int, len(r.Variants))
			}
			counts[f.Name][i] = f.Captions
			widest = max(widest, fraction(f.Captions, v.Captions))
		}
	}
	var out []flagRow
	for _, name := range sortedKeys(counts) {
		row := flagRow{Name: name, Code: true}
		row.About, _ = about(name)
		for i, v := range r.Variants {
			row.Cells = append(row.Cells, shareCell(counts[name][i], v.Captions, widest, heads[i].Colour))
			if slices.ContainsFunc(v.Flags, func(f Flag) bool { return f.Name == name && len(f.Worst) > 0 }) {
				row.Link = "worst-" + strconv.Itoa(len(out))
			}
		}
		out = append(out, row)
	}
	return out
}

func leakageRows(r Result, heads []head) []flagRow {
	var out []flagRow
	for _, kind := range []struct {
		name, about string
		of          func(schemas.Mentions) float64
	}{
		{"its own class", "in any form", func(m schemas.Mentions) float64 { return m.Named }},
		{"by the name as it is", "", func(m schemas.Mentions) float64 { return m.Exact }},
		{"by another form of it", "plural, singular, possessive", func(m schemas.Mentions) float64 { return m.Inflected }},
		{"by a synonym", "another lemma of the synset", func(m schemas.Mentions) float64 { return m.Synonym }},
		{"another class only", "", func(m schemas.Mentions) float64 { return m.Other }},
	} {
		row := flagRow{Name: kind.name, About: kind.about}
		for i, v := range r.Variants {
			if v.Leakage == nil {
				return nil
			}
			row.Cells = append(row.Cells, namedCell(kind.of(v.Leakage.All), v.Leakage.All.Captions, heads[i].Colour))
		}
		out = append(out, row)
	}
	return out
}

func namedCell(share float64, captions, colour int) amount {
	c := amount{Count: number(int(share*float64(captions) + .5)), Colour: colour}
	if share > 0 {
		c.Percent = percent(share)
		c.Bar = px(max(1, 100*share))
	}
	return c
}

// classRows are the classes of which most captions tell the name, in any variant.
func classRows(r Result, heads []head) []flagRow {
	type class struct {
		label int
		most  float64
	}
	var classes []class
	for i, v := range r.Variants {
		if v.Leakage == nil {
			return nil
		}
		for label, l := range v.Leakage.Classes {
			if i == 0 {
				classes = append(classes, class{label: label})
			}
			classes[label].most = max(classes[label].most, l.Named)
		}
	}
	slices.SortStableFunc(classes, func(a, b class) int { return cmp.Compare(b.most, a.most) })
	var out []flagRow
	for _, c := range classes[:min(len(classes), shownClasses)] {
		if c.most == 0 {
			break
		}
		row := flagRow{}
		for i, v := range r.Variants {
			l := v.Leakage.Classes[c.label]
			row.Name, row.About = strings.ReplaceAll(l.Name, "_", " "), l.WNID
			row.Cells = append(row.Cells, namedCell(l.Named, l.Captions, heads[i].Colour))
		}
		out = append(out, row)
	}
	return out
}

func pairHead() []string {
	return []string{"pictures of both", "only the first", "only the second", "agreement", "Jaccard", "the same", "words", "naming the class"}
}

func newPairRow(p Pair, heads map[string]head) pairRow {
	row := pairRow{A: heads[p.A], B: heads[p.B], Cells: []string{
		number(p.Both), number(p.OnlyA), number(p.OnlyB), fixed(p.Agreement, 3), fixed(p.Jaccard, 3), percent(p.Identical), signed(p.Words, 1), "–",
	}}
	if p.Named != nil && p.Both > 0 {
		before, after := fraction(p.Named.Both+p.Named.OnlyA, p.Both), fraction(p.Named.Both+p.Named.OnlyB, p.Both)
		row.Cells[7] = signed(100*(after-before), 1) + " points"
	}
	return row
}
