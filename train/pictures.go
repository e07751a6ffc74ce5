package train

import (
	"cmp"
	"fmt"

	"github.com/mcil/mcil/dataset/cache"
)

// PictureCache says where processed pictures are kept on disk for the next epoch and the next run, which may be another
// one's, and the outputs of blocks that are not tuned: see [Options.TuneFromBlock]. Results do not depend on it.
type PictureCache struct {
	Dir   string // of the cache; empty: none is kept
	Bytes int64  // most that it may take; default [DefaultPictureCacheBytes]
}

// DefaultPictureCacheBytes is the Bytes of the zero [PictureCache]: some 15,000 pictures as ViLT takes them.
const DefaultPictureCacheBytes = 8 << 30

func (c PictureCache) validate() error {
	switch {
	case c.Bytes < 0:
		return fmt.Errorf("picture cache: %d bytes: must be above 0", c.Bytes)
	case c.Dir == "" && c.Bytes != 0:
		return Idlef("the size of the picture cache has no effect without its folder")
	}
	return nil
}

// open is nil where nothing is kept.
func (c PictureCache) open() (*cache.Folder, error) {
	if c.Dir == "" {
		return nil, nil
	}
	return c.openIn(c.Dir)
}

// openIn opens a cache of that size in dir.
func (c PictureCache) openIn(dir string) (*cache.Folder, error) {
	return cache.Open(dir, cmp.Or(c.Bytes, DefaultPictureCacheBytes))
}

// tellCache says at the end of the work that pictures were not kept, and why.
func tellCache(f *cache.Folder, progress func(Event)) { tellFull("picture cache", f, progress) }

// tellFull says of any cache that no more was kept, and why.
func tellFull(name string, f *cache.Folder, progress func(Event)) {
	if s := f.Stats(); s.Stopped != nil && progress != nil {
		progress(Event{Stage: name, Done: s.Added, Total: s.Added, Note: fmt.Sprintf("no more is kept: %v", s.Stopped)})
	}
}
