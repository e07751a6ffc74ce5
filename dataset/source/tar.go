package source

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// listTar lists an archive in one pass over its headers. Contents are later read in place at their offsets.
func listTar(ctx context.Context, name string) (*tree, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	t := &tree{archive: f}
	if err := t.listHeaders(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *tree) listHeaders(ctx context.Context, f io.ReadSeeker) error {
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return checkEndMark(f, n)
		}
		if err != nil && n == 0 {
			return fmt.Errorf("not a tar archive (unpack .tar.gz and .zip first): %w: %w", err, dataset.ErrRefused)
		}
		if err != nil {
			return fmt.Errorf("the archive is damaged after %d entries: fetch it again: %w: %w", n, err, dataset.ErrRefused)
		}
		name := path.Clean(h.Name)
		switch {
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
		case path.IsAbs(h.Name) || strings.Contains("/"+h.Name+"/", "/../"):
			t.refuse(h.Name, "the path leads out of the archive")
		case h.Typeflag == tar.TypeGNUSparse || isSparse(h):
			t.refuse(name, "a sparse file, which cannot be read in place")
		case h.Typeflag != tar.TypeReg:
			t.refuse(name, notRegular)
		default:
			// tar.Reader seeks over contents when it can, so the position after a header is where the content begins.
			offset, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			t.files = append(t.files, file{path: name, size: h.Size, offset: offset})
		}
	}
}

// checkEndMark tells a whole archive of n entries from one that was cut off between two of them: tar.Reader takes both for
// the end, and it stands after the zero block of the first or at the end of the second.
func checkEndMark(f io.ReadSeeker, n int) error {
	if n == 0 { // an empty file: it has no pictures, which is said later
		return nil
	}
	var block [512]byte
	if _, err := f.Seek(-int64(len(block)), io.SeekCurrent); err != nil {
		return err
	}
	if _, err := io.ReadFull(f, block[:]); err != nil {
		return err
	}
	if block != [512]byte{} {
		return fmt.Errorf("the archive ends after %d entries without its end mark: it was cut off: fetch it again: %w", n, dataset.ErrRefused)
	}
	return nil
}

// isSparse tells a file whose zeros are left out of the archive, by the marks of GNU tar's formats in PAX.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
