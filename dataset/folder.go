package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// scanFolder lists the unpacked layout. Links are not followed out of it: they are refused.
func scanFolder(ctx context.Context, dir string) (*imageNetR, error) {
	s := &imageNetR{}
	named := dir
	dir, err := filepath.EvalSymlinks(dir) // the folder itself may be a link: WalkDir would not enter it
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", named, err)
	}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("source %s: %w", dir, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || d.IsDir() {
			return err
		}
		rel = filepath.ToSlash(rel)
		if !d.Type().IsRegular() {
			s.refuse(rel, "not a regular file")
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s.add(rel, info.Size(), 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	readme, err := os.Open(filepath.Join(dir, "README.txt"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("source %s: %w", dir, err)
	default:
		defer readme.Close()
		if err := s.readNames(readme); err != nil {
			return nil, fmt.Errorf("%s: %w", readme.Name(), err)
		}
	}
	s.read = func(_ context.Context, e Entry) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(string(e.ID))))
	}
	return s, nil
}
