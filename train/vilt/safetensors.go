package vilt

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
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
	Offsets [2]int `json:"data_offsets"`
}

// ErrSafetensors is what every damaged safetensors file is reported as, beside [schemas.ErrDamaged].
var ErrSafetensors = errors.New("damaged safetensors file")

// ErrUnsupported is what sound files are reported as that hold another model, or another type of number, than is read.
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
		header[t.Name] = safetensorsEntry{"F32", t.Shape, [2]int{at, at + n}}
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

// ReadSafetensors reads every float32 tensor of the file at path, sorted by name. Integer buffers, such as the position
// ids of older files, are left out; tensors of other types are an error.
func ReadSafetensors(path string) ([]*Tensor, error) {
	tensors, _, err := ReadSafetensorsMetadata(path)
	return tensors, err
}

// ReadSafetensorsMetadata is ReadSafetensors with the file's own metadata.
func ReadSafetensorsMetadata(path string) ([]*Tensor, map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	tensors, metadata, err := parseSafetensors(b)
	if errors.Is(err, ErrSafetensors) {
		return nil, nil, fmt.Errorf("%s: %w: %w", path, err, schemas.ErrDamaged)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, metadata, nil
}

func parseSafetensors(b []byte) (tensors []*Tensor, metadata map[string]string, err error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(b), ErrSafetensors)
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxSafetensorsHeader || n > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d: %w", n, len(b), ErrSafetensors)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return nil, nil, fmt.Errorf("header: %w: %w", err, ErrSafetensors)
	}
	data, total := b[8+n:], 0
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
		if e.DType == "I64" {
			continue
		}
		t, err := e.tensor(name, data)
		if err != nil {
			return nil, nil, err
		}
		if total += 4 * len(t.Data); total > len(data) {
			return nil, nil, fmt.Errorf("tensor %s overlaps another: %w", name, ErrSafetensors)
		}
		tensors = append(tensors, t)
	}
	return tensors, metadata, nil
}

func (e safetensorsEntry) tensor(name string, data []byte) (*Tensor, error) {
	if e.DType != "F32" {
		return nil, fmt.Errorf("tensor %s is of type %s, and only F32 is read: save the weights as float32: %w", name, e.DType, ErrUnsupported)
	}
	from, to, size := e.Offsets[0], e.Offsets[1], 4
	if from < 0 || to < from || to > len(data) {
		return nil, fmt.Errorf("tensor %s lies at bytes %d to %d of %d: %w", name, from, to, len(data), ErrSafetensors)
	}
	for _, s := range e.Shape {
		if s < 0 || (s > 0 && size > len(data)/s) {
			return nil, fmt.Errorf("tensor %s has shape %v, more than the file holds: %w", name, e.Shape, ErrSafetensors)
		}
		size *= s
	}
	if size != to-from {
		return nil, fmt.Errorf("tensor %s of shape %v has %d bytes: %w", name, e.Shape, to-from, ErrSafetensors)
	}
	t := newTensor(name, e.Shape...)
	for i := range t.Data {
		t.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[from+4*i:]))
	}
	return t, nil
}
