package builtin

import (
	"unicode"
	"unicode/utf8"
)

// A token here is a word or a punctuation mark. A language model's tokenizer would count about a third more.

// tokenEnds calls visit with the end of every token in s, in bytes, until it returns false.
func tokenEnds(s string, visit func(end int) bool) {
	inWord := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		isWord := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '\'' || r == '-'
		if inWord && !isWord && !visit(i) {
			return
		}
		inWord = isWord
		if !isWord && !unicode.IsSpace(r) && !visit(i+size) {
			return
		}
		i += size
	}
	if inWord {
		visit(len(s))
	}
}

func countTokens(s string) int {
	n := 0
	tokenEnds(s, func(int) bool { n++; return true })
	return n
}

// cutTokens cuts s behind its first limit tokens, and says whether it had more. No limit is 0.
func cutTokens(s string, limit int) (cut string, ok bool) {
	if limit == 0 {
		return s, false
	}
	n, at := 0, 0
	tokenEnds(s, func(end int) bool {
		if n++; n <= limit {
			at = end
		}
		return n <= limit
	})
	return s[:at], n > limit
}
