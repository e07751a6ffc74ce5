package leakage

import (
	"cmp"
	"slices"
)

// Mention is a place in a text that names a class.
type Mention struct {
	Label    int
	Kind     Kind
	From, To int // bytes in the text; a possessive's 's is part of it
}

// Find returns the mentions in text from left to right. They do not overlap, but that a name which several classes share
// is a mention of each, in label order.
func (n *Names) Find(text string) []Mention {
	var out []Mention
	for _, h := range n.find(newReading(text)) {
		out = append(out, h.Mention)
	}
	return out
}

// NamesClass says whether text holds the class's name in any form. It is for one class and a few texts; a [Names] knows
// synonyms, too, and is faster.
func NamesClass(text, className string) bool {
	n := &Names{forms: make(map[string][]form, 4*len(className))}
	n.addName(nameWords(className), 0, Exact, Inflected)
	return len(n.find(newReading(text))) > 0
}

// hit is a mention and what is needed to replace it.
type hit struct {
	Mention
	plural     bool
	possessive bool // ends in 's
}

// reading is a text cut into words.
type reading struct {
	text   string
	tokens []token
	keys   []string // folded words
}

func newReading(text string) *reading {
	r := &reading{text: text, tokens: tokens(make([]token, 0, len(text)/5+1), text)}
	r.keys = make([]string, len(r.tokens))
	for i, t := range r.tokens {
		r.keys[i] = fold(text[t.from:t.to])
	}
	return r
}

func (r *reading) words() []string {
	out := make([]string, len(r.tokens))
	for i, t := range r.tokens {
		out[i] = lower(r.text[t.from:t.to])
	}
	return out
}

// gapAfter classifies what stands between word i and the next.
func (r *reading) gapAfter(i int) gap {
	return gapOf(r.text[r.tokens[i].to:r.tokens[i+1].from], r.text[r.tokens[i].from:r.tokens[i].to])
}

func (n *Names) find(r *reading) []hit {
	var out []hit
	for i := 0; i < len(r.tokens); {
		hits, next := n.at(r, i)
		out = append(out, hits...)
		i = next
	}
	return out
}

// at returns the longest name that begins at word i, once for each class that has it, and the word to go on at.
func (n *Names) at(r *reading, i int) ([]hit, int) {
	next := i + 1
	if _, known := n.forms[r.keys[i]]; r.keys[i] == "" || !known && !r.possessive(i) {
		return nil, next // nearly every word
	}
	var best []hit
	var key []byte
	var parts []part
	for j := i; j < len(r.tokens); j++ {
		if j > i {
			g := r.gapAfter(j - 1)
			if g == gapApart || r.keys[j] == "" { // a stray accent
				break
			}
			parts[len(parts)-1].after = g
		}
		t := r.tokens[j]
		var hits []hit
		collect := func(key []byte, length int, possessive bool) {
			for _, f := range n.forms[string(key)] {
				if !f.written(append(parts, part{length: length})) {
					continue
				}
				h := hit{Mention{f.label, f.kind, r.tokens[i].from, t.to}, f.plural, possessive}
				if possessive {
					h.Kind = max(h.Kind, Inflected)
				}
				k := slices.IndexFunc(hits, func(g hit) bool { return g.Label == h.Label })
				switch {
				case k < 0:
					hits = append(hits, h)
				case h.Kind < hits[k].Kind:
					hits[k] = h
				}
			}
		}
		if base, ok := owner(r.text[t.from:t.to]); ok {
			base = fold(base)
			collect(append(key, base...), len(base), true)
		}
		key = append(key, r.keys[j]...)
		collect(key, len(r.keys[j]), false)
		if len(hits) > 0 {
			slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.Label, b.Label) })
			best, next = hits, j+1
		}
		if _, ok := n.forms[string(key)]; !ok {
			break
		}
		parts = append(parts, part{length: len(r.keys[j])})
	}
	return best, next
}

func (r *reading) possessive(i int) bool {
	_, ok := owner(r.text[r.tokens[i].from:r.tokens[i].to])
	return ok
}

// part is a word of the text that may be a part of a name.
type part struct {
	length int // bytes of its key
	after  gap // what stands between it and the next part
}

// Shortest parts, in bytes, of a word that is written apart without a hyphen: "ox cart" is an oxcart, "a corn" no acorn,
// and the "pick up" that is a pickup must go on, as pick up truck does.
const (
	shortestFirst  = 2
	shortestMiddle = 2
	shortestLast   = 3
)

// written says whether words of these lengths can be the form.
func (f *form) written(parts []part) bool {
	at := 0
	for i, p := range parts[:len(parts)-1] {
		at += p.length
		if p.after == gapTight || slices.Contains(f.cuts, at) {
			continue
		}
		least := shortestMiddle
		if i+2 == len(parts) {
			least = shortestLast
		}
		if p.length < shortestFirst || parts[i+1].length < least {
			return false
		}
	}
	return true
}
