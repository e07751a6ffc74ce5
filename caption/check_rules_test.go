package caption

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset/leakage"
)

// scatters is the rule on n-grams that recur with other words between, counted one by one.
func scatters(w []string) bool {
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

// loops is the rule on pieces that follow themselves: a piece of one word four times, a longer one three times.
func loops(w []string) bool {
	for n := 1; n <= longestGram; n++ {
		need := sameGramRun
		if n == 1 {
			need = sameWordRun
		}
		for i := 0; i+n*need <= len(w); i++ {
			if slices.Equal(w[i:i+n*(need-1)], w[i+n:i+n*need]) {
				return true
			}
		}
	}
	return false
}

// Texts of few words and of many, with pieces copied from before: about half of them repeat.
func TestRepeatsAgainstTheRules(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 20000 {
		vocabulary, length := 1+r.IntN(40), r.IntN(60)
		var w []string
		for len(w) < length {
			if n := r.IntN(15); r.IntN(4) == 0 && n <= len(w) {
				at := r.IntN(len(w) - n + 1)
				w = append(w, w[at:at+n]...)
				continue
			}
			n := r.IntN(vocabulary)
			w = append(w, string(rune('a'+n%26))+strings.Repeat("x", n/26))
		}
		want := loops(w) || scatters(w)
		if want {
			found++
		}
		if got := repeats(strings.Join(w, " "), w); got != want {
			t.Fatalf("repeats(%q) = %v", w, got)
		}
	}
	if found < 2000 || found > 18000 {
		t.Errorf("%d of 20000 repeat", found)
	}
}

// Where the words of an answer are read without making it plain, they are those of the plain text.
func FuzzPlainWords(f *testing.F) {
	for _, s := range []string{"A fish.\n\nIt swims\tfast. ", "<s> a fish</s>", "a</s>\n", "a\x00b", "naïve", "<", "a\vb\fc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := leakage.Words(s), leakage.Words(plain(s)); plainWords(s) && !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q, plain %q", s, got, want)
		}
	})
}
