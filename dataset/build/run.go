package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

// build is one run of Build.
type build struct {
	source  dataset.Source
	o       Options
	parts   dataset.Split // as dealt
	order   []int         // of classes
	entries map[dataset.ID]dataset.Entry
	names   *leakage.Names

	manifest    schemas.DatasetManifest
	written     dataset.Split // rows of the dataset
	pictures    counts
	captions    []leakage.Text // of all rows, split after split
	splitStarts map[string]int // first of them by split
	done, total int            // rows, for Progress
}

func newBuild(s dataset.Source, o Options, parts split.Result, order []int) *build {
	b := &build{source: s, o: o, parts: parts.Parts, order: order, entries: map[dataset.ID]dataset.Entry{}, written: dataset.Split{}, splitStarts: map[string]int{}}
	b.manifest = schemas.DatasetManifest{
		Header: schemas.DatasetHeader, Name: o.Name, Inputs: o.inputs(s, parts.Parts, order), Source: schemas.SourceSummary{Spec: s.Spec()},
		Captions: o.About, Styles: map[string]int{}, Rows: map[string]int{}, Refused: slices.Clone(s.Refused()), Program: o.Program,
		Split: schemas.SplitSummary{Spec: parts.Spec, Seed: o.Split.Seed, Validation: parts.Validation}, Order: schemas.OrderSummary{Spec: o.ClassOrder},
	}
	b.manifest.Captions.Flags, b.manifest.Captions.NamesMasked = map[string]int{}, -1
	if b.manifest.Captions.Thresholds == nil {
		b.manifest.Captions.Thresholds = map[string]float64{}
	}
	if o.MaskNames {
		b.manifest.Captions.NamesMasked = 0
	}
	for _, k := range sorted(o.Layouts) {
		b.manifest.Layouts = append(b.manifest.Layouts, string(k))
	}
	var classes []leakage.Class
	for i, c := range s.Classes() {
		b.manifest.Classes = append(b.manifest.Classes, schemas.ClassSummary{Label: i, WNID: c.WNID, Name: c.Name, Rows: map[string]int{}})
		classes = append(classes, leakage.Class{WNID: c.WNID, Name: c.Name})
	}
	b.names = leakage.NewNames(classes)
	for _, e := range s.Entries() {
		b.entries[e.ID] = e
	}
	return b
}

// run writes everything into dir.
func (b *build) run(ctx context.Context, dir string) (schemas.DatasetManifest, error) {
	captioned, err := b.captioned()
	if err != nil {
		return b.manifest, err
	}
	w, err := layout.Create(dir, sorted(b.o.Layouts), layout.Options{
		Name: b.o.Name, ClassNames: b.classNames(), ShardBytes: b.o.ShardBytes,
	})
	if err != nil {
		return b.manifest, err
	}
	defer w.Abort() // without effect after Finish
	var measuring sync.WaitGroup
	defer measuring.Wait()
	names := captioned.Names()
	for i, name := range names {
		if err := b.writeSplit(ctx, w, name, captioned[name]); err != nil {
			return b.manifest, err
		}
		if i == len(names)-1 { // all captions are known, and End waits for the disk
			measuring.Go(b.describeCaptions)
		}
		if err := w.End(); err != nil {
			return b.manifest, err
		}
	}
	measuring.Wait()
	err = b.finish(ctx, w, dir) // before the manifest is read: it completes that
	return b.manifest, err
}

// captioned refuses what has no caption or no place in the split, and returns the split of the rest. No picture is read.
func (b *build) captioned() (dataset.Split, error) {
	captioned, listed := dataset.Split{}, map[dataset.ID]bool{}
	var bare []string // train and test, where they have no caption at all
	for _, name := range b.parts.Names() {
		for _, id := range b.parts[name] {
			if _, ok := b.entries[id]; !ok { // split.New allows that for what the source has refused, with its reason
				continue
			}
			listed[id] = true
			c, ok := b.o.Captions(id)
			if !ok {
				b.refuse(id, "no caption")
				continue
			}
			if len(c.Flags) != len(c.FlagValues) || !slices.IsSorted(c.Flags) {
				return nil, fmt.Errorf("%s: the caption's %d flags are not sorted or have %d values: want them sorted, with one value each: %w",
					id, len(c.Flags), len(c.FlagValues), dataset.ErrRefused)
			}
			captioned[name] = append(captioned[name], id)
		}
		b.total += len(captioned[name])
		if len(captioned[name]) == 0 && (name == dataset.Train || name == dataset.Test) {
			bare = append(bare, name)
		}
	}
	for _, e := range b.source.Entries() {
		if !listed[e.ID] {
			b.refuse(e.ID, "in no part of the split")
		}
	}
	if b.total == 0 {
		hint := "run mcil caption first"
		if b.o.About.From != schemas.CaptionsFromStore {
			hint = "paths are CLASS/FILE, as mcil inspect shows them"
		}
		return nil, fmt.Errorf("none of %d pictures has a caption: %s: %w", len(b.entries), hint, dataset.ErrRefused)
	}
	if len(bare) > 0 { // no reader opens a dataset without train or test rows
		return nil, fmt.Errorf("split %s: none of its %d pictures has a caption: %w", bare[0], len(b.parts[bare[0]]), dataset.ErrRefused)
	}
	return captioned, nil
}

func (b *build) refuse(id dataset.ID, why string) {
	b.manifest.Refused = append(b.manifest.Refused, schemas.Refusal{Name: string(id), Reason: why})
}

func (b *build) classNames() []string {
	names := make([]string, len(b.manifest.Classes))
	for i, c := range b.manifest.Classes {
		names[i] = c.Name
	}
	return names
}

func (b *build) writeSplit(ctx context.Context, w *layout.Writer, name string, ids []dataset.ID) error {
	entries := make([]dataset.Entry, len(ids))
	for i, id := range ids {
		entries[i] = b.entries[id]
	}
	if err := w.Begin(name); err != nil {
		return err
	}
	b.splitStarts[name] = len(b.captions)
	r := &reader{source: b.source, caption: b.caption, decode: b.o.Decode, workers: b.o.Workers}
	for f, err := range r.read(ctx, entries) {
		if err != nil {
			return err
		}
		b.pictures.read(f)
		if f.refused != nil {
			b.refuse(f.entry.ID, strings.TrimSuffix(f.refused.Error(), ": "+dataset.ErrRefused.Error()))
		} else if err := w.Append(b.row(name, f)); err != nil {
			return fmt.Errorf("%s: %w", f.entry.ID, err)
		}
		if b.done++; b.o.Progress != nil {
			b.o.Progress(b.done, b.total)
		}
	}
	if len(b.written[name]) == 0 && (name == dataset.Train || name == dataset.Test) { // no reader opens a dataset without them
		return fmt.Errorf("split %s: no picture can be read: %w", name, dataset.ErrRefused)
	}
	return nil
}

// row makes a row of a picture and its caption, and counts it.
func (b *build) row(name string, f *found) dataset.Row {
	e, c, m := f.entry, f.caption, &b.manifest
	m.Rows[name]++
	m.Classes[e.Label].Rows[name]++
	m.Styles[e.Style]++
	for _, flag := range c.Flags {
		m.Captions.Flags[flag]++
		if flag == dataset.FlagNamesMasked {
			m.Captions.NamesMasked++
		}
	}
	b.pictures.row(name, f)
	b.written[name] = append(b.written[name], e.ID)
	b.captions = append(b.captions, leakage.Text{Label: e.Label, Caption: c.Text})
	class := b.source.Classes()[e.Label]
	return dataset.Row{
		ID: e.ID, Image: f.image, Label: e.Label, Caption: c.Text, WNID: class.WNID, ClassName: class.Name, Style: e.Style,
		Width: f.info.Width, Height: f.info.Height, Orientation: f.info.Orientation, ImageSHA256: f.sha256, CaptionInfo: c.CaptionInfo,
	}
}

// caption is the caption of a picture as its row has it: with the class's names masked, where that was asked for, and the
// flags that it holds or held one, or names another class. They are set anew: what a captioner knows of a class is at most
// its own name, and not the synset's others.
func (b *build) caption(e dataset.Entry) dataset.Caption {
	c, _ := b.o.Captions(e.ID)
	for _, flag := range []string{dataset.FlagNamesClass, dataset.FlagNamesMasked, dataset.FlagNamesOther} {
		c.ClearFlag(flag)
	}
	own, other := places(b.names.Find(c.Text), e.Label)
	if other > 0 {
		c.SetFlag(dataset.FlagNamesOther, float64(other))
	}
	switch {
	case own == 0:
	case b.o.MaskNames:
		c.Text, _ = b.names.Mask(c.Text, e.Label)
		c.SetFlag(dataset.FlagNamesMasked, float64(own))
	default:
		c.SetFlag(dataset.FlagNamesClass, float64(own))
	}
	return c
}

// places counts the places of a text that name a class with the label, and those that name others only: a name that classes
// share is the own one's. Mentions of a place follow one another.
func places(mentions []leakage.Mention, label int) (own, other int) {
	for i := 0; i < len(mentions); {
		from, mine := mentions[i].From, false
		for ; i < len(mentions) && mentions[i].From == from; i++ {
			mine = mine || mentions[i].Label == label
		}
		if mine {
			own++
		} else {
			other++
		}
	}
	return own, other
}

// of is the captions of one split.
func (b *build) of(name string) []leakage.Text {
	start := b.splitStarts[name]
	return b.captions[start : start+len(b.written[name])]
}

// describeCaptions fills in what the manifest says of all captions.
func (b *build) describeCaptions() {
	var wg sync.WaitGroup
	wg.Go(func() {
		b.manifest.Captions.Statistics = leakage.Statistics(func(yield func(string) bool) {
			for _, c := range b.captions {
				if !yield(c.Caption) {
					return
				}
			}
		})
	})
	b.manifest.Leakage = leakage.Measure(b.names, b.captions, b.of(dataset.Train), b.of(dataset.Validation))
	wg.Wait()
}

// finish writes what describes the whole.
func (b *build) finish(ctx context.Context, w *layout.Writer, dir string) error {
	m := &b.manifest
	m.Source.Pictures, m.Source.Digest = b.pictures.digest()
	m.Pictures = b.pictures.summary
	slices.SortFunc(m.Refused, func(x, y schemas.Refusal) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Reason, y.Reason))
	})
	if m.Refused == nil {
		m.Refused = []schemas.Refusal{}
	}
	splitFile, err := writeFile(dir, "split.txt", func(w io.Writer) error { return split.Write(w, b.written) })
	if err != nil {
		return err
	}
	orderFile, err := writeFile(dir, "class-order.txt", func(w io.Writer) error { return split.WriteOrder(w, b.source.Classes(), b.order) })
	if err != nil {
		return err
	}
	m.Split.SHA256, m.Order.SHA256 = splitFile.SHA256, orderFile.SHA256
	if err := errors.Join(ctx.Err(), w.Finish(*m)); err != nil {
		return err
	}
	m.Files = append(w.Files(), splitFile, orderFile)
	slices.SortFunc(m.Files, func(x, y schemas.FileDigest) int { return strings.Compare(x.Path, y.Path) })
	m.Digest = wholeDigest(m.Files)
	return schemas.WriteJSON(filepath.Join(dir, "manifest.json"), m)
}
