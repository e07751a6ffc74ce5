package leakage

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// MaskWord stands for a class's name in a masked text. It inflects as the name did: object, objects, object's.
const MaskWord = "object"

// Mask replaces the names of a class in text, in any form, each by one lower-case word, and says how many there were. An
// article "a" directly before becomes "an". Names of other classes stay; a name that the class shares with others does not.
// A label without a class masks nothing. A masked text does not name the class, unless a name of it holds [MaskWord].
func (n *Names) Mask(text string, label int) (masked string, replaced int) {
	r := readings.Get().(*reading).read(text)
	defer readings.Put(r)
	return r.mask(n.find(r), label)
}

// mask replaces those of the hits in a text that are of a class.
func (r *reading) mask(hits []hit, label int) (masked string, replaced int) {
	if !slices.ContainsFunc(hits, func(h hit) bool { return h.Label == label }) {
		return r.text, 0
	}
	text := r.text
	var b strings.Builder
	from := 0          // what is before is written
	busy, last := 0, 0 // ends of the mention before this one and of this one, of any class: their words are no articles
	for _, h := range hits {
		if h.From >= last {
			busy, last = last, h.To
		}
		if h.Label == label {
			before := text[from:h.From]
			if a := r.articleBefore(h.From); a >= busy {
				before = text[from:a+1] + "n" + text[a+1:h.From]
			}
			b.WriteString(before)
			b.WriteString(maskFor(h, text[h.From:h.To]))
			from = h.To
			replaced++
		}
	}
	b.WriteString(text[from:])
	return b.String(), replaced
}

func maskFor(h hit, name string) string {
	switch {
	case h.plural && h.possessive: // children's
		return MaskWord + "s" + apostropheOf(name)
	case h.plural:
		return MaskWord + "s"
	case h.possessive:
		return MaskWord + apostropheOf(name) + "s"
	}
	return MaskWord
}

// apostropheOf is the apostrophe of a possessive as it was written.
func apostropheOf(name string) string {
	if strings.HasSuffix(name[:len(name)-1], "'") {
		return "'"
	}
	return "\u2019"
}

// articleBefore is the place of the article "a" that stands directly before a place in the text, or -1. Quotation marks
// may stand between.
func (r *reading) articleBefore(at int) int {
	i, _ := slices.BinarySearchFunc(r.tokens, at, func(t token, at int) int { return cmp.Compare(t.from, at) })
	if i--; i < 0 {
		return -1
	}
	t := r.tokens[i]
	if a := r.text[t.from:t.to]; a != "a" && a != "A" {
		return -1
	}
	if i > 0 && r.gapAfter(i-1) == gapTight { // vitamin-a
		return -1
	}
	between := func(c rune) bool { return !unicode.IsSpace(c) && !strings.ContainsRune(`"'“”‘’«»*`, c) }
	if strings.IndexFunc(r.text[t.to:at], between) >= 0 {
		return -1
	}
	return t.from
}
