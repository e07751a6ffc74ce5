package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// EmbedInput is pictures with their texts, in order. [EmbedSource] and [EmbedSplit] make one.
type EmbedInput struct {
	Spec     string // of the source, or the dataset and its split
	Classes  []dataset.Class
	Captions schemas.EmbeddingCaptions
	Refused  []schemas.Refusal // what the source itself left out
	pictures pictures
}

// pictures are what [Embed] asks of its input. They are safe for concurrent use.
type pictures interface {
	Len() int
	ID(i int) dataset.ID
	Label(i int) int
	// caption is false where there is none.
	caption(i int) (dataset.Caption, bool)
	read(ctx context.Context, i int) ([]byte, error)
	// stamp tells whether the picture is still the one it was, without reading it where that takes long.
	stamp(i int) (string, error)
}

// EmbedSource is the pictures of a source in its order, with captions by ID; nil: with no text. A picture that has no
// caption is left out, and said.
func EmbedSource(s dataset.Source, about schemas.EmbeddingCaptions, captions func(id dataset.ID) (dataset.Caption, bool)) EmbedInput {
	return EmbedInput{Spec: s.Spec(), Classes: s.Classes(), Captions: about, Refused: s.Refused(), pictures: &sourcePictures{s, s.Entries(), captions}}
}

type sourcePictures struct {
	source   dataset.Source
	entries  []dataset.Entry
	captions func(id dataset.ID) (dataset.Caption, bool)
}

func (p *sourcePictures) Len() int            { return len(p.entries) }
func (p *sourcePictures) ID(i int) dataset.ID { return p.entries[i].ID }
func (p *sourcePictures) Label(i int) int     { return p.entries[i].Label }
func (p *sourcePictures) caption(i int) (dataset.Caption, bool) {
	if p.captions == nil {
		return dataset.Caption{}, true
	}
	return p.captions(p.entries[i].ID)
}
func (p *sourcePictures) read(ctx context.Context, i int) ([]byte, error) {
	return p.source.Read(ctx, p.entries[i])
}
func (p *sourcePictures) stamp(i int) (string, error) { return fmt.Sprint(p.entries[i].SizeBytes), nil }

// EmbedSplit is the rows of a split of a dataset, with their captions or, where bare is set, with no text. The dataset
// stays open until they have been embedded.
func EmbedSplit(d *dataset.Dataset, split string, bare bool) (EmbedInput, error) {
	rows, ok := d.Splits[split]
	if !ok {
		return EmbedInput{}, fmt.Errorf("dataset %s: has no split %q: it has %s: %w", d.Dir, split, strings.Join(slices.Sorted(maps.Keys(d.Splits)), ", "), dataset.ErrRefused)
	}
	about := schemas.EmbeddingCaptions{From: schemas.CaptionsFromDataset}
	if bare {
		about.From = schemas.CaptionsFromNone
	}
	return EmbedInput{Spec: d.Dir + " " + split, Classes: d.Classes, Captions: about, pictures: &splitPictures{rows, bare}}, nil
}

type splitPictures struct {
	dataset.Rows
	bare bool
}

func (p *splitPictures) caption(i int) (dataset.Caption, bool) {
	if p.bare {
		return dataset.Caption{}, true
	}
	return dataset.Caption{Text: p.Caption(i)}, true
}
func (p *splitPictures) read(_ context.Context, i int) ([]byte, error) { return p.Image(i) }
func (p *splitPictures) stamp(i int) (string, error) {
	r, err := p.Row(i)
	if err == nil && r.ImageSHA256 == "" { // another program's dataset
		r.ImageSHA256 = dataset.Digest(r.Image)
	}
	return r.ImageSHA256, err
}

// embedItems makes samples of an input. What cannot be used becomes a sample without tokens and is remembered.
type embedItems struct {
	pictures pictures
	encoding *dataset.Encoding

	mu      sync.Mutex
	sha256  map[int]string // of pictures under way
	refused map[int]string // reasons
}

func (e *embedItems) Len() int { return e.pictures.Len() }

func (e *embedItems) Sample(ctx context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	id := e.pictures.ID(i)
	s, digest, err := e.sample(ctx, i)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case errors.Is(err, dataset.ErrRefused):
		e.refused[i] = strings.TrimSuffix(err.Error(), ": "+dataset.ErrRefused.Error())
		return dataset.Sample{ID: id}, nil
	case err != nil:
		return s, fmt.Errorf("%s: %w", id, err)
	}
	e.sha256[i] = digest
	s.ID = id
	return s, nil
}

func (e *embedItems) sample(ctx context.Context, i int) (s dataset.Sample, digest string, err error) {
	c, ok := e.pictures.caption(i)
	if !ok {
		return s, "", fmt.Errorf("no caption: %w", dataset.ErrRefused)
	}
	encoded, err := e.pictures.read(ctx, i)
	if err != nil {
		return s, "", err
	}
	digest = dataset.Digest(encoded)
	if c.ImageSHA256 != "" && c.ImageSHA256 != digest {
		return s, "", fmt.Errorf("the caption is of another picture of this name: run mcil caption again: %w", dataset.ErrRefused)
	}
	s, err = e.encoding.Encode(encoded, c.Text)
	return s, digest, err
}

// take returns the digest of a picture under way, and forgets it.
func (e *embedItems) take(i int) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	digest := e.sha256[i]
	delete(e.sha256, i)
	return digest
}
