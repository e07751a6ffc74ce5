package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// partialFile ends the names of files that are being written.
const partialFile = ".partial"

// embedFiles are the files of one embedding. While it is being made they have names that end in [partialFile]; that of the
// manifest is written first, and the manifest itself last.
type embedFiles struct {
	manifest, rows, features string
	attention                string // empty: none
}

func newEmbedFiles(out, attention string) embedFiles {
	base := strings.TrimSuffix(out, ".npy")
	return embedFiles{manifest: base + ".json", rows: base + ".jsonl", features: out, attention: attention}
}

// data lists all but the manifest.
func (f embedFiles) data() []string {
	return slices.DeleteFunc([]string{f.features, f.rows, f.attention}, func(name string) bool { return name == "" })
}

// relative is a file's path as the manifest has it.
func (f embedFiles) relative(name string) string {
	if rel, err := filepath.Rel(filepath.Dir(f.manifest), name); err == nil {
		name = rel
	}
	return filepath.ToSlash(name)
}

// claim makes the files ours: they are new, begun, or done. What this program did not make is left alone. It writes nothing
// but what begins anew.
func (f embedFiles) claim(m schemas.Embedding, force bool) (old schemas.Embedding, done bool, err error) {
	for _, name := range f.data() {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return old, false, err
		}
	}
	err = schemas.ReadJSON(f.manifest, schemas.EmbeddingHeader, &old)
	finished := !errors.Is(err, fs.ErrNotExist)
	begun := false
	if !finished {
		err = schemas.ReadJSON(f.manifest+partialFile, schemas.EmbeddingHeader, &old)
		begun = !errors.Is(err, fs.ErrNotExist)
	}
	var unsupported *schemas.UnsupportedError
	switch {
	case errors.As(err, &unsupported) && unsupported.Got.Schema != unsupported.Want.Schema:
		return old, false, fmt.Errorf("%w: give another --out: %w", err, dataset.ErrRefused)
	case (finished || begun) && err != nil && !force:
		return old, false, err
	case (finished || begun) && !force && old.Digest != m.Digest:
		return old, false, fmt.Errorf("%s: was made with other settings, pictures, captions or weights: give --force to start afresh, or another --out: %w", f.features, dataset.ErrRefused)
	case finished && !force:
		if name := f.incomplete(old); name != "" {
			return old, false, fmt.Errorf("%s: is missing or has another size than %s says: give --force to make it again: %w", name, f.manifest, dataset.ErrRefused)
		}
		return old, true, removeFile(f.manifest + partialFile) // which is there where the program was killed after it wrote the manifest
	case begun && !force:
		return old, false, f.reopen()
	}
	if err := f.foreign(old, finished || begun); err != nil {
		return old, false, err
	}
	return old, false, f.begin(m)
}

// incomplete names a file that is not there, or has another size, and is empty where there is none.
func (f embedFiles) incomplete(m schemas.Embedding) string {
	for _, d := range m.Files {
		path := filepath.FromSlash(d.Path)
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.manifest), path)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != d.Bytes {
			return path
		}
	}
	return ""
}

// foreign refuses to write over files that are not of the embedding that old tells of.
func (f embedFiles) foreign(old schemas.Embedding, ours bool) error {
	for _, name := range f.data() {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if ours && (name != f.attention || old.Settings["attention"] == f.relative(name)) {
			continue
		}
		return fmt.Errorf("%s: is not from mcil embed with this --out and would be overwritten: give another name: %w", name, dataset.ErrRefused)
	}
	return nil
}

// begin takes away what is there, what tells of it last, and says what is being made.
func (f embedFiles) begin(m schemas.Embedding) error {
	for _, name := range append(f.data(), f.manifest) {
		if err := errors.Join(removeFile(name), removeFile(name+partialFile)); err != nil {
			return err
		}
	}
	return schemas.WriteJSON(f.manifest+partialFile, m)
}

// reopen gives files that had their final names already when the program was killed those of files under way.
func (f embedFiles) reopen() error {
	for _, name := range f.data() {
		if _, err := os.Stat(name + partialFile); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(name, name+partialFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// publish gives the files their names and writes the manifest.
func (f embedFiles) publish(m *schemas.Embedding) error {
	for _, name := range f.data() {
		h := sha256.New()
		if err := hashFile(h, name+partialFile); err != nil {
			return err
		}
		info, err := os.Stat(name + partialFile)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, schemas.FileDigest{Path: f.relative(name), Bytes: info.Size(), SHA256: hex.EncodeToString(h.Sum(nil))})
	}
	for _, name := range f.data() {
		if err := errors.Join(os.Rename(name+partialFile, name), schemas.SyncDir(filepath.Dir(name))); err != nil {
			return err
		}
	}
	if err := schemas.WriteJSON(f.manifest, m); err != nil {
		return err
	}
	if err := schemas.RemoveTemporary(filepath.Dir(f.manifest), filepath.Base(f.manifest), filepath.Base(f.manifest)+partialFile); err != nil {
		return err
	}
	return removeFile(f.manifest + partialFile)
}

// abandon takes away what has been begun.
func (f embedFiles) abandon() error {
	var errs []error
	for _, name := range append(f.data(), f.manifest) {
		errs = append(errs, removeFile(name+partialFile))
	}
	return errors.Join(errs...)
}

// embedWriter appends to the files of an embedding, a batch at a time. A row counts when its line is there.
type embedWriter struct {
	features, attention *npyWriter // attention may be nil
	rows                *os.File
	lines               bytes.Buffer
	encoder             *json.Encoder
}

// written reads which rows the files have that are whole, and where their lines end.
func (f embedFiles) written(width, length int) (indices []int, ends []int64, err error) {
	most := -1
	for name, cols := range map[string]int{f.features: width, f.attention: length} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name + partialFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if n := npyRows(info.Size(), cols); most < 0 || n < most {
			most = n
		}
	}
	b, err := os.ReadFile(f.rows + partialFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var end int64
	for line := range bytes.Lines(b) {
		var r schemas.EmbeddedRow
		if len(indices) == most || !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &r) != nil || r.Version != embeddedVersion ||
			len(indices) > 0 && r.Index <= indices[len(indices)-1] {
			break
		}
		end += int64(len(line))
		indices, ends = append(indices, r.Index), append(ends, end)
	}
	return indices, ends, nil
}

// open opens the files to append after their first rows, whose lines end at end.
func (f embedFiles) open(width, length, rows int, end int64) (w *embedWriter, err error) {
	w = &embedWriter{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.features, err = openNPY(f.features+partialFile, width, rows); err != nil {
		return w, err
	}
	if f.attention != "" {
		if w.attention, err = openNPY(f.attention+partialFile, length, rows); err != nil {
			return w, err
		}
	}
	if w.rows, err = os.OpenFile(f.rows+partialFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644); err != nil {
		return w, err
	}
	w.encoder = json.NewEncoder(&w.lines)
	w.encoder.SetEscapeHTML(false)
	return w, w.rows.Truncate(end)
}

func (w *embedWriter) close() error {
	var errs []error
	for _, n := range []*npyWriter{w.features, w.attention} {
		if n != nil {
			errs = append(errs, n.f.Close())
		}
	}
	if w.rows != nil {
		errs = append(errs, w.rows.Close())
	}
	return errors.Join(errs...)
}

// flush writes the rows appended, and their lines when these are on the disk.
func (w *embedWriter) flush() error {
	err := w.features.flush()
	if err == nil && w.attention != nil {
		err = w.attention.flush()
	}
	if err == nil {
		_, err = w.rows.Write(w.lines.Bytes())
		w.lines.Reset()
	}
	return err
}

func (w *embedWriter) finish() error {
	err := errors.Join(w.features.finish(), w.rows.Sync())
	if w.attention != nil {
		err = errors.Join(err, w.attention.finish())
	}
	return err
}
