package dataset

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Tokenizer is BERT's uncased WordPiece: text is cleaned, lower-cased and stripped of accents, split at white space and
// punctuation, and each word into the longest pieces of the vocabulary; pieces that continue a word begin with "##".
// It is safe for concurrent use.
type Tokenizer struct {
	pieces []string
	ids    map[string]int32

	cls, sep, unk int32
}

// Special pieces.
const (
	padPiece  = "[PAD]"
	unkPiece  = "[UNK]"
	clsPiece  = "[CLS]"
	sepPiece  = "[SEP]"
	maskPiece = "[MASK]"

	maxWordRunes = 100 // longer words are unknown
)

// NewTokenizer makes a tokenizer of a vocabulary: the piece at index i has id i.
func NewTokenizer(vocabulary []string) (*Tokenizer, error) {
	t := &Tokenizer{pieces: vocabulary, ids: make(map[string]int32, len(vocabulary))}
	for i, p := range vocabulary {
		if _, twice := t.ids[p]; twice {
			return nil, fmt.Errorf("vocabulary: %q occurs twice, the second time in line %d", p, i+1)
		}
		t.ids[p] = int32(i)
	}
	for _, s := range []struct {
		piece string
		id    *int32
	}{{clsPiece, &t.cls}, {sepPiece, &t.sep}, {unkPiece, &t.unk}} {
		id, ok := t.ids[s.piece]
		if !ok {
			return nil, fmt.Errorf("vocabulary: has no %s", s.piece)
		}
		*s.id = id
	}
	return t, nil
}

// ReadVocabulary reads a vocab.txt: one piece a line.
func ReadVocabulary(path string) (*Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := parseVocabulary(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func parseVocabulary(r io.Reader) (*Tokenizer, error) {
	var pieces []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		pieces = append(pieces, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return NewTokenizer(pieces)
}

// WriteTo writes the vocabulary as vocab.txt.
func (t *Tokenizer) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, strings.Join(t.pieces, "\n")+"\n")
	return int64(n), err
}

// Len is the number of pieces.
func (t *Tokenizer) Len() int { return len(t.pieces) }

// Piece is the text of an id.
func (t *Tokenizer) Piece(id int32) string {
	if id < 0 || int(id) >= len(t.pieces) {
		return unkPiece
	}
	return t.pieces[id]
}

// Encode returns [CLS], the pieces of text, [SEP], at most limit of them in all: the text is cut. A limit below 2 counts as 2.
func (t *Tokenizer) Encode(text string, limit int) []int32 {
	limit = max(limit, 2)
	ids := []int32{t.cls}
	for _, word := range words(text) {
		if len(ids) >= limit {
			break
		}
		ids = t.appendPieces(ids, word)
	}
	return append(ids[:min(len(ids), limit-1)], t.sep)
}

// appendPieces splits a word greedily; a word with a part that is in no piece is unknown as a whole.
func (t *Tokenizer) appendPieces(ids []int32, word string) []int32 {
	runes := []rune(word)
	if len(runes) > maxWordRunes {
		return append(ids, t.unk)
	}
	start := len(ids)
	for at := 0; at < len(runes); {
		prefix, end := "", len(runes)
		if at > 0 {
			prefix = "##"
		}
		for ; end > at; end-- {
			if id, ok := t.ids[prefix+string(runes[at:end])]; ok {
				ids = append(ids, id)
				break
			}
		}
		if end == at {
			return append(ids[:start], t.unk)
		}
		at = end
	}
	return ids
}

// words cleans and splits text as BERT's uncased pre-tokenizer does.
func words(text string) []string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == 0 || r == unicode.ReplacementChar || (isControl(r) && r != '\t' && r != '\n' && r != '\r'):
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case isCJK(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for _, r := range norm.NFD.String(b.String()) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == ' ':
			flush()
		case isPunctuation(r):
			flush()
			out = append(out, string(r))
		default:
			word.WriteString(strings.ToLower(string(r)))
		}
	}
	flush()
	return out
}

func isControl(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) }

// isPunctuation counts ASCII symbols such as $ and ^ as punctuation, as BERT does.
func isPunctuation(r rune) bool {
	if r < 128 {
		return (r >= 33 && r <= 47) || (r >= 58 && r <= 64) || (r >= 91 && r <= 96) || (r >= 123 && r <= 126)
	}
	return unicode.Is(unicode.P, r)
}

func isCJK(r rune) bool {
	for _, span := range [...][2]rune{
		{0x4E00, 0x9FFF}, {0x3400, 0x4DBF}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
		{0x2B820, 0x2CEAF}, {0xF900, 0xFAFF}, {0x2F800, 0x2FA1F},
	} {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

// BuildVocabulary makes a vocabulary of at most size pieces from texts: the special pieces, every character seen as a
// piece and as a continuation, then whole words that occur at least twice, most frequent first. Equal texts in any order
// give the same vocabulary.
func BuildVocabulary(texts []string, size int) (*Tokenizer, error) {
	counts, chars := map[string]int{}, map[string]bool{}
	for _, text := range texts {
		for _, w := range words(text) {
			counts[w]++
			for _, r := range w {
				chars[string(r)] = true
			}
		}
	}
	pieces := []string{padPiece, unkPiece, clsPiece, sepPiece, maskPiece}
	for _, c := range slices.Sorted(maps.Keys(chars)) {
		pieces = append(pieces, c, "##"+c)
	}
	if len(pieces) > size {
		return nil, errors.New("vocabulary: the texts have more distinct characters than the vocabulary may have pieces")
	}
	byCount := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for _, w := range byCount {
		if len(pieces) == size || counts[w] < 2 {
			break
		}
		if !chars[w] {
			pieces = append(pieces, w)
		}
	}
	return NewTokenizer(pieces)
}
