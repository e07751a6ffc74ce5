// Package verify reads everything of a source or a dataset, and says what is wrong with it.
//
// # A dataset
//
// It is checked against its own manifest: every file's digest, and no file missing or left over; in every layout each
// picture's digest, size and orientation; that every layout holds the same rows; and what the manifest, split.txt and
// class-order.txt say of the rows, counted anew. Each picture is decoded to its last pixel, once. What cannot be known from
// the rows is taken as it stands: the source, what was refused, and how captions and split came about.
//
// Hugging Face datasets keeps what it computes beside what it was computed from: files cache-*.arrow and tmp* in the split
// folders of the hf layout are passed over.
//
// # A source, a shard
//
// They have no manifest: a source is read and decoded, a shard's rows are checked by themselves. What is wrong is listed,
// not only the first of it; an error is returned where no check is possible.
package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// Options say how to verify.
type Options struct {
	Workers int // default 1
	// Progress, if not nil, is told of every file digested and every row read, one call at a time.
	Progress func(done, total int)
}

// Result is what a verification found.
type Result struct {
	Files    int               `json:"files"`    // digested
	Rows     int               `json:"rows"`     // read, over all layouts
	Pictures int               `json:"pictures"` // decoded, whole
	Bytes    int64             `json:"bytes"`    // of files digested, or of a source's pictures
	Wrong    []schemas.Refusal `json:"wrong"`    // what, and why; never null
}

// run is one verification.
type run struct {
	Options
	mu    sync.Mutex
	res   Result
	done  int
	total int
}

func (r *run) wrong(name, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.res.Wrong = append(r.res.Wrong, schemas.Refusal{Name: name, Reason: fmt.Sprintf(format, args...)})
}

func (r *run) step() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done++; r.Progress != nil {
		r.Progress(r.done, r.total)
	}
}

func (r *run) result() Result {
	slices.SortFunc(r.res.Wrong, func(a, b schemas.Refusal) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Reason, b.Reason))
	})
	if r.res.Wrong == nil {
		r.res.Wrong = []schemas.Refusal{}
	}
	return r.res
}

// each calls f for 0 to n-1 from several goroutines, and returns the first error.
func (r *run) each(ctx context.Context, n int, f func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(1, r.Workers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					cancel(err)
				}
				r.step()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// Source reads and decodes every picture of s. What the source has refused is wrong, too.
func Source(ctx context.Context, s dataset.Source, o Options) (Result, error) {
	entries := s.Entries()
	r := &run{Options: o, total: len(entries)}
	var decoded atomic.Int64
	err := r.each(ctx, len(entries), func(i int) error {
		encoded, err := s.Read(ctx, entries[i])
		if err == nil {
			atomic.AddInt64(&r.res.Bytes, int64(len(encoded)))
			_, err = picture.Decode(encoded)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.wrong(string(entries[i].ID), "%s", reason(err))
		default:
			decoded.Add(1)
		}
		return nil
	})
	r.res.Pictures = int(decoded.Load())
	r.res.Wrong = append(r.res.Wrong, s.Refused()...)
	return r.result(), err
}

// File checks the rows of one shard.
func File(ctx context.Context, path string, o Options) (Result, error) {
	f, err := layout.OpenFile(path)
	if err != nil {
		return Result{}, err
	}
	defer f.Close()
	r := &run{Options: o, total: f.Rows.Len()}
	_, err = r.rows(ctx, filepath.Base(path), f.Rows, true)
	return r.result(), err
}

// Dataset checks the dataset in dir against its manifest.
func Dataset(ctx context.Context, dir string, o Options) (Result, error) {
	var m schemas.DatasetManifest
	if err := schemas.ReadJSON(filepath.Join(dir, "manifest.json"), schemas.DatasetHeader, &m); err != nil {
		return Result{}, err
	}
	r := &run{Options: o, total: len(m.Files) + len(m.Layouts)*rowsOf(m)}
	if err := r.files(ctx, dir, m); err != nil {
		return r.result(), err
	}
	if len(m.Layouts) == 0 {
		r.wrong("manifest.json", "it lists no layout, so there are no rows to check")
	}
	type reference struct {
		layout string
		rows   []fact
	}
	first := map[string]reference{} // by split: the rows of the first layout that has them
	for _, name := range m.Layouts {
		d, err := openLayout(dir, name)
		if err != nil {
			r.wrong(name, "%s", reason(err))
			r.total -= rowsOf(m)
			continue
		}
		facts, err := r.layout(ctx, name, d, m, len(first) == 0)
		if err == nil && len(first) == 0 { // the layouts are compared with one another, so once is enough
			r.manifest(dir, d, facts, m)
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return r.result(), err
		}
		for _, split := range dataset.PartNames(maps.Keys(facts)) {
			want, ok := first[split]
			if !ok {
				first[split] = reference{name, facts[split]}
			} else if !slices.EqualFunc(facts[split], want.rows, func(a, b fact) bool { return a.digest == b.digest }) {
				r.wrong(name, "its %s rows are not those of layout %s", split, want.layout)
			}
		}
	}
	return r.result(), nil
}

func openLayout(dir, name string) (*dataset.Dataset, error) {
	if !slices.Contains(layout.Kinds(), layout.Kind(name)) {
		return nil, fmt.Errorf("the manifest lists a layout of this name, and there are %v", layout.Kinds())
	}
	return layout.Open(filepath.Join(dir, name))
}

// layout checks the splits of one layout, and returns what their rows hold.
func (r *run) layout(ctx context.Context, name string, d *dataset.Dataset, m schemas.DatasetManifest, decode bool) (map[string][]fact, error) {
	r.total -= rowsOf(m)
	for _, rows := range d.Splits {
		r.total += rows.Len()
	}
	for _, split := range dataset.PartNames(maps.Keys(m.Rows)) {
		if d.Splits[split] == nil {
			r.wrong(name, "has no split %s, which the manifest has", split)
		}
	}
	facts := map[string][]fact{}
	for _, split := range dataset.PartNames(maps.Keys(d.Splits)) {
		rows := d.Splits[split]
		if want := m.Rows[split]; rows.Len() != want {
			r.wrong(name, "%d %s rows, and the manifest says %d", rows.Len(), split, want)
		}
		var err error
		if facts[split], err = r.rows(ctx, name+" "+split, rows, decode); err != nil {
			return nil, err
		}
	}
	if len(d.Classes) != len(m.Classes) {
		r.wrong(name, "%d classes, and the manifest says %d", len(d.Classes), len(m.Classes))
	}
	for i, c := range d.Classes {
		if i < len(m.Classes) && (c.Name != m.Classes[i].Name || c.WNID != m.Classes[i].WNID || i != m.Classes[i].Label) {
			r.wrong(name, "class %d is %s %s, and the manifest says otherwise", i, c.WNID, c.Name)
		}
	}
	return facts, nil
}

// fact is what is kept of a row.
type fact struct {
	read   bool              // else the rest is missing
	digest [sha256.Size]byte // of all of the row
	// Of the first layout only.
	id             dataset.ID
	label          int
	style, caption string
	flags          []string
	bytes          int    // of the picture
	sha256         string // of the picture
	info           *picture.Info
}

// rows reads every row. A picture is decoded where decode says so; otherwise only the digests are kept.
func (r *run) rows(ctx context.Context, name string, rows dataset.Rows, decode bool) ([]fact, error) {
	facts := make([]fact, rows.Len())
	var read, decoded atomic.Int64
	err := r.each(ctx, rows.Len(), func(i int) error {
		row, err := rows.Row(i)
		if err != nil {
			r.wrong(fmt.Sprintf("%s row %d", name, i), "%s", reason(err))
			return nil
		}
		read.Add(1)
		at := fmt.Sprintf("%s row %d (%s)", name, i, row.ID)
		sum, size := dataset.Digest(row.Image), len(row.Image)
		if row.ImageSHA256 != "" && sum != row.ImageSHA256 {
			r.wrong(at, "the picture's digest is not the row's")
		}
		info, err := picture.Inspect(row.Image)
		known := err == nil
		if known && decode {
			if _, err = picture.Decode(row.Image); err == nil {
				decoded.Add(1)
			}
		}
		switch {
		case err != nil:
			r.wrong(at, "%s", reason(err))
		case row.Width != 0 && (row.Width != info.Width || row.Height != info.Height || row.Orientation != info.Orientation):
			r.wrong(at, "the row says %d by %d pixels, orientation %d; the picture %d by %d, %d", row.Width, row.Height, row.Orientation, info.Width, info.Height, info.Orientation)
		}
		if row.Image = nil; len(row.Flags) == 0 {
			row.Flags, row.FlagValues = nil, nil // no flags and an empty list of them are the same
		}
		f := fact{read: true, digest: sha256.Sum256(fmt.Appendf(nil, "%s %#v", sum, row))} // Go's syntax: texts are quoted
		if decode {
			f.id, f.label, f.style, f.caption, f.flags, f.bytes, f.sha256 = row.ID, row.Label, row.Style, row.Caption, row.Flags, size, sum
			if known {
				f.info = &info
			}
		}
		facts[i] = f
		return nil
	})
	r.res.Rows += int(read.Load())
	r.res.Pictures += int(decoded.Load())
	return facts, err
}

// reason is an error as a reason: without the marks that only callers of packages look for.
func reason(err error) string {
	text := err.Error()
	for _, mark := range []error{dataset.ErrRefused, dataset.ErrNoSource} {
		text = strings.TrimSuffix(text, ": "+mark.Error())
	}
	return text
}
