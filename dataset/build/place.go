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

// begin makes the folder to write into, without what a killed run left.
func (p *place) begin() error {
	if err := errors.Join(os.RemoveAll(p.partial), p.discard()); err != nil {
		return err
	}
	return os.MkdirAll(p.partial, 0o777)
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
