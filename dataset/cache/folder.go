// Package cache keeps on disk what is cheaper to read again than to make again, within a given size.
//
// # Entries
//
// An entry is a file of its own: 1b/1b6f….entry is the value under the key 1b6f…. It holds the key, the value's length and a
// checksum of both, so that one which is cut short, changed or misplaced is noticed, removed, and made again. It appears
// whole by a rename. Nothing is synced to the disk: a lost entry costs the work that it saved, and no more.
//
// # Size
//
// What is in the folder is counted when it is opened, in blocks of 4 KiB, and noted in the file total, which every process
// that adds an entry locks and changes. When the limit is reached no more is added: what is there is as good as what would
// take its place, for the same entries are asked for in every epoch. Nothing is ever thrown out; whoever wants the room
// deletes the folder, or gives a higher limit. Where the system has no file locks, processes at work at the same time may
// exceed the limit.
//
// # Several processes
//
// Any number may use a folder at a time. All changes are made under the lock, one at a time; reading needs none.
package cache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcil/mcil/schemas"
)

// Key names a value. Equal keys must mean equal values: it is a digest of all that the value is made of.
type Key [32]byte

// Folder is an open cache. It is safe for concurrent use, and a nil one is empty and keeps nothing.
type Folder struct {
	dir   string
	limit int64

	found atomic.Int64 // see Stats: whoever reads does not wait for who writes

	mu      sync.Mutex
	total   *os.File
	stopped error // why no more is added
	stats   Stats // but for what is found
}

// Stats says what a folder did since it was opened.
type Stats struct {
	Found   int   // entries read
	Added   int   // entries written
	Damaged int   // entries removed
	Stopped error // why no more is added: [ErrFull], or what the disk said; nil: nothing has stopped it
}

// ErrFull: there is no room for another entry.
var ErrFull = errors.New("the cache is full")

// Names in the folder.
const (
	tagName    = "CACHEDIR.TAG" // see https://bford.info/cachedir/: backups leave such folders out
	totalName  = "total"
	ending     = ".entry"
	tagContent = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by mcil, which makes again what is deleted here.\n"
)

// block is what the size of a file is rounded up to.
const block = 4096

// Open opens the cache in dir, which it makes where it is absent, for up to limitBytes. It refuses a folder with other
// things in it.
func Open(dir string, limitBytes int64) (*Folder, error) {
	f := &Folder{dir: dir, limit: limitBytes}
	err := f.claim()
	if err == nil {
		f.total, err = os.OpenFile(filepath.Join(dir, totalName), os.O_RDWR|os.O_CREATE, 0o666)
	}
	if err == nil {
		err = f.locked(f.count)
	}
	if err != nil {
		if f.total != nil {
			f.total.Close()
		}
		return nil, fmt.Errorf("cache %s: %w", dir, err)
	}
	return f, nil
}

// claim makes the folder, or sees that it is a cache.
func (f *Folder) claim() error {
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return err
	}
	tag := filepath.Join(f.dir, tagName)
	switch b, err := os.ReadFile(tag); {
	case err == nil && string(b) != tagContent:
		return fmt.Errorf("the folder is another program's cache: give another: %w", schemas.ErrRefused)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	left, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range left {
		// Another process may have begun with the same folder.
		if e.Name() != tagName && !schemas.IsTemporary(e.Name(), tagName) {
			return fmt.Errorf("the folder holds other things: give another: %w", schemas.ErrRefused)
		}
	}
	return writeWhole(tag, []byte(tagContent))
}

// Close frees the folder.
func (f *Folder) Close() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = fs.ErrClosed
	return f.total.Close()
}

// Stats is what the folder did so far.
func (f *Folder) Stats() Stats {
	if f == nil {
		return Stats{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Found, s.Stopped = int(f.found.Load()), f.stopped
	return s
}

// Get reads the value under key; false where there is none that is whole. The value is the caller's.
func (f *Folder) Get(key Key) ([]byte, bool) {
	if f == nil {
		return nil, false
	}
	path := f.path(key)
	value, err := readEntry(path, key)
	if err == nil {
		f.found.Add(1)
	} else if errors.Is(err, schemas.ErrDamaged) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.stats.Damaged++
		// It stays where it cannot be removed, and is found damaged again.
		_ = f.locked(func() error { return f.remove(path, key) })
	}
	return value, err == nil
}

// Put keeps a value, in parts, where there is room. It does not fail: [Stats.Stopped] says why no more is kept.
func (f *Folder) Put(key Key, parts ...[]byte) {
	if f == nil {
		return
	}
	b := entry(key, parts)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped != nil {
		return
	}
	f.stopped = f.locked(func() error { return f.add(f.path(key), b) })
}

func (f *Folder) path(key Key) string {
	name := hex.EncodeToString(key[:])
	return filepath.Join(f.dir, name[:2], name+ending)
}

// locked calls do while no other process changes the folder.
func (f *Folder) locked(do func() error) (err error) {
	if err := lock(f.total); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(f.total)) }()
	return do()
}

// add writes an entry that is not there. The total is changed first: a process that is killed leaves one that is too high,
// until the folder is opened again.
func (f *Folder) add(path string, b []byte) error {
	if _, err := os.Stat(path); err == nil { // another process was faster
		return nil
	}
	total, err := f.readTotal()
	if err != nil {
		return err
	}
	size := blocks(int64(len(b)))
	if total+size > f.limit {
		return ErrFull
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := f.writeTotal(total + size); err != nil {
		return err
	}
	if err := writeWhole(path, b); err != nil {
		return errors.Join(err, f.writeTotal(total))
	}
	f.stats.Added++
	return nil
}

// remove deletes an entry that is still damaged. Its size may not be what was added to the total, so all are counted.
func (f *Folder) remove(path string, key Key) error {
	if _, err := readEntry(path, key); !errors.Is(err, schemas.ErrDamaged) {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return f.count()
}

// readTotal reads the size of all entries, or counts where it cannot be read.
func (f *Folder) readTotal() (int64, error) {
	var b [32]byte
	n, _ := f.total.ReadAt(b[:], 0)
	if line, ok := strings.CutSuffix(string(b[:n]), "\n"); ok {
		if total, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil && total >= 0 {
			return total, nil
		}
	}
	return f.scan()
}

// writeTotal writes a line of always the same length.
func (f *Folder) writeTotal(total int64) error {
	_, err := f.total.WriteAt(fmt.Appendf(nil, "%19d\n", total), 0)
	return err
}

// count makes the total that of the files there.
func (f *Folder) count() error {
	total, err := f.scan()
	if err == nil {
		err = f.total.Truncate(0)
	}
	if err != nil {
		return err
	}
	return f.writeTotal(total)
}

// scan is the size of all entries. It deletes what a killed process left half written: whoever writes has the lock.
func (f *Folder) scan() (total int64, err error) {
	shards, err := fs.Glob(os.DirFS(f.dir), "[0-9a-f][0-9a-f]")
	if err != nil {
		return 0, err
	}
	for _, shard := range shards {
		shard = filepath.Join(f.dir, shard)
		entries, err := os.ReadDir(shard)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if schemas.IsTemporary(e.Name()) {
				if err := os.Remove(filepath.Join(shard, e.Name())); err != nil {
					return 0, err
				}
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // someone deletes the folder
			}
			if err != nil {
				return 0, err
			}
			total += blocks(info.Size())
		}
	}
	return total, nil
}

func blocks(size int64) int64 { return (size + block - 1) / block * block }
