package schemas

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Exemplar is an old example as kept in memory and in memory.arrow. What counts against a budget of stored bytes is Pixels,
// Rest, Box, PatchBits, Tokens and TokenBits; the other fields are bookkeeping, alike for every way of storing.
type Exemplar struct {
	ID    string
	Label int // position of its class in the order learned

	Codec        string // how Pixels and Rest hold pictures: [CodecRaw] or [CodecJPEG]
	Quality      int    // of JPEG, 1 to 100 on libjpeg's scale; 0 of raw pixels
	GridH, GridW int    // of the full picture, in patches
	PatchPx      int    // side of a patch in pixels
	PatchBits    []byte // bit i (least significant first) is set where patch i is kept; empty: all are
	Pixels       []byte // the kept patches, raw: [P, 3·p·p]; or, where there is a box, what is in it, raw: rows of RGB

	Box   *Box   // what is kept at full resolution of a picture whose rest is down-sampled; nil: there is no such part
	Ratio int    // pixels of the picture for one of Rest, a square; 0 without a box
	Rest  []byte // the down-sampled picture; raw: RGB of those of its pixels, in raster order, that the box does not cover whole

	TextLen   int      // tokens of the full text, [CLS] and [SEP] included
	TokenBits []byte   // bit i is set where token i is kept; empty: all are
	Tokens    []uint16 // ids of the kept tokens

	FullBytes int // what the whole example would take, stored by the run's codec; 0: not known, as in files of version 1
}

// Box is a part of a picture, in pixels.
type Box struct{ X, Y, W, H int }

// BoxBytes is the size of a box as stored: four numbers of two bytes, little-endian.
const BoxBytes = 8

// Codecs of an exemplar's pixels.
const (
	CodecRaw  = "raw"  // 8 bits a channel, as they are
	CodecJPEG = "jpeg" // the scan of a sequential 4:4:4 JPEG with Annex K's tables, which follow from size and quality
)

// ExemplarsHeader is in the schema metadata of memory.arrow. Version 1, without JPEG and boxes, is still read.
var ExemplarsHeader = Header{"mcil.exemplars", 2}

func exemplarSchema() (*arrow.Schema, error) {
	own, err := json.Marshal(ExemplarsHeader)
	if err != nil {
		return nil, err
	}
	md := arrow.NewMetadata([]string{MetadataKey}, []string{string(own)})
	i32, bin := arrow.PrimitiveTypes.Int32, arrow.BinaryTypes.Binary
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.String}, {Name: "label", Type: i32},
		{Name: "grid_h", Type: i32}, {Name: "grid_w", Type: i32}, {Name: "patch_px", Type: i32},
		{Name: "patch_bits", Type: bin}, {Name: "pixels", Type: bin},
		{Name: "text_len", Type: i32}, {Name: "token_bits", Type: bin},
		{Name: "tokens", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint16)},
		{Name: "codec", Type: arrow.BinaryTypes.String},
		{Name: "quality", Type: i32}, {Name: "box", Type: bin}, {Name: "ratio", Type: i32}, {Name: "rest", Type: bin},
		{Name: "full_bytes", Type: i32},
	}, &md), nil
}

// exemplarColumns1 is how many of the columns files of version 1 have.
const exemplarColumns1 = 11

// WriteExemplars writes an Arrow IPC file, one exemplar a row, in order.
func WriteExemplars(path string, exemplars []Exemplar) error {
	schema, err := exemplarSchema()
	if err != nil {
		return err
	}
	return WriteFile(path, func(w io.Writer) error {
		f, err := ipc.NewFileWriter(w.(io.WriteSeeker), ipc.WithSchema(schema))
		if err != nil {
			return err
		}
		const batch = 256 // rows: keeps binary columns far below 2 GiB
		for len(exemplars) > 0 {
			n := min(batch, len(exemplars))
			if err := writeExemplarBatch(f, schema, exemplars[:n]); err != nil {
				return err
			}
			exemplars = exemplars[n:]
		}
		return f.Close()
	})
}

func writeExemplarBatch(f *ipc.FileWriter, schema *arrow.Schema, exemplars []Exemplar) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, e := range exemplars {
		b.Field(0).(*array.StringBuilder).Append(e.ID)
		for _, f := range [...]struct{ col, value int }{{1, e.Label}, {2, e.GridH}, {3, e.GridW}, {4, e.PatchPx}, {7, e.TextLen}, {11, e.Quality}, {13, e.Ratio}, {15, e.FullBytes}} {
			b.Field(f.col).(*array.Int32Builder).Append(int32(f.value))
		}
		b.Field(5).(*array.BinaryBuilder).Append(e.PatchBits)
		b.Field(6).(*array.BinaryBuilder).Append(e.Pixels)
		b.Field(8).(*array.BinaryBuilder).Append(e.TokenBits)
		tokens := b.Field(9).(*array.ListBuilder)
		tokens.Append(true)
		tokens.ValueBuilder().(*array.Uint16Builder).AppendValues(e.Tokens, nil)
		b.Field(10).(*array.StringBuilder).Append(e.Codec)
		b.Field(12).(*array.BinaryBuilder).Append(e.Box.bytes())
		b.Field(14).(*array.BinaryBuilder).Append(e.Rest)
	}
	rec := b.NewRecord()
	defer rec.Release()
	return f.Write(rec)
}

// ReadExemplars reads what [WriteExemplars] wrote.
func ReadExemplars(path string) (exemplars []Exemplar, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer func() { // the Arrow reader panics on some damaged files
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged Arrow file: %v: %w", path, p, ErrDamaged)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkArrowFooter(f, info.Size()); err != nil {
		return nil, fmt.Errorf("%s: not an Arrow IPC file: %w", path, err)
	}
	r, err := ipc.NewFileReader(f, ipc.WithAllocator(&BoundedAllocator{MaxBytes: info.Size()}))
	if err != nil {
		return nil, fmt.Errorf("%s: not an Arrow IPC file: %w: %w", path, err, ErrDamaged)
	}
	defer r.Close()
	md := r.Schema().Metadata()
	var got Header
	if i := md.FindKey(MetadataKey); i < 0 || json.Unmarshal([]byte(md.Values()[i]), &got) != nil {
		return nil, fmt.Errorf("%s: has no %q metadata: not an exemplar memory: %w", path, MetadataKey, ErrDamaged)
	}
	if err := ExemplarsHeader.Check(path, got); err != nil {
		return nil, err
	}
	want, err := exemplarSchema()
	if err != nil {
		return nil, err
	}
	columns := want.Fields()
	if got.Version == 1 {
		columns = columns[:exemplarColumns1]
	}
	if !arrow.NewSchema(columns, nil).Equal(r.Schema()) {
		return nil, fmt.Errorf("%s: has other columns than an exemplar memory: %v: %w", path, r.Schema().Fields(), ErrDamaged)
	}
	for i := range r.NumRecords() {
		rec, err := r.RecordAt(i)
		if err != nil {
			return nil, fmt.Errorf("%s: batch %d: %w: %w", path, i, err, ErrDamaged)
		}
		rows, err := exemplarRows(rec)
		rec.Release()
		if err != nil {
			return nil, fmt.Errorf("%s: batch %d: %w: %w", path, i, err, ErrDamaged)
		}
		exemplars = append(exemplars, rows...)
	}
	return exemplars, nil
}

func (b *Box) bytes() []byte {
	var out []byte
	if b != nil {
		for _, v := range []int{b.X, b.Y, b.W, b.H} {
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		}
	}
	return out
}

func boxOf(b []byte) (*Box, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) != BoxBytes {
		return nil, fmt.Errorf("a box of %d bytes, not %d", len(b), BoxBytes)
	}
	at := func(i int) int { return int(binary.LittleEndian.Uint16(b[2*i:])) }
	return &Box{at(0), at(1), at(2), at(3)}, nil
}

// exemplarRows copies the rows out of a record.
func exemplarRows(rec arrow.Record) ([]Exemplar, error) {
	i32 := func(col, i int) int { return int(rec.Column(col).(*array.Int32).Value(i)) }
	text := func(col, i int) string { return strings.Clone(rec.Column(col).(*array.String).Value(i)) }
	bin := func(col, i int) []byte { return append([]byte(nil), rec.Column(col).(*array.Binary).Value(i)...) }
	out := make([]Exemplar, rec.NumRows())
	tokens := rec.Column(9).(*array.List)
	ids := tokens.ListValues().(*array.Uint16).Uint16Values()
	for i := range out {
		from, to := tokens.ValueOffsets(i)
		out[i] = Exemplar{
			ID: text(0, i), Label: i32(1, i), Codec: text(10, i), GridH: i32(2, i), GridW: i32(3, i),
			PatchPx: i32(4, i), PatchBits: bin(5, i), Pixels: bin(6, i), TextLen: i32(7, i), TokenBits: bin(8, i),
			Tokens: append([]uint16(nil), ids[from:to]...),
		}
		if rec.NumCols() == exemplarColumns1 {
			continue
		}
		box, err := boxOf(bin(12, i))
		if err != nil {
			return nil, fmt.Errorf("exemplar %s: %w", out[i].ID, err)
		}
		out[i].Quality, out[i].Box, out[i].Ratio, out[i].Rest, out[i].FullBytes = i32(11, i), box, i32(13, i), bin(14, i), i32(15, i)
	}
	return out, nil
}
