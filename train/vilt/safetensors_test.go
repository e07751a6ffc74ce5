package vilt

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// container is a safetensors file of a header and data.
func container(header string, data ...byte) []byte {
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), []byte(header), data)
}

func TestSafetensorsByHand(t *testing.T) {
	b := container(`{"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},`+
		`"x.position_ids":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}`, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0)
	tensors, metadata, err := readBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []*Tensor{{Name: "a", Shape: []int{1, 1}, Data: []float32{1}}, {Name: "b", Shape: []int{}, Data: []float32{-2}}}
	if !reflect.DeepEqual(tensors, want) || metadata["k"] != "v" {
		t.Errorf("read %v %v", tensors, metadata)
	}
}

// readBytes reads a file that is in memory.
func readBytes(b []byte) ([]*Tensor, map[string]string, error) {
	found, metadata, err := parseSafetensors(b)
	if err != nil {
		return nil, nil, err
	}
	tensors, err := readAll(mapped{bytes: b}, found)
	return tensors, metadata, err
}

// TestSafetensorsHalves: both halves of float32, by hand: 1, -2, the largest, the smallest, infinity.
func TestSafetensorsHalves(t *testing.T) {
	tensors, _, err := readBytes(container(`{"a":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[10,18]}}`,
		0, 0x3c, 0, 0xc0, 0xff, 0x7b, 1, 0, 0, 0xfc, 0x80, 0x3f, 0, 0xc0, 0x80, 0xff, 0x49, 0x40))
	if err != nil {
		t.Fatal(err)
	}
	inf := float32(math.Inf(-1))
	want := []*Tensor{
		{Name: "a", Shape: []int{5}, Data: []float32{1, -2, 65504, 0x1p-24, inf}},
		{Name: "b", Shape: []int{2, 2}, Data: []float32{1, -2, inf, 3.140625}},
	}
	if !reflect.DeepEqual(tensors, want) {
		t.Errorf("read %v %v", *tensors[0], *tensors[1])
	}
}

// TestHalf holds every finite half to its definition, and NaN to NaN.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		got, exponent, fraction := half(uint16(h)), h>>10&31, float64(h&1023)
		want := math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction/1024, -14)
		case exponent == 31 && fraction > 0:
			if got == got {
				t.Fatalf("%#x is %g, not NaN", h, got)
			}
			continue
		case exponent == 31:
			want = math.Inf(1)
		}
		if want = math.Copysign(want, 1-2*float64(h>>15)); float64(got) != want || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("%#x is %g, not %g", h, got, want)
		}
	}
}

func TestSafetensorsDamage(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":             nil,
		"short":             {1, 2, 3},
		"header too long":   binary.LittleEndian.AppendUint64(nil, 1<<62),
		"header not JSON":   container(`{`),
		"unread type":       container(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"unknown type":      container(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 0),
		"no type":           container(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, 0),
		"integers too many": container(`{"a":{"dtype":"I64","shape":[2],"data_offsets":[0,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"beyond the end":    container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0),
		"backwards":         container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 0, 0, 0, 0),
		"negative":          container(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[-4,0]}}`, 0, 0, 0, 0),
		"shape not size":    container(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 0, 0, 0, 0),
		"shape overflows":   container(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0, 0, 0, 0),
		"overlap":           container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0),
		"overlap with room": container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"hole":              container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"hole between":      container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[1],"data_offsets":[6,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"bytes after":       container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"bytes of nothing":  container(`{}`, 0),
		"the same twice":    container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0),
		"a name twice":      container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
		"one offset":        container(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0]}}`),
		"three offsets":     container(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}}`),
		"no shape":          container(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 0, 0, 0, 0),
		"text after header": container(`{}{}`),
		"header of a list":  container(`[]`),
		"metadata not text": container(`{"__metadata__":{"a":1}}`),
	} {
		if tensors, _, err := readBytes(b); err == nil {
			t.Errorf("%s: read as %v", name, tensors)
		}
	}
}

// TestWhatIsWrong: a damaged file, one that is sound and not supported, and one that is not there are three things.
func TestWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.safetensors")
	if _, err := ReadSafetensors(file); !errors.Is(err, os.ErrNotExist) || errors.Is(err, schemas.ErrDamaged) {
		t.Errorf("absent: %v", err)
	}
	for want, b := range map[error][]byte{
		schemas.ErrDamaged: container(`{`),
		ErrUnsupported:     container(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSafetensors(file); !errors.Is(err, want) || errors.Is(err, schemas.ErrDamaged) != (want == schemas.ErrDamaged) {
			t.Errorf("%v, not %v", err, want)
		}
	}
}

func TestRepeatedName(t *testing.T) {
	x := &Tensor{Name: "a", Shape: []int{1}, Data: []float32{1}}
	if err := WriteSafetensors(filepath.Join(t.TempDir(), "x.safetensors"), []*Tensor{x, x}, nil); err == nil || !strings.Contains(err.Error(), "called a") {
		t.Errorf("two tensors of one name: %v", err)
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(container(`{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}`, 1, 2, 3, 4))
	f.Add(container(`{"a":{"dtype":"F32","shape":[0,99999999999],"data_offsets":[0,0]}}`))
	f.Add(container(`{"a":null}`))
	f.Add(container(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Add(container(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}`, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		found, _, err := parseSafetensors(b)
		if took := allocated() - before; took > 1<<20+64*uint64(len(b)) {
			t.Fatalf("%d bytes are allocated for a file of %d", took, len(b))
		}
		if err != nil {
			return
		}
		bytes := 8 + int(binary.LittleEndian.Uint64(b))
		for _, s := range found {
			checkPlace(t, s, b)
			bytes += s.bytes
		}
		if bytes != len(b) {
			t.Fatalf("header and tensors are %d bytes of a file of %d", bytes, len(b))
		}
		if tensors, err := readAll(mapped{bytes: b}, found); err == nil {
			for _, x := range tensors {
				if len(x.Data) != Size(x.Shape) {
					t.Fatalf("%s has %d values and shape %v", x.Name, len(x.Data), x.Shape)
				}
			}
		}
	})
}
