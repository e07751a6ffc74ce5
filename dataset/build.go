package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mcil/mcil/schemas"
)

// Caption is a picture's text and where it came from.
type Caption struct {
	Text        string
	ImageSHA256 string // of the picture that was captioned: another one under the same name is refused
	CaptionInfo
}

// CaptionOf returns the caption of a picture, and false where there is none. Build calls it several times a picture, and
// from several goroutines at a time: it should look up, not compute.
type CaptionOf func(id ID) (Caption, bool)

// BuildOptions say what to write.
type BuildOptions struct {
	Split    SplitOptions
	Captions CaptionOf
	// About says where the captions came from; counts are filled in by Build.
	About   schemas.CaptionsSummary
	Program schemas.Program
	Workers int // default 1
	// ShardBytes is how many bytes of pictures a file of a split holds, about; default 500 MiB.
	ShardBytes int64
	Force      bool // replace a dataset that was built from something else; a folder of other things is never replaced
	// Progress, if not nil, is told of every step, one call at a time. A row takes three: its picture is checked, it is
	// written, and its share of the files is read for their digests.
	Progress func(done, total int)
}

// Build joins pictures with captions and writes the dataset to dir: split.txt, manifest.json and the hf layout. The folder
// appears whole, by one rename. A dataset that was built from the same input is left alone. A picture without a caption,
// or that cannot be read, is refused with its reason; the rest is written.
func Build(ctx context.Context, s Source, dir string, o BuildOptions) (schemas.DatasetManifest, error) {
	var m schemas.DatasetManifest
	o.Split.Spec = cmp.Or(o.Split.Spec, DefaultSplit)
	o.ShardBytes = cmp.Or(o.ShardBytes, maxShardBytes)
	split, err := NewSplit(s, o.Split)
	if err != nil {
		return m, err
	}
	inputs := o.inputs(s, split)
	partial, replaced := beside(dir, ".partial"), beside(dir, ".replaced")
	if err := restore(dir, replaced); err != nil {
		return m, fmt.Errorf("dataset %s: %w", dir, err)
	}
	old, foreign, err := existing(dir)
	switch {
	case err != nil && (!o.Force || foreign):
		return m, err
	case old != nil && old.Inputs == inputs:
		return *old, nil
	case old != nil && !o.Force:
		return m, fmt.Errorf("dataset %s: was built from other pictures, captions or settings: give --force to replace it, or another --out: %w", dir, ErrRefused)
	}
	for _, left := range []string{partial, replaced} { // by a run that was killed
		if err := os.RemoveAll(left); err != nil {
			return m, fmt.Errorf("dataset %s: %w", dir, err)
		}
	}
	if err := os.MkdirAll(partial, 0o777); err != nil {
		return m, fmt.Errorf("dataset %s: %w", dir, err)
	}
	b := &build{source: s, o: o, dir: partial, entries: map[ID]Entry{}}
	m, err = b.run(ctx, split, inputs)
	if err != nil {
		return m, errors.Join(fmt.Errorf("dataset %s: %w", dir, err), os.RemoveAll(partial))
	}
	if err := swap(partial, dir, replaced); err != nil {
		return m, fmt.Errorf("dataset %s: %w", dir, err)
	}
	return m, nil
}

// beside names a hidden folder next to dir.
func beside(dir, suffix string) string {
	return filepath.Join(filepath.Dir(filepath.Clean(dir)), "."+filepath.Base(dir)+suffix)
}

// swap puts the folder partial in the place of dir. What was there goes to replaced first and is deleted last, so that a
// kill never leaves a part of it under its name.
func swap(partial, dir, replaced string) error {
	if err := os.Rename(dir, replaced); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		os.Rename(replaced, dir) // back, if it was there
		return err
	}
	return errors.Join(schemas.SyncDir(filepath.Dir(filepath.Clean(dir))), os.RemoveAll(replaced))
}

// restore undoes the first half of a swap that was killed between its renames: the old dataset is whole and has no other name.
func restore(dir, replaced string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Rename(replaced, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// existing reads the manifest in dir: nil where dir is absent or empty, an error where something else is there. foreign says
// that Build did not write it, so that no flag makes Build replace it.
func existing(dir string) (m *schemas.DatasetManifest, foreign bool, err error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, true, fmt.Errorf("dataset %s: is a file: give another --out: %w", dir, ErrRefused)
	}
	m = &schemas.DatasetManifest{}
	err = schemas.ReadJSON(filepath.Join(dir, "manifest.json"), schemas.DatasetHeader, m)
	if errors.Is(err, fs.ErrNotExist) {
		if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
			return nil, true, fmt.Errorf("dataset %s: the folder holds other things: give another --out: %w", dir, ErrRefused)
		}
		return nil, false, nil
	}
	if u := (*schemas.UnsupportedError)(nil); errors.As(err, &u) && u.Got.Schema == u.Want.Schema {
		return nil, false, fmt.Errorf("dataset: %w", err)
	}
	if err != nil { // a caption store has a manifest.json too
		return nil, true, fmt.Errorf("dataset: %w: give another --out: %w", err, ErrRefused)
	}
	return m, false, nil
}

// inputs is a digest of all that decides the rows and their order. Left out is what the manifest only tells of: the paths
// of the source and of a split file as they were typed, and the program.
func (o BuildOptions) inputs(s Source, split Split) string {
	h := sha256.New()
	fmt.Fprintln(h, schemas.RowsHeader, schemas.DatasetHeader, o.ShardBytes, o.About.Recipe)
	for _, c := range s.Classes() {
		fmt.Fprintln(h, c)
	}
	for _, e := range s.Entries() {
		c, ok := o.Captions(e.ID)
		fmt.Fprintf(h, "%s %d %v %+q\n", e.ID, e.SizeBytes, ok, c)
	}
	split.WriteTo(h)
	return hex.EncodeToString(h.Sum(nil))
}

// build is one run of Build.
type build struct {
	source  Source
	o       BuildOptions
	dir     string
	entries map[ID]Entry

	manifest schemas.DatasetManifest
	done     int // steps of Progress
	total    int
	words    int
	bytes    int64 // of the pictures of all rows
}

func (b *build) run(ctx context.Context, split Split, inputs string) (schemas.DatasetManifest, error) {
	classes := b.source.Classes()
	b.manifest = schemas.DatasetManifest{
		Header: schemas.DatasetHeader, Inputs: inputs, Source: b.source.Spec(), Captions: b.o.About, Styles: map[string]int{},
		Rows: map[string]int{}, Refused: slices.Clone(b.source.Refused()), Program: b.o.Program,
		Split: schemas.SplitSummary{Spec: b.o.Split.Spec, Seed: b.o.Split.Seed},
	}
	b.manifest.Captions.Flags = map[string]int{}
	for i, c := range classes {
		b.manifest.Classes = append(b.manifest.Classes, schemas.ClassSummary{Label: i, WNID: c.WNID, Name: c.Name, Rows: map[string]int{}})
	}
	for _, e := range b.source.Entries() {
		b.entries[e.ID] = e
	}
	if _, err := schemas.Rows(b.classNames()); err != nil { // before every picture is read
		return b.manifest, fmt.Errorf("%w: %w", err, ErrRefused)
	}
	usable, err := b.captioned(split)
	if err != nil {
		return b.manifest, err
	}
	for _, name := range usable.Names() {
		if err := b.writeSplit(ctx, name, usable[name]); err != nil {
			return b.manifest, err
		}
	}
	return b.manifest, b.finish(ctx, usable)
}

// stepsPerRow: checked, written, digested.
const stepsPerRow = 3

// captioned refuses what has no caption or no place in the split, and returns the split of the rest. No picture is read.
func (b *build) captioned(split Split) (Split, error) {
	usable, listed := Split{}, map[ID]bool{}
	for _, name := range split.Names() {
		for _, id := range split[name] {
			listed[id] = true
			if _, ok := b.o.Captions(id); !ok {
				b.refuse(id, "no caption")
				continue
			}
			usable[name] = append(usable[name], id)
		}
		b.total += stepsPerRow * len(usable[name])
	}
	for _, e := range b.source.Entries() {
		if !listed[e.ID] {
			b.refuse(e.ID, "in no part of the split")
		}
	}
	if b.total == 0 {
		return nil, fmt.Errorf("none of %d pictures has a caption: run mcil caption first: %w", len(b.entries), ErrRefused)
	}
	return usable, nil
}

// step tells of n more steps.
func (b *build) step(n int) {
	b.done += n
	if b.o.Progress != nil {
		b.o.Progress(b.done, b.total)
	}
}

func (b *build) refuse(id ID, why string) {
	b.manifest.Refused = append(b.manifest.Refused, schemas.Refusal{Name: string(id), Reason: why})
}

// writeSplit writes the rows of one split. A picture that turns out to be unreadable is refused, so the rows are gathered
// before the shards are laid out: only their sizes, not their bytes, are kept.
func (b *build) writeSplit(ctx context.Context, name string, ids []ID) error {
	var readable []ID
	var bytes int64
	for _, id := range ids {
		encoded, err := b.source.Read(ctx, b.entries[id])
		if err == nil {
			_, err = Inspect(encoded)
		}
		c, _ := b.o.Captions(id)
		if err == nil && c.ImageSHA256 != Digest(encoded) {
			err = fmt.Errorf("the caption is of another picture of this name: run mcil caption again: %w", ErrRefused)
		}
		if errors.Is(err, ErrRefused) {
			b.refuse(id, err.Error())
			b.total -= stepsPerRow - 1
			b.step(1)
			continue
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		b.count(name, b.entries[id], c)
		b.step(1)
		readable = append(readable, id)
		bytes += int64(len(encoded))
	}
	if len(readable) == 0 {
		return fmt.Errorf("split %s: no picture can be read: %w", name, ErrRefused)
	}
	b.bytes += bytes
	shards := min((bytes+b.o.ShardBytes-1)/b.o.ShardBytes, int64(len(readable)))
	return writeHF(ctx, filepath.Join(b.dir, "hf", name), name, b.classNames(), int64(len(readable)), shards, b.rows(ctx, readable))
}

func (b *build) classNames() []string {
	names := make([]string, len(b.manifest.Classes))
	for i, c := range b.manifest.Classes {
		names[i] = c.Name
	}
	return names
}

// rows makes rows in order, a few ahead of the writer.
func (b *build) rows(ctx context.Context, ids []ID) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for chunk := range slices.Chunk(ids, 16*max(1, b.o.Workers)) {
			rows, err := b.chunk(ctx, chunk)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, r := range rows {
				b.step(1)
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

func (b *build) chunk(ctx context.Context, ids []ID) ([]Row, error) {
	rows, errs := make([]Row, len(ids)), make([]error, len(ids))
	var wg sync.WaitGroup
	workers := max(1, b.o.Workers)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(ids); i += workers {
				rows[i], errs[i] = b.row(ctx, ids[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs { // the first by order, not by time
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (b *build) row(ctx context.Context, id ID) (Row, error) {
	e := b.entries[id]
	encoded, err := b.source.Read(ctx, e)
	if err != nil {
		return Row{}, err
	}
	info, err := Inspect(encoded)
	if err != nil {
		return Row{}, fmt.Errorf("%s: %w", id, err)
	}
	c, _ := b.o.Captions(id)
	class := b.source.Classes()[e.Label]
	return Row{
		ID: id, Image: encoded, Label: e.Label, Caption: c.Text, WNID: class.WNID, ClassName: class.Name, Style: e.Style,
		Width: info.Width, Height: info.Height, ImageSHA256: c.ImageSHA256, CaptionInfo: c.CaptionInfo,
	}, nil
}

// count enters a row in the manifest.
func (b *build) count(split string, e Entry, c Caption) {
	m := &b.manifest
	m.Rows[split]++
	m.Classes[e.Label].Rows[split]++
	m.Styles[e.Style]++
	for _, f := range c.Flags {
		m.Captions.Flags[f]++
	}
	b.words += len(strings.Fields(c.Text))
}

// finish writes what describes the whole.
func (b *build) finish(ctx context.Context, split Split) error {
	m := &b.manifest
	rows := 0
	for _, n := range m.Rows {
		rows += n
	}
	m.Captions.MeanWords = math.Round(100*float64(b.words)/float64(rows)) / 100
	slices.SortFunc(m.Refused, func(x, y schemas.Refusal) int { return strings.Compare(x.Name+x.Reason, y.Name+y.Reason) })
	if m.Refused == nil {
		m.Refused = []schemas.Refusal{}
	}
	if err := schemas.WriteJSON(filepath.Join(b.dir, "hf", "dataset_dict.json"), map[string]any{"splits": split.Names()}); err != nil {
		return err
	}
	if err := schemas.WriteFile(filepath.Join(b.dir, "split.txt"), func(w io.Writer) error { _, err := split.WriteTo(w); return err }); err != nil {
		return err
	}
	written, read := b.done, int64(0)
	files, err := digests(b.dir, func(bytes int64) error { // of columns other than pictures there are few bytes
		read += bytes
		share := int(min(1, float64(read)/float64(b.bytes)) * float64(rows))
		b.step(written + share - b.done)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	b.step(b.total - b.done)
	for _, f := range slices.Sorted(maps.Keys(files)) {
		m.Files = append(m.Files, files[f])
	}
	m.Split.SHA256 = files["split.txt"].SHA256
	return schemas.WriteJSON(filepath.Join(b.dir, "manifest.json"), m)
}

// digests reads every file below dir. read is told after each one how many bytes it has.
func digests(dir string, read func(bytes int64) error) (map[string]schemas.FileDigest, error) {
	files := map[string]schemas.FileDigest{}
	return files, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		n, err := io.Copy(h, f)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files[rel] = schemas.FileDigest{Path: rel, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}
		return read(n)
	})
}
