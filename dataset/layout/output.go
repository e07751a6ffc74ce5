package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// fileBufferBytes gather what Arrow writes in small pieces.
const fileBufferBytes = 256 << 10

// output is a file that is being written, at its end only. It digests what passes, and it keeps its first error: pqarrow
// drops some.
type output struct {
	disk    *disk
	path    string // as it is called now
	f       *os.File
	hash    hash.Hash
	buf     []byte
	written int64 // buf included
	err     error
}

// disk opens files and syncs them in the background. Its methods are for one goroutine.
type disk struct {
	open      map[*output]bool
	work      errgroup.Group
	abandoned atomic.Bool
}

// maxSyncs bounds the files that are open only because their content is not on the disk yet.
const maxSyncs = 4

func newDisk() *disk {
	d := &disk{open: map[*output]bool{}}
	d.work.SetLimit(maxSyncs)
	return d
}

func (d *disk) create(path string) (*output, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	w := &output{disk: d, path: path, f: f, hash: sha256.New(), buf: make([]byte, 0, fileBufferBytes)}
	d.open[w] = true
	return w, nil
}

// wait returns when every finished file is on the disk, with the first error.
func (d *disk) wait() error { return d.work.Wait() }

// abandon closes what is open. Nothing of it is of use.
func (d *disk) abandon() {
	d.abandoned.Store(true)
	for w := range d.open {
		w.f.Close()
		delete(d.open, w)
	}
	d.work.Wait()
}

// Write appends p.
func (w *output) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.written += int64(len(p))
	if len(w.buf)+len(p) > cap(w.buf) {
		w.put(w.buf)
		w.buf = w.buf[:0]
	}
	if len(p) > cap(w.buf) {
		w.put(p)
	} else {
		w.buf = append(w.buf, p...)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// put digests p while it is written.
func (w *output) put(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	digested := make(chan struct{})
	go func() {
		w.hash.Write(p)
		close(digested)
	}()
	if _, err := w.f.Write(p); err != nil {
		w.fail(err)
	}
	<-digested
}

func (w *output) fail(err error) {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: make room, or write to another disk, and start again", err)
	}
	w.err = err
}

// Seek only tells where the next byte goes, which is what an Arrow file's writer asks for.
func (w *output) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, fmt.Errorf("seek in %s: %w", w.path, errors.ErrUnsupported)
	}
	return w.written, w.err
}

// finish hands the file over to be synced and closed, and returns its digest. w must not be used afterwards.
func (w *output) finish() (bytes int64, sha string, err error) {
	w.put(w.buf)
	delete(w.disk.open, w)
	if w.err != nil {
		w.f.Close()
		return 0, "", w.err
	}
	abandoned := &w.disk.abandoned
	w.disk.work.Go(func() error {
		if !abandoned.Load() {
			if err := w.f.Sync(); err != nil {
				w.f.Close()
				return err
			}
		}
		return w.f.Close()
	})
	return w.written, hex.EncodeToString(w.hash.Sum(nil)), nil
}
