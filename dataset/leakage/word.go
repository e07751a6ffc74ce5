package leakage

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Words are the runs of letters, digits and marks in text, in lower case. An apostrophe between letters belongs to its
// word, and is ' however it was written.
func Words(text string) []string {
	r := readings.Get().(*reading).read(text)
	defer readings.Put(r)
	all := string(r.words.bytes)
	words := make([]string, len(r.words.places))
	for i, p := range r.words.places {
		words[i] = all[p.from:p.to]
	}
	return words
}

// token is a word's place in a text, in bytes.
type token struct{ from, to int }

// tokens appends the words of any text.
func tokens(dst []token, text string) []token {
	start := -1
	add := func(end int) {
		if t := trim(text, token{start, end}); t.from < t.to {
			dst = append(dst, t)
		}
		start = -1
	}
	for i, r := range text {
		if inWord(r) {
			if start < 0 {
				start = i
			}
		} else if start >= 0 {
			add(i)
		}
	}
	if start >= 0 {
		add(len(text))
	}
	return dst
}

// asciiTokens appends what tokens does, of a text in ASCII, without decoding runes.
func asciiTokens(dst []token, text string) []token {
	for i := 0; i < len(text); i++ {
		if !inASCIIWord(text[i]) {
			continue
		}
		from := i
		for i++; i < len(text) && inASCIIWord(text[i]); i++ {
		}
		to := i
		for ; from < to && text[from] == '\''; from++ {
		}
		for ; from < to && text[to-1] == '\''; to-- {
		}
		if from < to {
			dst = append(dst, token{from, to})
		}
	}
	return dst
}

// inASCIIWord needs one comparison for letters, which most bytes are.
func inASCIIWord(c byte) bool { return c|0x20-'a' < 26 || c-'0' < 10 || c == '\'' }

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return inASCIIWord(byte(r))
	}
	return isApostrophe(r) || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func isApostrophe(r rune) bool { return r == '\'' || r == '\u2019' }

// trim cuts apostrophes off the ends of a word.
func trim(text string, t token) token {
	for t.from < t.to && (text[t.from] == '\'' || text[t.from] >= utf8.RuneSelf) {
		r, n := utf8.DecodeRuneInString(text[t.from:t.to])
		if !isApostrophe(r) {
			break
		}
		t.from += n
	}
	for t.from < t.to && (text[t.to-1] == '\'' || text[t.to-1] >= utf8.RuneSelf) {
		r, n := utf8.DecodeLastRuneInString(text[t.from:t.to])
		if !isApostrophe(r) {
			break
		}
		t.to -= n
	}
	return t
}

// lower returns a word in lower case, composed, with plain apostrophes.
func lower(word string) string {
	word = strings.ToLower(word)
	if isASCII(word) {
		return word
	}
	return norm.NFC.String(strings.ReplaceAll(word, "\u2019", "'"))
}

// fold returns a word as names are compared: in lower case, without apostrophes and accents. Marks of scripts that write
// vowels with them stay.
func fold(word string) string { return foldLower(lower(word)) }

// foldLower folds what lower returned.
func foldLower(word string) string {
	if !isASCII(word) {
		word = strings.Map(func(r rune) rune {
			if r >= 0x300 && r <= 0x36f { // combining diacritical marks
				return -1
			}
			return r
		}, norm.NFD.String(word))
	}
	return strings.ReplaceAll(word, "'", "")
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// owner returns the word that s is the possessive of, and false where it is none: fox for fox's.
func owner(word string) (string, bool) {
	cut := len(word) - 1
	if cut < 2 || word[cut] != 's' && word[cut] != 'S' {
		return "", false
	}
	r, n := utf8.DecodeLastRuneInString(word[:cut])
	return word[:cut-n], isApostrophe(r) && cut > n
}

// What stands between two words.
type gap int

const (
	gapApart gap = iota // anything else: no name goes across
	gapOpen             // white space: hot dog
	gapTight            // a hyphen or an underscore: hot-dog
)

// gapOf classifies the text between two words; before is the word before it.
func gapOf(between, before string) gap {
	kind := gapTight
	for i, r := range between {
		switch {
		case unicode.IsSpace(r):
			kind = gapOpen
		case r == '_', r == '-', r == '\u2010', r == '\u2011', r == '\u2013', r == '\u00ad':
		case isApostrophe(r): // jack-o'-lantern, ladies' man
		case r >= '\u200b' && r <= '\u200d', r == '\u2060':
		case r == '.' && i == 0 && len(before) <= 2: // R.V., St. Bernard
			kind = gapOpen
		default:
			return gapApart
		}
	}
	return kind
}

// keyOf folds the words of a name and joins them; cuts are the places between them, in bytes.
func keyOf(words []string) (key string, cuts []int) {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			cuts = append(cuts, b.Len())
		}
		b.WriteString(w)
	}
	return b.String(), cuts
}

// nameWords are the folded words of a name, none of them empty.
func nameWords(name string) []string {
	var out []string
	for _, t := range tokens(nil, name) {
		out = append(out, fold(name[t.from:t.to]))
	}
	return slices.DeleteFunc(out, func(w string) bool { return w == "" })
}
