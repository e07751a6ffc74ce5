package vilt

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"
)

// counted is a table that can be written in any language: 23 bits of a linear congruence a value, from -1 to 1.
func counted(rows, columns int) []float32 {
	table := make([]float32, rows*columns)
	x := uint64(1)
	for i := range table {
		x = (x*1103515245 + 12345) % (1 << 31)
		table[i] = float32(x>>8)/(1<<23)*2 - 1
	}
	return table
}

// TestStretchIsTorchs: the checksums are of
//
//	torch.nn.functional.interpolate(table[None,None], size=(n,d), mode="bilinear", align_corners=False)
//
// of torch 2.15 with AVX-512 on [counted].
func TestStretchIsTorchs(t *testing.T) {
	for _, c := range []struct {
		rows, n, d int
		want       uint32
	}{
		{40, 64, 768, 0x5a6f7fbd},
		{40, 77, 768, 0xa9f41b2e},
		{40, 128, 64, 0x93155633},
		{40, 512, 64, 0x3712edd0},
		{40, 1024, 8, 0x8b7d8adc},
		{7, 4096, 2, 0x207ce80f},
		{64, 100, 40, 0x7105ab4a},
	} {
		got := make([]float32, c.n*c.d)
		stretch(got, counted(c.rows, c.d), c.d)
		h := crc32.NewIEEE()
		if err := binary.Write(h, binary.LittleEndian, got); err != nil {
			t.Fatal(err)
		}
		if h.Sum32() != c.want {
			t.Errorf("%d rows of %d stretched to %d: %08x, not torch's %08x", c.rows, c.d, c.n, h.Sum32(), c.want)
		}
	}
	// a small table takes another kernel of torch's, which rounds otherwise
	want := []float32{0.027740001678466797, -0.6485176086425781, -0.15182623267173767, -0.33457404375076294, -0.30282503366470337,
		0.023718014359474182, 0.49589550495147705, -0.4297789931297302, 0.7418828010559082, -0.6223435401916504, 0.43513691425323486,
		-0.5539754629135132, 0.1710723340511322, -0.6615629196166992, -0.010453224182128906, -0.7505595684051514}
	got := make([]float32, len(want))
	stretch(got, counted(5, 2), 2)
	for i, v := range want {
		if math.Abs(float64(got[i]-v)) > 6e-8 {
			t.Errorf("value %d is %v, torch has %v", i, got[i], v)
		}
	}
}

func TestWithMaxText(t *testing.T) {
	w, err := Random(small(), 7)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(w.get(textPositions).Data)
	for _, n := range []int{3, w.Config.MaxText, 60, MostMaxText} {
		got, err := w.WithMaxText(n)
		if err != nil {
			t.Fatal(err)
		}
		c := w.Config
		c.MaxText = n
		if got.Config != c || got.Config.Validate() != nil {
			t.Errorf("%d: config %+v", n, got.Config)
		}
		want := layout(c)
		for i, x := range got.Tensors() {
			if x.Name != want[i].Name || !slices.Equal(x.Shape, want[i].Shape) || len(x.Data) != Size(x.Shape) || got.get(x.Name) != x {
				t.Errorf("%d: %s is %v", n, x.Name, x.Shape)
			}
			if shared := x == w.Tensors()[i]; shared == (x.Name == textPositions) {
				t.Errorf("%d: %s is shared: %v", n, x.Name, shared)
			}
		}
		if table := got.get(textPositions).Data; n <= w.Config.MaxText && !slices.Equal(table, before[:len(table)]) {
			t.Errorf("%d: the first rows are not as they were", n)
		}
		if !slices.Equal(before, w.get(textPositions).Data) || w.Config != small() {
			t.Fatalf("%d: the weights given were changed", n)
		}
		dir := t.TempDir()
		if err := Save(dir, got); err != nil {
			t.Fatal(err)
		}
		if back, err := Load(dir); err != nil || back.Config != c || !slices.Equal(back.get(textPositions).Data, got.get(textPositions).Data) {
			t.Errorf("%d: saved and loaded: %v", n, err)
		}
	}
	for _, n := range []int{-1, 0, 2, MostMaxText + 1} {
		if _, err := w.WithMaxText(n); err == nil || !strings.Contains(err.Error(), "must be between 3 and 4096") {
			t.Errorf("%d: %v", n, err)
		}
	}
}
