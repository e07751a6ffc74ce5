package dataset_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
)

// Ids are positions in this list.
var smallVocabulary = []string{
	"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", // 0..4
	"a", "cafe", "un", "##aff", "##able", "the", "dog", "##s", ",", ".", // 5..14
	"!", "$", "中", "国", "ss", "##ß", "i", "##i", "¿", "x", "##x", "##'", "'", "##1", "strasse", "[", "]", "unk", // 15..32
}

const (
	unk = 1
	cls = 2
	sep = 3
)

func tokenizer(t testing.TB, pieces []string) *dataset.Tokenizer {
	t.Helper()
	tok, err := dataset.NewTokenizer(pieces)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokenizerEncode(t *testing.T) {
	tok := tokenizer(t, smallVocabulary)
	if tok.Len() != len(smallVocabulary) || tok.Piece(8) != "##aff" || tok.Piece(-1) != "[UNK]" || tok.Piece(99) != "[UNK]" {
		t.Error("Len or Piece is wrong")
	}
	for _, c := range []struct {
		name, text string
		want       []int32 // without [CLS] and [SEP]
	}{
		{"nothing", "", nil},
		{"space", " \t\r\n\u00a0\u2003\u3000 ", nil},
		{"longest piece first", "unaffable", []int32{7, 8, 9}},
		{"case", "THE Dogs", []int32{10, 11, 12}},
		{"accents", "Café CAFÉ cafe\u0301", []int32{6, 6, 6}},
		{"punctuation", "a,dog.the!", []int32{5, 13, 11, 14, 10, 15}},
		{"punctuation in a row", "...$", []int32{14, 14, 14, 16}},
		{"ascii symbols split", "a$a", []int32{5, 16, 5}},
		{"unicode punctuation", "¿dog", []int32{23, 11}},
		{"cjk", "中国a中", []int32{17, 18, 5, 17}},
		{"unknown word as a whole", "dogz the", []int32{unk, 10}},
		{"unknown character", "the ☃ dog", []int32{10, unk, 11}},
		{"special pieces in a caption are special", "the[SEP] dog[MASK][UNK][PAD]", []int32{10, 3, 11, 4, 1, 0}},
		{"exactly as they are spelled", "[unk] [UNK", []int32{30, 32, 31, 30, 32}},
		{"behind a bracket", "[[UNK]]", []int32{30, unk, 31}},
		{"an accent does not cross a special piece", "dog[SEP]\u0301dog", []int32{11, 3, 11}},
		{"control characters vanish", "d\x00o\x07g\u200b \ufffddog\u00ad", []int32{11, 11}},
		{"invalid UTF-8 vanishes", "do\xffg", []int32{11}},
		{"dotted capital i", "İ", []int32{21}},
		{"unknown script", "ΣΑΣ", []int32{unk}},
		{"100 runes", strings.Repeat("x", 100), append([]int32{24}, slices.Repeat([]int32{25}, 99)...)},
		{"101 runes", strings.Repeat("x", 101) + " dog", []int32{unk, 11}},
		{"line ends", "the\ndog\tthe", []int32{10, 11, 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := append(append([]int32{cls}, c.want...), sep)
			if got := tok.Encode(c.text, 200); !slices.Equal(got, want) {
				t.Errorf("%q: %v, want %v", c.text, got, want)
			}
		})
	}
}

func TestTokenizerCutsTheTextAndKeepsTheEnd(t *testing.T) {
	tok := tokenizer(t, smallVocabulary)
	whole := tok.Encode("the dogs, unaffable", 40) // the dog ##s , un ##aff ##able
	if len(whole) != 9 {
		t.Fatalf("%v", whole)
	}
	for limit := 2; limit < 12; limit++ {
		got := tok.Encode("the dogs, unaffable", limit)
		n := min(limit, 9)
		if want := append(slices.Clone(whole[:n-1]), sep); !slices.Equal(got, want) {
			t.Errorf("limit %d: %v, want %v", limit, got, want)
		}
	}
	for _, limit := range []int{1, 0, -5} {
		if got := tok.Encode("the", limit); !slices.Equal(got, []int32{cls, sep}) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
}

func TestTokenizerErrors(t *testing.T) {
	_, err := dataset.NewTokenizer([]string{"[UNK]", "[CLS]", "[SEP]", "a", "a"})
	datasettest.WantError(t, err, nil, `"a" occurs twice`, "line 5")
	for _, missing := range []string{"[UNK]", "[CLS]", "[SEP]"} {
		_, err := dataset.NewTokenizer(slices.DeleteFunc(slices.Clone(smallVocabulary), func(p string) bool { return p == missing }))
		datasettest.WantError(t, err, nil, "has no "+missing)
	}
	_, err = dataset.ReadVocabulary(datasettest.WriteTemp(t, "vocab.txt", []byte("only\nwords\n")))
	datasettest.WantError(t, err, nil, "vocab.txt", "has no [CLS]")
	_, err = dataset.ReadVocabulary("absent.txt")
	datasettest.WantError(t, err, os.ErrNotExist, "absent.txt")
	_, err = dataset.ReadVocabulary(datasettest.WriteTemp(t, "vocab.txt", []byte(strings.Repeat("x", 1<<17))))
	datasettest.WantError(t, err, nil, "vocab.txt")
}

func TestVocabularyRoundTrip(t *testing.T) {
	tok := tokenizer(t, smallVocabulary)
	var text strings.Builder
	if n, err := tok.WriteTo(&text); err != nil || n != int64(text.Len()) {
		t.Fatal(n, err)
	}
	for name, body := range map[string]string{"as written": text.String(), "crlf": strings.ReplaceAll(text.String(), "\n", "\r\n")} {
		again, err := dataset.ReadVocabulary(datasettest.WriteTemp(t, "vocab.txt", []byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		if again.Len() != tok.Len() || !slices.Equal(again.Encode("the dogs, Café", 40), tok.Encode("the dogs, Café", 40)) {
			t.Errorf("%s: other ids", name)
		}
	}
}

func pieces(tok *dataset.Tokenizer) []string {
	var out []string
	for i := range tok.Len() {
		out = append(out, tok.Piece(int32(i)))
	}
	return out
}

func TestBuildVocabulary(t *testing.T) {
	tok, err := dataset.BuildVocabulary([]string{"ab ab ba", "ab, ba CB"}, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "##,", "a", "##a", "b", "##b", "c", "##c", "ab", "ba"}
	if got := pieces(tok); !slices.Equal(got, want) {
		t.Errorf("pieces %q, want %q", got, want)
	}
	if got := tok.Encode("cb ab", 10); !slices.Equal(got, []int32{2, 11, 10, 13, 3}) {
		t.Errorf("%v: want [CLS] c ##b ab [SEP]", got)
	}
	if tok, err = dataset.BuildVocabulary([]string{"ab ab ba", "ab, ba CB"}, 14); err != nil || tok.Len() != 14 || tok.Piece(13) != "ab" {
		t.Errorf("size 14: %d pieces, %v", tok.Len(), err)
	}
	_, err = dataset.BuildVocabulary([]string{"ab ab ba", "ab, ba CB"}, 12)
	datasettest.WantError(t, err, nil, "more distinct characters")
	if tok, err = dataset.BuildVocabulary(nil, 5); err != nil || tok.Len() != 5 {
		t.Errorf("no texts: %v", err)
	}
}

func TestBuildVocabularyIgnoresTheOrderOfTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for range 300 {
		texts = append(texts, fmt.Sprintf("a %c%c picture of word%d, word%d", 'a'+rng.IntN(26), 'à'+rng.IntN(20), rng.IntN(90), rng.IntN(9)))
	}
	first, err := dataset.BuildVocabulary(texts, 120)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		rng.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		again, err := dataset.BuildVocabulary(texts, 120)
		if err != nil || !slices.Equal(pieces(first), pieces(again)) {
			t.Fatalf("another order gives another vocabulary (%v)", err)
		}
	}
	if first.Len() != 120 {
		t.Errorf("%d pieces, want the 120 allowed", first.Len())
	}
	for _, text := range texts {
		if slices.Contains(first.Encode(text, 100), unk) {
			t.Errorf("%q has unknown pieces in a vocabulary of its own characters", text)
		}
	}
}
