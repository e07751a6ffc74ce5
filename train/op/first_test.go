package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFirstAttention holds the layer to Attention, whose other rows nothing reads: the same probabilities, and output and
// gradients within float32's rounding, where all of them are wanted, those of a frozen encoder, and none.
func TestFirstAttention(t *testing.T) {
	const d, hidden, heads = 8, 12, 2
	p := testPacking()
	n, b := p.Rows(), len(p.Seqs)
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	all := [][]float32{draw(p.MaxRows() * d), draw(d), draw(d), draw(3 * d * d), draw(3 * d), draw(d * d), draw(d),
		draw(d), draw(d), draw(3 * d), draw(3 * d), draw(d), draw(d)}
	mlpIn := [][]float32{nil, draw(d), draw(d), draw(hidden * d), draw(hidden), draw(d * hidden), draw(d)}
	dfirst := draw(p.MaxBatch * d)
	dout := make([]float32, p.MaxRows()*d)
	for i := range b {
		copy(dout[p.Offsets[i]*d:], dfirst[i*d:(i+1)*d])
	}
	everything := func(int) bool { return true }
	vectors := func(i int) bool { return i == attentionX || i >= attentionNormScale }
	scales := func(i int) bool { return i >= attentionNormScale }
	for _, c := range []struct {
		name   string
		inputs int
		wanted func(i int) bool
	}{
		{"plain", 7, everything}, {"tuned", 13, everything}, {"frozen and tuned", 13, vectors}, {"the first layer of all", 13, scales},
		{"not differentiated", 7, nil}, {"tuned, not differentiated", 13, nil},
	} {
		for _, keep := range []bool{false, true} {
			in := all[:c.inputs]
			wanted := make([]bool, c.inputs)
			for i := range wanted {
				wanted[i] = c.wanted != nil && c.wanted(i)
			}
			scratch := func() *Scratch { return &Scratch{ForwardOnly: c.wanted == nil, KeepAttention: keep} }
			s := scratch()
			whole, first, mlp := NewAttention(p, scratch(), d, heads, 1e-5), NewFirstAttention(p, s, d, heads, 1e-5), NewMLP(p.First(), s, d, hidden, 1e-5)
			whole.reserve(wanted)
			first.reserve(wanted)
			mlp.reserve(slices.Repeat([]bool{c.wanted != nil}, 7))
			y, z := make([]float32, p.MaxRows()*d), slices.Repeat([]float32{42}, p.MaxBatch*d)
			name := fmt.Sprintf("%s, attention kept %v", c.name, keep)

			whole.Forward(y, in)
			first.Forward(z, in)
			mlp.Forward(make([]float32, len(z)), append([][]float32{z}, mlpIn[1:]...)) // what runs behind it
			for i := range b {
				if off, largest := apart(z[i*d:(i+1)*d], y[p.Offsets[i]*d:(p.Offsets[i]+1)*d]); off > 1e-6*max(1, largest) {
					t.Errorf("%s: sequence %d differs by %.2g of %.2g", name, i, off, largest)
				}
			}
			if i := slices.IndexFunc(z[b*d:], func(v float32) bool { return v != 42 }); i >= 0 {
				t.Errorf("%s: value %d beyond the %d sequences was written", name, i, b)
			}
			if !slices.Equal(first.Mean(nil), whole.Mean(nil)) || !slices.Equal(first.Probabilities(nil), whole.Probabilities(nil)) {
				t.Errorf("%s: the probabilities differ", name)
			}
			if c.wanted == nil {
				continue
			}
			gradients := func(l Layer, dout []float32) (din [][]float32) {
				for i, v := range in {
					if din = append(din, nil); wanted[i] {
						din[i] = slices.Repeat([]float32{42}, len(v))
					}
				}
				l.Backward(din, dout, in)
				if din[attentionX] != nil {
					din[attentionX] = din[attentionX][:n*d]
				}
				return din
			}
			want := gradients(whole, dout)
			for i, got := range gradients(first, dfirst) {
				if off, largest := apart(got, want[i]); len(got) != len(want[i]) || off > 1e-5*max(1, largest) {
					t.Errorf("%s: the gradient by input %d differs by %.2g of %.2g", name, i, off, largest)
				}
			}
		}
	}
}

// apart is the largest difference of two vectors, and the largest value of the second.
func apart(got, want []float32) (off, largest float64) {
	for i, w := range want {
		off, largest = max(off, math.Abs(float64(got[i])-float64(w))), max(largest, math.Abs(float64(w)))
	}
	return off, largest
}

// TestFirstAttentionKeeps: nothing of N rows is kept, but what is made for the pooler's.
func TestFirstAttentionKeeps(t *testing.T) {
	const d, heads = 8, 2
	p := testPacking()
	row := p.MaxBatch * d
	yes := func(n int) []bool { return slices.Repeat([]bool{true}, n) }
	for _, c := range []struct {
		name    string
		scratch Scratch
		wanted  []bool
		want    int
	}{
		{"plain", Scratch{}, yes(7), 4*row + 2*heads*row},
		{"tuned", Scratch{}, yes(13), 6*row + 2*heads*row},
		{"not differentiated", Scratch{ForwardOnly: true}, make([]bool, 13), 4*row + 2*heads*row},
	} {
		if got := NewFirstAttention(p, &c.scratch, d, heads, 1e-5).reserve(c.wanted); got != c.want {
			t.Errorf("%s: %d values are kept, not %d", c.name, got, c.want)
		}
	}
}
