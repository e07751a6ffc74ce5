package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/method"
)

type embedCmd struct {
	Source    string `xor:"input" required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH, food101:PATH, folder:PATH (folder or tar), or a bare path."`
	Data      string `xor:"input" required:"" placeholder:"DATASET" help:"In the place of --source: the rows of a dataset made by mcil build, or of one of its layouts."`
	Split     string `placeholder:"NAME" help:"Of the dataset. Default: test."`
	Captions  string `placeholder:"CAPTIONS" help:"Caption store made by mcil caption, or a CSV or JSON Lines file with the columns path and caption, or none: every text is empty. Default: the source's own texts (Food-101's titles), the dataset's captions."`
	Variant   string `placeholder:"NAME" help:"Of the caption store: the captions of that name instead of the first ones."`
	Weights   string `required:"" placeholder:"DIR|FILE|hf:OWNER/NAME" help:"Published or own weights, as mcil train takes them."`
	Out       string `required:"" placeholder:"NAME.npy" help:"Features: float32 [rows, width]. NAME.jsonl says what each row is, NAME.json what was left out and all settings."`
	Attention string `placeholder:"NAME.npy" help:"Write, too, what the text's [CLS] attends to in the last block, mean over heads: float32 [rows, text + 1 + patches], zeros behind a row's own."`
	MaxText   int    `placeholder:"N" help:"Tokens that captions are cut to. Beyond the model's own, its text positions are interpolated. Default: the model's own, 40 as published."`
	Orient    bool   `name:"exif-orientation" help:"Turn pictures as their EXIF orientation says. ViLT's own reader does not."`
	BatchSize int    `default:"8" help:"Pictures at a time. The result does not depend on it."`
	Force     bool   `help:"Start afresh where features are."`
	JSON      bool   `help:"Print the manifest as JSON."`
	resourceFlags
}

// noText is the --captions of empty texts.
const noText = "none"

func (c *embedCmd) Validate() error {
	switch {
	case c.Split != "" && c.Data == "":
		return errors.New("--split has no effect without --data")
	case c.Data != "" && c.Captions != "" && c.Captions != noText:
		return fmt.Errorf("--captions=%s: a dataset has captions of its own: give none for empty texts, or leave it out", c.Captions)
	case c.Variant != "" && (c.Captions == "" || c.Captions == noText):
		return errors.New("--variant has no effect without --captions")
	case c.BatchSize < 1 || c.BatchSize > method.MostBatch:
		return fmt.Errorf("--batch-size=%d: choose 1 to %d", c.BatchSize, method.MostBatch)
	}
	if err := c.resourceFlags.validate(); err != nil {
		return err
	}
	if _, err := caption.VariantDir("", c.Variant); err != nil {
		return fmt.Errorf("--variant: %w", err)
	}
	return c.options(&env{}).Validate()
}

func (c *embedCmd) options(e *env) train.EmbedOptions {
	return train.EmbedOptions{
		Weights: c.Weights, Out: c.Out, Attention: c.Attention, MaxText: c.MaxText, ApplyOrientation: c.Orient, BatchSize: c.BatchSize, Workers: c.workers(),
		Pictures: c.pictures(), Force: c.Force, Program: e.program, Getenv: os.Getenv, Progress: e.progress.events(""),
	}
}

func (c *embedCmd) Run(ctx context.Context, e *env) error {
	defer c.use()()
	in, done, err := c.input(ctx, e)
	if err != nil {
		return err
	}
	defer done()
	m, err := train.Embed(ctx, in, c.options(e))
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		err = json.NewEncoder(e.stdout).Encode(m)
	} else {
		_, err = fmt.Fprintf(e.stdout, "%s: %d rows of %d values, captions: %s\n", c.Out, m.Rows, m.Width, m.Captions.From)
	}
	if n := len(m.Refused); err == nil && n > 0 {
		err = failuresError{fmt.Errorf("%d entries were left out: %s lists each with its reason, the first is %s: %s",
			n, embeddingManifest(c.Out), m.Refused[0].Name, m.Refused[0].Reason)}
	}
	return err
}

// input opens the pictures and their captions. done closes them.
func (c *embedCmd) input(ctx context.Context, e *env) (in train.EmbedInput, done func() error, err error) {
	if c.Data != "" {
		data, err := layout.Open(c.Data)
		if err != nil {
			return in, nil, err
		}
		for _, dir := range []string{c.Data, data.Dir} {
			if err := c.outside("dataset", dir); err != nil {
				return in, nil, errors.Join(err, data.Close())
			}
		}
		split := c.Split
		if split == "" {
			split = dataset.Test
		}
		if in, err = train.EmbedSplit(data, split, c.Captions == noText); err != nil {
			return in, nil, errors.Join(err, data.Close())
		}
		return in, data.Close, nil
	}
	path := c.Captions
	if path != noText {
		if path, err = captionsPath(path, c.Variant); err != nil {
			return in, nil, err
		}
	}
	pictures, err := source.Open(ctx, c.Source)
	if err != nil {
		return in, nil, err
	}
	_, root, _ := strings.Cut(pictures.Spec(), ":")
	if err := c.outside("source", root); err != nil {
		return in, nil, errors.Join(err, pictures.Close())
	}
	if path == noText {
		return train.EmbedSource(pictures, schemas.EmbeddingCaptions{From: schemas.CaptionsFromNone}, nil), pictures.Close, nil
	}
	captions, about, err := captionsOf(e, pictures, path, nil)
	if err != nil {
		var usage usageError
		if path == "" && errors.As(err, &usage) {
			err = usageError{fmt.Errorf("%w, or none for empty texts", usage.error)}
		}
		return in, nil, errors.Join(err, pictures.Close())
	}
	from := schemas.EmbeddingCaptions{From: about.From, Model: about.Model, Recipe: about.Recipe, Variant: about.Variant}
	return train.EmbedSource(pictures, from, captions), pictures.Close, nil
}

// embeddingManifest is the manifest beside a file of features.
func embeddingManifest(path string) string { return strings.TrimSuffix(path, ".npy") + ".json" }

// outside refuses files inside what is read, which is in dir.
func (c *embedCmd) outside(what, dir string) error {
	for _, out := range []string{c.Out, c.Attention} {
		if out != "" && below(dir, out) {
			return usageError{fmt.Errorf("%s is inside the %s, whose listing it would change: choose another folder", out, what)}
		}
	}
	return nil
}

// isEmbedding tells features, or their manifest, by the beginning of the manifest: any file may be asked about.
func isEmbedding(path string) bool {
	if !strings.HasSuffix(manifestOf(path), ".json") {
		return false
	}
	f, err := os.Open(manifestOf(path))
	if err != nil {
		return false
	}
	defer f.Close()
	d := json.NewDecoder(io.LimitReader(f, 64<<10))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		var value any
		if err != nil || d.Decode(&value) != nil {
			return false
		}
		if key == "schema" {
			return value == schemas.EmbeddingHeader.Schema
		}
	}
	return false
}

// manifestOf is the manifest of a file of features, or the file itself where it is a manifest.
func manifestOf(path string) string {
	if strings.HasSuffix(path, ".npy") {
		return embeddingManifest(path)
	}
	return path
}

func inspectEmbedding(path string) (*finding, error) {
	var m schemas.Embedding
	if err := schemas.ReadJSON(manifestOf(path), schemas.EmbeddingHeader, &m); err != nil {
		return nil, err
	}
	f := &finding{Kind: "features", Path: path, Data: m}
	f.add("shape", fmt.Sprintf("%d rows of %d float32", m.Rows, m.Width))
	f.add("source", m.Source)
	f.add("captions", m.Captions.From)
	f.add("weights", m.Weights)
	for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
		f.add(name, m.Settings[name])
	}
	f.refused(m.Refused)
	return f, nil
}
