package layout

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Form is how one file of a dataset is written.
type Form string

// The forms, told by the first bytes.
const (
	Stream  Form = "an Arrow IPC stream"
	IPC     Form = "an Arrow IPC file"
	Parquet Form = "a Parquet file"
)

// File is one file of a dataset. It is safe for concurrent use.
type File struct {
	Path    string
	Form    Form
	Columns []string // "name: type" in Arrow's words, in the file's order
	// ClassNames are in label order: those of the schema's metadata, else those of column class_name, of which some may be
	// empty. nil where the file does not know them.
	ClassNames []string
	Rows       dataset.Rows

	close func() error
}

// Close gives the file back. Pictures of its rows must not be touched afterwards.
func (f *File) Close() error { return f.close() }

// OpenFile opens one shard, whatever its name: an Arrow IPC stream, an Arrow IPC file or a Parquet file.
func OpenFile(path string) (*File, error) {
	s, err := openShard(path, newPictureCache(pictureCacheBytes))
	if err != nil {
		return nil, err
	}
	f, err := s.file()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), s.close())
	}
	return f, nil
}

func (s *shard) file() (*File, error) {
	f := &File{Path: s.path, Form: s.form, ClassNames: s.names, Rows: s.rows, close: s.close}
	for _, c := range s.fields {
		f.Columns = append(f.Columns, c.name+": "+c.typ)
	}
	if f.ClassNames == nil {
		found := classNames{}
		if err := found.addNames(s.rows); err != nil {
			return nil, err
		}
		f.ClassNames = found.list()
	}
	return f, nil
}

// shard is an opened file.
type shard struct {
	path   string
	form   Form
	fields []field
	names  []string // of classes, from the metadata; nil: it has none
	rows   *shardRows
	close  func() error
}

// openShard opens the file at path and checks all of it but the pictures.
func openShard(path string, cache *pictureCache) (*shard, error) {
	content, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	s := &shard{path: path, rows: &shardRows{}, close: unmap}
	if err := s.read(content, cache); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), unmap())
	}
	return s, nil
}

func (s *shard) read(content []byte, cache *pictureCache) (err error) {
	var metadata arrow.Metadata
	switch s.form = formOf(content); s.form {
	case Stream:
		metadata, err = s.readStream(content)
	case IPC:
		metadata, err = s.readFile(content)
	case Parquet:
		metadata, err = s.readParquet(content, cache)
	default:
		return fmt.Errorf("not an Arrow IPC stream, an Arrow IPC file or a Parquet file: it begins with %q: %w",
			content[:min(8, len(content))], dataset.ErrRefused)
	}
	if err != nil {
		return err
	}
	if metadata.FindKey(schemas.HuggingFaceKey) >= 0 {
		if s.names, err = schemas.ClassNames(metadata); err != nil {
			return fmt.Errorf("%w: %w", err, dataset.ErrRefused)
		}
	}
	return s.checkLabels()
}

// checkLabels refuses labels that are no class.
func (s *shard) checkLabels() error {
	classes := cmp.Or(len(s.names), maxClasses)
	for i := range s.rows.Len() {
		if l := s.rows.Label(i); l < 0 || l >= classes {
			return fmt.Errorf("row %d: label %d of %d classes: %w", i, l, classes, dataset.ErrRefused)
		}
	}
	return nil
}

// maxClasses bounds labels where nothing says how many classes there are.
const maxClasses = 1 << 20

// formOf is empty where content is none of the forms.
func formOf(content []byte) Form {
	switch {
	case bytes.HasPrefix(content, []byte(continuation)):
		return Stream
	case bytes.HasPrefix(content, []byte(magicIPC)):
		return IPC
	case bytes.HasPrefix(content, []byte(magicParquet)):
		return Parquet
	}
	return ""
}

// checkHeader looks at what mcil says of itself in a schema's metadata. Other writers say nothing.
func checkHeader(md arrow.Metadata) error {
	i := md.FindKey(schemas.MetadataKey)
	if i < 0 {
		return nil
	}
	var got schemas.Header
	if err := json.Unmarshal([]byte(md.Values()[i]), &got); err != nil {
		return fmt.Errorf("the schema's %q metadata: %w: %w", schemas.MetadataKey, err, dataset.ErrRefused)
	}
	want := schemas.RowsHeader
	if got.Schema == schemas.ViLTHeader.Schema {
		want = schemas.ViLTHeader
	}
	return want.Check("split", got)
}

// classNames are the names of classes by label, as rows tell them.
type classNames map[int]string

// addNames takes the names in column class_name.
func (names classNames) addNames(rows *shardRows) error {
	start := 0
	for _, c := range rows.chunks {
		for i := range c.rows {
			label, name := c.label(i), c.texts[schemas.ColClassName].at(i)
			switch known := names[label]; {
			case len(name) == 0 || string(name) == known:
				names[label] = known // a class without a name is one, too
			case known != "":
				return fmt.Errorf("row %d: label %d is called %s here and %s elsewhere: %w", start+i, label, name, known, dataset.ErrRefused)
			default:
				names[label] = string(name)
			}
		}
		start += c.rows
	}
	return nil
}

// list has an entry for every label, and is nil where no name is known.
func (names classNames) list() []string {
	var list []string
	known := false
	for label, name := range names {
		known = known || name != ""
		if label >= len(list) {
			list = append(list, make([]string, label+1-len(list))...)
		}
		list[label] = name
	}
	if !known {
		return nil
	}
	return slices.Clip(list)
}

// readWhole reads a file that is not mapped.
func readWhole(f *os.File, info os.FileInfo) ([]byte, func() error, error) {
	if info.IsDir() {
		return nil, nil, fmt.Errorf("%s: is a folder, want a file: %w", f.Name(), dataset.ErrRefused)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, err
	}
	return content, func() error { return nil }, nil
}
