package vilt

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// torch.save has written two formats. Since release 1.6: a zip archive, nothing compressed, with a pickle (data.pkl) and one
// record a storage (data/KEY). Before: five pickles in a row (magic number, protocol, the machine, the value, the keys of the
// storages in order), then each storage as the number of its values, 8 bytes, and the values.

// torchMagic is what the first pickle of the older format holds.
const torchMagic = "1950a86a20f9469cfc6c"

// torchFile is a file of torch.save being read.
type torchFile struct {
	b        []byte
	names    names
	storages map[string]*torchStorage
	find     func(key string, s *torchStorage) error // sets where a storage is, once it is first named; may be nil
}

// parseTorch lists the tensors of a state dict in a file of torch.save, or of the state dict within a checkpoint.
func parseTorch(b []byte) ([]stored, error) {
	f := &torchFile{b: b, names: torchNames(), storages: map[string]*torchStorage{}}
	read := f.legacy
	if isZip(b) {
		read = f.archive
	}
	value, err := read()
	if err != nil {
		return nil, err
	}
	return f.stateDict(value)
}

func isZip(b []byte) bool { return bytes.HasPrefix(b, []byte("PK\x03\x04")) }

func (f *torchFile) archive() (any, error) {
	z, err := zip.NewReader(bytes.NewReader(f.b), int64(len(f.b)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrTorch)
	}
	records, prefix, pickles := map[string]*zip.File{}, "", 0
	for _, r := range z.File {
		records[r.Name] = r
		if p, ok := strings.CutSuffix(r.Name, "data.pkl"); ok && (p == "" || strings.HasSuffix(p, "/")) {
			prefix = p
			pickles++
		}
	}
	if records[prefix+"constants.pkl"] != nil {
		return nil, fmt.Errorf("a TorchScript archive, not a file of torch.save: %w", ErrUnsupported)
	}
	if pickles != 1 {
		return nil, fmt.Errorf("an archive with %d records data.pkl, not 1: %w", pickles, ErrTorch)
	}
	if r := records[prefix+"byteorder"]; r != nil {
		from, to, err := f.record(r)
		if err != nil {
			return nil, err
		}
		if order := f.b[from:to]; string(order) != "little" {
			return nil, fmt.Errorf("byte order %q, and only little is read: %w", order[:min(len(order), 20)], ErrUnsupported)
		}
	}
	f.find = func(key string, s *torchStorage) error {
		r := records[prefix+"data/"+key]
		if r == nil {
			return fmt.Errorf("no record data/%.100s: %w", key, ErrTorch)
		}
		from, to, err := f.record(r)
		if err != nil {
			return err
		}
		if to-from != s.values*width(s.dtype) {
			return fmt.Errorf("record %s has %d bytes, not %d values of type %s: %w", r.Name, to-from, s.values, s.dtype, ErrTorch)
		}
		s.at = from
		return nil
	}
	from, to, err := f.record(records[prefix+"data.pkl"])
	if err != nil {
		return nil, err
	}
	value, _, err := unpickle(f.b[from:to], len(f.b), f.names, f.storage)
	return value, err
}

// record is where the content of a record lies.
func (f *torchFile) record(r *zip.File) (from, to int, err error) {
	if r.Method != zip.Store {
		return 0, 0, fmt.Errorf("record %s is compressed, which torch.save does not do: %w", r.Name, ErrUnsupported)
	}
	at, err := r.DataOffset()
	if err != nil {
		return 0, 0, fmt.Errorf("record %s: %w: %w", r.Name, err, ErrTorch)
	}
	if length := int64(len(f.b)); at < 0 || at > length || r.UncompressedSize64 > uint64(length-at) {
		return 0, 0, fmt.Errorf("record %s of %d bytes goes beyond the file: %w", r.Name, r.UncompressedSize64, ErrTorch)
	}
	return int(at), int(at) + int(r.UncompressedSize64), nil
}

func (f *torchFile) legacy() (any, error) {
	var values [5]any
	at := 0
	for i := range values {
		load := func(any) (any, error) { return nil, fmt.Errorf("a storage outside the value") }
		if i == 3 {
			load = f.storage
		}
		value, length, err := unpickle(f.b[at:], len(f.b), f.names, load)
		if err != nil {
			return nil, err
		}
		values[i] = value
		at += length
		if magic, _ := values[0].(*big.Int); magic == nil || magic.Text(16) != torchMagic {
			return nil, fmt.Errorf("a pickle, but none of torch.save: %w", ErrTorch)
		}
	}
	if version, isNumber := values[1].(int); !isNumber {
		return nil, fmt.Errorf("a protocol of torch.save that is no number: %w", ErrTorch)
	} else if version != 1001 {
		return nil, fmt.Errorf("protocol %d of torch.save, and only 1001 is read: %w", version, ErrUnsupported)
	}
	for key, v := range entries(values[2]) {
		if little, isBool := v.(bool); key == "little_endian" && isBool && !little {
			return nil, fmt.Errorf("byte order big, and only little is read: %w", ErrUnsupported)
		}
	}
	keys, _ := values[4].(*types.List)
	if keys == nil || len(*keys) != len(f.storages) {
		return nil, fmt.Errorf("not the keys of %d storages: %w", len(f.storages), ErrTorch)
	}
	for _, k := range *keys {
		key, _ := k.(string)
		s := f.storages[key]
		if s == nil || s.at > 0 {
			return nil, fmt.Errorf("storage %.100q is not used, or twice there: %w", key, ErrTorch)
		}
		if len(f.b)-at < 8 || binary.LittleEndian.Uint64(f.b[at:]) != uint64(s.values) || s.values*width(s.dtype) > len(f.b)-at-8 {
			return nil, fmt.Errorf("storage %.100q is cut off, or not of %d values: %w", key, s.values, ErrTorch)
		}
		s.at = at + 8
		at = s.at + s.values*width(s.dtype)
	}
	return values[3], nil
}

// storage resolves what a pickle says of a storage: ("storage", class, key, device, number of values[, view]).
func (f *torchFile) storage(id any) (any, error) {
	t, _ := id.(*types.Tuple)
	if t == nil || t.Len() < 5 || t.Get(0) != "storage" {
		return nil, fmt.Errorf("a reference that is not to a storage")
	}
	class, isClass := t.Get(1).(storageType)
	key, isKey := t.Get(2).(string)
	values, isNumber := t.Get(4).(int)
	if !isClass || !isKey || !isNumber {
		return nil, fmt.Errorf("storage %.100q without a type or a number of values", key)
	}
	if values < 0 || values > len(f.b)/width(string(class)) {
		return nil, fmt.Errorf("storage %.100q of %d values", key, values)
	}
	if t.Len() > 5 && t.Get(5) != nil {
		return nil, fmt.Errorf("storage %.100q is a view of another: %w", key, ErrUnsupported)
	}
	if s := f.storages[key]; s != nil {
		if s.dtype != string(class) || s.values != values {
			return nil, fmt.Errorf("storage %.100q is two things", key)
		}
		return s, nil
	}
	s := &torchStorage{dtype: string(class), values: values}
	if f.find != nil {
		if err := f.find(key, s); err != nil {
			return nil, err
		}
	}
	f.storages[key] = s
	return s, nil
}

// stateDict lists the tensors of a dict, or of the dict that it has as state_dict.
func (f *torchFile) stateDict(value any) (found []stored, err error) {
	for key, v := range entries(value) {
		if key == "state_dict" {
			value = v
		}
	}
	for key, v := range entries(value) {
		name, isName := key.(string)
		t, isTensor := v.(*torchTensor)
		if !isName || !isTensor {
			return nil, fmt.Errorf("entry %.100q is not a tensor: only state dicts are read, alone or as state_dict of a checkpoint: %w", name, ErrUnsupported)
		}
		s, err := t.place(name, len(f.b))
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no state dict: %w", ErrUnsupported)
	}
	return found, nil
}

// entries walks a dict of either kind, and nothing else. It does not look into values, which may hold themselves.
func entries(value any) func(yield func(key, value any) bool) {
	return func(yield func(key, value any) bool) {
		switch d := value.(type) {
		case *types.Dict:
			for _, e := range *d {
				if !yield(e.Key, e.Value) {
					return
				}
			}
		case *types.OrderedDict:
			for e := d.List.Front(); e != nil; e = e.Next() {
				if entry := e.Value.(*types.OrderedDictEntry); !yield(entry.Key, entry.Value) {
					return
				}
			}
		}
	}
}

// ints are the elements of a tuple of whole numbers, at most maxDims. A pickle may name one tuple many times.
func ints(value any) ([]int, bool) {
	const maxDims = 8
	t, _ := value.(*types.Tuple)
	if t == nil || t.Len() > maxDims {
		return nil, false
	}
	out := make([]int, t.Len())
	for i, v := range *t {
		n, isInt := v.(int)
		if !isInt {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}
