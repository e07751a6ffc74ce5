package dataset

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// splitter cuts a text into words as BERT's uncased fast tokenizer does: special pieces are found in the text as written,
// exactly so and anywhere; between them control characters are dropped, Chinese characters set apart, accents stripped
// after canonical decomposition, and letters lower-cased one by one; white space separates, and punctuation stands alone.
// Bytes that are no UTF-8 are dropped.
type splitter struct {
	tables   *bertTables
	specials []special
	text     string
	at       int // of the next character in text

	word    [maxWordRunes * utf8.UTFMax]byte // normalised; of a longer word only the beginning
	bytes   int                              // of word
	runes   int                              // of the word; maxWordRunes+1 where it is longer
	special int32                            // the special piece found instead of a word, or -1

	pending [maxWordRunes]orderedRune // at the word's end, to be put in canonical order
	waiting int                       // of pending
}

// special is a piece that is special where it stands in a text.
type special struct {
	text string
	id   int32
}

type orderedRune struct {
	r     rune
	order uint8
}

// next finds the next word, or special piece, and is false at the end.
func (s *splitter) next() bool {
	s.bytes, s.runes, s.special = 0, 0, -1
	for s.at < len(s.text) {
		if c := s.text[s.at]; c < utf8.RuneSelf {
			if a := &s.tables.ascii[c]; a.class == wordChar {
				s.put(rune(a.to), 0)
				s.at++
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s.text[s.at:])
		of := s.tables.find(r)
		becomes, moved := s.tables.moves[r]
		if moved && of.class != wideChar {
			first, _ := utf8.DecodeRuneInString(becomes)
			of = s.tables.find(first)
		}
		switch of.class {
		case starterChar:
			s.flush()
		case spaceChar:
			if s.end() {
				return true
			}
		case wideChar, punctChar:
			if s.end() {
				return true // and come back to r
			}
			if r == '[' && s.isSpecial() {
				return true
			}
			s.at += size
			s.spell(r, becomes, 0)
			return true
		case wordChar, orderedChar:
			s.spell(r, becomes, of.order)
		}
		s.at += size
	}
	return s.end()
}

// isSpecial passes over the special piece that begins here.
func (s *splitter) isSpecial() bool {
	for _, p := range s.specials {
		if strings.HasPrefix(s.text[s.at:], p.text) {
			s.at += len(p.text)
			s.special = p.id
			return true
		}
	}
	return false
}

// spell puts r, or what it becomes, at the word's end. The order is r's, where it becomes nothing else.
func (s *splitter) spell(r rune, becomes string, order uint8) {
	const firstL, firstV, beforeT, countV, countT, count = 0x1100, 0x1161, 0x11A7, 21, 28, 19 * 21 * 28
	i := r - 0xAC00 // Hangul syllables: The Unicode Standard, section 3.12
	switch {
	case i >= 0 && i < count:
		s.put(firstL+i/(countV*countT), 0)
		s.put(firstV+i/countT%countV, 0)
		if i%countT > 0 {
			s.put(beforeT+i%countT, 0)
		}
	case becomes == "":
		s.put(r, order)
	default:
		for k, to := range becomes {
			if k > 0 {
				order = s.tables.find(to).order
			}
			s.put(to, order)
		}
	}
}

func (s *splitter) put(r rune, order uint8) {
	switch {
	case s.runes+s.waiting >= maxWordRunes:
		s.runes, s.waiting = maxWordRunes+1, 0
	case order > 0:
		s.pending[s.waiting] = orderedRune{r, order}
		s.waiting++
	default:
		if s.waiting > 0 {
			s.flush()
		}
		s.write(r)
	}
}

func (s *splitter) write(r rune) {
	if r < utf8.RuneSelf {
		s.word[s.bytes] = byte(r)
		s.bytes++
	} else {
		s.bytes += utf8.EncodeRune(s.word[s.bytes:], r)
	}
	s.runes++
}

// flush writes what waits, in canonical order.
func (s *splitter) flush() {
	marks := s.pending[:s.waiting]
	slices.SortStableFunc(marks, func(a, b orderedRune) int { return cmp.Compare(a.order, b.order) })
	for _, m := range marks {
		s.write(m.r)
	}
	s.waiting = 0
}

// end is whether a word ends here.
func (s *splitter) end() bool {
	if s.waiting > 0 {
		s.flush()
	}
	return s.runes > 0
}
