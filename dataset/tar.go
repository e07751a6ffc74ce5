package dataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// scanTar lists an archive in one pass over its headers. Contents are later read in place at their offsets, so nothing
// is unpacked and memory does not grow with the archive.
func scanTar(ctx context.Context, name string) (*imageNetR, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	s := &imageNetR{close: f.Close}
	if err := s.scanTarEntries(ctx, f); err != nil {
		f.Close()
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	s.read = func(_ context.Context, e Entry) ([]byte, error) {
		b := make([]byte, e.SizeBytes)
		if _, err := f.ReadAt(b, e.offset); err != nil {
			return nil, err
		}
		return b, nil
	}
	return s, nil
}

func (s *imageNetR) scanTarEntries(ctx context.Context, f io.ReadSeeker) error {
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
			return fmt.Errorf("not a tar archive (unpack .tar.gz and .zip first): %w: %w", err, ErrRefused)
		}
		if err != nil {
			return fmt.Errorf("the archive is damaged after %d entries: %w: %w", n, err, ErrRefused)
		}
		if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if path.IsAbs(h.Name) || strings.Contains("/"+h.Name+"/", "/../") {
			s.refuse(h.Name, "the path leads out of the archive")
			continue
		}
		inner := stripTop(path.Clean(h.Name))
		if h.Typeflag != tar.TypeReg {
			s.refuse(inner, "not a regular file")
			continue
		}
		if isSparse(h) {
			s.refuse(inner, "a sparse file, which cannot be read in place")
			continue
		}
		// tar.Reader seeks over contents when it can, so the position after a header is where the content begins.
		offset, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if inner == "README.txt" {
			if err := s.readNames(r); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
			continue
		}
		s.add(inner, h.Size, offset)
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
		return fmt.Errorf("the archive ends after %d entries without its end mark: it was cut off: fetch it again: %w", n, ErrRefused)
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

// stripTop drops the archive's top folder (imagenet-r/), if there is one above the class folders.
func stripTop(name string) string {
	top, rest, found := strings.Cut(name, "/")
	if !found || wnidFolder.MatchString(top) {
		return name
	}
	return rest
}
