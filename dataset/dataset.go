// Package dataset says what an example is: on disk, in memory and in a batch.
//
// # The way of a picture
//
// A [Source] (package source) lists pictures in place, in a folder or a tar that is never unpacked, as [Entry] values sorted
// by [ID]. Package build joins them with captions and a [Split] (package split) into [Row] values and writes them in the
// layouts that other tools open (package layout), which reads them back as a [Dataset] of [Rows]. A [Processor] and a
// [Tokenizer] turn a row into a [Sample], and a [Loader] gathers samples into batches, ahead of who learns from them. What a
// Processor made is kept in memory, and on disk by package cache, within given sizes.
//
// # Names
//
// An ID is the class-relative path, such as n02128757/sculpture_4.jpg: base names repeat across classes in ImageNet-R.
// A label is the position of a class in the sorted list of class folders, unless the source numbers its classes itself as
// Food-101's class_idx.json does.
//
// # What it will not do
//
// Nothing here knows about captions' makers, methods or models; data outlives them. Nothing is dropped without a
// [schemas.Refusal] that names it and says why.
package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// ID names a picture: its class folder and file name joined by a slash.
type ID string

// WNID is the part of the ID before the slash.
func (id ID) WNID() string {
	wnid, _, _ := strings.Cut(string(id), "/")
	return wnid
}

// Class is one class.
type Class struct {
	WNID string // the class folder: WordNet's ID in ImageNet-R, the folder's name elsewhere
	Name string // with underscores: ImageNet-R's name, or the folder's
}

// Entry is a picture that a source lists. Nothing of its content has been read yet.
type Entry struct {
	ID        ID
	Label     int    // index into the source's classes
	Style     string // rendition, from the file name: sketch, cartoon, ...; "unknown" where names do not tell
	SizeBytes int64
	// Part is the split in which the source itself has the picture: train/ and test/ folders, or Food-101's split.json.
	// Empty where the source knows no splits.
	Part string
	// Where the content is. Path is below the source's folder, or the name in the archive; Offset is the content's place in
	// the archive.
	Path   string
	Offset int64
}

// Source is a collection of pictures in class folders. All methods are safe for concurrent use.
type Source interface {
	// Spec names the source as a user would, such as imagenet-r:/data/imagenet-r.tar.
	Spec() string
	// Classes are in label order.
	Classes() []Class
	// Entries are sorted by ID.
	Entries() []Entry
	// Refused lists what was found and left out, sorted by name.
	Refused() []schemas.Refusal
	// Read returns the encoded bytes of a picture.
	Read(ctx context.Context, e Entry) ([]byte, error)
	Close() error
}

// Captioned is a [Source] that brings texts of its own, such as Food-101's titles.
type Captioned interface {
	Source
	// Text is the text of a picture as found, and false where there is none.
	Text(id ID) (string, bool)
}

// Caption is a picture's text and where it came from.
type Caption struct {
	Text        string
	ImageSHA256 string // of the picture that was captioned: another one under the same name is refused. Empty: not known
	CaptionInfo
}

// Row is an example as stored.
type Row struct {
	ID          ID
	Image       []byte // encoded, as found
	Label       int
	Caption     string
	WNID        string
	ClassName   string
	Style       string
	Width       int // pixels, before any orientation
	Height      int
	Orientation int // EXIF's, 1 to 8; 1 where the picture says nothing
	ImageSHA256 string
	CaptionInfo
}

// CaptionInfo is where a row's caption came from.
type CaptionInfo struct {
	Raw         string    // as answered
	Model       string    // as the endpoint named itself
	Prompt      string    // as sent
	Fingerprint string    // of the request
	Flags       []string  // what checking found, sorted
	FlagValues  []float64 // what was measured, flag by flag; finite
}

// SetFlag adds a flag in its place, or changes its value. Slices that c shared with others are left as they were.
func (c *CaptionInfo) SetFlag(name string, value float64) {
	i, found := slices.BinarySearch(c.Flags, name)
	c.Flags, c.FlagValues = slices.Clone(c.Flags), slices.Clone(c.FlagValues)
	if !found {
		c.Flags, c.FlagValues = slices.Insert(c.Flags, i, name), slices.Insert(c.FlagValues, i, value)
	}
	c.FlagValues[i] = value
}

// ClearFlag takes a flag away.
func (c *CaptionInfo) ClearFlag(name string) {
	if i, found := slices.BinarySearch(c.Flags, name); found {
		c.Flags, c.FlagValues = slices.Delete(slices.Clone(c.Flags), i, i+1), slices.Delete(slices.Clone(c.FlagValues), i, i+1)
	}
}

// Names of splits.
const (
	Train      = "train"
	Validation = "validation" // carved from train; "val" in the names of ViLT's files
	Test       = "test"
)

// Split deals entries out to named parts: split name to IDs, sorted.
type Split map[string][]ID

// Names lists the parts: train, validation, test, then others by name.
func (p Split) Names() []string { return PartNames(maps.Keys(p)) }

// PartNames sorts names of splits: train, validation, test, then others by name.
func PartNames(names iter.Seq[string]) []string {
	rank := map[string]int{Train: -3, Validation: -2, Test: -1}
	return slices.SortedFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank[a], rank[b]), strings.Compare(a, b)) })
}

// Flags of captions that packages of this room set or look for, and what their values are.
const (
	FlagNamesClass    = "names_class"       // holds the class's name: the answer is in the text; places that name it
	FlagNamesMasked   = "names_masked"      // held it, before the name was replaced; places that named it
	FlagNamesOther    = "names_other_class" // names another class, with its own or without; places that do
	FlagDuplicate     = "duplicate"         // another picture has the same caption; pictures that have it
	FlagNearDuplicate = "near_duplicate"    // another picture has nearly the same; the highest similarity
)

// Errors that callers tell apart. Each is wrapped with the item's name and what to do.
var (
	// ErrNoSource: nothing readable as a source at a path.
	ErrNoSource = errors.New("no such source")
	// ErrRefused: the input was understood and cannot be used.
	ErrRefused = schemas.ErrRefused
)

// Digest is the hexadecimal SHA-256 of b.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
