package vilt

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// safetensors: eight bytes with the length of a JSON header, the header (name to dtype, shape and byte range), the data.
// Format as documented by huggingface/safetensors.

const maxSafetensorsHeader = 100 << 20 // the format's own bound

type safetensorsEntry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets []int  `json:"data_offsets"` // of the first byte and the one after the last
}

// ErrSafetensors is what every damaged safetensors file is reported as, beside [schemas.ErrDamaged].
var ErrSafetensors = errors.New("damaged safetensors file")

// ErrUnsupported is what sound files are reported as that hold another model, another type of number, or another format than
// is read.
var ErrUnsupported = errors.New("not supported")

// WriteSafetensors writes tensors to path, sorted by name, so that the same tensors give the same bytes.
func WriteSafetensors(path string, tensors []*Tensor, metadata map[string]string) error {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b *Tensor) int { return strings.Compare(a.Name, b.Name) })
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	var at int
	for _, t := range sorted {
		if header[t.Name] != nil {
			return fmt.Errorf("write %s: two tensors are called %s", path, t.Name)
		}
		n := 4 * len(t.Data)
		header[t.Name] = safetensorsEntry{"F32", t.Shape, []int{at, at + n}}
		at += n
	}
	h, err := json.Marshal(header) // sorts keys
	if err != nil {
		return err
	}
	for len(h)%8 != 0 {
		h = append(h, ' ')
	}
	return schemas.WriteFile(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		if err := binary.Write(b, binary.LittleEndian, uint64(len(h))); err != nil {
			return err
		}
		if _, err := b.Write(h); err != nil {
			return err
		}
		var word [4]byte
		for _, t := range sorted {
			for _, v := range t.Data {
				binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
				if _, err := b.Write(word[:]); err != nil {
					return err
				}
			}
		}
		return b.Flush()
	})
}

// ReadSafetensors reads every tensor of the file at path as float32, sorted by name. Whole numbers, such as the position ids
// of older files, are left out; tensors of other types than F32, F16 and BF16 are an error.
func ReadSafetensors(path string) ([]*Tensor, error) {
	tensors, _, err := ReadSafetensorsMetadata(path)
	return tensors, err
}

// ReadSafetensorsMetadata is ReadSafetensors with the file's own metadata.
func ReadSafetensorsMetadata(path string) ([]*Tensor, map[string]string, error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer m.close()
	found, metadata, err := parseSafetensors(m.bytes)
	if errors.Is(err, ErrSafetensors) {
		return nil, nil, fmt.Errorf("%s: %w: %w", path, err, schemas.ErrDamaged)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	tensors, err := readAll(m, found)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, metadata, nil
}

// readAll reads what is no whole number.
func readAll(m mapped, found []stored) (tensors []*Tensor, err error) {
	for _, s := range found {
		if whole(s.dtype) {
			continue
		}
		if !readable(s.dtype) {
			return nil, fmt.Errorf("tensor %s is of type %s, and only F32, F16 and BF16 are read: save the weights as float32: %w", s.name, s.dtype, ErrUnsupported)
		}
		t := newTensor(s.name, s.shape...)
		s.read(m, t.Data)
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// parseSafetensors lists the tensors of a file by name. As in the format's own reader they fill the data without overlap or
// gap.
func parseSafetensors(b []byte) (found []stored, metadata map[string]string, err error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(b), ErrSafetensors)
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxSafetensorsHeader || n > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d: %w", n, len(b), ErrSafetensors)
	}
	begin := 8 + int(n)
	raw, err := members(b[8:begin])
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w: %w", err, ErrSafetensors)
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw[name], &metadata); err != nil {
				return nil, nil, fmt.Errorf("header of %s: %w: %w", name, err, ErrSafetensors)
			}
			continue
		}
		var e safetensorsEntry
		if err := json.Unmarshal(raw[name], &e); err != nil {
			return nil, nil, fmt.Errorf("header of %s: %w: %w", name, err, ErrSafetensors)
		}
		if err := e.check(name, len(b)-begin); err != nil {
			return nil, nil, err
		}
		found = append(found, stored{name: name, shape: e.Shape, dtype: e.DType, at: begin + e.Offsets[0], bytes: e.Offsets[1] - e.Offsets[0]})
	}
	byPlace := slices.Clone(found)
	slices.SortFunc(byPlace, func(a, b stored) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.bytes, b.bytes)) })
	end := begin
	for _, s := range byPlace {
		if s.at != end {
			return nil, nil, fmt.Errorf("tensor %s begins at byte %d of the data, not at %d, where the one before it ends: %w", s.name, s.at-begin, end-begin, ErrSafetensors)
		}
		end += s.bytes
	}
	if end != len(b) {
		return nil, nil, fmt.Errorf("%d bytes after the last tensor: %w", len(b)-end, ErrSafetensors)
	}
	return found, metadata, nil
}

// members are the values of a JSON object by name. A name that is there twice is an error: one would hide the other.
func members(object []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, fmt.Errorf("no JSON object (%v)", err)
	}
	values := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // the decoder takes no other keys
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("two entries are called %.100q", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		values[name] = value
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, err
	}
	if after, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%v after the object (%v)", after, err)
	}
	return values, nil
}

// check holds an entry to a file with so many bytes of data.
func (e safetensorsEntry) check(name string, length int) error {
	if len(e.Offsets) != 2 || e.Shape == nil {
		return fmt.Errorf("tensor %s has %d offsets and shape %v, not two and a list: %w", name, len(e.Offsets), e.Shape, ErrSafetensors)
	}
	from, to := e.Offsets[0], e.Offsets[1]
	if from < 0 || to < from || to > length {
		return fmt.Errorf("tensor %s lies at bytes %d to %d of %d: %w", name, from, to, length, ErrSafetensors)
	}
	w := width(e.DType)
	if w == 0 { // a type that is not read: nobody looks at it
		return nil
	}
	switch n := size(e.Shape, w, length); {
	case n < 0:
		return fmt.Errorf("tensor %s has shape %v, more than the file holds: %w", name, e.Shape, ErrSafetensors)
	case n != to-from:
		return fmt.Errorf("tensor %s of shape %v has %d bytes: %w", name, e.Shape, to-from, ErrSafetensors)
	}
	return nil
}
