//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package layout

import "os"

// mapFile reads the whole file at path: this system's mapping of files is not used. A dataset then takes as much memory as
// its files are long.
func mapFile(path string) (content []byte, unmap func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	return readWhole(f, info)
}
