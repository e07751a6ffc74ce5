//go:build parity

package dataset_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
)

// python is the interpreter of an environment with transformers.
func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("MCIL_PYTHON")
	if p == "" {
		t.Skip("MCIL_PYTHON names no interpreter")
	}
	return p
}

// TestParityTokenizer compares 200,000 texts, whole and cut at 40, and every code point alone and among letters, with
// transformers' BertTokenizerFast. MCIL_VOCABULARY is a vocab.txt to use, BERT's own say; otherwise one is built.
func TestParityTokenizer(t *testing.T) {
	interpreter := python(t)
	rng := rand.New(rand.NewPCG(5, 40))
	texts := parityTexts(rng, 200_000)
	var tok *dataset.Tokenizer
	var err error
	if file := os.Getenv("MCIL_VOCABULARY"); file != "" {
		tok, err = dataset.ReadVocabulary(file)
	} else {
		tok, err = dataset.BuildVocabulary(texts, 1<<20)
	}
	if err != nil {
		t.Fatal(err)
	}
	var characters []string
	for c := range rune(utf8.MaxRune + 1) {
		if utf8.ValidRune(c) {
			characters = append(characters, string(c), "Ab"+string(c)+"Cd\u0301")
		}
	}
	// Marks beside marks are what canonical order is about.
	for range 300_000 {
		characters = append(characters, marks(rng))
	}
	dir := t.TempDir()
	vocabulary, err := os.Create(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.WriteTo(vocabulary); err != nil {
		t.Fatal(err)
	}
	vocabulary.Close()
	writeLines(t, filepath.Join(dir, "texts.jsonl"), texts)
	writeLines(t, filepath.Join(dir, "characters.jsonl"), characters)
	out, err := exec.CommandContext(t.Context(), interpreter, "testdata/parity_tokenizer.py", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	encode := func(limit int) func(string) string {
		return func(text string) string {
			return strings.Trim(fmt.Sprint(tok.Encode(text, limit)), "[]")
		}
	}
	compare(t, filepath.Join(dir, "ids.txt"), texts, encode(1<<30))
	compare(t, filepath.Join(dir, "cut.txt"), texts, encode(40))
	compare(t, filepath.Join(dir, "words.txt"), characters, func(text string) string { return strings.Join(dataset.Words(text), " ") })
}

func compare(t *testing.T, file string, texts []string, ours func(string) string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	equal, shown := 0, 0
	for _, text := range texts {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		got, want := ours(text), strings.TrimSuffix(line, "\n")
		if got == want {
			equal++
		} else if shown++; shown <= 20 {
			t.Errorf("%s: %+q: %.300q, want %.300q", filepath.Base(file), text, got, want)
		}
	}
	if _, err := lines.ReadByte(); err != io.EOF {
		t.Error("more lines than texts")
	}
	t.Logf("%s: %d of %d equal", filepath.Base(file), equal, len(texts))
}

func writeLines(t *testing.T, file string, texts []string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, text := range texts {
		if err := enc.Encode(text); err != nil { // bytes that are no UTF-8 become U+FFFD, as in Python's errors="replace"
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Blocks where something can go wrong, of every plane.
var blocks = [][2]rune{
	{0, 0x7F}, {0x80, 0x24F}, {0x250, 0x36F}, {0x370, 0x58F}, {0x590, 0x8FF}, {0x900, 0xDFF}, {0xE00, 0x109F}, {0x1100, 0x11FF},
	{0x1200, 0x1CFF}, {0x1D00, 0x1FFF}, {0x2000, 0x2BFF}, {0x2C00, 0x2FFF}, {0x3000, 0x33FF}, {0x3400, 0xA4CF}, {0xA4D0, 0xABFF},
	{0xAC00, 0xD7FF}, {0xE000, 0xFAFF}, {0xFB00, 0xFFFF}, {0x10000, 0x11FFF}, {0x12000, 0x1CFFF}, {0x1D000, 0x1DFFF}, {0x1E000, 0x1EFFF},
	{0x1F000, 0x1FAFF}, {0x1FB00, 0x1FFFF}, {0x20000, 0x2FFFF}, {0x30000, 0x3FFFF}, {0x40000, 0xDFFFF}, {0xE0000, 0xEFFFF}, {0xF0000, 0x10FFFF},
}

func character(rng *rand.Rand) rune {
	b := blocks[rng.IntN(len(blocks))]
	return b[0] + rng.Int32N(b[1]-b[0]+1)
}

// marks is a run of combining characters, some of them composed, with things between that keep them apart or do not.
func marks(rng *rand.Rand) string {
	among := [][2]rune{{0x300, 0x36F}, {0x591, 0x5C7}, {0x8D3, 0x8FF}, {0x1DC0, 0x1DFF}, {0x302A, 0x302F}, {0x1D15E, 0x1D172}, {0x1E000, 0x1E02A},
		{0x93C, 0x94D}, {0x1B34, 0x1B44}, {0xA953, 0xA9C0}, {0x11442, 0x11446}, {0x1E944, 0x1E94A}, {0x200B, 0x200F}, {0xF71, 0xF84}, {0x11133, 0x11134}, {0x11235, 0x11236},
		{0x1134D, 0x11374}, {0x16FF0, 0x16FF1}, {0x20D0, 0x20F0}, {0x1EC7, 0x1EC7}, {'a', 'b'}, {' ', '!'}}
	var s []rune
	for range 1 + rng.IntN(12) {
		b := among[rng.IntN(len(among))]
		s = append(s, b[0]+rng.Int32N(b[1]-b[0]+1))
	}
	return string(s)
}

// parityTexts are captions, junk, and what lies between.
func parityTexts(rng *rand.Rand, n int) []string {
	words := strings.Fields(`a the of in with and sitting standing next to photograph drawing sketch dog's well-known café naïve Zürich
		Ærøskøbing Straße ŁÓDŹ İstanbul ΣΊΣΥΦΟΣ Ǆungla straw-berry's 1990s 3.14 $5 100% #tag @name e-mail don't (left) "quoted" “curly” — … «ça»
		東京 日本語 한국어 안녕 العربية עברית हिन्दी ไทย 🐶 👩‍👩‍👧‍👦 🇨🇭 👍🏽 ☃ ½ ² ﬁ ﬀ Å µ ™ [CLS] [SEP] [MASK] [UNK] [PAD] [cls] [MASK [[MASK]] x[SEP]y
		internationalisation Pneumonoultramicroscopicsilicovolcanoconiosis unaffable ##ing ## [unused0] http://a.b/c?d=e`)
	joins := []string{" ", " ", " ", " ", ", ", ". ", "", "\n", "\t", "  ", "-", "\u00a0", "\u3000", "\u200b", "\r\n", "; "}
	texts := []string{"", " ", strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("é", 100), strings.Repeat("e\u0301", 101),
		strings.Repeat("e\u0301", 100), strings.Repeat("각", 50), strings.Repeat("각", 34), strings.Repeat("\u302e", 101) + "\U0001D165", strings.Repeat("\u0345\u0301", 2000) + "x"}
	for len(texts) < n {
		var b strings.Builder
		switch kind := rng.IntN(10); {
		case kind < 5: // like captions
			for range 1 + rng.IntN(30) {
				b.WriteString(words[rng.IntN(len(words))])
				b.WriteString(joins[rng.IntN(len(joins))])
			}
		case kind < 7: // any characters
			for range 1 + rng.IntN(40) {
				b.WriteRune(character(rng))
			}
		case kind < 8: // of one block
			block := blocks[rng.IntN(len(blocks))]
			for range 1 + rng.IntN(60) {
				b.WriteRune(block[0] + rng.Int32N(block[1]-block[0]+1))
			}
		case kind < 9: // words with marks and long words
			for range 1 + rng.IntN(6) {
				b.WriteString(words[rng.IntN(len(words))])
				b.WriteString(marks(rng))
				if rng.IntN(20) == 0 {
					b.WriteString(strings.Repeat(string(character(rng)), 96+rng.IntN(10)))
				}
			}
		default: // any bytes
			for range rng.IntN(40) {
				b.WriteByte(byte(rng.Uint32()))
				if rng.IntN(3) == 0 {
					b.WriteString(words[rng.IntN(len(words))])
				}
			}
		}
		texts = append(texts, b.String())
	}
	return texts
}
