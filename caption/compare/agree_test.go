package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset/leakage"
)

func wordsOf(text string) wording { return wordingOf(leakage.Words(text)) }

func TestAgreement(t *testing.T) {
	for _, c := range []struct {
		a, b           string
		jaccard, rouge float64
	}{
		{"", "", 1, 1},
		{"…!", "", 1, 1}, // no words either
		{"a fish", "", 0, 0},
		{"a red fish", "A red fish.", 1, 1},
		{"two cats", "one dog", 0, 0},
		{"a small boat on a lake", "a lake with a boat", 3. / 6, 2 * 2. / 11}, // a, boat, lake; "a boat" or "a lake"
		{"the cat sat on the mat", "the mat sat on the cat", 1, 2 * 4. / 12},  // the sat on the
		{"a photo of", "a photo of a bird", 3. / 4, 2 * 3. / 8},
		{"a fish", strings.Repeat("a fish ", 20), 1, 2 * 2. / 42}, // a loop
	} {
		a, b := wordsOf(c.a), wordsOf(c.b)
		if got := jaccard(a, b); math.Abs(got-c.jaccard) > 1e-12 || got != jaccard(b, a) {
			t.Errorf("jaccard(%q, %q) = %g, want %g, and the same the other way", c.a, c.b, got, c.jaccard)
		}
		if got := rougeL(a, b); math.Abs(got-c.rouge) > 1e-12 || got != rougeL(b, a) {
			t.Errorf("rougeL(%q, %q) = %g, want %g, and the same the other way", c.a, c.b, got, c.rouge)
		}
	}
}

// longestByTrying is the length of the longest common subsequence by its definition.
func longestByTrying(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	if a[0] == b[0] {
		return 1 + longestByTrying(a[1:], b[1:])
	}
	return max(longestByTrying(a[1:], b), longestByTrying(a, b[1:]))
}

func TestCommonLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b := make([]string, r.IntN(9)), make([]string, r.IntN(9))
		for _, w := range [][]string{a, b} {
			for i := range w {
				w[i] = string(rune('a' + r.IntN(4)))
			}
		}
		if got, want := commonLength(a, b), longestByTrying(a, b); got != want {
			t.Fatalf("commonLength(%q, %q) = %d, want %d", a, b, got, want)
		}
	}
}

func TestLongTextsAreCut(t *testing.T) {
	a := wordsOf(strings.Repeat("fin tail ", 500_000))
	if len(a.words) != longestCompared || rougeL(a, a) != 1 {
		t.Errorf("%d words compared", len(a.words))
	}
}

// marked writes what the other text lacks in brackets.
func marked(text string, fields []field) string {
	var b strings.Builder
	parts, _ := stretches(text, fields, nil)
	for _, s := range parts {
		for _, p := range s.Parts {
			if s.Only {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
	}
	return b.String()
}

func TestDifference(t *testing.T) {
	for _, c := range []struct{ a, b, wantA, wantB string }{
		{"", "", "", ""},
		{"a red fish", "A red fish.", "a red fish", "A red fish."},
		{"a red fish", "a blue fish", "a [red] fish", "a [blue] fish"},
		{"a very old red fish", "a fish – swimming", "a [very old red] fish", "a fish – [swimming]"},
		{"black-and-white cat", "black and white cat", "[black-and-white] cat", "[black and white] cat"},
		{"one", "two three", "[one]", "[two three]"},
	} {
		inA, inB := difference(c.a, c.b)
		if got := marked(c.a, inA); got != c.wantA {
			t.Errorf("%q beside %q: %s, want %s", c.a, c.b, got, c.wantA)
		}
		if got := marked(c.b, inB); got != c.wantB {
			t.Errorf("%q beside %q: %s, want %s", c.b, c.a, got, c.wantB)
		}
	}
}

func TestNamesAreMarked(t *testing.T) {
	const text = "Two goldfish, and a goldfish's tail"
	names := leakage.NewNames([]leakage.Class{{WNID: "n01443537", Name: "goldfish"}})
	inA, _ := difference(text, "Two tails and a boat")
	var got []string
	parts, _ := stretches(text, inA, names.Find(text))
	for _, s := range parts {
		for _, p := range s.Parts {
			mark := map[bool]string{true: "*"}
			got = append(got, mark[s.Only]+mark[p.Name]+p.Text)
		}
	}
	// The comma belongs to the field that the other text lacks, and not to the name.
	if want := []string{"Two ", "**goldfish", "*,", " and a ", "**goldfish's", "* tail"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever the texts are, they are shown whole, or cut where the page says so.
func FuzzStretches(f *testing.F) {
	names := leakage.NewNames([]leakage.Class{{WNID: "n01443537", Name: "goldfish"}, {Name: "great_white_shark"}})
	f.Add("a goldfish swims", "two goldfish")
	f.Add("\xff goldfish\u2028goldfish", strings.Repeat("é ", 800))
	f.Add(" great-white  shark's\tfin ", hostile)
	f.Fuzz(func(t *testing.T, a, b string) {
		inA, inB := difference(a, b)
		for text, fields := range map[string][]field{a: inA, b: inB} {
			var shown strings.Builder
			parts, rest := stretches(text, fields, names.Find(text))
			for _, s := range parts {
				for _, p := range s.Parts {
					shown.WriteString(p.Text)
				}
			}
			if got := shown.String(); rest == "" && got != text || !strings.HasPrefix(text, got) && strings.ToValidUTF8(text, "") == text {
				t.Errorf("%q is shown as %q (%s)", text, got, rest)
			}
		}
		if j, r := jaccard(wordsOf(a), wordsOf(b)), rougeL(wordsOf(a), wordsOf(b)); j < 0 || j > 1 || r < 0 || r > 1 || (j == 0) != (r == 0) {
			t.Errorf("agreement of %q and %q: %g, %g", a, b, j, r)
		}
	})
}

func TestTop(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, limit := range []int{0, 1, 7, 100} {
		k := top[int]{limit: limit, order: func(a, b int) int { return a - b }}
		all := r.Perm(50)
		for _, v := range all {
			k.add(v)
		}
		slices.Sort(all)
		if got := k.list(); !slices.Equal(got, all[:min(limit, 50)]) {
			t.Errorf("the first %d: %v", limit, got)
		}
	}
}
