// Package dataset says what an example is: on disk, in memory and in a batch.
//
// # The way of a picture
//
// A [Source] lists pictures in place (a folder or a tar that is never unpacked) as [Entry] values sorted by [ID]. [Build]
// joins them with captions and a [Split] into [Row] values and writes a layout that other tools open. [Open] reads it
// back. A [Processor] and a [Tokenizer] turn a row into a [Sample], and a [Loader] gathers samples into batches.
//
// # Names
//
// An ID is the class-relative path, such as n02128757/sculpture_4.jpg: base names repeat across classes in ImageNet-R.
// A label is the position of a class in the sorted list of wnids.
//
// # What it will not do
//
// Nothing here knows about captions' makers, methods or models; data outlives them. Nothing is dropped without a
// [schemas.Refusal] that names it and says why.
package dataset

import (
	"context"
	"errors"
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

// Class is one class: WordNet's ID and the name that ImageNet-R gives it, with underscores.
type Class struct {
	WNID string
	Name string
}

// Entry is a picture that a source lists. Nothing of its content has been read yet.
type Entry struct {
	ID        ID
	Label     int    // index into the source's classes
	Style     string // rendition, from the file name: sketch, cartoon, ...
	SizeBytes int64

	offset int64 // of the content in an archive
}

// Source is a collection of pictures in ImageNet-R's layout: class folders of picture files.
// All methods are safe for concurrent use.
type Source interface {
	// Spec names the source as a user would, such as imagenet-r:/data/imagenet-r.tar.
	Spec() string
	// Classes are sorted by WNID; the index is the label.
	Classes() []Class
	// Entries are sorted by ID.
	Entries() []Entry
	// Refused lists what was found and left out, sorted by name.
	Refused() []schemas.Refusal
	// Read returns the encoded bytes of a picture.
	Read(ctx context.Context, e Entry) ([]byte, error)
	Close() error
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
	ImageSHA256 string
	CaptionInfo
}

// CaptionInfo is where a row's caption came from.
type CaptionInfo struct {
	Raw         string   // as answered
	Model       string   // as the endpoint named itself
	Fingerprint string   // of the request
	Flags       []string // what checking found, sorted
}

// Names of splits.
const (
	Train = "train"
	Test  = "test"
)

// Errors that callers tell apart. Each is wrapped with the item's name and what to do.
var (
	// ErrNoSource: nothing readable as a source at a path.
	ErrNoSource = errors.New("no such source")
	// ErrRefused: the input was understood and cannot be used.
	ErrRefused = errors.New("refused")
)
