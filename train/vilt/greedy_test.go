package vilt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pickleOf is a pickle of what f writes.
func pickleOf(f func(p *pickler)) []byte {
	p := &pickler{}
	p.WriteString("\x80\x02")
	f(p)
	p.WriteByte('.')
	return p.Bytes()
}

// storageOf is a reference to a storage, with what values writes as the number of its values.
func storageOf(values func(p *pickler)) []byte {
	return pickleOf(func(p *pickler) {
		p.tuple(func() {
			p.text("storage")
			p.global("torch", "FloatStorage")
			p.text("0")
			p.text("cpu")
			values(p)
		})
		p.WriteByte('Q')
	})
}

const holdsItself = "}q\x00X\x01\x00\x00\x00ah\x00s" // a dict

// oldProtocol is a file of the older format with any pickle as its protocol.
func oldProtocol(pickle string) []byte {
	return []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + "\x80\x02" + pickle + "." + "\x80\x02}.\x80\x02}.\x80\x02].")
}

// greedy are pickles that make much of little, of n instructions or so: q puts a value where h finds it again.
func greedy(n int) map[string][]byte {
	return map[string][]byte{
		"dict that holds itself": storageOf(func(p *pickler) { p.WriteString(holdsItself) }),
		"tuples of two of each": storageOf(func(p *pickler) {
			p.WriteString(")q\x00" + strings.Repeat("h\x00\x86q\x00", 40)) // 2^40 when printed
		}),
		"one shape of many tensors": pickleOf(func(p *pickler) {
			p.WriteString("(" + strings.Repeat("K\x01", n/2) + "tq\x00")
			p.tensor(view{key: "0", values: 6})
			p.WriteByte('0')
			p.global("torch._utils", "_rebuild_tensor_v2")
			p.WriteString("q\x01(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQq\x02")
			p.WriteString(strings.Repeat("h\x01(h\x02K\x00h\x00h\x00tR", n/16))
		}),
		"one state of many builds": pickleOf(func(p *pickler) {
			p.WriteString("}q\x00(")
			for i := range n / 4 {
				p.text(fmt.Sprint(i))
				p.WriteByte('N')
			}
			p.WriteString("uccollections\nOrderedDict\n)R" + strings.Repeat("h\x00b", n/4))
		}),
		"one text of many in a call": pickleOf(func(p *pickler) {
			p.WriteByte('(')
			p.text(strings.Repeat("\x01", n))
			p.WriteString("q\x00" + strings.Repeat("h\x00", n/2) + "t)R")
		}),
		"bytes that are printed": pickleOf(func(p *pickler) {
			p.WriteString("(B\x00\x10\x00\x00" + strings.Repeat("\xff", 4096) + "q\x00" + strings.Repeat("h\x00", n/100) + "t)R")
		}),
		"one text as many keys": pickleOf(func(p *pickler) {
			p.text(strings.Repeat("a", n))
			p.WriteString("q\x00ccollections\nOrderedDict\n)R(" + strings.Repeat("h\x00N", n/3) + "u")
		}),
	}
}

// TestGreedyTorch: no small file takes much memory, and no error is as long as what the file holds.
func TestGreedyTorch(t *testing.T) {
	ones := make([]byte, 24)
	says := map[string]string{
		"dict that holds itself": `storage "0" without a type or a number`, "tuples of two of each": `storage "0" without a type or a number`,
		"one shape of many tensors": "a tensor that is not", "one state of many builds": "BUILD more than 16 times",
		"one text of many in a call": "more instructions", "bytes that are printed": "requires a Callable", "one text as many keys": "more instructions",
	}
	for name, pickle := range greedy(40000) {
		// the older format's value is the fourth of five
		old := slices.Concat([]byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."), pickle, []byte("\x80\x02]."))
		for kind, file := range map[string][]byte{"archive": archive(pickle, ones), "older format": old} {
			before := allocated()
			_, err := parseTorch(file)
			took := allocated() - before
			if took > greedyBytes(file) {
				t.Errorf("%s, %s: %d bytes are allocated for a file of %d", name, kind, took, len(file))
			}
			if !errors.Is(err, ErrTorch) || !strings.Contains(err.Error(), says[name]) || len(err.Error()) > 1000 {
				t.Errorf("%s, %s: %.1000v", name, kind, err)
			}
		}
	}
}

// TestLongPickleOfALargeFile: how many instructions there may be goes by the file, of which the storages are the most.
func TestLongPickleOfALargeFile(t *testing.T) {
	sound := dict(view{name: "a", key: "0", values: 6, shape: []int{6}, stride: []int{1}, storage: "Byte"})
	long := slices.Concat([]byte("\x80\x02"+strings.Repeat("N0", 40000)), sound)
	large := bytes.Replace(long, []byte("J\x06\x00\x00\x00"), []byte("J\x00\x00\x00\x01"), 1) // the number of values
	if _, err := parseTorch(archive(large, make([]byte, 1<<24))); err != nil {
		t.Error(err)
	}
	if _, err := parseTorch(archive(long, make([]byte, 6))); err == nil || !strings.Contains(err.Error(), "more instructions") {
		t.Errorf("of a small one: %v", err)
	}
}

// greedyBytes is the most that may be allocated to read a file of torch.save.
func greedyBytes(file []byte) uint64 { return 96<<20 + 64*uint64(len(file)) }
