package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/mcil/mcil/schemas"
)

// An entry is magic, key, the value's length in bytes and CRC-32C of all these and the value (little-endian), and the value.
const (
	magic      = "mcilkeep"
	headBytes  = len(magic) + len(Key{}) + 8 + 4
	sumAt      = headBytes - 4
	mostBytes  = 1 << 30 // of a value: more is damage
	lengthAt   = sumAt - 8
	keyAt      = len(magic)
	permission = 0o644
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is the file of a value.
func entry(key Key, parts [][]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, headBytes, headBytes+n)
	copy(b, magic)
	copy(b[keyAt:], key[:])
	binary.LittleEndian.PutUint64(b[lengthAt:], uint64(n))
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.LittleEndian.PutUint32(b[sumAt:], checksum(b))
	return b
}

// checksum is of all of an entry but the checksum.
func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:sumAt], castagnoli), castagnoli, b[headBytes:])
}

// readEntry reads the value at path.
func readEntry(path string, key Key) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostBytes {
		return nil, fmt.Errorf("%s: is no entry: %w", path, schemas.ErrDamaged)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	value, ok := parse(b, key)
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, schemas.ErrDamaged)
	}
	return value, nil
}

// parse returns the value of an entry, if it is whole and under its key.
func parse(b []byte, key Key) (value []byte, ok bool) {
	if len(b) < headBytes || string(b[:keyAt]) != magic || !bytes.Equal(b[keyAt:lengthAt], key[:]) {
		return nil, false
	}
	value = b[headBytes:]
	return value, binary.LittleEndian.Uint64(b[lengthAt:]) == uint64(len(value)) && binary.LittleEndian.Uint32(b[sumAt:]) == checksum(b)
}

// writeWhole makes a file appear whole or not at all, without waiting for the disk.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(permission)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
