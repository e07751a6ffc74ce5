//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package vilt

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapped is the content of a file.
type mapped struct {
	bytes  []byte
	isFile bool // not memory of this program, which would be lost where it is let go
}

// mapFile maps the file at path into memory, read-only. Whoever shortens the file meanwhile ends this program with a bus
// error, as with any mapping; it lasts no longer than the values are copied.
func mapFile(path string) (mapped, error) {
	f, err := os.Open(path)
	if err != nil {
		return mapped{}, err
	}
	defer f.Close() // the mapping outlives it
	info, err := f.Stat()
	if err != nil {
		return mapped{}, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return mapped{}, fmt.Errorf("%s: is not a regular file", path)
	case size == 0: // cannot be mapped
		return mapped{}, nil
	case size != int64(int(size)):
		return mapped{}, fmt.Errorf("%s: %d bytes are more than this machine can address", path, size)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return mapped{}, fmt.Errorf("map %s into memory: %w", path, err)
	}
	return mapped{b, true}, nil
}

// forget says that nothing of the file is needed soon, so that what was copied does not count as this program's memory twice.
// It can still be read. The whole mapping is let go, not the part copied, because systems map more than is touched.
func (m mapped) forget() {
	if m.isFile {
		_ = unix.Madvise(m.bytes, unix.MADV_DONTNEED) // advice: nothing depends on it
	}
}

func (m mapped) close() error {
	if !m.isFile {
		return nil
	}
	return unix.Munmap(m.bytes)
}
