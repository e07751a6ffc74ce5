//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package vilt

import "os"

// mapped is the content of a file.
type mapped struct{ bytes []byte }

// mapFile reads the whole file at path: this system's mapping of files is not used. Loading then takes twice the file's size.
func mapFile(path string) (mapped, error) {
	b, err := os.ReadFile(path)
	return mapped{b}, err
}

// forget is for files that are mapped.
func (mapped) forget() {}

func (mapped) close() error { return nil }
