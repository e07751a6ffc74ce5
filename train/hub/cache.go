package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mcil/mcil/schemas"
)

func (c *client) snapshot(commit string) string { return filepath.Join(c.dir, "snapshots", commit) }

// refFile holds the commit that a branch or a tag was last seen at.
func (c *client) refFile() string {
	return filepath.Join(c.dir, "refs", filepath.FromSlash(c.repo.Revision))
}

// cached is the snapshot that the cache has of the revision, if it has all files.
func (c *client) cached() (Snapshot, bool) {
	commit := c.repo.Revision
	if !commitPattern.MatchString(commit) {
		b, err := os.ReadFile(c.refFile())
		if err != nil {
			return Snapshot{}, false
		}
		if commit = strings.TrimSpace(string(b)); !commitPattern.MatchString(commit) {
			return Snapshot{}, false
		}
	}
	has := func(name string) bool { return c.has(commit, name) }
	return Snapshot{Dir: c.snapshot(commit), Commit: commit}, has(configFile) && has(vocabFile) && (has(tensorFile) || has(torchFile))
}

func (c *client) has(commit, name string) bool {
	info, err := os.Stat(filepath.Join(c.snapshot(commit), name))
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// unseenFile is there where it is known that the commit has no classes of pretraining.
func (c *client) unseenFile(commit string) string {
	return filepath.Join(c.dir, ".no_exist", commit, seenFile)
}

// knowsSeen says whether the classes of pretraining are there, or known not to be. Other programs do not ask for them.
func (c *client) knowsSeen(commit string) bool {
	info, err := os.Stat(c.unseenFile(commit))
	return c.has(commit, seenFile) || err == nil && info.Mode().IsRegular()
}

// noteUnseen notes that the commit has no classes of pretraining.
func (c *client) noteUnseen(commit string) {
	if c.knowsSeen(commit) {
		return
	}
	err := os.MkdirAll(filepath.Dir(c.unseenFile(commit)), 0o777)
	if err == nil {
		err = os.WriteFile(c.unseenFile(commit), nil, 0o666)
	}
	if err != nil {
		c.o.Notice(fmt.Sprintf("the cache cannot note that there is no %s: %v", seenFile, err))
	}
}

// writeRef notes the commit of a branch or a tag. A cache that is whole may be read-only, so an error is no more than told.
func (c *client) writeRef(commit string) {
	if commit == c.repo.Revision {
		return
	}
	if b, err := os.ReadFile(c.refFile()); err == nil && strings.TrimSpace(string(b)) == commit {
		return
	}
	if err := c.replaceRef(commit); err != nil {
		c.o.Notice(fmt.Sprintf("the cache cannot note what %s is, for when there is no network: %v", c.repo.Revision, err))
	}
}

// replaceRef writes the ref by way of a temporary file outside refs: all that lies in there counts as a ref, what a killed
// program leaves, too.
func (c *client) replaceRef(commit string) (err error) {
	if err := os.MkdirAll(filepath.Dir(c.refFile()), 0o777); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(c.dir, ".ref.tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temporary.Name())
		}
	}()
	_, err = temporary.WriteString(commit)
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), c.refFile()); err != nil {
		return err
	}
	return schemas.SyncDir(filepath.Dir(c.refFile()))
}

// whole says whether there is a file of that size.
func whole(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// bring makes a file be in the snapshot of commit.
func (c *client) bring(ctx context.Context, commit string, f file) error {
	pointer := filepath.Join(c.snapshot(commit), f.name)
	if whole(pointer, f.size) {
		return nil
	}
	blob := filepath.Join(c.dir, "blobs", f.digest)
	locks := filepath.Join(c.o.Cache, ".locks", c.repo.folder())
	for _, dir := range []string{filepath.Dir(pointer), filepath.Dir(blob), locks} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	partial, locked := blob+".incomplete", true
	unlock, err := c.lock(ctx, filepath.Join(locks, f.digest+".lock"))
	if errors.Is(err, errors.ErrUnsupported) { // two may be at it: to each its own file, from the start
		var own *os.File
		if own, err = os.CreateTemp(filepath.Dir(blob), f.digest+".*.incomplete"); err == nil {
			partial = own.Name()
			defer os.Remove(partial)
			err = own.Close()
		}
		locked, unlock = false, func() {}
	}
	if err != nil {
		return err
	}
	defer unlock()
	if !whole(blob, f.size) {
		if err := c.download(ctx, commit, f, partial, blob); err != nil {
			return err
		}
	}
	if locked { // a copy of a program that was killed, where links cannot be made
		if err := schemas.RemoveTemporary(filepath.Dir(pointer), f.name); err != nil {
			return err
		}
	}
	return c.link(blob, pointer)
}

// link makes pointer, in a snapshot, lead to blob.
func (c *client) link(blob, pointer string) error {
	target, err := filepath.Rel(filepath.Dir(pointer), blob)
	if err != nil {
		return err
	}
	err = c.o.symlink(target, pointer)
	if errors.Is(err, os.ErrExist) {
		if old, linkErr := os.Readlink(pointer); linkErr == nil && old == target {
			return nil
		}
		if err := os.Remove(pointer); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err = c.o.symlink(target, pointer); errors.Is(err, os.ErrExist) {
			return nil // another program was quicker
		}
	}
	if err == nil {
		return schemas.SyncDir(filepath.Dir(pointer))
	}
	return schemas.WriteFile(pointer, func(w io.Writer) error {
		r, err := os.Open(blob)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
}

// download fills partial, checks it and renames it to blob. What has a wrong digest is thrown away and asked for once more:
// the beginning may have been another program's.
func (c *client) download(ctx context.Context, commit string, f file, partial, blob string) error {
	for range 2 {
		if err := c.fill(ctx, commit, f, partial); err != nil {
			return err
		}
		ok, err := f.check(partial)
		if err != nil {
			return err
		}
		if ok {
			if err := os.Rename(partial, blob); err != nil {
				return err
			}
			return schemas.SyncDir(filepath.Dir(blob))
		}
		if err := os.Remove(partial); err != nil {
			return err
		}
	}
	return fmt.Errorf("what %s sends, twice, has not the digest %s that it tells: %w", c.shown, f.digest, schemas.ErrDamaged)
}

// fill makes partial have f.size bytes, going on from what it has.
func (c *client) fill(ctx context.Context, commit string, f file, partial string) (err error) {
	w, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	at, err := w.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if at > f.size {
		if err := w.Truncate(0); err != nil {
			return err
		}
		at = 0
	}
	c.o.Progress(f.name, at, f.size)
	if at < f.size {
		address := c.o.Endpoint + "/" + c.repo.path() + "/resolve/" + commit + "/" + f.name
		highest := at
		err := c.retry(ctx, c.o.Attempts, func(ctx context.Context, alive func()) (bool, error) {
			var err error
			at, err = c.part(ctx, address, f, w, at, alive)
			further := at > highest
			highest = max(highest, at)
			return further, err
		})
		if err != nil {
			return err
		}
	}
	return w.Sync()
}

// part writes what one request brings from at on and returns how far that is. Its error is nil when all is there.
func (c *client) part(ctx context.Context, address string, f file, w *os.File, at int64, alive func()) (int64, error) {
	res, err := c.get(ctx, address, at)
	if err != nil {
		return at, err
	}
	defer res.Body.Close()
	had := at
	switch {
	case res.StatusCode == http.StatusPartialContent && startsAt(res.Header.Get("Content-Range"), at):
	case res.StatusCode == http.StatusOK: // from the start, whatever was asked for
		at = 0
	case res.StatusCode == http.StatusPartialContent, res.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := w.Truncate(0); err != nil {
			return at, err
		}
		return 0, &awayError{host: c.shown, cause: errors.New("it does not go on where it was asked to")}
	default:
		return at, c.statusError(res)
	}
	if err := f.refuse(res, at); err != nil { // before it spoils what there is
		return had, &awayError{host: c.shown, cause: err}
	}
	body := &reader{res.Body, alive}
	buf := make([]byte, 256<<10)
	for at < f.size {
		n, err := body.Read(buf[:min(int64(len(buf)), f.size-at)])
		if n > 0 {
			if _, err := w.WriteAt(buf[:n], at); err != nil {
				return at, err
			}
			at += int64(n)
			c.o.Progress(f.name, at, f.size)
		}
		if err != nil && at < f.size {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return at, &awayError{host: c.shown, cause: fmt.Errorf("the connection broke off after %d of %d bytes: %w", at, f.size, bare(err))}
		}
	}
	if n, _ := body.Read(buf[:1]); n > 0 {
		return at, fmt.Errorf("%s sends more than the %d bytes that it tells: %w", c.shown, f.size, schemas.ErrDamaged)
	}
	return at, nil
}

// refuse says why an answer cannot be the file from at on. A part may be shorter than asked for; all is all.
func (f file) refuse(res *http.Response, at int64) error {
	encoding, n, toCome := res.Header.Get("Content-Encoding"), res.ContentLength, f.size-at
	html := strings.HasPrefix(res.Header.Get("Content-Type"), "text/html")
	switch {
	case encoding != "" && encoding != "identity":
		return fmt.Errorf("it answers in the encoding %.20q, which was not asked for", encoding)
	case n > toCome, n >= 0 && n < toCome && res.StatusCode == http.StatusOK:
		return fmt.Errorf("it answers %d bytes where %d are to come: a login page in between?", n, toCome)
	case n < 0 && html:
		return fmt.Errorf("it answers a page where %d bytes of a file are to come: a login page in between?", toCome)
	}
	return nil
}

// startsAt reads the beginning of a Content-Range.
func startsAt(v string, at int64) bool {
	from, _, ok := strings.Cut(strings.TrimPrefix(v, "bytes "), "-")
	n, err := strconv.ParseInt(from, 10, 64)
	return ok && err == nil && n == at
}

// lock takes the file at path for this program and waits where another one has it. It ends with its process. The error wraps
// [errors.ErrUnsupported] where there are no such locks.
func (c *client) lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		free, err := c.o.tryLock(f)
		if free {
			return func() { f.Close() }, nil
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if !told {
			c.o.Notice("another program downloads this: waiting for it")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
