package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

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
	Variant  string        `placeholder:"NAME" help:"Of the caption store: the captions of that name instead of the first ones."`
	Out      string        `required:"" placeholder:"DATASET" help:"Folder of the dataset; it appears whole."`
	Name     string        `placeholder:"NAME" help:"Of the data set, by which ViLT's files are called. Default: mm_imagenet_r, food101 or dataset, by the source."`
	Split    string        `placeholder:"SPEC" help:"own (the source's train and test folders, or split.json), ratio:F (stratified, seeded), a text file (train, wnid/file.jpg ..., test, ...), TRAIN.yaml,TEST.yaml (CODA-Prompt's), or a folder with train and test folders. Default: own where the source has one, otherwise ratio:0.8."`
	Val      float64       `default:"0.1" placeholder:"F" help:"Share of train to set apart for validation, of each class; 0 for none. A split's own validation rows go first. Default: 0.1."`
	Order    string        `default:"1993" placeholder:"ORDER" help:"Class order, written to class-order.txt: natural, a seed of numpy's permutation, split (CODA-Prompt's numbers), or a file. Default: 1993."`
	Seed     uint64        `default:"1" help:"Of a ratio split and of the validation rows."`
	Layout   []layout.Kind `default:"hf" enum:"hf,vilt,hub" help:"hf: Hugging Face's load_from_disk. vilt: ViLT's Arrow files. hub: Parquet and a dataset card, for the Hub. Several: hf,vilt,hub."`
	Mask     bool          `name:"mask-class-names" help:"Replace the class's names in each caption, for the ablation."`
	thresholdFlags
	Decode bool `help:"Decode every picture and leave out those that cannot be: slow. Otherwise headers and file structure are checked."`
	Force  bool `help:"Replace a dataset made from other input."`
	JSON   bool `help:"Print the manifest as JSON."`
}

var dataName = regexp.MustCompile(`^\w[\w.-]*$`)

func (c *buildCmd) Validate() error {
	switch {
	case !(c.Val >= 0 && c.Val < 1):
		return fmt.Errorf("--val=%g: choose a share from 0 to below 1, such as 0.1", c.Val)
	case c.Name != "" && !dataName.MatchString(c.Name):
		return fmt.Errorf("--name=%q begins file names: use letters, digits, _, - and dots", c.Name)
	case c.Variant != "" && c.Captions == "":
		return errors.New("--variant has no effect without --captions")
	}
	if _, err := caption.VariantDir("", c.Variant); err != nil {
		return fmt.Errorf("--variant: %w", err)
	}
	_, err := c.thresholds()
	return err
}

func (c *buildCmd) Run(ctx context.Context, e *env) error {
	path, err := captionsPath(c.Captions, c.Variant)
	if err != nil {
		return err
	}
	t, err := c.thresholds()
	if err != nil {
		return err
	}
	pictures, err := source.Open(ctx, c.Source)
	if err != nil {
		return err
	}
	defer pictures.Close()
	if inside(pictures.Spec(), c.Out) {
		return usageError{fmt.Errorf("--out=%s is inside the source, whose listing it would change: choose another folder", c.Out)}
	}
	captions, about, err := captionsOf(e, pictures, path, &t)
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
		err = json.NewEncoder(e.stdout).Encode(m)
	} else {
		err = c.summary(e, m)
	}
	if n := len(m.Refused); err == nil && n > 0 {
		err = failuresError{fmt.Errorf("%d entries were left out: %s/manifest.json lists each with its reason, the first is %s: %s", n, c.Out, m.Refused[0].Name, m.Refused[0].Reason)}
	}
	return err
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
	_, err := fmt.Fprintf(e.stdout, "%s: %s rows of %d classes, captions of %.0f words on average%s; %.1f %% of them name their class\n",
		c.Out, strings.Join(rows, ", "), len(m.Classes), m.Captions.Statistics.Words.Mean, by, 100*m.Leakage.All.Named)
	return err
}

// captionsPath is where the captions are that --captions and --variant name.
func captionsPath(path, variant string) (string, error) {
	if info, err := os.Stat(path); variant != "" && err == nil && !info.IsDir() {
		return "", usageError{fmt.Errorf("--variant=%s has no effect with --captions=%s, which is a file and no caption store: leave it out", variant, path)}
	}
	if variant != "" || path != "" && isCaptions(path) {
		return variantOf(path, variant)
	}
	return path, nil
}

// captionsOf finds where texts come from: a caption store, a file, or, where no path is given, the source itself. t, which
// may be nil, is for [checked].
func captionsOf(e *env, s dataset.Source, path string, t *caption.Thresholds) (build.CaptionOf, schemas.CaptionsSummary, error) {
	if path == "" {
		titled, ok := s.(dataset.Captioned)
		if !ok || !hasText(titled) {
			return nil, schemas.CaptionsSummary{}, usageError{fmt.Errorf("--captions: %s brings no texts of its own: give a caption store made by mcil caption, or a CSV or JSON Lines file", s.Spec())}
		}
		captions, about := checked(s, t, schemas.CaptionsSummary{From: schemas.CaptionsFromSource}, func(entry dataset.Entry) (dataset.Caption, string, bool) {
			raw, ok := titled.Text(entry.ID)
			return plainCaption(raw), "", ok
		})
		return captions, about, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, schemas.CaptionsSummary{}, fmt.Errorf("captions %s: no such caption store or file: %w", path, dataset.ErrNoSource)
	}
	if err != nil {
		return nil, schemas.CaptionsSummary{}, fmt.Errorf("captions: %w", err)
	}
	if info.IsDir() {
		return stored(e, s, path, t)
	}
	texts, digest, err := source.ReadTexts(path)
	if err != nil {
		return nil, schemas.CaptionsSummary{}, fmt.Errorf("captions: %w", err)
	}
	about := schemas.CaptionsSummary{From: schemas.CaptionsFromFile, Recipe: digest, Unmatched: unmatched(e, s, maps.Keys(texts))}
	captions, about := checked(s, t, about, func(entry dataset.Entry) (dataset.Caption, string, bool) {
		raw, ok := texts[entry.ID]
		return plainCaption(raw), "", ok
	})
	return captions, about, nil
}

// plainCaption is a text that no endpoint wrote: white space is all that is cleaned.
func plainCaption(raw string) dataset.Caption {
	return dataset.Caption{Text: strings.Join(strings.Fields(raw), " "), CaptionInfo: dataset.CaptionInfo{Raw: raw}}
}

// stored reads a caption store.
func stored(e *env, s dataset.Source, path string, t *caption.Thresholds) (build.CaptionOf, schemas.CaptionsSummary, error) {
	store, err := caption.OpenStore(path)
	if err != nil {
		return nil, schemas.CaptionsSummary{}, err
	}
	defer store.Close()
	m := store.Manifest()
	if torn := store.Torn(); len(torn) > 0 {
		e.log.Warn("journals end in a line that a killed run left torn: mcil caption asks for its picture again", "journals", torn)
	}
	answers := map[dataset.ID]schemas.Caption{}
	for r, err := range store.Captions() {
		if err != nil {
			return nil, schemas.CaptionsSummary{}, err
		}
		answers[dataset.ID(r.ID)] = r
	}
	about := schemas.CaptionsSummary{
		From: schemas.CaptionsFromStore, Model: m.Model, Prompt: m.Prompt, Recipe: m.Recipe, Unmatched: unmatched(e, s, maps.Keys(answers)),
		Variant: m.Variant, Revision: m.Revision, Reveals: m.Reveals,
	}
	captions, about := checked(s, t, about, func(entry dataset.Entry) (dataset.Caption, string, bool) {
		r, ok := answers[entry.ID]
		prompt := caption.PromptFor(m.Prompt, entry, s.Classes())
		text := caption.Clean(r.Raw, prompt)
		if text == r.Raw {
			text = r.Raw // one copy in memory
		}
		return dataset.Caption{Text: text, ImageSHA256: r.ImageSHA256, CaptionInfo: dataset.CaptionInfo{
			Raw: r.Raw, Model: r.Model, Prompt: prompt, Fingerprint: r.Fingerprint,
		}}, r.FinishReason, ok
	})
	return captions, about, nil
}

// checked makes and checks the captions of all pictures of s at once, on all cores, and completes what is said about them.
// find returns a caption and the reason why its writer stopped. Whether a caption names its class is for build to find, which
// knows all names of it. Where t is nil captions are made and not checked.
func checked(s dataset.Source, t *caption.Thresholds, about schemas.CaptionsSummary, find func(entry dataset.Entry) (dataset.Caption, string, bool)) (build.CaptionOf, schemas.CaptionsSummary) {
	entries := s.Entries()
	made := make([]*dataset.Caption, len(entries))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(entries); i += workers {
				if c, finish, ok := find(entries[i]); ok {
					if t != nil {
						c.Flags, c.FlagValues = caption.Columns(t.Check(c.Text, c.Raw, finish, c.Prompt))
					}
					made[i] = &c
				}
			}
		})
	}
	wg.Wait()
	captions := make(map[dataset.ID]*dataset.Caption, len(entries))
	for i, c := range made {
		if c != nil {
			captions[entries[i].ID] = c
		}
	}
	if t != nil {
		about.Thresholds, about.Duplicates = t.Named(), duplicates(entries, made, *t)
	}
	return func(id dataset.ID) (dataset.Caption, bool) {
		if c := captions[id]; c != nil {
			return *c, true
		}
		return dataset.Caption{}, false
	}, about
}

// duplicates flags captions that others say, too. That of entry i is made[i], or nil.
func duplicates(entries []dataset.Entry, made []*dataset.Caption, t caption.Thresholds) schemas.DuplicatesSummary {
	var all caption.Duplicates
	for i, c := range made {
		if c != nil {
			all.Add(entries[i].ID.WNID(), c.Text)
		}
	}
	found, n := all.Find(t), 0
	for _, c := range made {
		if c == nil {
			continue
		}
		for _, f := range found.Flags(n) {
			c.SetFlag(f.Name, f.Value)
		}
		n++
	}
	return found.Summary()
}

// unmatched counts the captions of pictures that s does not list, and warns of them.
func unmatched(e *env, s dataset.Source, ids iter.Seq[dataset.ID]) int {
	listed := map[dataset.ID]bool{}
	for _, entry := range s.Entries() {
		listed[entry.ID] = true
	}
	var left []dataset.ID
	for id := range ids {
		if !listed[id] {
			left = append(left, id)
		}
	}
	if len(left) > 0 {
		e.log.Warn("captions of pictures that the source does not list", "captions", len(left), "first", slices.Min(left))
	}
	return len(left)
}

// inside says whether a folder is below the source of a spec.
func inside(spec, dir string) bool {
	_, root, _ := strings.Cut(spec, ":")
	return below(root, dir)
}

// below says whether a path is inside a folder.
func below(root, path string) bool {
	from, err := filepath.Abs(root)
	to, err2 := filepath.Abs(path)
	if err != nil || err2 != nil {
		return false
	}
	rel, err := filepath.Rel(from, to)
	return err == nil && rel != "." && filepath.IsLocal(rel) // the folder itself holds other things, which is said later
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
