// Package verify reads everything of a source or a dataset, and says what is wrong with it.
//
// A dataset is checked against its own manifest: every file's digest, and no file missing or left over; in every layout each
// picture's digest, size and orientation; that every layout holds the same rows. Each picture is decoded to its last pixel,
// once. A source is read and decoded likewise. What is wrong is listed, not only the first of it; an error is returned where
// no check is possible.
package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
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
	Pictures int               `json:"pictures"` // decoded
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
	err := r.each(ctx, len(entries), func(i int) error {
		encoded, err := s.Read(ctx, entries[i])
		if err == nil {
			atomic.AddInt64(&r.res.Bytes, int64(len(encoded)))
			_, err = picture.Decode(encoded)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.wrong(string(entries[i].ID), "%s", reason(err))
		}
		return nil
	})
	r.res.Pictures = len(entries)
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
	r := &run{Options: o, total: len(m.Files)}
	for _, n := range m.Rows {
		r.total += n * len(m.Layouts)
	}
	if err := r.files(ctx, dir, m); err != nil {
		return r.result(), err
	}
	if len(m.Layouts) == 0 {
		r.wrong("manifest.json", "it lists no layout, so there are no rows to check")
	}
	var first map[string][][8]byte // digests of rows by split, of the first layout that can be opened
	for _, name := range m.Layouts {
		d, err := layout.Open(filepath.Join(dir, name))
		if err != nil {
			r.wrong(name, "%s", reason(err))
			continue
		}
		digests, err := r.layout(ctx, name, d, m, first == nil)
		if err := errors.Join(err, d.Close()); err != nil {
			return r.result(), err
		}
		if first == nil {
			first = digests
		}
		for split, want := range first {
			if !slices.Equal(digests[split], want) {
				r.wrong(name, "its %s rows are not those of layout %s", split, m.Layouts[0])
			}
		}
	}
	return r.result(), nil
}

// files checks every digest of the manifest, and that there is nothing else.
func (r *run) files(ctx context.Context, dir string, m schemas.DatasetManifest) error {
	listed := map[string]bool{"manifest.json": true}
	named := map[string]string{"split.txt": m.Split.SHA256, "class-order.txt": m.Order.SHA256}
	var lines strings.Builder
	for _, f := range m.Files {
		listed[f.Path] = true
		if sha, ok := named[f.Path]; ok && sha != f.SHA256 {
			r.wrong("manifest.json", "it gives %s two digests", f.Path)
		}
		fmt.Fprintf(&lines, "%s  %s\n", f.SHA256, f.Path)
	}
	if dataset.Digest([]byte(lines.String())) != m.Digest {
		r.wrong("manifest.json", "its digest of the whole is not that of the files it lists")
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if rel, err := filepath.Rel(dir, p); err == nil && !listed[filepath.ToSlash(rel)] {
			r.wrong(filepath.ToSlash(rel), "not in the manifest")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.each(ctx, len(m.Files), func(i int) error {
		f := m.Files[i]
		if !filepath.IsLocal(f.Path) {
			r.wrong(f.Path, "the manifest names a file outside the dataset")
			return nil
		}
		digest, n, err := digestOf(ctx, filepath.Join(dir, filepath.FromSlash(f.Path)))
		atomic.AddInt64(&r.res.Bytes, n)
		r.mu.Lock()
		r.res.Files++
		r.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			r.wrong(f.Path, "missing")
		case err != nil:
			r.wrong(f.Path, "%s", reason(err))
		case n != f.Bytes:
			r.wrong(f.Path, "%d bytes, and the manifest says %d", n, f.Bytes)
		case digest != f.SHA256:
			r.wrong(f.Path, "its digest is not the manifest's: the content has changed")
		}
		return nil
	})
}

func digestOf(ctx context.Context, path string) (digest string, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h, buf := sha256.New(), make([]byte, 1<<20)
	for ctx.Err() == nil {
		k, err := f.Read(buf)
		h.Write(buf[:k])
		n += int64(k)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", n, err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// layout checks the splits of one layout against the manifest, and returns the digests of their rows.
func (r *run) layout(ctx context.Context, name string, d *dataset.Dataset, m schemas.DatasetManifest, decode bool) (map[string][][8]byte, error) {
	digests := map[string][][8]byte{}
	for split, want := range m.Rows {
		rows := d.Splits[split]
		if rows == nil {
			r.wrong(name, "has no split %s", split)
			continue
		}
		if rows.Len() != want {
			r.wrong(name, "%d %s rows, and the manifest says %d", rows.Len(), split, want)
		}
		var err error
		if digests[split], err = r.rows(ctx, name+" "+split, rows, decode); err != nil {
			return nil, err
		}
	}
	if decode { // once is enough: the layouts are compared with one another
		r.counts(d, m)
	}
	for i, c := range d.Classes {
		if i >= len(m.Classes) || c.Name != m.Classes[i].Name || c.WNID != m.Classes[i].WNID {
			r.wrong(name, "class %d is %s %s, and the manifest says otherwise", i, c.WNID, c.Name)
		}
	}
	return digests, nil
}

// counts checks what the manifest says of the rows in numbers.
func (r *run) counts(d *dataset.Dataset, m schemas.DatasetManifest) {
	classes, styles := make([]map[string]int, len(m.Classes)), map[string]int{}
	for i := range classes {
		classes[i] = map[string]int{}
	}
	for split, rows := range d.Splits {
		for i := range rows.Len() {
			if label := rows.Label(i); label < len(classes) {
				classes[label][split]++
			}
			if row, err := rows.Row(i); err == nil {
				styles[row.Style]++
			}
		}
	}
	for i, c := range m.Classes {
		if !maps.Equal(classes[i], c.Rows) {
			r.wrong("manifest.json", "class %s has other numbers of rows", c.WNID)
		}
	}
	if !maps.Equal(styles, m.Styles) {
		r.wrong("manifest.json", "the styles have other numbers of rows")
	}
}

// rows reads every row and returns a digest of each. A picture is decoded where decode says so.
func (r *run) rows(ctx context.Context, name string, rows dataset.Rows, decode bool) ([][8]byte, error) {
	digests := make([][8]byte, rows.Len())
	var decoded atomic.Int64
	err := r.each(ctx, rows.Len(), func(i int) error {
		row, err := rows.Row(i)
		if err != nil {
			r.wrong(fmt.Sprintf("%s row %d", name, i), "%s", reason(err))
			return nil
		}
		at := fmt.Sprintf("%s row %d (%s)", name, i, row.ID)
		sum := dataset.Digest(row.Image)
		if row.ImageSHA256 != "" && sum != row.ImageSHA256 {
			r.wrong(at, "the picture's digest is not the row's")
		}
		info, err := picture.Inspect(row.Image)
		if err == nil && decode {
			decoded.Add(1)
			_, err = picture.Decode(row.Image)
		}
		switch {
		case err != nil:
			r.wrong(at, "%s", reason(err))
		case row.Width != 0 && (row.Width != info.Width || row.Height != info.Height || row.Orientation != info.Orientation):
			r.wrong(at, "the row says %d by %d pixels, orientation %d; the picture %d by %d, %d", row.Width, row.Height, row.Orientation, info.Width, info.Height, info.Orientation)
		}
		row.Image = nil
		whole := sha256.Sum256(fmt.Appendf(nil, "%s %+q", sum, fmt.Sprint(row)))
		copy(digests[i][:], whole[:])
		return nil
	})
	r.res.Rows += rows.Len()
	r.res.Pictures += int(decoded.Load())
	return digests, err
}

// reason is an error as a reason: without the marks that only callers of packages look for.
func reason(err error) string {
	text := err.Error()
	for _, mark := range []error{dataset.ErrRefused, dataset.ErrNoSource} {
		text = strings.TrimSuffix(text, ": "+mark.Error())
	}
	return text
}
