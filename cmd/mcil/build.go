package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

type buildCmd struct {
	Source   string        `required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH, food101:PATH, folder:PATH (folder or tar), or a bare path."`
	Captions string        `placeholder:"CAPTIONS" help:"Caption store made by mcil caption, or a CSV or JSON Lines file with the columns path and caption. Default: the source's own texts (Food-101's titles)."`
	Out      string        `required:"" placeholder:"DATASET" help:"Folder of the dataset; it appears whole."`
	Name     string        `placeholder:"NAME" help:"Of the data set, by which ViLT's files are called. Default: mm_imagenet_r, food101 or dataset, by the source."`
	Split    string        `placeholder:"SPEC" help:"own (the source's train and test folders, or split.json), ratio:F (stratified, seeded), a text file (train, wnid/file.jpg ..., test, ...), TRAIN.yaml,TEST.yaml (CODA-Prompt's), or a folder with train and test folders. Default: own where the source has one, otherwise ratio:0.8."`
	Val      float64       `default:"0.1" placeholder:"F" help:"Share of train to set apart for validation, of each class; 0 for none. A split's own validation rows go first."`
	Order    string        `default:"1993" placeholder:"ORDER" help:"Class order, written to class-order.txt: natural, a seed of numpy's permutation, split (CODA-Prompt's numbers), or a file."`
	Seed     uint64        `default:"1" help:"Of a ratio split and of the validation rows."`
	Layout   []layout.Kind `default:"hf" enum:"hf,vilt,hub" help:"hf: Hugging Face's load_from_disk. vilt: ViLT's Arrow files. hub: Parquet and a dataset card, for the Hub. Several: hf,vilt,hub."`
	Mask     bool          `name:"mask-class-names" help:"Replace the class's names in each caption, for the ablation."`
	Decode   bool          `help:"Decode every picture and leave out those that cannot be: slow. Otherwise headers and file structure are checked."`
	Force    bool          `help:"Replace a dataset made from other input."`
	JSON     bool          `help:"Print the manifest as JSON."`
}

func (c *buildCmd) Validate() error {
	if !(c.Val >= 0 && c.Val < 1) {
		return fmt.Errorf("--val=%g: choose a share from 0 to below 1, such as 0.1", c.Val)
	}
	return nil
}

func (c *buildCmd) Run(ctx context.Context, e *env) error {
	pictures, err := source.Open(ctx, c.Source)
	if err != nil {
		return err
	}
	defer pictures.Close()
	captions, about, err := c.captions(e, pictures)
	if err != nil {
		return err
	}
	m, err := build.Build(ctx, pictures, c.Out, build.Options{
		Name: c.Name, Layouts: c.Layout, Split: split.Options{Spec: c.Split, Seed: c.Seed, Validation: c.Val}, ClassOrder: c.Order,
		Captions: captions, About: about, MaskNames: c.Mask, Decode: c.Decode, Program: e.program, Workers: runtime.GOMAXPROCS(0), Force: c.Force,
		Progress: e.progress.counter("build"),
	})
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(m)
	}
	return c.summary(e, m)
}

func (c *buildCmd) summary(e *env, m schemas.DatasetManifest) error {
	var rows []string
	for _, name := range rowOrder(m.Rows) {
		rows = append(rows, fmt.Sprintf("%d %s", m.Rows[name], name))
	}
	by := ""
	if m.Captions.Model != "" {
		by = " by " + m.Captions.Model
	}
	fmt.Fprintf(e.stdout, "%s: %s rows of %d classes, captions of %.0f words on average%s; %.1f %% of them name their class\n",
		c.Out, strings.Join(rows, ", "), len(m.Classes), m.Captions.Statistics.Words.Mean, by, 100*m.Leakage.All.Named)
	if n := len(m.Refused); n > 0 {
		return failuresError{fmt.Errorf("%d entries were left out: %s/manifest.json lists each with its reason, the first is %s: %s", n, c.Out, m.Refused[0].Name, m.Refused[0].Reason)}
	}
	return nil
}

// captions finds where texts come from: a caption store, a file, or the source itself.
func (c *buildCmd) captions(e *env, s dataset.Source) (build.CaptionOf, schemas.CaptionsSummary, error) {
	classNames := map[string]string{}
	for _, class := range s.Classes() {
		classNames[class.WNID] = class.Name
	}
	own := func(id dataset.ID, raw string) dataset.Caption {
		text := strings.Join(strings.Fields(raw), " ")
		return dataset.Caption{Text: text, CaptionInfo: dataset.CaptionInfo{Raw: raw, Flags: caption.Check(text, raw, "", "", classNames[id.WNID()])}}
	}
	if c.Captions == "" {
		titled, ok := s.(dataset.Captioned)
		if !ok || !hasText(titled) {
			return nil, schemas.CaptionsSummary{}, usageError{fmt.Errorf("--captions: %s brings no texts of its own: give a caption store made by mcil caption, or a CSV or JSON Lines file", s.Spec())}
		}
		return func(id dataset.ID) (dataset.Caption, bool) {
			raw, ok := titled.Text(id)
			return own(id, raw), ok
		}, schemas.CaptionsSummary{From: schemas.CaptionsFromSource}, nil
	}
	info, err := os.Stat(c.Captions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, schemas.CaptionsSummary{}, fmt.Errorf("captions %s: no such caption store or file: %w", c.Captions, dataset.ErrNoSource)
	}
	if err != nil {
		return nil, schemas.CaptionsSummary{}, fmt.Errorf("captions: %w", err)
	}
	if !info.IsDir() {
		texts, digest, err := source.ReadTexts(c.Captions)
		if err != nil {
			return nil, schemas.CaptionsSummary{}, fmt.Errorf("captions: %w", err)
		}
		return func(id dataset.ID) (dataset.Caption, bool) {
			raw, ok := texts[id]
			return own(id, raw), ok
		}, schemas.CaptionsSummary{From: schemas.CaptionsFromFile, Recipe: digest}, nil
	}
	return c.stored(e, classNames)
}

// stored reads a caption store.
func (c *buildCmd) stored(e *env, classNames map[string]string) (build.CaptionOf, schemas.CaptionsSummary, error) {
	store, err := caption.OpenStore(c.Captions)
	if err != nil {
		return nil, schemas.CaptionsSummary{}, err
	}
	defer store.Close()
	m := store.Manifest()
	if torn := store.Torn(); len(torn) > 0 {
		e.log.Warn("journals end in a line that a killed run left torn: mcil caption asks for its picture again", "journals", torn)
	}
	captions := map[dataset.ID]dataset.Caption{}
	for id, r := range store.Captions() {
		text := caption.Clean(r.Raw, m.Prompt)
		captions[id] = dataset.Caption{Text: text, ImageSHA256: r.ImageSHA256, CaptionInfo: dataset.CaptionInfo{
			Raw: r.Raw, Model: r.Model, Prompt: m.Prompt, Fingerprint: r.Fingerprint,
			Flags: caption.Check(text, r.Raw, r.FinishReason, m.Prompt, classNames[id.WNID()]),
		}}
	}
	about := schemas.CaptionsSummary{From: schemas.CaptionsFromStore, Model: m.Model, Prompt: m.Prompt, Recipe: m.Recipe}
	return func(id dataset.ID) (dataset.Caption, bool) {
		c, ok := captions[id]
		return c, ok
	}, about, nil
}

// hasText says whether a source has the text of any picture.
func hasText(s dataset.Captioned) bool {
	for _, e := range s.Entries() {
		if _, ok := s.Text(e.ID); ok {
			return true
		}
	}
	return false
}
