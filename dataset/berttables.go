package dataset

import (
	"bufio"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// What BERT's fast tokenizer does with a code point. Its authors froze several editions of Unicode into it, older ones for
// categories than for lower case, so neither Go's tables nor newer ones of theirs would do: bert_tables.txt was asked of
// the program itself, code point by code point, by testdata/bert_tables.py.
//
//go:embed bert_tables.txt
var bertTablesText string

// charClass is how a code point is treated. A code point in none is part of a word.
type charClass uint8

const (
	wordChar    charClass = iota
	dropChar              // a control character: goes before marks are put in order
	spaceChar             // ends a word
	wideChar              // Chinese: a word of its own
	markChar              // an accent, stripped
	starterChar           // an accent, stripped, that marks are not moved across
	punctChar             // a word of its own
	orderedChar           // part of a word, and moved among its like by canonical class
)

// bertTables are what bert_tables.txt says.
type bertTables struct {
	spans []span          // sorted, without overlap
	moves map[rune]string // what characters become, decomposed, stripped and lower-cased; Hangul is left to arithmetic
	ascii [utf8.RuneSelf]struct {
		class charClass
		to    byte
	}
}

// span is a run of code points of one class.
type span struct {
	lo, hi rune
	class  charClass
	order  uint8 // canonical combining class of an orderedChar
}

var loadBertTables = sync.OnceValue(func() *bertTables {
	t, err := parseBertTables(bertTablesText)
	if err != nil {
		panic("bert_tables.txt: " + err.Error()) // the file is part of the program
	}
	return t
})

// parseBertTables reads lines of a name and its runs: 41, 41-5A, 100/12E for every second one, and 41-5A>61 for what moves,
// where the first becomes 61 and the others move by the same distance. Numbers are hexadecimal.
func parseBertTables(text string) (*bertTables, error) {
	named := map[string]charClass{"drop": dropChar, "space": spaceChar, "wide": wideChar, "mark": markChar, "starter": starterChar, "punct": punctChar}
	t := &bertTables{moves: make(map[rune]string, 3200)}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, runs, _ := strings.Cut(lines.Text(), " ")
		if name == "#" {
			continue
		}
		s := span{class: named[name]}
		if order, ok := strings.CutPrefix(name, "order"); ok {
			n, err := strconv.ParseUint(order, 10, 8)
			if err != nil {
				return nil, err
			}
			s.class, s.order = orderedChar, uint8(n)
		}
		if s.class == wordChar && name != "map" {
			return nil, fmt.Errorf("line %q: unknown", name)
		}
		for run := range strings.FieldsSeq(runs) {
			if err := t.add(s, run); err != nil {
				return nil, fmt.Errorf("run %q: %w", run, err)
			}
		}
	}
	slices.SortFunc(t.spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	for c := range rune(utf8.RuneSelf) {
		a := &t.ascii[c]
		a.class, a.to = t.find(c).class, byte(c)
		if to, ok := t.moves[c]; ok {
			a.to = to[0]
		}
	}
	return t, lines.Err()
}

func (t *bertTables) add(s span, run string) error {
	var errs error
	hex := func(text string) rune {
		n, err := strconv.ParseUint(text, 16, 21)
		errs = errors.Join(errs, err)
		return rune(n)
	}
	from, to, moves := strings.Cut(run, ">")
	lo, hi, _ := strings.Cut(from, "-")
	step := rune(1)
	if first, last, every := strings.Cut(from, "/"); every {
		lo, hi, step = first, last, 2
	}
	s.lo = hex(lo)
	s.hi = s.lo
	if hi != "" {
		s.hi = hex(hi)
	}
	if !moves {
		t.spans = append(t.spans, s)
		return errs
	}
	var becomes []rune
	for one := range strings.SplitSeq(to, ",") {
		becomes = append(becomes, hex(one))
	}
	for r := s.lo; r <= s.hi; r += step {
		t.moves[r] = string(becomes)
		becomes[0] += step
	}
	return errs
}

// find is the class of r, as a span.
func (t *bertTables) find(r rune) span {
	i, found := slices.BinarySearchFunc(t.spans, r, func(s span, r rune) int {
		switch {
		case s.hi < r:
			return -1
		case s.lo > r:
			return 1
		}
		return 0
	})
	if !found {
		return span{}
	}
	return t.spans[i]
}
