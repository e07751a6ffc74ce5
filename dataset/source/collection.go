package source

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// collection is the part that all kinds of sources share.
type collection struct {
	spec    string
	tree    *tree
	root    string // folder in the tree above everything that counts
	classes []dataset.Class
	entries []dataset.Entry
	refused []schemas.Refusal
}

var _ dataset.Source = (*collection)(nil)

func (c *collection) Spec() string               { return c.spec }
func (c *collection) Classes() []dataset.Class   { return c.classes }
func (c *collection) Entries() []dataset.Entry   { return c.entries }
func (c *collection) Refused() []schemas.Refusal { return c.refused }
func (c *collection) Close() error               { return c.tree.Close() }

func (c *collection) Read(ctx context.Context, e dataset.Entry) ([]byte, error) {
	return c.ReadInto(ctx, e, nil)
}

// ReadInto is Read into buf where that is large enough. What it returns may share buf's memory.
func (c *collection) ReadInto(ctx context.Context, e dataset.Entry, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := c.tree.readInto(file{path: e.Path, size: e.SizeBytes, offset: e.Offset}, buf)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.spec, e.ID, err)
	}
	return b, nil
}

func (c *collection) refuse(name, why string) {
	c.refused = append(c.refused, schemas.Refusal{Name: strings.ToValidUTF8(name, "\uFFFD"), Reason: why})
}

// partFolders are the names of folders above class folders.
var partFolders = map[string]string{
	"train": dataset.Train, "val": dataset.Validation, "validation": dataset.Validation, "test": dataset.Test,
}

// otherName is how files beside pictures are called.
var otherName = regexp.MustCompile(`(?i)(\.(txt|csv|tsv|json|jsonl|md|xml|html?|ya?ml|pdf|db|ini|lst|log|py|sh|zip|tar|gz|tgz|7z|npy|npz|mat|arrow|parquet)|^readme|^licen[cs]e)$`)

// place is where a file is in a source's layout.
type place struct {
	class, part string
	misplaced   string // why it is in no class folder
	metadata    bool   // it is no picture by its place, and nothing is to be said about it
}

// add takes the files of the tree into entries, or refuses them.
func (c *collection) add(where func(folders []string) place, styled bool) {
	c.entries = make([]dataset.Entry, 0, len(c.tree.files)) // there may be a million: no growing, and IDs share the memory of paths
	for _, f := range c.tree.files {
		rel, inside := below(c.root, f.path)
		dir, base := path.Split(rel)
		if dir == "" && !dataset.IsPictureName(base) {
			continue // README.txt, licences, lists
		}
		var p place
		if folders := strings.Split(strings.TrimSuffix(dir, "/"), "/"); inside {
			p = where(folders)
		} else {
			p = where(append([]string{".."}, folders...)) // nowhere
		}
		switch {
		case p.metadata:
		case !utf8.ValidString(rel) || strings.ContainsFunc(rel, unicode.IsControl): // lists of names are text, a name a line
			c.refuse(rel, "the name has control characters or is not UTF-8")
		case p.misplaced != "":
			c.refuse(rel, p.misplaced)
		case strings.HasPrefix(base, "."), strings.HasPrefix(p.class, "."):
			c.refuse(rel, "hidden file")
		case otherName.MatchString(base):
			c.refuse(rel, "not named as a picture")
		case f.size == 0:
			c.refuse(rel, "empty file")
		case f.size > picture.MaxBytes:
			c.refuse(rel, fmt.Sprintf("%d bytes, more than the %d that a picture may have", f.size, int64(picture.MaxBytes)))
		default:
			id := p.class + "/" + base
			if strings.HasSuffix(rel, id) {
				id = rel[len(rel)-len(id):]
			}
			e := dataset.Entry{ID: dataset.ID(id), Style: "unknown", SizeBytes: f.size, Part: p.part, Path: f.path, Offset: f.offset}
			if styled {
				e.Style = styleOf(base)
			}
			c.entries = append(c.entries, e)
		}
	}
	for _, r := range c.tree.refused {
		if path.Clean(r.Name) == r.Name { // others lead out, and are named as they are
			r.Name, _ = below(c.root, r.Name)
		}
		c.refuse(r.Name, r.Reason)
	}
	c.sortEntries()
}

// sortEntries sorts by ID and keeps the first picture of each: train's before validation's before test's.
func (c *collection) sortEntries() {
	rank := map[string]int{dataset.Train: -3, dataset.Validation: -2, dataset.Test: -1}
	slices.SortStableFunc(c.entries, func(a, b dataset.Entry) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(rank[a.Part], rank[b.Part]), cmp.Compare(a.Path, b.Path))
	})
	unique := c.entries[:0]
	for _, e := range c.entries {
		if n := len(unique); n > 0 && unique[n-1].ID == e.ID {
			rel, _ := below(c.root, e.Path)
			first, _ := below(c.root, unique[n-1].Path)
			if rel == first {
				c.refuse(rel, "the name occurs twice; the first is kept")
			} else {
				c.refuse(rel, "the same class and name as "+first+", which is kept")
			}
			continue
		}
		unique = append(unique, e)
	}
	c.entries = unique
}

// finish numbers the classes: by index where there is one, in the order of their folders otherwise. example is a path.
func (c *collection) finish(names map[string]string, index map[string]int, example string) error {
	defer func() { c.tree.files, c.tree.refused = nil, nil }() // entries have what is needed
	slices.SortFunc(c.refused, func(a, b schemas.Refusal) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	filled := map[string]bool{}
	for i := range c.entries {
		folder := c.entries[i].ID.WNID()
		if !filled[folder] && index == nil {
			c.classes = append(c.classes, dataset.Class{WNID: folder, Name: cmp.Or(names[folder], folder)})
		}
		filled[folder] = true
		c.entries[i].Label = len(c.classes) - 1
		if index != nil {
			c.entries[i].Label = index[folder]
		}
	}
	if index != nil {
		c.classes = make([]dataset.Class, len(index))
		for folder, label := range index {
			c.classes[label] = dataset.Class{WNID: folder, Name: folder}
		}
	}
	switch len(filled) {
	case 0:
		return fmt.Errorf("holds no pictures in class folders (%s): %w", example, dataset.ErrRefused)
	case 1:
		return fmt.Errorf("has one class (%s): at least two are needed to tell apart: %w", c.entries[0].ID.WNID(), dataset.ErrRefused)
	}
	return nil
}
