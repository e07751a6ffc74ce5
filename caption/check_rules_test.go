package caption

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset/leakage"
)

// sayScatters is the rule on n-grams that recur with other words between, counted one by one.
func sayScatters(w []string) (bool, float64) {
	if len(w) < scatteredWords {
		return false, 0
	}
	seen, again, total := map[string]bool{}, 0, 0
	for i := 0; i+scatteredGram <= len(w); i++ {
		gram := strings.Join(w[i:i+scatteredGram], " ")
		if total++; seen[gram] {
			again++
		}
		seen[gram] = true
	}
	share := float64(again) / float64(total)
	return share >= 0.5, share
}

// sayLoops is the rule on pieces that follow themselves: one word four times, a piece up to 12 words three times, a longer one
// twice. The share is that of the words behind the first piece of the longest loop.
func sayLoops(w []string) (found bool, share float64) {
	for n := 1; n <= len(w)/2; n++ {
		need := 3
		if n == 1 {
			need = 4
		} else if n > 12 {
			need = 2
		}
		for i := 0; i+n*need <= len(w); i++ {
			if !slices.Equal(w[i:i+n*(need-1)], w[i+n:i+n*need]) {
				continue
			}
			found = true
			end := i + n
			for end < len(w) && w[end] == w[end-n] {
				end++
			}
			share = max(share, float64(end-i-n)/float64(len(w)))
		}
	}
	return found, share
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
		loops, share := sayLoops(w)
		scatters, of := sayScatters(w)
		if scatters {
			share = max(share, of)
		}
		if loops || scatters {
			found++
		}
		if got, value := DefaultThresholds().repeats(w); got != (loops || scatters) || value != share {
			t.Fatalf("repeats(%q) = %v, %g, want %v, %g", w, got, value, loops || scatters, share)
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
