package tune

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/vilt"
)

// TestSSFStart: gamma starts about 1 and beta about 0, deviation 0.02, by the seed alone.
func TestSSFStart(t *testing.T) {
	c, err := vilt.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	s, again, other := NewSSF(c, 1), NewSSF(c, 1), NewSSF(c, 2)
	if want := 2 * (2*64 + 3*(64+192+64+64+256+64)); s.Count() != want {
		t.Errorf("%d values, not %d", s.Count(), want)
	}
	var sums, squares [2]float64
	for i, x := range s.Tensors() {
		if !slices.Equal(x.Data, again.Tensors()[i].Data) || slices.Equal(x.Data, other.Tensors()[i].Data) {
			t.Fatalf("%s does not follow the seed", x.Name)
		}
		for _, v := range x.Data {
			sums[i%2] += float64(v)
			squares[i%2] += (float64(v) - float64(1-i%2)) * (float64(v) - float64(1-i%2))
		}
	}
	n := float64(s.Count() / 2)
	for k, want := range []float64{1, 0} { // the mean's own deviation is 0.02/sqrt(2240), 0.0004
		if mean, deviation := sums[k]/n, math.Sqrt(squares[k]/n); math.Abs(mean-want) > 0.002 || math.Abs(deviation-0.02) > 0.002 {
			t.Errorf("mean %.4f and deviation %.4f, not %g and 0.02", mean, deviation, want)
		}
	}
}

// TestSSFCount: 205,824 values on ViT-B, which is the paper's count.
func TestSSFCount(t *testing.T) {
	c, err := vilt.Preset("vilt-b32")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, p := range vilt.Places(c) {
		kinds[p.Name[strings.LastIndex(p.Name, ".")+1:]]++
	}
	// the patch embedding, six kinds a block, and the final norm, which is no kind of its own in the paper
	if want := map[string]int{"patch": 1, "norm1": 12, "qkv": 12, "proj": 12, "norm2": 12, "fc1": 12, "fc2": 12, "norm": 1}; !maps.Equal(kinds, want) {
		t.Errorf("places %v", kinds)
	}
	if n := NewSSF(c, 1).Count(); n != 205_824 {
		t.Errorf("%d values", n)
	}
}

// TestSSFInto: every place gets its own pair, of its width, on the tuner's memory.
func TestSSFInto(t *testing.T) {
	c, err := vilt.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	s := NewSSF(c, 1)
	var o vilt.Options
	nodes := s.Into(gorgonia.NewGraph(), &o)
	if len(nodes) != len(s.Tensors()) {
		t.Fatalf("%d nodes of %d vectors", len(nodes), len(s.Tensors()))
	}
	for i, p := range vilt.Places(c) {
		gamma, beta := o.ScaleShift(p.Name, p.Width)
		for k, n := range []*gorgonia.Node{gamma, beta} {
			x := s.Tensors()[2*i+k]
			if n.Name() != x.Name || n.Shape()[0] != p.Width || &n.Value().Data().([]float32)[0] != &x.Data[0] {
				t.Errorf("place %s gets %s of %v", p.Name, n.Name(), n.Shape())
			}
		}
	}
}
