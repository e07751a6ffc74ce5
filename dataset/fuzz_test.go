package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
