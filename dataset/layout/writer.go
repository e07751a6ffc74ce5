package layout

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// DefaultShardBytes is how many bytes of pictures a shard holds, about.
const DefaultShardBytes = 500 << 20

// Options of a [Writer].
type Options struct {
	// Name of the data set, such as mm_imagenet_r: the beginning of ViLT's file names. Default "dataset".
	Name string
	// ClassNames in label order. They must be distinct.
	ClassNames []string
	// ShardBytes is how many bytes of pictures a shard of the hf and hub layouts holds, about. Default [DefaultShardBytes].
	ShardBytes int64
	// Fingerprint is 16 hexadecimal digits by which datasets' caches know the rows: the same for the same input. Default:
	// of the digests of the files.
	Fingerprint string
}

// Writer writes splits, one after the other, in several layouts at once. It is for one goroutine. After an error the only
// thing to do is [Writer.Abort].
type Writer struct {
	dir     string
	o       Options
	kinds   []Kind
	disk    *disk
	batch   *batch
	splits  []*split
	current *split // nil between End and Begin
	files   []schemas.FileDigest
	err     error
	closed  bool
}

// split is what is known of a split.
type split struct {
	name    string
	rows    int
	bytes   int64 // of the columns in memory, as datasets counts them
	layouts []layout
	files   map[Kind][]schemas.FileDigest // by path
}

// layout writes one split in one form.
type layout interface {
	write(*columns) error
	end() error
	digests() []schemas.FileDigest
}

func (s *shards) digests() []schemas.FileDigest { return s.done }

// newLayout begins a split in one of the kinds.
func (w *Writer) newLayout(k Kind, s *split) (layout, error) {
	switch k {
	case HF:
		return newHF(w, s)
	case ViLT:
		return newViLT(w, s)
	case Hub:
		return newHub(w, s)
	}
	return nil, errOrder
}

var (
	splitName = regexp.MustCompile(`^\w+$`)
	fileName  = regexp.MustCompile(`^\w[\w.-]*$`)
	hexDigits = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// Create makes a folder in dir, which must exist, for each of the kinds. Nothing may be in their place.
func Create(dir string, kinds []Kind, o Options) (*Writer, error) {
	o.Name, o.ShardBytes = cmp.Or(o.Name, "dataset"), cmp.Or(o.ShardBytes, DefaultShardBytes)
	switch {
	case !fileName.MatchString(o.Name):
		return nil, fmt.Errorf("dataset %s: the name %q cannot begin a file name: use letters, digits, _, - and dots: %w", dir, o.Name, dataset.ErrRefused)
	case o.ShardBytes < 0:
		return nil, fmt.Errorf("dataset %s: shards of %d bytes: %w", dir, o.ShardBytes, dataset.ErrRefused)
	case o.Fingerprint != "" && !hexDigits.MatchString(o.Fingerprint):
		return nil, fmt.Errorf("dataset %s: the fingerprint %q is not 16 hexadecimal digits: %w", dir, o.Fingerprint, dataset.ErrRefused)
	case len(kinds) == 0:
		return nil, fmt.Errorf("dataset %s: no layout asked for: %w", dir, dataset.ErrRefused)
	}
	if _, err := schemas.Features(o.ClassNames); err != nil {
		return nil, fmt.Errorf("dataset %s: %w: %w", dir, err, dataset.ErrRefused)
	}
	kinds = slices.Compact(slices.Sorted(slices.Values(kinds)))
	for _, k := range kinds {
		if !slices.Contains([]Kind{HF, ViLT, Hub}, k) {
			return nil, fmt.Errorf("dataset %s: no layout is called %q: %s, %s and %s are: %w", dir, k, HF, ViLT, Hub, dataset.ErrRefused)
		}
	}
	for _, k := range kinds {
		if err := os.Mkdir(filepath.Join(dir, string(k)), 0o777); err != nil {
			return nil, fmt.Errorf("dataset: %w: write to an empty folder", err)
		}
	}
	return &Writer{dir: dir, o: o, kinds: kinds, disk: newDisk(), batch: newBatch(memory.DefaultAllocator)}, nil
}

// fail keeps the first error.
func (w *Writer) fail(err error) error {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("dataset: %w", err)
	}
	return w.err
}

var errOrder = errors.New("layout: Begin, Append, End and Finish out of order")

// Begin starts a split: train, validation, test or another word, each once.
func (w *Writer) Begin(name string) error {
	switch {
	case w.err != nil:
		return w.err
	case w.closed || w.current != nil:
		return w.fail(errOrder)
	case !splitName.MatchString(name):
		return w.fail(fmt.Errorf("split %q: a name is of letters, digits and _ only: %w", name, dataset.ErrRefused))
	}
	s := &split{name: name, files: map[Kind][]schemas.FileDigest{}}
	for _, t := range w.splits {
		if t.name == name || viltName(t.name) == viltName(name) {
			return w.fail(fmt.Errorf("split %q: there is one called %q already: %w", name, t.name, dataset.ErrRefused))
		}
	}
	for _, k := range w.kinds {
		l, err := w.newLayout(k, s)
		if err != nil {
			return w.fail(err)
		}
		s.layouts = append(s.layouts, l)
		if err := os.MkdirAll(w.folder(k, name), 0o777); err != nil {
			return w.fail(err)
		}
	}
	w.splits = append(w.splits, s)
	w.current = s
	return nil
}

// folder is where a layout has a split.
func (w *Writer) folder(k Kind, split string) string {
	switch k {
	case HF:
		return filepath.Join(w.dir, string(k), split)
	case Hub:
		return filepath.Join(w.dir, string(k), "data")
	}
	return filepath.Join(w.dir, string(k))
}

// Append adds a row to the split. It copies what it keeps: r.Image may be used again.
func (w *Writer) Append(r dataset.Row) error {
	switch {
	case w.err != nil:
		return w.err
	case w.current == nil:
		return w.fail(errOrder)
	}
	n, err := rowBytes(&r, len(w.o.ClassNames))
	if err != nil {
		return w.fail(err)
	}
	if !w.batch.fits(&r, n, w.o.ShardBytes) {
		if err := w.flush(); err != nil {
			return w.fail(err)
		}
	}
	w.batch.append(&r, n)
	return nil
}

// flush writes the batch, if it has rows.
func (w *Writer) flush() error {
	if w.batch.rows == 0 {
		return nil
	}
	c := w.batch.take()
	defer c.release()
	w.current.rows += c.rows
	w.current.bytes += c.bytes
	for _, l := range w.current.layouts {
		if err := l.write(c); err != nil {
			return err
		}
	}
	return nil
}

// End finishes the split. Its files have their names then; they may not be on the disk yet.
func (w *Writer) End() error {
	switch {
	case w.err != nil:
		return w.err
	case w.current == nil:
		return w.fail(errOrder)
	}
	if err := w.flush(); err != nil {
		return w.fail(err)
	}
	for i, l := range w.current.layouts {
		if err := l.end(); err != nil {
			return w.fail(err)
		}
		w.current.files[w.kinds[i]] = l.digests()
		w.files = append(w.files, l.digests()...)
	}
	w.current.layouts, w.current = nil, nil
	return nil
}

// Finish writes what describes the whole, and returns when all is on the disk. Of m it needs all but Layouts, Files and
// Digest, which follow from it.
func (w *Writer) Finish(m schemas.DatasetManifest) error {
	switch {
	case w.err != nil:
		return w.err
	case w.current != nil || w.closed:
		return w.fail(errOrder)
	}
	byName := map[string]*split{}
	for _, s := range w.splits {
		byName[s.name] = s
	}
	for i, name := range dataset.PartNames(maps.Keys(byName)) {
		w.splits[i] = byName[name]
	}
	about := citationOf(m)
	for _, k := range w.kinds {
		var err error
		switch k {
		case HF:
			err = w.finishHF(about)
		case Hub:
			err = w.finishHub(m, about)
		}
		if err != nil {
			return w.fail(err)
		}
	}
	if err := w.disk.wait(); err != nil {
		return w.fail(err)
	}
	if err := w.syncFolders(); err != nil {
		return w.fail(err)
	}
	slices.SortFunc(w.files, func(a, b schemas.FileDigest) int { return strings.Compare(a.Path, b.Path) })
	w.closed = true
	w.batch.release()
	return nil
}

// syncFolders makes the names of the files durable.
func (w *Writer) syncFolders() error {
	dirs := map[string]bool{w.dir: true}
	for _, k := range w.kinds {
		dirs[filepath.Join(w.dir, string(k))] = true
		for _, s := range w.splits {
			dirs[w.folder(k, s.name)] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := schemas.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Files lists what was written, after Finish: paths relative to the dir of [Create], sorted.
func (w *Writer) Files() []schemas.FileDigest { return slices.Clone(w.files) }

// Abort closes what is open, after an error or in place of Finish. After Finish it does nothing. The files stay.
func (w *Writer) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	w.fail(errors.New("aborted"))
	w.disk.abandon()
	w.batch.release()
}

// fingerprint is by which datasets' caches know a split.
func (w *Writer) fingerprint(s *split) string {
	h := sha256.New()
	if w.o.Fingerprint != "" {
		fmt.Fprintln(h, w.o.Fingerprint)
	} else {
		for _, f := range s.files[HF] {
			fmt.Fprintln(h, f.SHA256)
		}
	}
	fmt.Fprintln(h, s.name)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// writeFile writes a small file. path has slashes and is below the folder of the dataset.
func (w *Writer) writeFile(path string, content []byte) error {
	f, err := w.disk.create(filepath.Join(w.dir, filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	f.Write(content) // finish returns its error
	n, sha, err := f.finish()
	if err != nil {
		return err
	}
	w.files = append(w.files, schemas.FileDigest{Path: path, Bytes: n, SHA256: sha})
	return nil
}

func (w *Writer) writeJSON(path string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return w.writeFile(path, b.Bytes())
}
