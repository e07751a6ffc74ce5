package vilt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/nlpodyssey/gopickle/pickle"
)

// A pickle is a program: it names functions of Python and calls them, so whoever opens one elsewhere runs what its author
// wrote. Here nothing can be called but what rebuilds a tensor, and a pickle is read twice: vet walks its instructions before
// any is carried out, refuses every name that is not on the list below, every instruction that torch.save does not write,
// every length beyond the file and more work than a file of this size can ask for; then gopickle carries them out. No value
// is printed before its type is known: gopickle's dicts and tuples may hold themselves, and print themselves without end.

// ErrTorch is what every damaged or hostile file of torch.save is reported as, beside [schemas.ErrDamaged].
var ErrTorch = errors.New("damaged torch file")

// What one instruction may take of memory (a mark is a new stack, an ordered dict two maps), and what any file may: a
// ViLT-B/32 takes 5 MB, and 16 with AdamW's state.
const (
	instructionBytes = 512
	pickleSlackBytes = 32 << 20
)

// Where a text is named again it may be hashed, joined to others and, in an error of gopickle, printed: six times as long,
// first in a buffer that grows, then as a text.
const againFactor = 16

// A state dict has one instruction BUILD, for its metadata. Each copies a dict.
const maxBuilds = 16

// names are what a pickle may name.
type names map[string]any

// torchNames are tensors, their storages and dicts. The one class of Lightning is the key of an entry beside the state dict
// in its checkpoints; it can be neither called nor made here.
func torchNames() names {
	n := names{
		"collections.OrderedDict":                                      nil, // gopickle's own
		"torch._utils._rebuild_tensor_v2":                              rebuildTensor{},
		"torch._utils._rebuild_parameter":                              rebuildParameter{},
		"pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint": struct{}{},
	}
	for name, dtype := range map[string]string{
		"Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16",
		"Long": "I64", "Int": "I32", "Short": "I16", "Char": "I8", "Byte": "U8", "Bool": "BOOL",
	} {
		n["torch."+name+"Storage"] = storageType(dtype)
	}
	return n
}

// unpickle carries out the pickle that b begins with, of a file of size bytes, and returns how long the pickle is. load
// resolves a reference to a storage.
func unpickle(b []byte, size int, n names, load func(id any) (any, error)) (value any, length int, err error) {
	if length, err = vet(b, size, n); err != nil {
		return nil, 0, err
	}
	u := pickle.NewUnpickler(bytes.NewReader(b[:length]))
	u.PersistentLoad = load
	u.FindClass = func(module, name string) (any, error) {
		if c := n[module+"."+name]; c != nil {
			return c, nil
		}
		return nil, refused(module, name)
	}
	defer func() { // gopickle takes sound pickles for granted here and there, such as values in pairs
		if r := recover(); r != nil {
			err = fmt.Errorf("pickle: %v: %w", r, ErrTorch)
		}
	}()
	if value, err = u.Load(); errors.Is(err, ErrUnsupported) {
		return nil, 0, err
	} else if err != nil {
		return nil, 0, fmt.Errorf("pickle: %.300v: %w", err, ErrTorch) // it may print all that the pickle holds
	}
	return value, length, nil
}

func refused(module, name string) error {
	return fmt.Errorf("pickle names %.200q, and only tensors and dicts are read: a pickle can run any code where Python opens it: %w", module+"."+name, ErrTorch)
}

// vet returns the length of the pickle that b begins with. What it passes has no length beyond b, names nothing but n, and
// takes memory and time in proportion to the size of the file, bytes.
func vet(b []byte, size int, n names) (int, error) {
	cost, longest, builds := 0, 0, 0
	for at := 0; at < len(b); {
		op, rest := b[at], b[at+1:]
		length := 0 // of the argument
		switch op {
		case '(', '.', '0', '1', '2', 'N', 'R', ')', ']', '}', 'a', 'd', 'e', 'l', 's', 't', 'u', 'Q', 0x85, 0x86, 0x87, 0x88, 0x89:
		case 'b':
			if builds++; builds > maxBuilds {
				return 0, fmt.Errorf("pickle: instruction BUILD more than %d times: %w", maxBuilds, ErrTorch)
			}
		case 'K', 'h', 'q':
			length = 1
		case 0x80: // protocol
			if length = 1; len(rest) > 0 && rest[0] > 3 {
				return 0, fmt.Errorf("pickle of protocol %d, and only 2 and 3 are read: torch.save writes 2 where it is not told otherwise: %w", rest[0], ErrUnsupported)
			}
		case 'M':
			length = 2
		case 'J', 'j', 'r':
			length = 4
		case 'G':
			length = 8
		case 'U', 'C', 0x8a:
			if length = 1; len(rest) > 0 {
				length += int(rest[0])
			}
		case 'X', 'T', 'B':
			if length = 4; len(rest) >= 4 {
				length += int(binary.LittleEndian.Uint32(rest))
			}
		case 'c':
			lines := bytes.SplitN(rest, []byte("\n"), 3)
			if len(lines) < 3 {
				return 0, fmt.Errorf("pickle ends within a name: %w", ErrTorch)
			}
			module, name := string(lines[0]), string(lines[1])
			if _, known := n[module+"."+name]; !known {
				return 0, refused(module, name)
			}
			length = len(module) + len(name) + 2
		default:
			return 0, fmt.Errorf("pickle: instruction %#x at byte %d is none that torch.save writes: %w", op, at, ErrTorch)
		}
		if length > len(rest) {
			return 0, fmt.Errorf("pickle: instruction %q at byte %d takes %d bytes, and %d are left: %w", op, at, length, len(rest), ErrTorch)
		}
		switch op {
		case 'U', 'C', 'X', 'T', 'B':
			longest = max(longest, length)
		case '2', 'h', 'j':
			cost += againFactor * longest
		}
		if cost += instructionBytes; cost > size+pickleSlackBytes {
			return 0, fmt.Errorf("pickle of more instructions than a file of this size has: %w", ErrTorch)
		}
		if at += 1 + length; op == '.' {
			return at, nil
		}
	}
	return 0, fmt.Errorf("pickle does not end: %w", ErrTorch)
}

// torchStorage is one block of values, which several tensors may share.
type torchStorage struct {
	dtype  string
	values int
	at     int // in the file; set when it is found there
}

// storageType is a class of storages; the value is its dtype.
type storageType string

// torchTensor is a view of a storage.
type torchTensor struct {
	storage       *torchStorage
	offset        int // values
	shape, stride []int
}

// rebuildTensor makes a tensor of a storage, an offset, a shape and strides; what follows is of no use here.
type rebuildTensor struct{}

func (rebuildTensor) Call(args ...any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	storage, isStorage := args[0].(*torchStorage)
	offset, isOffset := args[1].(int)
	shape, isShape := ints(args[2])
	stride, isStride := ints(args[3])
	if !isStorage || !isOffset || !isShape || !isStride || offset < 0 || len(shape) != len(stride) {
		return nil, errors.New("a tensor that is not a storage, an offset, a shape and strides")
	}
	return &torchTensor{storage, offset, shape, stride}, nil
}

// rebuildParameter is the tensor that it wraps.
type rebuildParameter struct{}

func (rebuildParameter) Call(args ...any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("a parameter without a tensor")
	}
	return args[0], nil
}

// place finds the tensor in a file of the given length.
func (t *torchTensor) place(name string, length int) (stored, error) {
	w := width(t.storage.dtype)
	n := size(t.shape, w, length)
	if n < 0 || t.offset > t.storage.values || n/w > t.storage.values-t.offset {
		return stored{}, fmt.Errorf("tensor %s of shape %v is more than its storage holds: %w", name, t.shape, ErrTorch)
	}
	step := 1
	for i, s := range slices.Backward(t.shape) {
		if s != 1 && t.stride[i] != step && n > 0 {
			return stored{}, fmt.Errorf("tensor %s is not in row-major order: save it with .contiguous(): %w", name, ErrUnsupported)
		}
		step *= s
	}
	return stored{name: name, shape: t.shape, dtype: t.storage.dtype, at: t.storage.at + w*t.offset, bytes: n}, nil
}
