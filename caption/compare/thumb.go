package compare

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
)

const thumbnailPx = 224 // longer side: what InstructBLIP sees, and enough for half of that on a dense screen

// thumbnail is a picture that the page shows, perhaps in several places; the bytes are there once.
type thumbnail struct {
	Name string // its id on the page
	URL  template.URL
	W, H int // pixels; 0 where there is none
	Lack string
}

// thumbnails reads pictures as they are asked for.
type thumbnails struct {
	source  dataset.Source // nil: there are no pictures
	entries []dataset.Entry
	known   map[string]*thumbnail // by ID and digest
	all     []*thumbnail          // those with a picture
}

func newThumbnails(s dataset.Source) *thumbnails {
	t := &thumbnails{source: s, known: map[string]*thumbnail{}}
	if s != nil {
		t.entries = s.Entries()
	}
	return t
}

// entry finds a picture in the source.
func (t *thumbnails) entry(id string) (dataset.Entry, bool) {
	at, found := slices.BinarySearchFunc(t.entries, id, func(e dataset.Entry, id string) int { return strings.Compare(string(e.ID), id) })
	if !found {
		return dataset.Entry{}, false
	}
	return t.entries[at], true
}

// of returns the picture of that name whose file has, or had, that digest. The only error is ctx's.
func (t *thumbnails) of(ctx context.Context, id, sha256 string) (*thumbnail, error) {
	if err := ctx.Err(); err != nil || t.source == nil {
		return nil, err
	}
	key := sha256 + " " + id
	if p := t.known[key]; p != nil {
		return p, nil
	}
	p := &thumbnail{}
	t.known[key] = p
	e, found := t.entry(id)
	if !found {
		p.Lack = "not in the source"
		return p, nil
	}
	encoded, err := t.source.Read(ctx, e)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		p.Lack = "cannot be read"
		return p, nil
	}
	if sha256 != "" && dataset.Digest(encoded) != sha256 {
		p.Lack = "the file has changed since"
		return p, nil
	}
	small, mediaType, err := caption.Picture{MaxSide: thumbnailPx}.Prepare(encoded)
	if err != nil {
		p.Lack = "is no picture that can be read"
		return p, nil
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(small))
	if err != nil {
		p.Lack = "is no picture that can be read"
		return p, nil
	}
	t.all = append(t.all, p)
	p.Name, p.W, p.H = fmt.Sprintf("p%d", len(t.all)), size.Width, size.Height
	p.URL = template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(small))
	return p, nil
}
