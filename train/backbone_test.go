package train

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/vilt"
)

// TestPublishedWeights: a folder as published and the file in it are the same weights.
func TestPublishedWeights(t *testing.T) {
	dir := t.TempDir()
	weights, err := os.ReadFile(filepath.Join("vilt", "testdata", "mlm.bin"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, vilt.TorchFile)
	if err := errors.Join(
		os.WriteFile(file, weights, 0o666),
		os.WriteFile(filepath.Join(dir, vilt.ConfigFile), []byte(`{"model_type":"vilt","vocab_size":9,"max_position_embeddings":5,"hidden_size":8,
			"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":12,"image_size":8,"patch_size":4}`), 0o666),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := loadBackbone(t.Context(), dir, "", 1, nil, nil, nil, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "bring the vocabulary") {
		t.Errorf("no vocabulary: %v", err)
	}
	vocab := filepath.Join(dir, vilt.VocabFile)
	if err := os.WriteFile(vocab, []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	folder, err := loadBackbone(t.Context(), dir, "", 1, nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if folder.tokenizer.Len() != 9 || folder.weights.Config.Vocab != 9 || len(folder.seen) > 0 {
		t.Errorf("%d pieces, config %+v, %d classes seen", folder.tokenizer.Len(), folder.weights.Config, len(folder.seen))
	}
	single, err := loadBackbone(t.Context(), file, "", 1, nil, nil, nil, nil)
	if err != nil || single.digest != folder.digest {
		t.Errorf("the file is not the folder (%v)", err)
	}
	if err := schemas.WriteJSON(filepath.Join(dir, manifestFile), schemas.WeightsManifest{Header: schemas.WeightsHeader, Classes: []string{"n1"}}); err != nil {
		t.Fatal(err)
	}
	if single, err = loadBackbone(t.Context(), file, "", 1, nil, nil, nil, nil); err != nil || !single.seen["n1"] {
		t.Errorf("the classes of pretraining are not those of the folder (%v)", err)
	}
	if err := os.Rename(filepath.Join(dir, manifestFile), filepath.Join(dir, halfwayFile)); err != nil {
		t.Fatal(err)
	}
	if _, err = loadBackbone(t.Context(), file, "", 1, nil, nil, nil, nil); !errors.Is(err, dataset.ErrRefused) || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("a file in a folder under way: %v", err)
	}
}
