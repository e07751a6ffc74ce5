//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package layout

import (
	"fmt"
	"os"
	"syscall"
)

// mapFile maps the file at path into memory, read-only. Whoever shortens the file while it is mapped ends this program with
// a bus error on the next touch of the missing part, as with any mapping: files of a dataset are replaced, not overwritten.
func mapFile(path string) (content []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() // the mapping outlives it
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size == 0 { // neither can be mapped; what is empty is refused by whoever reads it
		return readWhole(f, info)
	}
	if size != int64(int(size)) {
		return nil, nil, fmt.Errorf("%s: %d bytes are more than this machine can address", path, size)
	}
	content, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map %s into memory: %w", path, err)
	}
	return content, func() error { return syscall.Munmap(content) }, nil
}
