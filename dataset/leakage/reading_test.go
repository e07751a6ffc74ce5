package leakage

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// wordBayes is a classifier of words as such.
type wordBayes struct {
	bayes
	numbers numbers
}

func newBayes() *wordBayes { return &wordBayes{numbers: numbers{}} }

func (b *wordBayes) learn(label int, words []string) { b.bayes.learn(label, b.of(words)) }

func (b *wordBayes) classify(words []string) int { return b.bayes.classify(b.of(words)) }

func (b *wordBayes) of(words []string) []int32 {
	var l wordList
	for _, w := range words {
		l.add(w)
	}
	return b.numbers.of(nil, &l)
}

func (l *wordList) strings() []string {
	out := []string{}
	for i := range l.places {
		out = append(out, string(l.at(i)))
	}
	return out
}

// wantPlainReading compares what r read of text with what the path for any text makes of it, word by word.
func wantPlainReading(t *testing.T, r *reading, text string) {
	t.Helper()
	places := tokens(nil, text)
	words, keys := []string{}, []string{}
	for _, p := range places {
		words, keys = append(words, lower(text[p.from:p.to])), append(keys, fold(text[p.from:p.to]))
	}
	r.read(text)
	r.fold()
	if !slices.Equal(r.tokens, places) || !slices.Equal(r.words.strings(), words) || !slices.Equal(r.keys.strings(), keys) {
		t.Fatalf("reading of %q: places %v, words %q, keys %q, want %v, %q, %q", text, r.tokens, r.words.strings(), r.keys.strings(), places, words, keys)
	}
	if got := Words(text); !slices.Equal(got, words) {
		t.Fatalf("Words(%q) = %q, want %q", text, got, words)
	}
}

// All texts of up to three ASCII characters, and long ones of ASCII and others, read into the same memory.
func TestReading(t *testing.T) {
	var r reading
	for n := range 1 << 14 {
		wantPlainReading(t, &r, string([]byte{byte(n & 127), byte(n >> 7)}))
		wantPlainReading(t, &r, string([]byte{'x', byte(n & 127), byte(n >> 7)}))
	}
	pieces := []string{"a", "B", "Z", "z", "0", "9", "'", "'", " ", " ", "-", "_", ".", "@", "[", "`", "{", "\x00", "\x7f", "dog's", "’", "É", "e\u0301", "\xff", "İ", "金"}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20000 {
		some := pieces
		if i%2 == 0 {
			some = pieces[:20] // ASCII
		}
		var b strings.Builder
		for range random.IntN(40) {
			b.WriteString(some[random.IntN(len(some))])
		}
		wantPlainReading(t, &r, b.String())
	}
}

func FuzzWords(f *testing.F) {
	f.Add("The ladies’ dog's 2 T-shirts: “naïve” \xffnai\u0308ve, rock 'n' roll ''", "A plain one, isn't it?")
	f.Add("İI\u0130ſK", "'a' ''b''")
	f.Fuzz(func(t *testing.T, first, second string) {
		var r reading
		wantPlainReading(t, &r, first)
		wantPlainReading(t, &r, second)
	})
}

// Readers at the same time do not see each other's words.
func TestFindConcurrently(t *testing.T) {
	n := NewNames(testClasses())
	texts := []string{"a tiger shark's tiger", "no name at all, isn't it", "Two GEESE and a café", "a hot-dog"}
	var want [][]string
	for _, text := range texts {
		want = append(want, append(find(n, text), Words(text)...))
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 500 {
				k := (i*worker + i) % len(texts)
				if got := append(find(n, texts[k]), Words(texts[k])...); !slices.Equal(got, want[k]) {
					t.Errorf("%q: %q, want %q", texts[k], got, want[k])
				}
			}
		})
	}
	wg.Wait()
}

// A word that begins a form is among the beginnings.
func TestStarts(t *testing.T) {
	n := NewNames(testClasses())
	for key := range n.forms {
		if !n.starts.has([]byte(key)) {
			t.Errorf("%q begins no name", key)
		}
	}
	if n.starts.has(nil) || n.starts.has([]byte("xylophone")) {
		t.Error("names begin with nothing, or with xylophone")
	}
}
