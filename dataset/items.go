package dataset

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/dataset/picture"
)

// Encoding makes samples of rows: the picture processor and the tokenizer of one model.
type Encoding struct {
	Processor Processor
	Tokenizer *Tokenizer
	MaxText   int // tokens, [CLS] and [SEP] included

	// CacheBytes is how much memory processed samples may take; the rest are made again. 0: none are kept.
	CacheBytes int64
	// Disk keeps processed pictures on disk, also for the next run; nil: they are not kept there. What is made of them at
	// random ([Thin]) is made afterwards.
	Disk *cache.Folder

	mu    sync.Mutex
	cache map[Rows]map[int]Sample
	used  int64
}

// Sample processes row i of rows. Labels are the rows' own. The sample shares memory with the cache: do not modify it.
func (e *Encoding) Sample(rows Rows, i int) (Sample, error) {
	e.mu.Lock()
	s, ok := e.cache[rows][i]
	e.mu.Unlock()
	if ok {
		return s, nil
	}
	encoded, err := rows.Image(i)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", rows.ID(i), err)
	}
	gridH, gridW, pixels, err := e.patches(encoded, func() (int, int, []uint8, error) { return e.Processor.Patches(encoded) })
	if err != nil {
		return Sample{}, fmt.Errorf("%s: cannot be learned: %w", rows.ID(i), err)
	}
	s = e.sample(gridH, gridW, pixels, rows.Caption(i))
	s.ID, s.Label = rows.ID(i), rows.Label(i)
	e.keep(rows, i, s)
	return s, nil
}

// Encode makes a sample of a picture that is in no dataset, and its text. The sample has no ID and no label, and is not
// kept. Of a picture that cannot be used the error wraps [ErrRefused].
func (e *Encoding) Encode(encoded []byte, text string) (Sample, error) {
	gridH, gridW, pixels, err := e.patches(encoded, func() (int, int, []uint8, error) {
		img, err := picture.Decode(encoded)
		if err != nil {
			return 0, 0, nil, err
		}
		return e.Processor.cut(encoded, img)
	})
	if err != nil {
		return Sample{}, err
	}
	return e.sample(gridH, gridW, pixels, text), nil
}

func (e *Encoding) sample(gridH, gridW int, pixels []uint8, text string) Sample {
	s := Sample{GridH: gridH, GridW: gridW, Pixels: pixels, PatchPos: upTo(gridH * gridW), Tokens: e.Tokenizer.Encode(text, e.MaxText)}
	s.TextLen = len(s.Tokens)
	s.TokenPos = upTo(s.TextLen)
	return s
}

func (e *Encoding) keep(rows Rows, i int, s Sample) {
	size := s.cacheBytes()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.used+size > e.CacheBytes {
		return
	}
	if e.cache == nil {
		e.cache = map[Rows]map[int]Sample{}
	}
	if e.cache[rows] == nil {
		e.cache[rows] = map[int]Sample{}
	}
	if _, twice := e.cache[rows][i]; !twice {
		e.cache[rows][i] = s
		e.used += size
	}
}

// Extent is how much memory samples take.
type Extent struct {
	Samples int
	Bytes   int64 // of all
	Largest int64 // bytes of the largest
	Patches int   // of the largest
}

// Add counts those of another extent too.
func (x *Extent) Add(y Extent) {
	x.Samples, x.Bytes = x.Samples+y.Samples, x.Bytes+y.Bytes
	x.Largest, x.Patches = max(x.Largest, y.Largest), max(x.Patches, y.Patches)
}

// Extent is how much memory the samples of some rows take, by sizes that the rows record and without decoding. A text counts
// as the longest, and a picture of no recorded size as the largest that the model takes.
func (e *Encoding) Extent(rows Rows, indices []int) (x Extent, err error) {
	p := e.Processor
	for _, i := range indices {
		r, err := rows.Row(i)
		if err != nil {
			return x, fmt.Errorf("%s: %w", rows.ID(i), err)
		}
		patches := (p.Short / p.Patch) * (p.Long / p.Patch)
		if w, h, err := p.Size(r.Width, r.Height); err == nil {
			patches = w / p.Patch * (h / p.Patch)
		}
		n := int64(patches*(3*p.Patch*p.Patch+4) + 8*e.MaxText)
		x.Add(Extent{Samples: 1, Bytes: n, Largest: n, Patches: patches})
	}
	return x, nil
}

// Forget drops what is cached of rows.
func (e *Encoding) Forget(rows Rows) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.cache[rows] {
		e.used -= s.cacheBytes()
	}
	delete(e.cache, rows)
}

// cacheBytes is the memory that a cached sample takes, or one that is made ahead.
func (s Sample) cacheBytes() int64 {
	return int64(len(s.Pixels) + len(s.Kept) + 4*(len(s.PatchPos)+2*len(s.Tokens)))
}

// upTo is 0, 1, ... n-1.
func upTo(n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i)
	}
	return p
}

// Subset is some rows of a split as items, with labels translated.
type Subset struct {
	Encoding *Encoding
	Rows     Rows
	Indices  []int
	Relabel  func(label int) int // nil: as they are
}

func (s Subset) Len() int { return len(s.Indices) }

func (s Subset) Sample(ctx context.Context, i int, _ *rand.Rand) (Sample, error) {
	if err := ctx.Err(); err != nil {
		return Sample{}, err
	}
	x, err := s.Encoding.Sample(s.Rows, s.Indices[i])
	if err == nil && s.Relabel != nil {
		x.Label = s.Relabel(x.Label)
	}
	return x, err
}
