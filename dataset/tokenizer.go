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
	"unicode/utf8"
)

// Tokenizer is BERT's uncased WordPiece: text is cleaned, lower-cased and stripped of accents, split at white space and
// punctuation, and each word into the longest pieces of the vocabulary; pieces that continue a word begin with "##". Its
// ids are those of Hugging Face's BertTokenizerFast (TestParityTokenizer). Special pieces written in a text,
// such as [MASK], are special there too. It is safe for concurrent use.
type Tokenizer struct {
	pieces     []string
	ids        map[string]int32
	continuing map[string]int32 // pieces that continue a word, without their ##

	longest, longestContinuing int // piece, in bytes

	tables        *bertTables
	specials      []special
	cls, sep, unk int32
}

const (
	padPiece  = "[PAD]"
	unkPiece  = "[UNK]"
	clsPiece  = "[CLS]"
	sepPiece  = "[SEP]"
	maskPiece = "[MASK]"

	maxWordRunes = 100 // longer words are unknown
)

var specialPieces = []string{padPiece, unkPiece, clsPiece, sepPiece, maskPiece}

// NewTokenizer makes a tokenizer of a vocabulary: the piece at index i has id i.
func NewTokenizer(vocabulary []string) (*Tokenizer, error) {
	t := &Tokenizer{
		pieces: vocabulary, ids: make(map[string]int32, len(vocabulary)), continuing: map[string]int32{}, tables: loadBertTables(),
	}
	for i, p := range vocabulary {
		if _, twice := t.ids[p]; twice {
			return nil, fmt.Errorf("vocabulary: %q occurs twice, the second time in line %d", p, i+1)
		}
		t.ids[p] = int32(i)
		t.longest = max(t.longest, len(p))
		if c, ok := strings.CutPrefix(p, "##"); ok {
			t.continuing[c] = int32(i)
			t.longestContinuing = max(t.longestContinuing, len(c))
		}
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
	for _, p := range specialPieces {
		if id, ok := t.ids[p]; ok {
			t.specials = append(t.specials, special{p, id})
		}
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

// Encode returns [CLS], the pieces of text, [SEP], at most limit of them in all: the text is cut at its end. A limit below
// 2 counts as 2.
func (t *Tokenizer) Encode(text string, limit int) []int32 {
	limit = max(limit, 2)
	ids := append(make([]int32, 0, min(limit, len(text)+2, 64)), t.cls)
	s := splitter{tables: t.tables, specials: t.specials, text: text}
	for len(ids) < limit && s.next() {
		if s.special >= 0 {
			ids = append(ids, s.special)
		} else {
			ids = t.appendPieces(ids, s.word[:s.bytes], s.runes)
		}
	}
	return append(ids[:min(len(ids), limit-1)], t.sep)
}

// appendPieces splits a word greedily; a word with a part that is in no piece is unknown as a whole.
func (t *Tokenizer) appendPieces(ids []int32, word []byte, runes int) []int32 {
	if runes > maxWordRunes {
		return append(ids, t.unk)
	}
	start, pieces, longest := len(ids), t.ids, t.longest
	for at := 0; at < len(word); {
		end := min(len(word), at+longest)
		for ; end > at; end-- {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok := pieces[string(word[at:end])]; ok {
				ids = append(ids, id)
				break
			}
		}
		if end <= at {
			return append(ids[:start], t.unk)
		}
		at = end
		pieces, longest = t.continuing, t.longestContinuing
	}
	return ids
}

// BuildVocabulary makes a vocabulary of at most size pieces from texts: the special pieces, every character seen as a
// piece and as a continuation, then whole words that occur at least twice, most frequent first. Equal texts in any order
// give the same vocabulary.
func BuildVocabulary(texts []string, size int) (*Tokenizer, error) {
	tables, counts, chars := loadBertTables(), map[string]int{}, map[string]bool{}
	var specials []special
	for i, p := range specialPieces {
		specials = append(specials, special{p, int32(i)})
	}
	for _, text := range texts {
		s := splitter{tables: tables, specials: specials, text: text}
		for s.next() {
			if s.special >= 0 {
				continue
			}
			word := s.word[:s.bytes]
			if s.runes <= maxWordRunes {
				counts[string(word)]++
			}
			for len(word) > 0 {
				_, size := utf8.DecodeRune(word)
				chars[string(word[:size])] = true
				word = word[size:]
			}
		}
	}
	pieces := slices.Clone(specialPieces)
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
