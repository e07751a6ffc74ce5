package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/vilt"
)

// vocabularySize bounds a vocabulary built from captions.
const vocabularySize = 4000

// backbone is an encoder with what turns rows into its input.
type backbone struct {
	weights   *vilt.Weights
	tokenizer *dataset.Tokenizer
	seen      map[string]bool // wnids of pretraining
	digest    string          // of the weights and the vocabulary
	commit    string          // of weights on the Hub
	random    bool            // drawn, and nothing learned yet
	seed      uint64          // that they were drawn with
}

// loadBackbone reads a folder or a file of weights, or those that hf:OWNER/NAME names, or draws random ones of a preset shape
// with a vocabulary from the captions of the train rows of the given labels. getenv and progress, of a download, may be nil.
func loadBackbone(ctx context.Context, path, preset string, seed uint64, data *dataset.Dataset, labels []int, getenv func(string) string, progress func(Event)) (*backbone, error) {
	if path == "random" {
		return randomBackbone(preset, seed, data.Splits[dataset.Train], labels)
	}
	path, commit, err := fetchWeights(ctx, path, getenv, progress)
	if err != nil {
		return nil, err
	}
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	if err := checkFinished(dir); err != nil {
		return nil, err
	}
	files, err := vilt.Find(path)
	if err != nil {
		return nil, err
	}
	w, err := vilt.Load(path)
	if errors.Is(err, vilt.ErrUnsupported) {
		err = fmt.Errorf("%w: %w", err, dataset.ErrRefused)
	}
	if err != nil {
		return nil, err
	}
	b := &backbone{weights: w, seen: map[string]bool{}, commit: commit}
	b.tokenizer, err = dataset.ReadVocabulary(files.Vocab)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("weights %s: %w: bring the vocabulary that they were made with: %w", path, err, schemas.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("weights %s: %w: %w", path, err, schemas.ErrDamaged)
	}
	if b.tokenizer.Len() != w.Config.Vocab {
		return nil, fmt.Errorf("weights %s: %s has %d pieces and %s says %d: %w", path, vilt.VocabFile, b.tokenizer.Len(), vilt.ConfigFile, w.Config.Vocab, schemas.ErrDamaged)
	}
	var m schemas.WeightsManifest
	err = schemas.ReadJSON(filepath.Join(dir, manifestFile), schemas.WeightsHeader, &m)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, wnid := range m.Classes {
		b.seen[wnid] = true
	}
	h := sha256.New()
	for _, file := range []string{files.Config, files.Weights, files.Vocab} {
		if err := hashFile(h, file); err != nil {
			return nil, err
		}
	}
	b.digest = hex.EncodeToString(h.Sum(nil))
	return b, nil
}

func randomBackbone(preset string, seed uint64, rows dataset.Rows, labels []int) (*backbone, error) {
	c, err := vilt.Preset(preset)
	if err != nil {
		return nil, err
	}
	var captions []string
	for _, i := range dataset.OfClasses(rows, labels...) {
		captions = append(captions, rows.Caption(i))
	}
	b := &backbone{seen: map[string]bool{}, digest: fmt.Sprintf("random %s %d", preset, seed), random: true, seed: seed}
	if b.tokenizer, err = dataset.BuildVocabulary(captions, vocabularySize); err != nil {
		return nil, err
	}
	c.Vocab = b.tokenizer.Len()
	b.weights, err = vilt.Random(c, seed)
	return b, err
}

// encoding is how rows become samples of this encoder.
func (b *backbone) encoding(cacheBytes int64, applyOrientation bool) *dataset.Encoding {
	c := b.weights.Config
	return &dataset.Encoding{
		Processor:  dataset.Processor{Short: c.ImageSize, Long: vilt.LongSide(c.ImageSize), Patch: c.Patch, ApplyOrientation: applyOrientation},
		Tokenizer:  b.tokenizer,
		MaxText:    c.MaxText,
		CacheBytes: cacheBytes,
	}
}

func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return err
}

// rowsDigest is a digest of splits of a dataset, as far as training reads them.
func rowsDigest(d *dataset.Dataset, splits ...string) (string, error) {
	h := sha256.New()
	for _, split := range splits {
		rows := d.Splits[split]
		for i := range rows.Len() {
			r, err := rows.Row(i)
			if err != nil {
				return "", fmt.Errorf("dataset %s: %s row %d: %w", d.Dir, split, i, err)
			}
			if r.ImageSHA256 == "" { // another program's dataset
				r.ImageSHA256 = dataset.Digest(r.Image)
			}
			fmt.Fprintf(h, "%s %s %s %d %q\n", split, r.ID, r.ImageSHA256, r.Label, r.Caption)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
