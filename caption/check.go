package caption

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/leakage"
)

// Flag is something that was found in a caption, with what was measured.
type Flag struct {
	Name  string
	Value float64
}

// Flags of [Check], and what their values are. That a caption names a class is for package dataset/build to find, which
// knows all classes.
const (
	FlagEmpty         = "empty"         // no word is left; characters that are
	FlagCutOff        = "cut_off"       // ended by the limit on tokens, or in the middle of a clause; words until then
	FlagRepetition    = "repetition"    // a loop of words or sentences; share of the words that say nothing new
	FlagCharacterRun  = "character_run" // the same character again and again; how many times
	FlagEcho          = "prompt_echo"   // the raw answer holds the prompt; share of its words
	FlagPrefixOnly    = "prefix_only"   // "a photo of", and no more; words of content
	FlagMixedScripts  = "mixed_scripts" // letters of several scripts; share of those outside the main one
	FlagDuplicate     = dataset.FlagDuplicate
	FlagNearDuplicate = dataset.FlagNearDuplicate
)

// Check says what is wrong with a caption by the default [Thresholds].
func Check(clean, raw, finish, prompt string) []Flag {
	return Thresholds{}.Check(clean, raw, finish, prompt)
}

// Check says what is wrong with a caption, sorted by the flags' names: clean is [Clean] of raw, and finish the endpoint's
// reason to stop. A flag is information for the reader of a data set; nothing is dropped for it.
func (t Thresholds) Check(clean, raw, finish, prompt string) []Flag {
	t = t.WithDefaults()
	w := leakage.Words(clean)
	var flags []Flag
	add := func(flag string, found bool, value float64) {
		if found {
			flags = append(flags, Flag{flag, value})
		}
	}
	if run := characterRun(clean); run >= t.CharacterRun {
		add(FlagCharacterRun, true, float64(run))
	}
	add(FlagCutOff, finish == "length" || endsInClause(clean, w), float64(len(w)))
	if len(w) == 0 {
		add(FlagEmpty, true, float64(utf8.RuneCountInString(clean)))
	} else if n := contentWords(w, t.ContentWords); n < t.ContentWords {
		add(FlagPrefixOnly, true, float64(n))
	}
	if share := foreign(clean); share >= t.ForeignShare {
		add(FlagMixedScripts, true, round(share))
	}
	if share := echo(raw, prompt, clean, w); share > 0 && share >= t.EchoShare {
		add(FlagEcho, true, round(share))
	}
	found, share := t.repeats(w)
	add(FlagRepetition, found, round(share))
	if len(flags) > 1 {
		SortFlags(flags)
	}
	return flags
}

// SortFlags sorts flags by name, as a dataset's columns have them.
func SortFlags(flags []Flag) {
	slices.SortFunc(flags, func(a, b Flag) int { return strings.Compare(a.Name, b.Name) })
}

// Columns are flags as a dataset's rows have them: names and values.
func Columns(flags []Flag) (names []string, values []float64) {
	for _, f := range flags {
		names, values = append(names, f.Name), append(values, f.Value)
	}
	return names, values
}

// Has says whether a flag of one of the names is among flags.
func Has(flags []Flag, names ...string) bool {
	return slices.ContainsFunc(flags, func(f Flag) bool { return slices.Contains(names, f.Name) })
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

// characterRun is the length of the longest run of one character, whatever its case.
func characterRun(clean string) int {
	longest, run, prev := 0, 0, rune(-1)
	for _, r := range clean {
		if r-'A' < 26 && r >= 'A' {
			r |= 0x20
		}
		if r != prev {
			longest, run, prev = max(longest, run), 0, r
		}
		run++
	}
	return max(longest, run)
}

// echo is the share of the prompt's words that raw, as plain text, holds in one piece. w are the words of clean, which raw
// often is.
func echo(raw, prompt, clean string, w []string) float64 {
	p := leakage.Words(prompt)
	if len(p) < 3 { // "image" says nothing
		if _, ok := cutEcho(plain(raw), plain(prompt)); ok {
			return 1
		}
		return 0
	}
	switch {
	case !plainWords(raw):
		w = leakage.Words(plain(raw))
	case raw != clean:
		w = leakage.Words(raw)
	}
	return float64(longestCommon(p, w)) / float64(len(p))
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

// longestCommon is the number of words in the longest piece that p and w both have.
func longestCommon(p, w []string) int {
	longest := 0
	for i := 0; i+longest < len(p); i++ {
		for j := 0; j+longest < len(w); j++ {
			n := 0
			for i+n < len(p) && j+n < len(w) && p[i+n] == w[j+n] {
				n++
			}
			longest = max(longest, n)
		}
	}
	return longest
}
