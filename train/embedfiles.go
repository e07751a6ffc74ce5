package train

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// manifest is written first, and gets its final name last.
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
	dir, err := filepath.Abs(filepath.Dir(f.manifest))
	to, err2 := filepath.Abs(name)
	if rel, err3 := filepath.Rel(dir, to); errors.Join(err, err2, err3) == nil {
		name = rel
	}
	return filepath.ToSlash(name)
}

// path undoes relative.
func (f embedFiles) path(relative string) string {
	path := filepath.FromSlash(relative)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.manifest), path)
	}
	return path
}

// lock takes the files for this process: no other mcil embed can claim one of them until release. It works by empty files
// beside them, since they themselves come, go and change their names.
func (f embedFiles) lock() (release func(), err error) {
	var taken []*os.File
	release = func() {
		for _, l := range taken {
			os.Remove(l.Name()) // a file that stays is no harm
			l.Close()
		}
	}
	for _, name := range []string{f.features, f.attention} { // each embedding has features of its own
		if name == "" {
			continue
		}
		path := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".lock")
		l, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
		if err == nil {
			if err = schemas.Lock(l, path); err != nil {
				l.Close()
			}
		}
		if err != nil {
			release()
			if errors.Is(err, schemas.ErrLocked) {
				err = fmt.Errorf("%s: another mcil embed is writing it: wait for it, or give another name: %w", name, dataset.ErrRefused)
			}
			return func() {}, err
		}
		taken = append(taken, l)
	}
	return release, nil
}

// embedFound is what there is of an embedding: nothing, or what a manifest tells of.
type embedFound struct {
	schemas.Embedding
	begun, finished bool
}

// claim makes the files ours, until release is called: they are new, begun, or finished. What this program did not make is
// left alone, and nothing is written where the embedding is finished. notice is told why what was begun is not gone
// on with.
func (f embedFiles) claim(m schemas.Embedding, force bool, notice func(line string)) (found embedFound, release func(), err error) {
	release = func() {}
	if found, err = f.look(m, force); err != nil || found.finished && !force {
		return found, release, err
	}
	for _, name := range f.data() {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return found, release, err
		}
	}
	if release, err = f.lock(); err != nil {
		return found, release, err
	}
	// Again: another process may have ended since.
	if found, err = f.look(m, force); err != nil || found.finished && !force {
		return found, release, err
	}
	if err := f.foreign(found); err != nil {
		return found, release, err
	}
	if found.begun && !force && found.CPU == m.CPU {
		return found, release, f.reopen()
	}
	if found.begun && !force {
		notice(fmt.Sprintf("it was begun with %s instructions, and %s round otherwise: it is made afresh", found.CPU, m.CPU))
	}
	return found, release, f.begin(m, found)
}

// look reads what there is, and refuses what neither m nor, where it is ours, force can go on from.
func (f embedFiles) look(m schemas.Embedding, force bool) (found embedFound, err error) {
	path := f.manifest
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		path += partialFile
	}
	var head schemas.Header
	err = schemas.ReadJSON(path, schemas.EmbeddingHeader, &head)
	var unsupported *schemas.UnsupportedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found, nil
	case errors.As(err, &unsupported) && unsupported.Got.Schema != unsupported.Want.Schema:
		return found, fmt.Errorf("%w: give another --out: %w", err, dataset.ErrRefused)
	case errors.Is(err, schemas.ErrDamaged): // of another program, as far as can be seen
		return found, fmt.Errorf("%w: give another --out, or delete it and the files beside it if mcil embed made them: %w", err, dataset.ErrRefused)
	case err != nil && unsupported == nil:
		return found, err
	}
	found.finished, found.begun = path == f.manifest, path != f.manifest
	err = schemas.ReadJSON(path, schemas.EmbeddingHeader, &found.Embedding)
	switch {
	case force:
		return found, nil
	case err != nil:
		return found, fmt.Errorf("%w: give --force to start afresh", err)
	case found.Digest != m.Digest:
		return found, fmt.Errorf("%s: %w: %w", f.features, otherInput(found.Embedding, m), dataset.ErrRefused)
	}
	if name := f.incomplete(found); name != "" {
		return found, fmt.Errorf("%s: is missing or has another size than %s says: give --force to make it again: %w", name, f.manifest, dataset.ErrRefused)
	}
	return found, nil
}

// otherInput says why features of old are not those of m.
func otherInput(old, m schemas.Embedding) error {
	repo, _, _ := strings.Cut(m.Weights, "@")
	before, _, _ := strings.Cut(old.Weights, "@")
	if repo == before && old.WeightsCommit != "" && m.WeightsCommit != "" && old.WeightsCommit != m.WeightsCommit && old.WeightsDigest != m.WeightsDigest {
		return fmt.Errorf("%s was at %.8s… and is at %.8s…: give --weights %s@%s to go on, or --force to start afresh",
			repo, old.WeightsCommit, m.WeightsCommit, repo, old.WeightsCommit)
	}
	return errors.New("was made with other settings, pictures, captions or weights: give --force to start afresh, or another --out")
}

// incomplete names a file of a finished embedding that is not there, or has another size, and is empty where there is none.
func (f embedFiles) incomplete(found embedFound) string {
	if !found.finished {
		return ""
	}
	for _, d := range found.Files {
		if info, err := os.Stat(f.path(d.Path)); err != nil || info.Size() != d.Bytes {
			return f.path(d.Path)
		}
	}
	return ""
}

// foreign refuses to write over files that are not of the embedding that was found.
func (f embedFiles) foreign(found embedFound) error {
	for _, name := range f.data() {
		ours := name != f.attention || found.Settings["attention"] == f.relative(name)
		final := found.finished && ours // by its name, since the user is told of a file that has changed
		if found.begun && ours {
			var err error
			if final, err = f.published(found, name); err != nil {
				return err
			}
		}
		for _, file := range []struct {
			path string
			ours bool
		}{{name, final}, {name + partialFile, found.begun && ours}} {
			if _, err := os.Lstat(file.path); !file.ours && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: is not from mcil embed with this --out and would be overwritten: give another name: %w", file.path, dataset.ErrRefused)
			}
		}
	}
	return nil
}

// published says whether the file at path, if there is one, is what publish gave that name, by its size and digest.
func (f embedFiles) published(found embedFound, path string) (bool, error) {
	i := slices.IndexFunc(found.Files, func(d schemas.FileDigest) bool { return d.Path == f.relative(path) })
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (i < 0 || !info.Mode().IsRegular() || info.Size() != found.Files[i].Bytes) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h := sha256.New()
	err = hashFile(h, path)
	return err == nil && hex.EncodeToString(h.Sum(nil)) == found.Files[i].SHA256, err
}

// begin takes away what is there, what tells of it last, and says what is being made.
func (f embedFiles) begin(m schemas.Embedding, found embedFound) error {
	names := f.data()
	if relative, _ := found.Settings["attention"].(string); relative != "" && !slices.ContainsFunc(names, func(name string) bool { return f.relative(name) == relative }) {
		old := f.path(relative) // which is not made any more
		ours, err := f.published(found, old)
		if err == nil && ours {
			err = removeFile(old)
		}
		if err == nil && found.begun {
			err = removeFile(old + partialFile)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range append(names, f.manifest) {
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

// publish gives the files their names, the manifest last. It has their digests first, so that one that has its name already
// is known again.
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
	if err := schemas.WriteJSON(f.manifest+partialFile, m); err != nil {
		return err
	}
	if err := schemas.RemoveTemporary(filepath.Dir(f.manifest), filepath.Base(f.manifest), filepath.Base(f.manifest)+partialFile); err != nil {
		return err
	}
	for _, name := range append(f.data(), f.manifest) {
		if err := errors.Join(os.Rename(name+partialFile, name), schemas.SyncDir(filepath.Dir(name))); err != nil {
			return err
		}
	}
	return nil
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
	file, err := os.Open(f.rows + partialFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	var end int64
	for lines := bufio.NewReader(file); len(indices) < most; {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, nil, err
		}
		var r schemas.EmbeddedRow
		if err != nil || json.Unmarshal(line, &r) != nil || r.Version != embeddedVersion || len(indices) > 0 && r.Index <= indices[len(indices)-1] {
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
