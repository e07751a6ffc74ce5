package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// counts describe the pictures.
type counts struct {
	lines   map[dataset.ID]string // digest of every picture read
	summary schemas.PicturesSummary
	splits  map[string][]string // the splits with rows of a digest, one each row
}

// read counts a picture, whatever becomes of it.
func (c *counts) read(f *found) {
	if c.lines == nil {
		c.lines, c.splits = map[dataset.ID]string{}, map[string][]string{}
		c.summary = schemas.PicturesSummary{Formats: map[string]int{}, Modes: map[string]int{}, Orientations: map[string]int{}}
	}
	c.lines[f.entry.ID] = f.sha256
}

// row counts a picture that is a row of a split.
func (c *counts) row(name string, f *found) {
	s := &c.summary
	s.Bytes += int64(len(f.image))
	s.Formats[f.info.Format]++
	s.Modes[f.info.Mode]++
	s.Orientations[fmt.Sprint(f.info.Orientation)]++
	small, large := min(f.info.Width, f.info.Height), max(f.info.Width, f.info.Height)
	if s.MinSide == 0 || small < s.MinSide {
		s.MinSide = small
	}
	s.MaxSide = max(s.MaxSide, large)
	twins := append(c.splits[f.sha256], name)
	c.splits[f.sha256] = twins
}

// digest is that of all pictures read, and completes the summary.
func (c *counts) digest() (pictures int, digest string) {
	for _, names := range c.splits {
		if len(names) < 2 {
			continue
		}
		c.summary.Identical += len(names)
		if slices.ContainsFunc(names, func(n string) bool { return n != names[0] }) {
			c.summary.IdenticalAcrossSplits += len(names)
		}
	}
	h := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(c.lines)) {
		fmt.Fprintf(h, "%s  %s\n", c.lines[id], id)
	}
	return len(c.lines), hexSum(h)
}

// wholeDigest is the digest of what sha256sum prints of files.
func wholeDigest(files []schemas.FileDigest) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s  %s\n", f.SHA256, f.Path)
	}
	return hexSum(h)
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
