package leakage

import (
	"bytes"
	"sync"
)

// reading is a text cut into words. Its memory serves many texts, one after the other: nothing of it may be kept.
type reading struct {
	text   string
	tokens []token
	words  wordList  // in lower case, as Words returns them
	folded wordList  // memory for keys that differ from words
	keys   *wordList // folded words, after fold
	plain  bool      // ASCII without apostrophes: no possessives, and all keys are words
}

// readings are for callers who come with one text at a time, but with many.
var readings = sync.Pool{New: func() any { return new(reading) }}

// wordList is a list of words in one piece of memory.
type wordList struct {
	bytes  []byte
	places []token
}

func (l *wordList) at(i int) []byte { return l.bytes[l.places[i].from:l.places[i].to] }

func (l *wordList) reset() { l.bytes, l.places = l.bytes[:0], l.places[:0] }

func (l *wordList) add(word string) {
	from := len(l.bytes)
	l.bytes = append(l.bytes, word...)
	l.places = append(l.places, token{from, len(l.bytes)})
}

// read cuts a text, in place of the one before. A text in ASCII is put into lower case as a whole: its words keep their
// places.
func (r *reading) read(text string) *reading {
	r.text, r.tokens, r.plain = text, r.tokens[:0], false
	r.words.reset()
	if isASCII(text) {
		low := append(r.words.bytes, text...)
		for i, c := range low {
			if c-'A' < 26 {
				low[i] = c | 0x20
			}
		}
		r.tokens = asciiTokens(r.tokens, text)
		r.words.bytes, r.words.places = low, append(r.words.places, r.tokens...)
		r.plain = bytes.IndexByte(low, '\'') < 0
		return r
	}
	r.tokens = tokens(r.tokens, text)
	for _, t := range r.tokens {
		r.words.add(lower(text[t.from:t.to]))
	}
	return r
}

// fold makes the keys.
func (r *reading) fold() {
	r.keys = &r.words
	if r.plain {
		return
	}
	f := &r.folded
	f.bytes, f.places = append(f.bytes[:0], r.words.bytes...), append(f.places[:0], r.words.places...)
	for i := range f.places {
		if w := r.words.at(i); isASCII(w) && bytes.IndexByte(w, '\'') < 0 {
			continue
		}
		from := len(f.bytes)
		f.bytes = append(f.bytes, foldLower(string(r.words.at(i)))...)
		f.places[i] = token{from, len(f.bytes)}
	}
	r.keys = f
}

// gapAfter classifies what stands between word i and the next.
func (r *reading) gapAfter(i int) gap {
	return gapOf(r.text[r.tokens[i].to:r.tokens[i+1].from], r.text[r.tokens[i].from:r.tokens[i].to])
}

// owner is the word that word i is the possessive of, and false where it is none.
func (r *reading) owner(i int) (string, bool) {
	if r.plain {
		return "", false
	}
	return owner(r.text[r.tokens[i].from:r.tokens[i].to])
}
