package layout

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Open opens a prepared dataset: DATASET, of whose layouts it takes hf before vilt before hub; one of these folders; or
// another program's folder of the same form, such as one that datasets' save_to_disk made. Files are mapped into memory and
// a row is read where it lies, so that a dataset may be larger than memory; pictures are not touched before they are asked
// for. Only where Parquet has compressed the pictures does one of them cost its row group, and some of these are kept.
//
// All the rest is checked here, once: a dataset that opens has a train and a test split with rows, labels that are classes,
// and an ID and a label in every row. Files must not be changed while they are open.
func Open(path string) (_ *dataset.Dataset, err error) {
	dir, kind, err := findLayout(path)
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", path, err)
	}
	o := &opener{dir: dir, kind: kind, cache: newPictureCache(pictureCacheBytes), derived: classNames{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if err := o.readManifest(); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	files, err := o.files()
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", dir, err)
	}
	splits := map[string]*shardRows{}
	for _, f := range files {
		if splits[f.split], err = o.openSplit(f); err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
	}
	d := &dataset.Dataset{Dir: dir, Splits: map[string]dataset.Rows{}, Release: o.close}
	if d.Classes, err = o.classes(splits); err != nil {
		return nil, fmt.Errorf("dataset %s: %w", dir, err)
	}
	for name, rows := range splits {
		d.Splits[name] = rows
	}
	if d.Splits[dataset.Train] == nil || d.Splits[dataset.Test] == nil {
		return nil, fmt.Errorf("dataset %s: has no splits called train and test: %w", dir, dataset.ErrRefused)
	}
	return d, nil
}

// opener is a dataset that is being opened.
type opener struct {
	dir      string
	kind     Kind
	manifest schemas.DatasetManifest // empty where there is none
	cache    *pictureCache
	open     []*shard
	names    []string // of classes, from the files' metadata; nil: they have none
	namedBy  string   // the file that they are from
	derived  classNames
}

func (o *opener) close() error {
	var errs []error
	for _, s := range o.open {
		errs = append(errs, s.close())
	}
	o.open = nil
	return errors.Join(errs...)
}

// readManifest reads DATASET/manifest.json. Beside another program's folder, a file of that name is none of ours.
func (o *opener) readManifest() error {
	dir := filepath.Clean(o.dir)
	if dir == "." { // the folder has its name elsewhere only
		var err error
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
	}
	if filepath.Base(dir) != string(o.kind) {
		return nil
	}
	file := filepath.Join(filepath.Dir(dir), "manifest.json")
	if !fileExists(file) {
		return nil
	}
	return schemas.ReadJSON(file, schemas.DatasetHeader, &o.manifest)
}

// openSplit opens the files of a split.
func (o *opener) openSplit(f splitFiles) (*shardRows, error) {
	var parts []*shardRows
	for _, file := range f.files {
		s, err := openShard(file, o.cache)
		if err != nil {
			return nil, err
		}
		o.open = append(o.open, s)
		if want := formOfKind[o.kind]; s.form != want {
			return nil, fmt.Errorf("%s: not %s, as its folder has, but %s: %w", file, want, s.form, dataset.ErrRefused)
		}
		if s.names != nil {
			if o.names == nil {
				o.names, o.namedBy = s.names, file
			}
			if !slices.Equal(s.names, o.names) {
				return nil, fmt.Errorf("%s: names other classes than %s: %w", file, o.namedBy, dataset.ErrRefused)
			}
		} else if err := o.derived.addNames(s.rows); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		parts = append(parts, s.rows)
	}
	rows := concat(parts)
	if rows.n == 0 && (f.split == dataset.Train || f.split == dataset.Test) {
		return nil, fmt.Errorf("%s: has no rows: %w", f.where, dataset.ErrRefused)
	}
	if want, ok := o.manifest.Rows[f.split]; ok && want != rows.n {
		return nil, fmt.Errorf("%s: has %d rows, and %d by the manifest: build it again: %w", f.where, rows.n, want, dataset.ErrRefused)
	}
	return rows, nil
}

// formOfKind is the form that the readers of a layout expect.
var formOfKind = map[Kind]Form{HF: Stream, ViLT: IPC, Hub: Parquet}

// classes gathers the classes: their names are in the files' metadata, else in their rows, else in the manifest; their
// wnids are in the rows, or, where all rows of a class were refused, in the manifest.
func (o *opener) classes(splits map[string]*shardRows) ([]dataset.Class, error) {
	names := o.names
	if names == nil {
		names = o.derived.list()
		for i, c := range o.manifest.Classes { // the classes without rows
			if i == len(names) {
				names = append(names, "")
			}
			names[i] = cmp.Or(names[i], c.Name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("its labels have no names, neither in %q metadata nor in a column class_name: %w", schemas.HuggingFaceKey, dataset.ErrRefused)
	}
	classes := make([]dataset.Class, len(names))
	for i, n := range names {
		classes[i].Name = n
	}
	for _, split := range dataset.PartNames(maps.Keys(splits)) {
		if err := splits[split].addWNIDs(classes); err != nil {
			return nil, fmt.Errorf("%s: %w", split, err)
		}
	}
	known := slices.ContainsFunc(classes, func(c dataset.Class) bool { return c.WNID != "" })
	for i := range classes {
		switch c := &classes[i]; {
		case c.WNID != "":
		case len(o.manifest.Classes) == len(classes):
			c.WNID = o.manifest.Classes[i].WNID
		case !known: // base names for IDs, as in the files of other programs: a class is known by its name
			c.WNID = c.Name
		}
	}
	return classes, nil
}

// addWNIDs takes the classes' wnids from the rows.
func (r *shardRows) addWNIDs(classes []dataset.Class) error {
	for k, c := range r.chunks {
		for i := range c.rows {
			label := c.label(i)
			if label < 0 || label >= len(classes) {
				return fmt.Errorf("row %d: label %d of %d classes: %w", r.starts[k]+i, label, len(classes), dataset.ErrRefused)
			}
			class, wnid := &classes[label], c.wnid(i)
			if class.WNID == "" {
				class.WNID = string(wnid)
			} else if class.WNID != string(wnid) {
				return fmt.Errorf("row %d: label %d is %s here and %s elsewhere: %w", r.starts[k]+i, label, wnid, class.WNID, dataset.ErrRefused)
			}
		}
	}
	return nil
}

func readPlainJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: damaged JSON: %w: %w", path, err, dataset.ErrRefused)
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
