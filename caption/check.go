package caption

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset/leakage"
)

// Flags of [Check]. That a caption names a class is for package dataset/build to find, which knows all classes.
const (
	FlagEmpty      = "empty"       // nothing is left
	FlagCutOff     = "cut_off"     // ended by the limit on tokens, or in the middle of a clause
	FlagRepetition = "repetition"  // a loop of characters, words or sentences
	FlagEcho       = "prompt_echo" // holds the prompt
)

// Check says what is wrong with a caption, sorted: clean is [Clean] of raw, and finish the endpoint's reason to stop. A flag
// is information for the reader of a data set; nothing is dropped for it.
func Check(clean, raw, finish, prompt string) []string {
	var flags []string
	add := func(flag string, found bool) {
		if found {
			flags = append(flags, flag)
		}
	}
	w := leakage.Words(clean)
	add(FlagEmpty, len(w) == 0)
	add(FlagCutOff, finish == "length" || endsInClause(clean, w))
	add(FlagRepetition, repeats(clean, w))
	add(FlagEcho, echoes(raw, prompt, clean, w))
	slices.Sort(flags)
	return flags
}

// openWords cannot end an English sentence.
var openWords = []string{"a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "is", "of", "on", "or", "the", "to", "which", "with"}

func endsInClause(clean string, w []string) bool {
	if len(w) == 0 {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(clean)
	switch last {
	case ',', ';', ':', '-', '(':
		return true
	}
	return unicode.IsLetter(last) && slices.Contains(openWords, w[len(w)-1])
}

// echoes says whether raw, as plain text, holds the prompt. w are the words of clean, which raw often is.
func echoes(raw, prompt, clean string, w []string) bool {
	p := leakage.Words(prompt)
	if len(p) < 3 { // "image" says nothing
		_, ok := cutEcho(plain(raw), plain(prompt))
		return ok
	}
	switch {
	case !plainWords(raw):
		w = leakage.Words(plain(raw))
	case raw != clean:
		w = leakage.Words(raw)
	}
	return indexWords(w, p) >= 0
}

// plainWords says, of most texts for which it is so, that the words of s are those of plain(s): it is in ASCII, without
// control characters but white space, and has no special token at its ends.
func plainWords(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && (c < '\t' || c > '\r') {
			return false
		}
	}
	s = strings.TrimSpace(s)
	return !strings.HasPrefix(s, "<") && !strings.HasSuffix(s, ">")
}

// indexWords is where sub begins in w, or -1.
func indexWords(w, sub []string) int {
	for i := 0; i+len(sub) <= len(w); i++ {
		if slices.Equal(w[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

// Bounds of repetition, set so that ordinary captions pass: lists such as "a red, a green and a blue one" repeat an
// n-gram twice, never three times without a break, and no English word has a letter eight times running.
const (
	sameRuneRun    = 8
	sameWordRun    = 4
	sameGramRun    = 3
	longestGram    = 12  // words in a repeated piece
	scatteredGram  = 4   // words in an n-gram that may recur with other words between
	scatteredShare = 0.5 // of a text's n-grams that occurred before
	scatteredWords = 16  // in a text at least
)

// repeats finds the loops that a language model without a repetition penalty falls into.
func repeats(clean string, w []string) bool {
	run, prev := 0, rune(0)
	for _, r := range clean {
		if r != prev {
			run, prev = 0, r
		}
		if run++; run >= sameRuneRun {
			return true
		}
	}
	hashes, distinct := hash(w)
	for n := 1; n <= longestGram; n++ {
		need := sameGramRun
		if n == 1 {
			need = sameWordRun
		}
		same := 0 // words in a row that equal the word n before
		for i := n; i < len(w); i++ {
			if hashes[i] != hashes[i-n] || w[i] != w[i-n] {
				same = 0
				continue
			}
			if same++; same >= n*(need-1) {
				return true
			}
		}
	}
	if len(w) < scatteredWords {
		return false
	}
	total := len(w) - scatteredGram + 1
	enough := func(again int) bool { return float64(again) >= scatteredShare*float64(total) }
	// An n-gram that begins with a word's first occurrence did not occur before.
	if !enough(len(w) - distinct) {
		return false
	}
	seen := make(map[[scatteredGram]string]bool, total)
	for i := range total {
		seen[[scatteredGram]string(w[i:])] = true
	}
	return enough(total - len(seen))
}

// hash returns a hash of each word, and at least how many distinct words there are: all, but for the few whose hashes
// agree.
func hash(w []string) (hashes []uint32, distinct int) {
	hashes = make([]uint32, len(w))
	var seen [1 << 10 / 64]uint64 // by the upper bits
	for i, word := range w {
		h := uint32(len(word))
		for _, c := range []byte(word) {
			h = (h ^ uint32(c)) * 0x9e3779b1
		}
		hashes[i] = h
		if at, bit := h>>28, uint64(1)<<(h>>22&63); seen[at]&bit == 0 {
			seen[at] |= bit
			distinct++
		}
	}
	return hashes, distinct
}
