package memory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// whole is a sample of h by w patches of px pixels and n tokens, every byte of which is its own.
func whole(id string, label, h, w, px, n int) dataset.Sample {
	s := dataset.Sample{ID: dataset.ID(id), Label: label, GridH: h, GridW: w, TextLen: n}
	rng := rand.New(rand.NewPCG(uint64(h*w), uint64(n)))
	for p := range h * w {
		s.PatchPos = append(s.PatchPos, int32(p))
	}
	s.Pixels = make([]uint8, 3*px*px*h*w)
	for i := range s.Pixels {
		s.Pixels[i] = uint8(rng.Uint32())
	}
	for i := range n {
		s.Tokens, s.TokenPos = append(s.Tokens, int32(100+i)), append(s.TokenPos, int32(i))
	}
	return s
}

func decoded(t *testing.T, e Exemplar) dataset.Sample {
	t.Helper()
	s, err := Decode(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUnknownCodec: pixels that this program cannot read are refused where they are replayed.
func TestUnknownCodec(t *testing.T) {
	e, err := Encode(whole("n1/sketch_0.jpg", 0, 1, 1, 2, 3), Mask{}, 2, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	e.Codec = "jpeg"
	if _, err := Decode(e); err == nil {
		t.Error("pixels of an unknown codec were decoded")
	}
	var s Store
	if err := s.Put(0, 1000, each([]Exemplar{e})); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replay(ReplayOptions{}).Sample(t.Context(), 0, rand.New(rand.NewPCG(1, 1))); err == nil {
		t.Error("pixels of an unknown codec were replayed")
	}
}

func TestRawRoundTrip(t *testing.T) {
	s := whole("n1/sketch_0.jpg", 3, 2, 5, 4, 7)
	e, err := Encode(s, Mask{}, 4, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, e); !reflect.DeepEqual(got, s) {
		t.Errorf("decoded: %+v, not %+v", got, s)
	}
	// 10 patches of 3·4·4 bytes, 7 tokens of 2, no bitmaps
	want := Cost{Tokens: 17, PixelBytes: 480, StoredBytes: 494}
	if c, f := CostOf(e), FullCost(e); c != want || f != want {
		t.Errorf("it costs %+v and %+v in full, not %+v", c, f, want)
	}
	s.Pixels[0]++
	if decoded(t, e).Pixels[0] == s.Pixels[0] {
		t.Error("the exemplar shares its pixels with the sample")
	}
}

func TestMaskedRoundTrip(t *testing.T) {
	const px, size = 2, 12
	s := whole("n1/sketch_0.jpg", 3, 3, 3, px, 5)
	m := Mask{Patches: make([]bool, 9), Tokens: []bool{true, false, false, true, true}}
	m.Patches[1], m.Patches[8] = true, true
	e, err := Encode(s, m, px, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{0b10, 0b1}; !slices.Equal(e.PatchBits, want) {
		t.Errorf("patch bits %b, not %b", e.PatchBits, want)
	}
	if want := []byte{0b11001}; !slices.Equal(e.TokenBits, want) {
		t.Errorf("token bits %b, not %b", e.TokenBits, want)
	}
	want := dataset.Sample{
		ID: s.ID, Label: 3, GridH: 3, GridW: 3, TextLen: 5, PatchPos: []int32{1, 8},
		Pixels: slices.Concat(s.Pixels[size:2*size], s.Pixels[8*size:]), Tokens: []int32{100, 103, 104}, TokenPos: []int32{0, 3, 4},
	}
	if got := decoded(t, e); !reflect.DeepEqual(got, want) {
		t.Errorf("decoded: %+v, not %+v", got, want)
	}
	// 2 patches of 12 bytes, 3 tokens of 2, 2 bytes for 9 patches, 1 for 5 tokens
	if c, want := CostOf(e), (Cost{Tokens: 5, PixelBytes: 24, StoredBytes: 33}); c != want {
		t.Errorf("it costs %+v, not %+v", c, want)
	}
	if f, want := FullCost(e), (Cost{Tokens: 14, PixelBytes: 108, StoredBytes: 118}); f != want {
		t.Errorf("in full it costs %+v, not %+v", f, want)
	}
	if err := check(e); err != nil {
		t.Error(err)
	}
}

func TestEncodeRefusesWideTokens(t *testing.T) {
	for _, id := range []int32{1 << 16, -1} {
		s := whole("n1/a_0.jpg", 0, 1, 1, 1, 2)
		s.Tokens[1] = id
		if _, err := Encode(s, Mask{}, 1, Codec{}); err == nil {
			t.Errorf("token id %d went into two bytes", id)
		}
	}
}

func TestCheckRefusesDamage(t *testing.T) {
	for name, damage := range map[string]func(*Exemplar){
		"short patch bits":  func(e *Exemplar) { e.PatchBits = e.PatchBits[:1] },
		"another bit":       func(e *Exemplar) { e.PatchBits[0] ^= 1 },
		"missing pixels":    func(e *Exemplar) { e.Pixels = e.Pixels[1:] },
		"long token bits":   func(e *Exemplar) { e.TokenBits = append(e.TokenBits, 0) },
		"missing tokens":    func(e *Exemplar) { e.Tokens = e.Tokens[1:] },
		"no tokens at all":  func(e *Exemplar) { e.Tokens, e.TokenBits = nil, []byte{0} },
		"a bit moved out":   func(e *Exemplar) { e.TokenBits[0] ^= 1<<4 | 1<<6 },
		"another codec":     func(e *Exemplar) { e.Codec = "jpeg" },
		"no grid":           func(e *Exemplar) { e.GridH = 0 },
		"a grid too large":  func(e *Exemplar) { e.GridH, e.GridW = 1<<40, 1<<40 },
		"negative patch":    func(e *Exemplar) { e.PatchPx = -2 },
		"bits past the end": func(e *Exemplar) { e.GridW, e.GridH = 1, 1 },
	} {
		s := whole("n1/sketch_0.jpg", 0, 3, 3, 2, 5)
		m := Mask{Patches: []bool{true, false, true, false, false, false, false, false, true}, Tokens: []bool{true, true, false, false, true}}
		e, err := Encode(s, m, 2, Codec{})
		if err != nil {
			t.Fatal(err)
		}
		damage(&e)
		var store Store
		if err := store.Restore([]Exemplar{e}, map[int]Budget{0: 1 << 20}); err == nil {
			t.Errorf("%s: was taken", name)
		} else if len(store.All()) > 0 || store.Budget() != 0 {
			t.Errorf("%s: was refused and the store changed", name)
		}
	}
}

// overheadBytes is what memory.arrow takes an exemplar beside what counts: the ID (24 bytes here), five numbers of 4, six
// offsets of 4, and padding of each of a batch's 17 buffers to 64 bytes; and once, schema, footer and batch headers.
const (
	overheadBytes     = 160
	overheadFileBytes = 6 << 10
)

func TestMemoryFileIsItsPayload(t *testing.T) {
	var store Store
	for label := range 4 {
		var es []Exemplar
		for i := range 20 {
			s := whole(fmt.Sprintf("n0000000%d/sketch_%d.jpg", label, i), label, 3, 2+i%3, 8, 4+i%5)
			m := Mask{}
			if i%2 == 0 {
				m.Patches, m.Tokens = make([]bool, len(s.PatchPos)), make([]bool, len(s.Tokens))
				m.Patches[i%5], m.Tokens[0] = true, true
			}
			e, err := Encode(s, m, 8, Codec{})
			if err != nil {
				t.Fatal(err)
			}
			es = append(es, e)
		}
		if err := store.Put(label, 15_000, each(es)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "memory.arrow")
	if err := schemas.WriteExemplars(file, store.All()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(len(store.All()))
	if n < 40 {
		t.Fatalf("only %d exemplars fit", n)
	}
	over := info.Size() - store.Used().StoredBytes
	t.Logf("%d exemplars of %d bytes in all take %d more on disk", n, store.Used().StoredBytes, over)
	if over < 0 || over > overheadFileBytes+n*overheadBytes {
		t.Errorf("%d exemplars of %d bytes in all take %d bytes on disk", n, store.Used().StoredBytes, info.Size())
	}
	back, err := schemas.ReadExemplars(file)
	if err != nil {
		t.Fatal(err)
	}
	var restored Store
	if err := restored.Restore(back, store.Budgets()); err != nil {
		t.Fatal(err)
	}
	if restored.Used().StoredBytes != store.Used().StoredBytes || len(back) != int(n) {
		t.Errorf("read back: %d exemplars of %d bytes, not %d of %d", len(back), restored.Used().StoredBytes, n, store.Used().StoredBytes)
	}
	for i, e := range store.All() {
		if !reflect.DeepEqual(decoded(t, e), decoded(t, back[i])) {
			t.Fatalf("exemplar %s is another one when read back", e.ID)
		}
	}
}

func TestReplay(t *testing.T) {
	var store Store
	for label, n := range []int{4, 1, 5} {
		var es []Exemplar
		for i := range n {
			s := whole(fmt.Sprintf("%d/%d", label, i), label, 1, 1+i, 2, 3+i)
			s.Tokens[1] = int32(1000*label + i) // names the text's owner
			e, err := Encode(s, Mask{}, 2, Codec{})
			if err != nil {
				t.Fatal(err)
			}
			es = append(es, e)
		}
		if err := store.Put(label, 1<<20, each(es)); err != nil {
			t.Fatal(err)
		}
	}
	for _, repair := range []float64{0, 0.5, 1} {
		replay := store.Replay(ReplayOptions{Repair: repair})
		if replay.Len() != 10 {
			t.Fatalf("%d items, not 10", replay.Len())
		}
		others, drawn := 0, map[int32]bool{}
		for i, e := range store.All() {
			for seed := range uint64(40) {
				sample := func() dataset.Sample {
					s, err := replay.Sample(context.Background(), i, rand.New(rand.NewPCG(seed, 0)))
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				s, own := sample(), decoded(t, e)
				if again := sample(); !reflect.DeepEqual(s, again) {
					t.Fatal("the same generator gives another sample")
				}
				if s.Label != own.Label || !slices.Equal(s.Pixels, own.Pixels) || !slices.Equal(s.PatchPos, own.PatchPos) {
					t.Fatalf("repair %g: exemplar %s lost its picture or label", repair, e.ID)
				}
				if s.Tokens[1]/1000 != int32(own.Label) || s.TextLen != int(s.Tokens[1]%1000)+3 || len(s.TokenPos) != s.TextLen {
					t.Fatalf("repair %g: exemplar %s got the text %v of length %d", repair, e.ID, s.Tokens, s.TextLen)
				}
				if s.Tokens[1] != own.Tokens[1] {
					others++
					drawn[s.Tokens[1]] = true
				}
			}
		}
		// With probability repair the text is another's of the class, which the single one of the second class has not.
		if want := 40 * (4 + 0 + 5) * repair; float64(others) < 0.8*want || float64(others) > 1.2*want {
			t.Errorf("repair %g: %d of 400 samples have another's text, not about %g", repair, others, want)
		}
		if repair > 0 && len(drawn) != 4+5 {
			t.Errorf("repair %g: the texts %v are drawn, not those of all that have others", repair, drawn)
		}
	}
}
