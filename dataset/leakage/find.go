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
	r := readings.Get().(*reading).read(text)
	defer readings.Put(r)
	for _, h := range n.find(r) {
		out = append(out, h.Mention)
	}
	return out
}

// hit is a mention and what is needed to replace it.
type hit struct {
	Mention
	plural     bool
	possessive bool // ends in 's
}

func (n *Names) find(r *reading) []hit {
	r.fold()
	var out []hit
	for i := 0; i < len(r.tokens); {
		key := r.keys.at(i)
		if _, possessive := r.owner(i); len(key) == 0 || !possessive && !n.starts.has(key) { // most words
			i++
			continue
		}
		hits, next := n.at(r, i)
		out = append(out, hits...)
		i = next
	}
	return out
}

// at returns the longest name that begins at word i, once for each class that has it, and the word to go on at.
func (n *Names) at(r *reading, i int) ([]hit, int) {
	next := i + 1
	var best []hit
	key, parts := make([]byte, 0, 64), make([]part, 0, 8) // on the stack; longer ones are rare
	for j := i; j < len(r.tokens); j++ {
		if j > i {
			g := r.gapAfter(j - 1)
			if g == gapApart || len(r.keys.at(j)) == 0 { // a stray accent
				break
			}
			parts[len(parts)-1].after = g
		}
		var hits []hit
		if base, ok := r.owner(j); ok {
			base = fold(base)
			hits = r.collect(hits, n.forms[string(append(key, base...))], append(parts, part{length: len(base)}), i, j, true)
		}
		key = append(key, r.keys.at(j)...)
		parts = append(parts, part{length: len(r.keys.at(j))})
		var begins bool
		if n.starts.has(key) {
			var forms []form
			forms, begins = n.forms[string(key)]
			hits = r.collect(hits, forms, parts, i, j, false)
		}
		if len(hits) > 0 {
			slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.Label, b.Label) })
			best, next = hits, j+1
		}
		if !begins {
			break
		}
	}
	return best, next
}

// collect adds a hit for each class that has one of the forms, written in these parts, in the words from i to j.
func (r *reading) collect(hits []hit, forms []form, parts []part, i, j int, possessive bool) []hit {
	for _, f := range forms {
		if !f.written(parts) {
			continue
		}
		h := hit{Mention{f.label, f.kind, r.tokens[i].from, r.tokens[j].to}, f.plural, possessive}
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
	return hits
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
