package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// place is where a dataset goes: its folder, and three hidden ones beside it that exist only while it is written.
type place struct {
	dir, partial, replaced, removed string

	old     *schemas.DatasetManifest // of the dataset that is there
	refusal error                    // why what is there cannot be replaced without asking
	foreign bool                     // Build did not write it, so that no flag makes Build replace it
	lock    *os.File                 // the folder partial, which is this process's while it is open
}

// claim looks at dir. It first undoes the first half of a swap that was killed between its renames: the old dataset is
// whole and has no other name.
func claim(dir string) (*place, error) {
	if base := filepath.Base(filepath.Clean(dir)); base == "." || base == ".." { // the folder has its name elsewhere only
		var err error
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil { // a link stays one
		dir = real
	}
	beside := func(suffix string) string {
		return filepath.Join(filepath.Dir(filepath.Clean(dir)), "."+filepath.Base(dir)+suffix)
	}
	p := &place{dir: dir, partial: beside(".partial"), replaced: beside(".replaced"), removed: beside(".removed")}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(p.replaced, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("dataset %s: %w", dir, err)
		}
	}
	p.look()
	return p, nil
}

func (p *place) look() {
	if info, err := os.Stat(p.dir); err == nil && !info.IsDir() {
		p.foreign, p.refusal = true, fmt.Errorf("dataset %s: is a file: give another --out: %w", p.dir, dataset.ErrRefused)
		return
	}
	m := &schemas.DatasetManifest{}
	err := schemas.ReadJSON(filepath.Join(p.dir, "manifest.json"), schemas.DatasetHeader, m)
	var unsupported *schemas.UnsupportedError
	switch {
	case err == nil:
		p.old = m
	case errors.Is(err, fs.ErrNotExist):
		if left, err := os.ReadDir(p.dir); err == nil && len(left) > 0 {
			p.foreign, p.refusal = true, fmt.Errorf("dataset %s: the folder holds other things: give another --out: %w", p.dir, dataset.ErrRefused)
		}
	case errors.As(err, &unsupported) && unsupported.Got.Schema == unsupported.Want.Schema:
		p.refusal = fmt.Errorf("dataset: %w", err)
	default: // a caption store has a manifest.json too
		p.foreign, p.refusal = true, fmt.Errorf("dataset: %w: give another --out: %w", err, dataset.ErrRefused)
	}
}

// begin makes the folder to write into, takes it for this process, and empties it of what a killed run left.
func (p *place) begin() error {
	if err := os.MkdirAll(p.partial, 0o777); err != nil {
		return err
	}
	f, err := os.Open(p.partial)
	if err != nil {
		return err
	}
	if err := schemas.Lock(f, p.partial); err != nil {
		f.Close()
		if errors.Is(err, schemas.ErrLocked) { // or it was another process's and has its final name
			err = fmt.Errorf("another build is writing it: wait for it, or give another --out: %w", dataset.ErrRefused)
		}
		return err
	}
	p.lock = f
	left, err := os.ReadDir(p.partial)
	for _, d := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(p.partial, d.Name())))
	}
	return errors.Join(err, p.discard())
}

// release ends what begin began, after finish or in its place.
func (p *place) release() {
	if p.lock != nil {
		p.lock.Close()
	}
}

// incomplete names a file of the old dataset that is not there, or has another size, and is empty where there is none.
func (p *place) incomplete() string {
	for _, f := range p.old.Files {
		if info, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(f.Path))); err != nil || info.Size() != f.Bytes {
			return f.Path
		}
	}
	return ""
}

// tidy deletes the dataset that a killed run replaced, unless a run is under way.
func (p *place) tidy() {
	if _, err := os.Lstat(p.partial); errors.Is(err, fs.ErrNotExist) {
		p.discard() // the dataset is whole without that, and its disk may be read-only
	}
}

// finish puts what was written in its place. What was there goes to replaced first and is deleted last, so that a kill never
// leaves a part of it under its name.
func (p *place) finish() error {
	if err := os.Rename(p.dir, p.replaced); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(p.partial, p.dir); err != nil {
		os.Rename(p.replaced, p.dir) // back, if it was there
		return err
	}
	return errors.Join(schemas.SyncDir(filepath.Dir(filepath.Clean(p.dir))), p.discard())
}

// discard deletes what was replaced, under another name: what is half deleted must not be what claim puts back.
func (p *place) discard() error {
	if err := os.RemoveAll(p.removed); err != nil {
		return err
	}
	if err := os.Rename(p.replaced, p.removed); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.RemoveAll(p.removed)
}
