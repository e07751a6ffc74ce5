package caption

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// contentWords counts the words of w that say what is in a picture, up to enough of them.
func contentWords(w []string, enough int) int {
	n := 0
	for _, word := range w {
		if n >= enough {
			break
		}
		if !saysNothing(word) {
			n++
		}
	}
	return n
}

// saysNothing tells the words of beginnings such as "this is a close up photo of" and "the image features": grammar, names
// of pictures, and verbs that lead to what they show.
func saysNothing(word string) bool {
	switch word {
	case "a", "an", "the", "this", "that", "these", "those", "there", "here", "it", "its", "it's", "i", "we", "you", "some",
		"of", "in", "on", "at", "to", "by", "for", "from", "with", "as", "and", "or", "which", "where", "what",
		"is", "are", "was", "were", "be", "being", "has", "have", "can", "seen", "see",
		"image", "images", "photo", "photos", "photograph", "photographs", "picture", "pictures", "pic", "drawing", "painting",
		"illustration", "sketch", "rendering", "depiction", "representation", "description", "caption", "scene", "view", "shot",
		"close", "closeup", "up", "detailed",
		"show", "shows", "showing", "shown", "feature", "features", "featuring", "featured", "depict", "depicts", "depicting",
		"depicted", "display", "displays", "displaying", "contain", "contains", "containing", "portray", "portrays", "portraying",
		"capture", "captures", "capturing", "describe", "describes", "describing", "appears":
		return true
	}
	return false
}

// foreign is the share of the letters of text that are not of its most frequent script. What stands in quotes is seen in
// the picture, and does not count.
func foreign(text string) float64 {
	if plainASCII(text) {
		return 0
	}
	var letters [scripts]int
	total, most := 0, 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if n := quoted(r, text[i:]); n > 0 {
			i += n
		} else if unicode.IsLetter(r) {
			s := scriptOf(r)
			letters[s]++
			total++
			most = max(most, letters[s])
		}
	}
	if total == 0 {
		return 0
	}
	return 1 - float64(most)/float64(total)
}

func plainASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// quoted is the length of the quotation that r opens before rest, its end included; 0 where it opens none.
func quoted(r rune, rest string) int {
	ends := ""
	switch r {
	case '"':
		ends = `"`
	case '“', '„':
		ends = "“”"
	case '«':
		ends = "»"
	case '「':
		ends = "」"
	default:
		return 0
	}
	i := strings.IndexAny(rest, ends)
	if i < 0 {
		return 0
	}
	_, size := utf8.DecodeRuneInString(rest[i:])
	return i + size
}

// Scripts, as far as they are told apart. Those that are written together, as in Japanese, are one.
const (
	latin = iota
	eastAsian
	cyrillic
	greek
	arabic
	hebrew
	indic
	southEastAsian
	caucasian
	otherScript
	scripts
)

func scriptOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Latin):
		return latin
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo) || r == 'ー': // U+30FC is common to two
		return eastAsian
	case unicode.In(r, unicode.Cyrillic):
		return cyrillic
	case unicode.In(r, unicode.Greek):
		return greek
	case unicode.In(r, unicode.Arabic):
		return arabic
	case unicode.In(r, unicode.Hebrew):
		return hebrew
	case unicode.In(r, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam):
		return indic
	case unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return southEastAsian
	case unicode.In(r, unicode.Armenian, unicode.Georgian):
		return caucasian
	}
	return otherScript
}

// round keeps 4 decimals of a share: values are read by people, and equal on all machines.
func round(share float64) float64 { return math.Round(share*1e4) / 1e4 }
