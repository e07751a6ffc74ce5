package dataset_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
)

// tokenizerGolden is what testdata/tokenizer_golden.py wrote.
type tokenizerGolden struct {
	Vocabulary []string
	Cases      []tokenizerCase
	Blocks     []string // of 4096 code points: the digest of their words among letters, a line each
}

type tokenizerCase struct {
	Text  string
	Limit int // 0: none
	IDs   []int32
}

func (c *tokenizerCase) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.Text, &c.Limit, &c.IDs})
}

func TestTokenizerIsBertTokenizerFast(t *testing.T) {
	g := readGolden[tokenizerGolden](t, "testdata/tokenizer_golden.json")
	tok := tokenizer(t, g.Vocabulary)
	if len(g.Cases) != 510 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	for _, c := range g.Cases {
		limit := c.Limit
		if limit == 0 {
			limit = 1 << 30
		}
		if got := tok.Encode(c.Text, limit); !slices.Equal(got, c.IDs) {
			t.Errorf("%+q, limit %d: %v, want %v", c.Text, c.Limit, got, c.IDs)
		}
	}
}

func TestEveryCodePointIsBertTokenizerFasts(t *testing.T) {
	g := readGolden[tokenizerGolden](t, "testdata/tokenizer_golden.json")
	if len(g.Blocks) != (utf8.MaxRune+1)>>12 {
		t.Fatalf("%d blocks", len(g.Blocks))
	}
	var lines []byte
	for i, want := range g.Blocks {
		lines = lines[:0]
		for c := rune(i << 12); c < rune(i+1)<<12; c++ {
			if utf8.ValidRune(c) {
				lines = append(append(lines, strings.Join(dataset.Words("a"+string(c)+"A\u0301"), " ")...), '\n')
			}
		}
		if dataset.Digest(lines)[:12] != want {
			t.Errorf("a code point from U+%04X to U+%04X is treated otherwise", i<<12, (i+1)<<12-1)
		}
	}
}

// Encode allocates what it returns.
func TestEncodeAllocates(t *testing.T) {
	tok := tokenizer(t, smallVocabulary)
	for _, text := range []string{"The dogs, unaffable dogs!", "Café 中国 각 \u302e\U0001D165 the"} {
		if n := testing.AllocsPerRun(100, func() { tok.Encode(text, 40) }); n > 1 {
			t.Errorf("%q: %g allocations", text, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, text := range map[string]string{
		"caption": "a photograph of a small brown dog standing on a wooden floor next to a red ball, looking up at the camera.",
		"accents": "Café Zürich, naïve Straße: «ça va?» ŁÓDŹ İstanbul 東京 日本語 한국어 हिन्दी 🐶",
	} {
		b.Run(name, func(b *testing.B) {
			tok, err := dataset.BuildVocabulary([]string{text, text}, 1000)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				tok.Encode(text, 40)
			}
		})
	}
}
