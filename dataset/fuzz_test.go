package dataset_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
)

// put writes body to a file that all runs of one fuzzing process share.
func put(t *testing.T, file string, body []byte) {
	t.Helper()
	if err := os.WriteFile(file, body, 0o666); err != nil {
		t.Fatal(err)
	}
}

func FuzzTokenizer(f *testing.F) {
	f.Add(strings.Join(smallVocabulary, "\n"), "The dogs, café 中国!", 10)
	f.Add("[UNK]\n[CLS]\n[SEP]\n\n##\n", "\xff\u0345 ##", 2)
	f.Add("[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\n", "a[MASK]\u0345\u0301\u302e\U0001D165[[SEP]\uac01≠", 5)
	f.Add("[UNK]\n[CLS]\n[SEP]\n", strings.Repeat("\u302e", 150)+"\U0001D165"+strings.Repeat("x", 150), 4)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, vocabulary, text string, limit int) {
		file := filepath.Join(dir, "vocab.txt")
		put(t, file, []byte(vocabulary))
		limit = max(2, min(limit, 1000))
		tok, err := dataset.ReadVocabulary(file)
		if err != nil {
			tok = tokenizer(t, smallVocabulary)
		}
		ids := tok.Encode(text, limit)
		if len(ids) < 2 || len(ids) > limit || tok.Piece(ids[0]) != "[CLS]" || tok.Piece(ids[len(ids)-1]) != "[SEP]" {
			t.Errorf("%q: %v", text, ids)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Len() {
				t.Errorf("id %d of %d pieces", id, tok.Len())
			}
		}
		// A cut text has the pieces of the whole one.
		if whole := tok.Encode(text, 1<<30); !slices.Equal(ids[:len(ids)-1], whole[:min(limit, len(whole))-1]) {
			t.Errorf("%q: %v, and uncut %v", text, ids, whole)
		}
		for _, word := range dataset.Words(text) {
			if n := utf8.RuneCountInString(word); n > 100 || strings.ContainsAny(word, " \n\x00\ufffd") {
				t.Errorf("%q has the word %q", text, word)
			}
			// What is normalised stays as it is.
			if again := dataset.Words(word); word != "" && !slices.Equal(again, []string{word}) {
				t.Errorf("%q: the word %q becomes %q", text, word, again)
			}
		}
		own, err := dataset.BuildVocabulary([]string{text, text}, 500)
		if err != nil {
			return
		}
		var written strings.Builder
		own.WriteTo(&written)
		put(t, file, []byte(written.String()))
		again, err := dataset.ReadVocabulary(file)
		if err != nil || again.Len() != own.Len() {
			t.Fatalf("the vocabulary of %q is not read back: %v", text, err)
		}
	})
}
