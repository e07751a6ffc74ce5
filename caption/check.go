package caption

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/leakage"
)

// Flags of [Check].
const (
	FlagEmpty      = "empty"                // nothing is left
	FlagCutOff     = "cut_off"              // ended by the limit on tokens, or in the middle of a clause
	FlagRepetition = "repetition"           // a loop of characters, words or sentences
	FlagEcho       = "prompt_echo"          // holds the prompt
	FlagNamesClass = dataset.FlagNamesClass // by the class's own name; mcil build looks for its synset's other names, too
)

// Check says what is wrong with a caption, sorted: clean is [Clean] of raw, finish the endpoint's reason to stop, and
// className ImageNet-R's, such as great_white_shark. A flag is information for the reader of a data set; nothing is dropped
// for it.
func Check(clean, raw, finish, prompt, className string) []string {
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
	add(FlagEcho, echoes(plain(raw), prompt))
	add(FlagNamesClass, NamesClass(clean, className))
	slices.Sort(flags)
	return flags
}

// NamesClass says whether text holds the class's name in any form, by the rule that a data set's leakage is measured by.
func NamesClass(text, className string) bool { return leakage.NamesClass(text, className) }

// openWords cannot end an English sentence.
var openWords = []string{"a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "is", "of", "on", "or", "the", "to", "which", "with"}

func endsInClause(clean string, w []string) bool {
	if len(w) == 0 {
		return false
	}
	last, _ := lastRune(clean)
	switch last {
	case ',', ';', ':', '-', '(':
		return true
	}
	return (unicode.IsLetter(last)) && slices.Contains(openWords, w[len(w)-1])
}

func lastRune(s string) (rune, bool) {
	r := []rune(s)
	if len(r) == 0 {
		return 0, false
	}
	return r[len(r)-1], true
}

func echoes(raw, prompt string) bool {
	p, r := leakage.Words(prompt), leakage.Words(raw)
	if len(p) < 3 { // "image" says nothing
		_, ok := cutEcho(raw, plain(prompt))
		return ok
	}
	return indexWords(r, p) >= 0
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
	for n := 1; n <= longestGram; n++ {
		need := sameGramRun
		if n == 1 {
			need = sameWordRun
		}
		same := 0 // words in a row that equal the word n before
		for i := n; i < len(w); i++ {
			if w[i] != w[i-n] {
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
	seen, again, total := map[string]bool{}, 0, 0
	for i := 0; i+scatteredGram <= len(w); i++ {
		gram := strings.Join(w[i:i+scatteredGram], " ")
		if total++; seen[gram] {
			again++
		}
		seen[gram] = true
	}
	return float64(again) >= scatteredShare*float64(total)
}
