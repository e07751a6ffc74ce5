package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/picture"
	"github.com/mcil/mcil/schemas"
)

// file is a regular file that a tree lists.
type file struct {
	path         string // with slashes, clean, below the folder or in the archive
	size, offset int64
}

// tree is what a folder or an archive holds. Its reads are safe for concurrent use.
type tree struct {
	files   []file
	refused []schemas.Refusal // by path

	dir     string   // of a folder
	archive *os.File // of a tar
}

const notRegular = "not a regular file"

func (t *tree) refuse(name, why string) {
	t.refused = append(t.refused, schemas.Refusal{Name: name, Reason: why})
}

func (t *tree) Close() error {
	if t.archive == nil {
		return nil
	}
	return t.archive.Close()
}

// listFolder lists what is below dir. Links are not followed out of it: they are refused.
func listFolder(ctx context.Context, dir string) (*tree, error) {
	dir, err := filepath.EvalSymlinks(dir) // the folder itself may be a link: WalkDir would not enter it
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if !d.Type().IsRegular() {
			t.refuse(rel, notRegular)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		t.files = append(t.files, file{path: rel, size: info.Size()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// readInto reads a whole file into buf, or into new memory where buf is too small.
func (t *tree) readInto(f file, buf []byte) ([]byte, error) {
	if f.size < 0 || f.size > picture.MaxBytes {
		return nil, fmt.Errorf("%d bytes, more than the %d that are read: %w", f.size, int64(picture.MaxBytes), dataset.ErrRefused)
	}
	buf = slices.Grow(buf[:0], int(f.size))[:f.size]
	changed := func() error {
		return fmt.Errorf("its size has changed since it was listed with %d bytes: start again when nothing writes there", f.size)
	}
	if t.archive != nil {
		_, err := t.archive.ReadAt(buf, f.offset)
		if errors.Is(err, io.EOF) {
			err = changed()
		}
		return buf, err
	}
	if !filepath.IsLocal(filepath.FromSlash(f.path)) {
		return nil, fmt.Errorf("the path %q leads out of the folder", f.path)
	}
	r, err := os.Open(filepath.Join(t.dir, filepath.FromSlash(f.path)))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if _, err = io.ReadFull(r, buf); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, changed()
	} else if err != nil {
		return nil, err
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		return nil, changed()
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf, nil
}

// metadata reads the file at a path below root, and is nil where there is none.
func (t *tree) metadata(root, name string) ([]byte, error) {
	at := slices.IndexFunc(t.files, func(f file) bool { return f.path == path.Join(root, name) })
	if at < 0 {
		return nil, nil
	}
	b, err := t.readInto(t.files[at], nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return append([]byte{}, b...), nil // empty, not nil, where the file is empty
}

// rootOf is the folder below which most of the files lie that have a certain place. at gives the index of the first path
// element of that place, or a negative number where a file is elsewhere. Of equals it is the shortest.
func rootOf(files []file, at func(elements []string) int) (root string, found bool) {
	counts := map[string]int{}
	for _, f := range files {
		elements := strings.Split(f.path, "/")
		if i := at(elements); i >= 0 && !strings.HasPrefix(path.Base(f.path), ".") {
			counts[strings.Join(elements[:i], "/")]++
		}
	}
	most := 0
	for name, n := range counts {
		if n > most || n == most && (len(name) < len(root) || len(name) == len(root) && name < root) {
			root, most = name, n
		}
	}
	return root, most > 0
}

// below is the path of name below root, or name itself where it is elsewhere.
func below(root, name string) (rel string, inside bool) {
	if root == "" {
		return name, true
	}
	rest, ok := strings.CutPrefix(name, root+"/")
	if !ok {
		return name, false
	}
	return rest, true
}
