package dataset

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
func Open(dir string) (*Dataset, error) {
	if _, err := os.Stat(filepath.Join(dir, "dataset_dict.json")); errors.Is(err, fs.ErrNotExist) {
		inner := filepath.Join(dir, "hf")
		if _, err := os.Stat(filepath.Join(inner, "dataset_dict.json")); err != nil {
			return nil, fmt.Errorf("dataset %s: no dataset_dict.json: not a folder made by mcil build (its hf layout) or by save_to_disk: %w", dir, ErrNoSource)
		}
		dir = inner
	}
	if m := filepath.Join(filepath.Dir(dir), "manifest.json"); fileExists(m) {
		var head schemas.DatasetManifest
		if err := schemas.ReadJSON(m, schemas.DatasetHeader, &head); err != nil {
			return nil, fmt.Errorf("dataset: %w", err)
		}
	}
	var dict struct{ Splits []string }
	if err := readPlainJSON(filepath.Join(dir, "dataset_dict.json"), &dict); err != nil {
		return nil, err
	}
	d := &Dataset{Dir: dir, Splits: map[string]*Rows{}}
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
	if len(names) != len(d.Classes) {
		return fmt.Errorf("%s names %d classes and another split %d: %w", split, len(names), len(d.Classes), ErrRefused)
	}
	for i := range rows.Len() {
		label := rows.Label(i)
		if label < 0 || label >= len(d.Classes) {
			return fmt.Errorf("%s row %d: label %d of %d classes: %w", split, i, label, len(d.Classes), ErrRefused)
		}
		if c := &d.Classes[label]; c.WNID == "" {
			c.WNID = rows.text(schemas.ColWNID, i)
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
		if names, err = schemas.ClassNames(schema.Metadata()); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
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
	stream, err := ipc.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("not an Arrow IPC stream: %w: %w", err, ErrRefused)
	}
	defer stream.Release()
	if r.columns, err = matchColumns(stream.Schema()); err != nil {
		return nil, err
	}
	for stream.Next() {
		rec := stream.Record()
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
	int32At := func(col int) int { return int(rec.Column(r.columns[col]).(*array.Int32).Value(j)) }
	row := Row{
		ID: r.ID(i), Image: r.Image(i), Label: r.Label(i), Caption: r.Caption(i),
		WNID: r.text(schemas.ColWNID, i), ClassName: r.text(schemas.ColClassName, i), Style: r.text(schemas.ColStyle, i),
		Width: int32At(schemas.ColWidth), Height: int32At(schemas.ColHeight), ImageSHA256: r.text(schemas.ColImageSHA256, i),
		CaptionInfo: CaptionInfo{
			Raw: r.text(schemas.ColCaptionRaw, i), Model: r.text(schemas.ColCaptionModel, i), Fingerprint: r.text(schemas.ColFingerprint, i),
		},
	}
	flags := rec.Column(r.columns[schemas.ColFlags]).(*array.List)
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
