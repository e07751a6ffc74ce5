package layout

import (
	"container/list"
	"sync"
)

// pictureCacheBytes is how much of the pictures of Parquet files is kept decoded, for all files of a dataset together. What
// is being decoded comes on top.
const pictureCacheBytes = 64 << 20

// sliceBytes is what a slice takes on a machine of 64 bits.
const sliceBytes = 24

// pictureCache keeps the row groups whose pictures were used last. It is safe for concurrent use. Pictures that are stored
// as they are cost nothing but their places: they stay in the mapped file.
type pictureCache struct {
	budget int64

	mu      sync.Mutex
	used    int64
	entries map[*groupPictures]*list.Element
	order   *list.List // of *cacheEntry; the one used last is in front
}

type cacheEntry struct {
	key    *groupPictures
	once   sync.Once
	values [][]byte
	err    error
	bytes  int64 // 0 until it is decoded
}

func newPictureCache(budget int64) *pictureCache {
	return &pictureCache{budget: budget, entries: map[*groupPictures]*list.Element{}, order: list.New()}
}

// get returns the pictures of a row group. They are decoded once, however many ask.
func (c *pictureCache) get(p *groupPictures) ([][]byte, error) {
	c.mu.Lock()
	at, ok := c.entries[p]
	if ok {
		c.order.MoveToFront(at)
	} else {
		at = c.order.PushFront(&cacheEntry{key: p})
		c.entries[p] = at
	}
	e := at.Value.(*cacheEntry)
	c.mu.Unlock()
	e.once.Do(func() {
		var own int64
		e.values, own, e.err = p.group.values(p.leaf, p.rows)
		c.mu.Lock()
		defer c.mu.Unlock()
		e.bytes = own + sliceBytes*int64(len(e.values))
		if c.entries[p] == at { // it may have been put out meanwhile
			c.used += e.bytes
			c.shrink(at)
		}
	})
	return e.values, e.err
}

// shrink puts out what was used longest ago, but not keep.
func (c *pictureCache) shrink(keep *list.Element) {
	for at := c.order.Back(); c.used > c.budget && at != nil; {
		before := at.Prev()
		if e := at.Value.(*cacheEntry); at != keep && e.bytes > 0 {
			c.order.Remove(at)
			delete(c.entries, e.key)
			c.used -= e.bytes
		}
		at = before
	}
}
