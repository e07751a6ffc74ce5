package batch

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/mcil/mcil/schemas"
)

// Open reads the manifest of the export at dir.
func Open(dir string) (Manifest, error) {
	var m Manifest
	err := schemas.ReadJSON(filepath.Join(dir, manifestName), manifestHeader, &m)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s: has no %s: mcil export-batch writes it last, so run that again: %w", dir, manifestName, ErrNoExport)
	}
	return m, err
}

// maxIDLine bounds a line of ids.jsonl: three digests and a path.
const maxIDLine = 64 << 10

// index finds the pictures of a custom_id: lines of ids.jsonl are read as they are asked for.
type index struct {
	file  *os.File
	heads map[[16]byte]int32 // the newest line of a custom_id
	lines []place
}

// place is where a line begins, and the one before it with the same custom_id, or -1.
type place struct {
	offset int64
	before int32
}

// openIndex reads the whole of ids.jsonl once and checks it against the manifest.
func openIndex(dir string, m Manifest) (x *index, err error) {
	path := filepath.Join(dir, idsName)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("batch export: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	x = &index{file: f, heads: map[[16]byte]int32{}}
	var at int64
	for l, err := range lines(f, maxIDLine) {
		damaged := func(err error) error { return fmt.Errorf("%s:%d: damaged: %w: %w", path, l.n, err, schemas.ErrDamaged) }
		begin := at
		at += int64(len(l.text)) + 1
		switch {
		case errors.As(err, new(readError)):
			return nil, fmt.Errorf("%s: %w", path, err)
		case err != nil:
			return nil, damaged(err)
		case !l.whole:
			return nil, damaged(errors.New("the last line has no end"))
		case l.n == 1:
			var got schemas.Header
			if err := json.Unmarshal(l.text, &got); err != nil {
				return nil, damaged(err)
			}
			if err := idsHeader.Check(path, got); err != nil {
				return nil, err
			}
			continue
		}
		p, err := parsePicture(l.text)
		if err != nil {
			return nil, damaged(err)
		}
		key, err := half(p.CustomID)
		if err != nil {
			return nil, damaged(err)
		}
		here := place{begin, -1}
		if before, ok := x.heads[key]; ok {
			here.before = before
		}
		x.heads[key] = int32(len(x.lines))
		x.lines = append(x.lines, here)
	}
	if len(x.lines) != m.Pictures {
		return nil, fmt.Errorf("%s: has %d pictures, and %s says %d: %w", path, len(x.lines), manifestName, m.Pictures, schemas.ErrDamaged)
	}
	return x, nil
}

func parsePicture(line []byte) (picture, error) {
	var p picture
	if err := json.Unmarshal(line, &p); err != nil {
		return p, err
	}
	for _, digest := range []string{p.CustomID, p.Fingerprint, p.ImageSHA256} {
		if b, err := hex.DecodeString(digest); err != nil || len(b) != 32 {
			return p, fmt.Errorf("%q is no digest", digest)
		}
	}
	if p.ID == "" || p.Rung < 0 {
		return p, errors.New("no ID, or a negative rung")
	}
	return p, nil
}

// pictures yields what a custom_id was asked for, the first exported first; nothing where it was not exported.
func (x *index) pictures(customID string) iter.Seq2[picture, error] {
	return func(yield func(picture, error) bool) {
		key, err := half(customID)
		if err != nil { // no custom_id of ours
			return
		}
		at, ok := x.heads[key]
		if !ok {
			return
		}
		var chain []int64
		for ; at >= 0; at = x.lines[at].before {
			chain = append(chain, x.lines[at].offset)
		}
		for i := len(chain) - 1; i >= 0; i-- {
			p, err := x.read(chain[i])
			if err == nil && p.CustomID != customID { // half of it is the same
				continue
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// all yields every picture, in the export's order.
func (x *index) all() iter.Seq2[picture, error] {
	return func(yield func(picture, error) bool) {
		for _, l := range x.lines {
			if !yield(x.read(l.offset)) {
				return
			}
		}
	}
}

// read is the picture of the line at an offset.
func (x *index) read(offset int64) (picture, error) {
	line, err := bufio.NewReaderSize(io.NewSectionReader(x.file, offset, maxIDLine), 512).ReadBytes('\n')
	if err != nil {
		return picture{}, fmt.Errorf("%s: %w: %w", idsName, err, schemas.ErrDamaged)
	}
	p, err := parsePicture(line)
	if err != nil {
		return picture{}, fmt.Errorf("%s: %w: %w", idsName, err, schemas.ErrDamaged)
	}
	return p, nil
}

func (x *index) close() error { return x.file.Close() }
