package compare

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/schemas"
)

// Options say what [Stores] reads and how much of it is kept to be shown. The zero value, but for Dir, is the default.
type Options struct {
	Dir        string             // of the caption store; has no default
	Variants   []string           // by name, "" is the main one; default: all
	Source     dataset.Source     // names the classes and counts what is missing; may be nil: then nothing is said about either
	Thresholds caption.Thresholds // of the flags
	Worst      int                // captions shown for each flag of each variant; default 6; negative: none
	Changed    int                // pictures shown for each pair; default 24; negative: none
	Sample     int                // pictures shown for no reason; default 12; negative: none
}

func (o Options) withDefaults() Options {
	o.Worst = max(cmp.Or(o.Worst, 6), 0)
	o.Changed = max(cmp.Or(o.Changed, 24), 0)
	o.Sample = max(cmp.Or(o.Sample, 12), 0)
	return o
}

// Stores reads the variants of a store. What is being written meanwhile is seen in part. A store or variant that is not
// there is an error that wraps [caption.ErrNoStore], and so is a folder without any.
func Stores(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	if err := o.Thresholds.Validate(); err != nil {
		return Result{}, err
	}
	c := &comparison{Options: o}
	if o.Source != nil {
		c.entries = o.Source.Entries()
		for _, class := range o.Source.Classes() {
			c.classes = append(c.classes, leakage.Class{WNID: class.WNID, Name: class.Name})
		}
		c.names = leakage.NewNames(c.classes)
	}
	defer c.close()
	if err := c.open(); err != nil {
		return Result{}, err
	}
	if err := c.read(ctx); err != nil {
		return Result{}, err
	}
	return c.result(), nil
}

// comparison is a reading of all variants, picture by picture.
type comparison struct {
	Options
	entries  []dataset.Entry // of the source
	classes  []leakage.Class
	names    *leakage.Names // nil without a source
	variants []*variant
	pairs    []*pair
	sample   top[drawn]
}

// variant is a store that is being read.
type variant struct {
	store    *caption.Store
	manifest schemas.CaptionsManifest
	tally    *tally
	next     func() (schemas.Caption, error, bool)
	stop     func()
	head     schemas.Caption // the next one; its ID is empty at the end

	duplicates *caption.Found
	read       int // captions so far: the number of the next one to duplicates
}

// record is a caption with what is measured of it.
type record struct {
	schemas.Caption
	text    string // cleaned
	wording wording
	nwords  int
	flags   []caption.Flag
	naming  naming
}

// subject is the picture whose captions are being compared.
type subject struct {
	id    dataset.ID
	entry int // position in the source's entries; -1: not there
	label int // -1: not known
	class string
}

// drawn is a picture of the sample, in the order of the digests of IDs.
type drawn struct {
	digest [sha256.Size]byte
	Sample
}

func (c *comparison) open() error {
	all := c.Variants
	if len(all) == 0 {
		var err error
		if all, err = caption.Variants(c.Dir); err != nil {
			return err
		}
		if len(all) == 0 {
			return fmt.Errorf("%s: holds no captions: mcil caption makes them: %w", c.Dir, caption.ErrNoStore)
		}
	}
	for i, name := range all {
		if slices.Contains(all[:i], name) {
			return fmt.Errorf("compare: variant %q is named twice: %w", name, dataset.ErrRefused)
		}
		dir, err := caption.VariantDir(c.Dir, name)
		if err != nil {
			return err
		}
		s, err := caption.OpenStore(dir)
		if err != nil {
			return err
		}
		v := &variant{store: s, manifest: s.Manifest(), tally: newTally(name, c)}
		v.next, v.stop = iter.Pull2(s.Captions())
		c.variants = append(c.variants, v)
	}
	for i := range c.variants {
		for j := i + 1; j < len(c.variants); j++ {
			c.pairs = append(c.pairs, newPair(i, j, c))
		}
	}
	c.sample = top[drawn]{limit: c.Sample, order: func(a, b drawn) int {
		return cmp.Or(bytes.Compare(a.digest[:], b.digest[:]), strings.Compare(a.ID, b.ID))
	}}
	return nil
}

func (c *comparison) close() {
	for _, v := range c.variants {
		v.stop()
		v.store.Close() // was opened for reading: there is nothing to lose
	}
}

// read walks through all variants at once, by ID, and then through their failures.
func (c *comparison) read(ctx context.Context) error {
	for _, v := range c.variants {
		if err := c.findDuplicates(ctx, v); err != nil {
			return err
		}
		if err := v.advance(); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		id := ""
		for _, v := range c.variants {
			if v.head.ID != "" && (id == "" || v.head.ID < id) {
				id = v.head.ID
			}
		}
		if id == "" {
			break
		}
		p := c.subject(dataset.ID(id))
		records := make([]*record, len(c.variants))
		for i, v := range c.variants {
			if v.head.ID != id {
				continue
			}
			records[i] = c.measure(p, v)
			v.tally.add(p, records[i])
			if err := v.advance(); err != nil {
				return err
			}
		}
		for _, pair := range c.pairs {
			pair.add(p, records[pair.a], records[pair.b])
		}
		c.draw(p, records)
	}
	for _, v := range c.variants {
		for f, err := range v.store.Failures() {
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			v.tally.fail(c.subject(dataset.ID(f.ID)), f)
		}
	}
	return nil
}

// findDuplicates reads all captions of a variant: what is a duplicate is known at the end.
func (c *comparison) findDuplicates(ctx context.Context, v *variant) error {
	var d caption.Duplicates
	n := 0
	for r, err := range v.store.Captions() {
		if err != nil {
			return err
		}
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		id := dataset.ID(r.ID)
		d.Add(id.WNID(), caption.Clean(r.Raw, c.prompt(v, c.subject(id))))
	}
	v.duplicates = d.Find(c.Thresholds)
	return ctx.Err()
}

// prompt is what was sent about a picture. What its variables stood for is known of a source's pictures only.
func (c *comparison) prompt(v *variant, p subject) string {
	if p.entry < 0 || len(v.manifest.Reveals) == 0 {
		return v.manifest.Prompt
	}
	return caption.PromptFor(v.manifest.Prompt, c.entries[p.entry], c.Source.Classes())
}

// advance reads the next caption.
func (v *variant) advance() error {
	c, err, ok := v.next()
	switch {
	case !ok:
		v.head = schemas.Caption{}
		return nil
	case err != nil:
		return err
	case c.ID <= v.head.ID:
		return errors.New("compare: captions are not sorted by ID: " + c.ID + " follows " + v.head.ID)
	}
	v.head = c
	return nil
}

func (c *comparison) subject(id dataset.ID) subject {
	p := subject{id: id, entry: -1, label: -1}
	at, found := slices.BinarySearchFunc(c.entries, id, func(e dataset.Entry, id dataset.ID) int {
		return strings.Compare(string(e.ID), string(id))
	})
	if !found {
		return p
	}
	p.entry, p.label = at, c.entries[at].Label
	if p.label >= 0 && p.label < len(c.classes) {
		p.class = c.classes[p.label].Name
	}
	return p
}

// measure cleans and checks the caption at hand.
func (c *comparison) measure(p subject, v *variant) *record {
	prompt := c.prompt(v, p)
	r := &record{Caption: v.head, text: caption.Clean(v.head.Raw, prompt), naming: naming{kind: unnamed}}
	words := leakage.Words(r.text)
	r.nwords, r.wording = len(words), wordingOf(words)
	r.flags = c.Thresholds.Check(r.text, r.Raw, r.FinishReason, prompt)
	r.flags = append(r.flags, v.duplicates.Flags(v.read)...)
	v.read++
	if p.label < 0 {
		return r
	}
	r.naming = namingOf(c.names, r.text, p.label)
	if r.naming.own > 0 {
		r.flags = append(r.flags, caption.Flag{Name: dataset.FlagNamesClass, Value: float64(r.naming.own)})
	}
	if r.naming.others > 0 {
		r.flags = append(r.flags, caption.Flag{Name: dataset.FlagNamesOther, Value: float64(r.naming.others)})
	}
	return r
}

func (c *comparison) draw(p subject, records []*record) {
	d := drawn{digest: sha256.Sum256([]byte(p.id)), Sample: Sample{ID: string(p.id), ClassName: p.class, Texts: make([]string, len(records))}}
	for i, r := range records {
		if r == nil {
			continue
		}
		d.Texts[i] = r.text
		d.ImageSHA256 = cmp.Or(d.ImageSHA256, r.ImageSHA256)
	}
	c.sample.add(d)
}

func (c *comparison) result() Result {
	r := Result{
		Header: Header, Source: c.variants[0].manifest.Source, Pictures: len(c.entries), Classes: len(c.classes),
		Variants: []Variant{}, Pairs: []Pair{}, Sample: []Sample{},
	}
	for _, v := range c.variants {
		r.Variants = append(r.Variants, v.tally.result(v.manifest, v.duplicates.Summary()))
	}
	for _, p := range c.pairs {
		r.Pairs = append(r.Pairs, p.result())
	}
	for _, d := range c.sample.items {
		r.Sample = append(r.Sample, d.Sample)
	}
	slices.SortFunc(r.Sample, func(a, b Sample) int { return strings.Compare(a.ID, b.ID) })
	return r
}
