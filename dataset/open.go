package dataset

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/mcil/mcil/schemas"
)

// Dataset is a prepared dataset that has been read back. Its splits are held in memory as Arrow records; rows are cut from
// them without copying. It is safe for concurrent use.
type Dataset struct {
	Dir     string
	Classes []Class // in label order
	Splits  map[string]*Rows
}

// Rows are the rows of one split.
type Rows struct {
	records []arrow.Record
	starts  []int // first row of each record
	n       int
	columns []int // our column to the file's
}

// Open reads the hf layout in dir (DATASET/hf, or DATASET itself).
func Open(dir string) (_ *Dataset, err error) {
	if _, err := os.Stat(filepath.Join(dir, "dataset_dict.json")); errors.Is(err, fs.ErrNotExist) {
		inner := filepath.Join(dir, "hf")
		if _, err := os.Stat(filepath.Join(inner, "dataset_dict.json")); err != nil {
			return nil, fmt.Errorf("dataset %s: no dataset_dict.json: not a folder made by mcil build (its hf layout) or by save_to_disk: %w", dir, ErrNoSource)
		}
		dir = inner
	}
	var head schemas.DatasetManifest
	if m := filepath.Join(filepath.Dir(dir), "manifest.json"); fileExists(m) {
		if err := schemas.ReadJSON(m, schemas.DatasetHeader, &head); err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
	}
	var dict struct{ Splits []string }
	if err := readPlainJSON(filepath.Join(dir, "dataset_dict.json"), &dict); err != nil {
		return nil, err
	}
	d := &Dataset{Dir: dir, Splits: map[string]*Rows{}}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	for _, split := range dict.Splits {
		if !filepath.IsLocal(split) {
			return nil, fmt.Errorf("dataset %s: split %q is not a folder name: %w", dir, split, ErrRefused)
		}
		rows, names, err := openSplit(filepath.Join(dir, split))
		if err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
		d.Splits[split] = rows
		if err := d.addClasses(rows, names, split); err != nil {
			return nil, fmt.Errorf("dataset %s: %w", dir, err)
		}
	}
	if d.Splits[Train] == nil || d.Splits[Test] == nil {
		return nil, fmt.Errorf("dataset %s: has no splits called train and test: %w", dir, ErrRefused)
	}
	for i := range d.Classes { // a class whose rows were all refused has a name, and its wnid in the manifest only
		if c := &d.Classes[i]; c.WNID == "" && len(head.Classes) == len(d.Classes) {
			c.WNID = head.Classes[i].WNID
		}
	}
	return d, nil
}

// Close releases the rows.
func (d *Dataset) Close() {
	for _, r := range d.Splits {
		for _, rec := range r.records {
			rec.Release()
		}
	}
}

// addClasses takes the classes' names from the features and their wnids from the rows.
func (d *Dataset) addClasses(rows *Rows, names []string, split string) error {
	if d.Classes == nil {
		for _, n := range names {
			d.Classes = append(d.Classes, Class{Name: n})
		}
	}
	if !slices.EqualFunc(names, d.Classes, func(n string, c Class) bool { return n == c.Name }) {
		return fmt.Errorf("%s names other classes than another split: %w", split, ErrRefused)
	}
	for i := range rows.Len() {
		label := rows.Label(i)
		if label < 0 || label >= len(d.Classes) {
			return fmt.Errorf("%s row %d: label %d of %d classes: %w", split, i, label, len(d.Classes), ErrRefused)
		}
		c, wnid := &d.Classes[label], rows.text(schemas.ColWNID, i)
		if c.WNID = cmp.Or(c.WNID, wnid); c.WNID != wnid {
			return fmt.Errorf("%s row %d: label %d is %s here and %s elsewhere: %w", split, i, label, wnid, c.WNID, ErrRefused)
		}
	}
	return nil
}

func openSplit(dir string) (*Rows, []string, error) {
	var state struct {
		Files []struct{ Filename string } `json:"_data_files"`
	}
	if err := readPlainJSON(filepath.Join(dir, "state.json"), &state); err != nil {
		return nil, nil, err
	}
	rows, names := &Rows{}, []string(nil)
	for _, f := range state.Files {
		if !filepath.IsLocal(f.Filename) {
			return nil, nil, fmt.Errorf("%s: state.json names %q, outside the folder: %w", dir, f.Filename, ErrRefused)
		}
		path := filepath.Join(dir, f.Filename)
		schema, err := rows.readShard(path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		these, err := schemas.ClassNames(schema.Metadata())
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w: %w", path, err, ErrRefused)
		}
		if names != nil && !slices.Equal(these, names) {
			return nil, nil, fmt.Errorf("%s: names other classes than the shard before it: %w", path, ErrRefused)
		}
		names = these
	}
	if rows.n == 0 {
		return nil, nil, fmt.Errorf("%s: has no rows: %w", dir, ErrRefused)
	}
	return rows, names, nil
}

// readShard appends the records of one IPC stream.
func (r *Rows) readShard(path string) (schema *arrow.Schema, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer func() { // the Arrow reader panics on some damaged streams
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged Arrow stream: %v: %w", p, ErrRefused)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkFraming(f, info.Size()); err != nil {
		return nil, err
	}
	stream, err := ipc.NewReader(bufio.NewReaderSize(f, 1<<20), ipc.WithAllocator(boundedBy(info.Size())))
	if err != nil {
		return nil, fmt.Errorf("not an Arrow IPC stream: %w: %w", err, ErrRefused)
	}
	defer stream.Release()
	columns, err := matchColumns(stream.Schema())
	if err != nil {
		return nil, err
	}
	if r.columns != nil && !slices.Equal(columns, r.columns) {
		return nil, fmt.Errorf("the columns are in another order than in the shard before it: %w", ErrRefused)
	}
	r.columns = columns
	for stream.Next() {
		rec := stream.Record()
		if err := checkRecord(rec, columns); err != nil {
			return nil, fmt.Errorf("after %d rows: %w", r.n, err)
		}
		if rec.NumRows() == 0 { // locate looks for the record by its first row
			continue
		}
		rec.Retain()
		r.records = append(r.records, rec)
		r.starts = append(r.starts, r.n)
		r.n += int(rec.NumRows())
	}
	if err := stream.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("damaged Arrow stream after %d rows: %w: %w", r.n, err, ErrRefused)
	}
	return stream.Schema(), nil
}

// matchColumns finds our columns by name; their order may differ and others may be there.
func matchColumns(s *arrow.Schema) ([]int, error) {
	if i := s.Metadata().FindKey(schemas.MetadataKey); i >= 0 {
		var got schemas.Header
		if err := json.Unmarshal([]byte(s.Metadata().Values()[i]), &got); err != nil {
			return nil, fmt.Errorf("the schema's %q metadata: %w", schemas.MetadataKey, err)
		}
		if err := schemas.RowsHeader.Check("split", got); err != nil {
			return nil, err
		}
	}
	want, err := schemas.Rows([]string{"any"})
	if err != nil {
		return nil, err
	}
	columns := make([]int, want.NumFields())
	for i, f := range want.Fields() {
		found := s.FieldIndices(f.Name)
		if len(found) != 1 {
			return nil, fmt.Errorf("column %s: %d of them, want one: build the dataset with mcil build: %w", f.Name, len(found), ErrRefused)
		}
		if got := s.Field(found[0]).Type; !arrow.TypeEqual(got, f.Type) {
			return nil, fmt.Errorf("column %s is %s, want %s: %w", f.Name, got, f.Type, ErrRefused)
		}
		columns[i] = found[0]
	}
	return columns, nil
}

// Len is the number of rows.
func (r *Rows) Len() int { return r.n }

// locate finds the record of row i and the row's place in it.
func (r *Rows) locate(i int) (arrow.Record, int) {
	k := sort.SearchInts(r.starts, i+1) - 1
	return r.records[k], i - r.starts[k]
}

func (r *Rows) text(col, i int) string {
	rec, j := r.locate(i)
	return rec.Column(r.columns[col]).(*array.String).Value(j)
}

// Label is the label of row i.
func (r *Rows) Label(i int) int {
	rec, j := r.locate(i)
	return int(rec.Column(r.columns[schemas.ColLabel]).(*array.Int64).Value(j))
}

// ID is the ID of row i.
func (r *Rows) ID(i int) ID { return ID(r.text(schemas.ColID, i)) }

// Caption is the caption of row i.
func (r *Rows) Caption(i int) string { return r.text(schemas.ColCaption, i) }

// Image is the encoded picture of row i. It must not be modified.
func (r *Rows) Image(i int) []byte {
	rec, j := r.locate(i)
	return rec.Column(r.columns[schemas.ColImage]).(*array.Struct).Field(0).(*array.Binary).Value(j)
}

// Row is row i whole. Its Image must not be modified.
func (r *Rows) Row(i int) Row {
	rec, j := r.locate(i)
	return rowAt(rec, r.columns, j)
}

// rowAt is row j of a record. It panics where an offset of the record leads out of its buffers, which [checkRecord] rules out.
func rowAt(rec arrow.Record, columns []int, j int) Row {
	text := func(col int) string { return rec.Column(columns[col]).(*array.String).Value(j) }
	int32At := func(col int) int { return int(rec.Column(columns[col]).(*array.Int32).Value(j)) }
	row := Row{
		ID:          ID(text(schemas.ColID)),
		Image:       rec.Column(columns[schemas.ColImage]).(*array.Struct).Field(0).(*array.Binary).Value(j),
		Label:       int(rec.Column(columns[schemas.ColLabel]).(*array.Int64).Value(j)),
		Caption:     text(schemas.ColCaption),
		WNID:        text(schemas.ColWNID),
		ClassName:   text(schemas.ColClassName),
		Style:       text(schemas.ColStyle),
		Width:       int32At(schemas.ColWidth),
		Height:      int32At(schemas.ColHeight),
		ImageSHA256: text(schemas.ColImageSHA256),
		CaptionInfo: CaptionInfo{
			Raw: text(schemas.ColCaptionRaw), Model: text(schemas.ColCaptionModel), Fingerprint: text(schemas.ColFingerprint),
		},
	}
	flags := rec.Column(columns[schemas.ColFlags]).(*array.List)
	from, to := flags.ValueOffsets(j)
	for k := from; k < to; k++ {
		row.Flags = append(row.Flags, flags.ListValues().(*array.String).Value(int(k)))
	}
	return row
}

func readPlainJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: damaged JSON: %w", path, err)
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
