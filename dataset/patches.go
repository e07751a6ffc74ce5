package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/mcil/mcil/dataset/cache"
)

// pixelsVersion is to be raised when a picture's patches change for the same [Processor]: they are looked for on disk, where
// another version of the program may have put them.
const pixelsVersion = 1

// patches are those on disk of an encoded picture, or else those that cut makes, which are put there.
func (e *Encoding) patches(encoded []byte, cut func() (gridH, gridW int, pixels []uint8, err error)) (gridH, gridW int, pixels []uint8, err error) {
	if e.Disk == nil {
		return cut()
	}
	key := e.Processor.key(encoded)
	const head = 8 // bytes: the grid's height and width
	if value, ok := e.Disk.Get(key); ok && len(value) >= head {
		gridH, gridW = int(binary.LittleEndian.Uint32(value)), int(binary.LittleEndian.Uint32(value[4:]))
		if len(value)-head == gridH*gridW*3*e.Processor.Patch*e.Processor.Patch {
			return gridH, gridW, value[head:len(value):len(value)], nil
		}
	}
	if gridH, gridW, pixels, err = cut(); err != nil {
		return 0, 0, nil, err
	}
	grid := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(gridH)), uint32(gridW))
	e.Disk.Put(key, grid, pixels)
	return gridH, gridW, pixels, nil
}

// key is a digest of all that a picture's patches are made of.
func (p Processor) key(encoded []byte) (k cache.Key) {
	h := sha256.New()
	fmt.Fprintf(h, "mcil patches %d: short %d, long %d, patch %d, turned %t\n", pixelsVersion, p.Short, p.Long, p.Patch, p.ApplyOrientation)
	h.Write(encoded)
	h.Sum(k[:0])
	return k
}
