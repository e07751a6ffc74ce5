package layout

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// textColumn is a column of texts or bytes, in one of two forms: offsets into data, as Arrow has it and as it lies in the
// mapped file, or one slice a value, as a page of Parquet is decoded. The zero value is a column of empty values.
type textColumn struct {
	offsets []byte // of one value more than there are; little-endian, of 4 bytes or, if wide, 8
	wide    bool
	data    []byte
	valid   []byte // bit i, least significant first: value i is there. nil: all are
	slices  [][]byte
}

func (c *textColumn) offset(i int) int {
	if c.wide {
		return int(int64(binary.LittleEndian.Uint64(c.offsets[8*i:])))
	}
	return int(int32(binary.LittleEndian.Uint32(c.offsets[4*i:])))
}

// at is value i; nil where it is null.
func (c *textColumn) at(i int) []byte {
	if c.slices != nil {
		return c.slices[i]
	}
	if c.offsets == nil || !isSet(c.valid, i) {
		return nil
	}
	from, to := c.offset(i), c.offset(i+1)
	return c.data[from:to:to]
}

// isNull is for columns that are there.
func (c *textColumn) isNull(i int) bool {
	if c.slices != nil {
		return c.slices[i] == nil
	}
	return !isSet(c.valid, i)
}

// bounds are where list i begins and ends, in a column of lists.
func (c *textColumn) bounds(i int) (from, to int) {
	if c.offsets == nil || !isSet(c.valid, i) {
		return 0, 0
	}
	return c.offset(i), c.offset(i + 1)
}

// listColumn is a column of lists of texts. The zero value is a column of empty lists.
type listColumn struct {
	textColumn // offsets and valid only: value i is items[offset(i):offset(i+1)]
	items      textColumn
}

func (c *listColumn) strings(i int) []string {
	var list []string
	from, to := c.bounds(i)
	for k := from; k < to; k++ {
		list = append(list, string(c.items.at(k)))
	}
	return list
}

// first is the first text of list i; nil where there is none.
func (c *listColumn) first(i int) []byte {
	from, to := c.bounds(i)
	if from == to {
		return nil
	}
	return c.items.at(from)
}

// numbersColumn is a column of lists of numbers. The zero value is a column of empty lists.
type numbersColumn struct {
	textColumn // as in listColumn
	items      intColumn
}

// there says whether a file has the column.
func (c *numbersColumn) there() bool { return c.offsets != nil }

func (c *numbersColumn) floats(i int) []float64 {
	var list []float64
	for k, end := c.bounds(i); k < end; k++ {
		list = append(list, c.items.float(k))
	}
	return list
}

// intColumn is a column of integers or of numbers in double precision, little-endian, of size bytes each, packed or one slice a value.
type intColumn struct {
	values []byte
	size   int // 4 or 8
	valid  []byte
	slices [][]byte
}

// bytes are those of value i; nil where it is null or where there is no such column.
func (c *intColumn) bytes(i int) []byte {
	switch {
	case c.slices != nil:
		return c.slices[i]
	case c.values != nil && isSet(c.valid, i):
		return c.values[c.size*i : c.size*(i+1)]
	}
	return nil
}

// float is value i of a column of numbers in double precision, and no number where it is null.
func (c *intColumn) float(i int) float64 {
	value := c.bytes(i)
	if len(value) != 8 {
		return math.NaN()
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(value))
}

// at is value i, or missing where it is null or where there is no such column.
func (c *intColumn) at(i, missing int) int {
	switch value := c.bytes(i); len(value) {
	case 4:
		return int(int32(binary.LittleEndian.Uint32(value)))
	case 8:
		return int(int64(binary.LittleEndian.Uint64(value)))
	}
	return missing
}

func (c *intColumn) isNull(i int) bool {
	if c.slices != nil {
		return c.slices[i] == nil
	}
	return !isSet(c.valid, i)
}

func isSet(bitmap []byte, i int) bool { return bitmap == nil || bitmap[i/8]>>(i%8)&1 != 0 }

// checkOffsets says whether n+1 offsets are there, ascend and end within limit.
func checkOffsets(offsets []byte, wide bool, n, limit int) error {
	c := textColumn{offsets: offsets, wide: wide}
	last := 0
	for i := range n + 1 {
		at := c.offset(i)
		if at < last || at > limit {
			return fmt.Errorf("offset %d is %d, after %d and of %d: %w", i, at, last, limit, schemas.ErrDamaged)
		}
		last = at
	}
	return nil
}

// pictures are the pictures of a chunk.
type pictures interface {
	picture(i int) ([]byte, error)
}

// picture makes a column of bytes [pictures].
func (c *textColumn) picture(i int) ([]byte, error) { return c.at(i), nil }

// chunk is a run of rows whose columns lie together: an Arrow record batch, or a row group of Parquet.
type chunk struct {
	rows   int
	images pictures
	texts  [numColumns]textColumn // by schemas.Col...
	ints   [numColumns]intColumn
	list   listColumn // of captions, where column text has them and not column caption
	flags  listColumn
	values numbersColumn // of flags
}

const numColumns = schemas.NumColumns

func (c *chunk) caption(i int) []byte {
	if c.list.offsets != nil {
		return c.list.first(i)
	}
	return c.texts[schemas.ColCaption].at(i)
}

// wnid is that of the file, or the part of the ID before the slash. It is nil where neither is there.
func (c *chunk) wnid(i int) []byte {
	if w := c.texts[schemas.ColWNID].at(i); len(w) > 0 {
		return w
	}
	id := c.texts[schemas.ColID].at(i)
	if slash := slices.Index(id, '/'); slash >= 0 {
		return id[:slash]
	}
	return nil
}

func (c *chunk) id(i int) []byte { return c.texts[schemas.ColID].at(i) }

func (c *chunk) label(i int) int { return c.ints[schemas.ColLabel].at(i, -1) }

func (c *chunk) row(i int) (dataset.Row, error) {
	image, err := c.images.picture(i)
	if err != nil {
		return dataset.Row{}, err
	}
	text := func(col int) string { return string(c.texts[col].at(i)) }
	return dataset.Row{
		ID: dataset.ID(text(schemas.ColID)), Image: image, Label: c.label(i), Caption: string(c.caption(i)),
		WNID: string(c.wnid(i)), ClassName: text(schemas.ColClassName), Style: text(schemas.ColStyle),
		Width: c.ints[schemas.ColWidth].at(i, 0), Height: c.ints[schemas.ColHeight].at(i, 0),
		Orientation: c.ints[schemas.ColOrientation].at(i, 1), ImageSHA256: text(schemas.ColImageSHA256),
		CaptionInfo: dataset.CaptionInfo{
			Raw: text(schemas.ColCaptionRaw), Model: text(schemas.ColCaptionModel), Prompt: text(schemas.ColCaptionPrompt),
			Fingerprint: text(schemas.ColFingerprint), Flags: c.flags.strings(i), FlagValues: c.values.floats(i),
		},
	}, nil
}

// checkNulls refuses rows without an ID or a label; before is the number of rows before the chunk.
func (c *chunk) checkNulls(before int) error {
	for i := range c.rows {
		for _, col := range [...]struct {
			name string
			null bool
		}{{"id", c.texts[schemas.ColID].isNull(i)}, {"label", c.ints[schemas.ColLabel].isNull(i)}} {
			if col.null {
				return noValue(col.name, before+i)
			}
		}
	}
	return nil
}

// checkValues refuses rows whose flags and their values do not match, where a file has both; before is as in checkNulls.
func (c *chunk) checkValues(before int) error {
	if !c.values.there() || c.flags.offsets == nil {
		return nil
	}
	for i := range c.rows {
		from, to := c.flags.bounds(i)
		first, end := c.values.bounds(i)
		if end-first != to-from {
			return fmt.Errorf("row %d: %d flag_values for %d caption_flags: %w", before+i, end-first, to-from, dataset.ErrRefused)
		}
		for k := first; k < end; k++ {
			if v := c.values.items.float(k); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("row %d: one of its flag_values is no number: %w", before+i, dataset.ErrRefused)
			}
		}
	}
	return nil
}

func noValue(column string, row int) error {
	return fmt.Errorf("column %s has no value in row %d: %w", column, row, dataset.ErrRefused)
}

// kind is what a column holds, as far as the reader tells types apart.
type kind int

const (
	kindOther kind = iota
	kindText
	kindBytes
	kindPicture // struct of bytes and path
	kindTexts   // a list of texts
	kindNumbers // a list of numbers in double precision
	kindInt32
	kindInt64
)

// field is a column of a file.
type field struct {
	name string
	typ  string // in Arrow's words
	kind kind
}

// columnMap tells where the columns that a reader wants are: numbers of fields, or -1.
type columnMap struct {
	at       [numColumns]int
	captions bool // the caption is the first of a list
}

// wanted are the columns of a row with the names under which they are looked for, the better one first. Those without
// need may be missing.
var wanted = [numColumns]struct {
	names []string
	kinds []kind
	typ   string
	need  bool
}{
	schemas.ColImage:         {[]string{"image"}, []kind{kindPicture, kindBytes}, "struct<bytes: binary, path: utf8> or binary", true},
	schemas.ColLabel:         {[]string{"label"}, []kind{kindInt64}, "int64", true},
	schemas.ColCaption:       {[]string{"caption", "text"}, nil, "", true}, // its type depends on the name
	schemas.ColID:            {[]string{"id", "image_id"}, []kind{kindText}, "utf8", true},
	schemas.ColWNID:          {[]string{"wnid"}, []kind{kindText}, "utf8", false},
	schemas.ColClassName:     {[]string{"class_name"}, []kind{kindText}, "utf8", false},
	schemas.ColStyle:         {[]string{"style"}, []kind{kindText}, "utf8", false},
	schemas.ColWidth:         {[]string{"width"}, []kind{kindInt32}, "int32", false},
	schemas.ColHeight:        {[]string{"height"}, []kind{kindInt32}, "int32", false},
	schemas.ColOrientation:   {[]string{"orientation"}, []kind{kindInt32}, "int32", false},
	schemas.ColImageSHA256:   {[]string{"image_sha256"}, []kind{kindText}, "utf8", false},
	schemas.ColCaptionRaw:    {[]string{"caption_raw"}, []kind{kindText}, "utf8", false},
	schemas.ColCaptionModel:  {[]string{"caption_model"}, []kind{kindText}, "utf8", false},
	schemas.ColCaptionPrompt: {[]string{"caption_prompt"}, []kind{kindText}, "utf8", false},
	schemas.ColFingerprint:   {[]string{"request_fingerprint"}, []kind{kindText}, "utf8", false},
	schemas.ColFlags:         {[]string{"caption_flags"}, []kind{kindTexts}, "list<item: utf8>", false},
	schemas.ColFlagValues:    {[]string{"flag_values"}, []kind{kindNumbers}, "list<item: double>", false},
}

// matchColumns finds the columns by name; their order may differ and others may be there.
func matchColumns(fields []field) (m columnMap, err error) {
	for col, w := range wanted {
		m.at[col] = -1
		for _, name := range w.names {
			var found []int
			for i, f := range fields {
				if f.name == name {
					found = append(found, i)
				}
			}
			if len(found) == 0 {
				continue
			}
			if len(found) > 1 {
				return m, fmt.Errorf("column %s: %d of them, want one: %w", name, len(found), dataset.ErrRefused)
			}
			if col == schemas.ColCaption {
				m.captions = name == "text"
				w.kinds, w.typ = []kind{kindText}, "utf8"
				if m.captions {
					w.kinds, w.typ = []kind{kindTexts}, "list<item: utf8>"
				}
			}
			if f := fields[found[0]]; !slices.Contains(w.kinds, f.kind) {
				return m, fmt.Errorf("column %s is %s, want %s: %w", name, f.typ, w.typ, dataset.ErrRefused)
			}
			m.at[col] = found[0]
			break
		}
		if m.at[col] < 0 && w.need {
			return m, fmt.Errorf("column %s: none, want one: build the dataset with mcil build: %w", strings.Join(w.names, " or "), dataset.ErrRefused)
		}
	}
	return m, nil
}

// of is the column that field i is, or -1.
func (m *columnMap) of(i int) int { return slices.Index(m.at[:], i) }
