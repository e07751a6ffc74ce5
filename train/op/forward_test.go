package op

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestForwardOnly: layers that keep nothing for a derivative give the same values, and attention is still there after the
// layers behind it have run.
func TestForwardOnly(t *testing.T) {
	const width, hidden, heads = 8, 16, 2
	p := &Packing{MaxBatch: 2, MaxText: 4, MaxPatches: 4}
	p.Reset()
	p.Add([]int32{1, 2, 3}, []int32{0, 1, 2}, []int32{0, 1}, 1, 2, 0)
	p.Add([]int32{1, 2}, []int32{0, 1}, []int32{0, 2, 3}, 2, 2, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	n := p.MaxRows() * width
	x := draw(n)
	attentionIn := [][]float32{x, draw(width), draw(width), draw(3 * width * width), draw(3 * width), draw(width * width), draw(width),
		draw(width), draw(width), draw(3 * width), draw(3 * width), draw(width), draw(width)}
	mlpIn := [][]float32{nil, draw(width), draw(width), draw(hidden * width), draw(hidden), draw(width * hidden), draw(width),
		draw(width), draw(width), draw(hidden), draw(hidden), draw(width), draw(width)}
	for _, tuned := range []bool{false, true} {
		run := func(s *Scratch) (out, probs []float32) {
			a, m := NewAttention(p, s, width, heads, 1e-6), NewMLP(p, s, width, hidden, 1e-6)
			inputs := 7
			if tuned {
				inputs = 13
			}
			wanted := slices.Repeat([]bool{true}, inputs)
			a.reserve(wanted)
			m.reserve(wanted)
			if s.ForwardOnly && (a.projected != nil && !s.KeepAttention || a.qkv.pre != nil || a.mixed != nil || a.looks != nil || m.fc1.pre != nil) {
				t.Error("a layer keeps what only its derivative needs")
			}
			y, out := make([]float32, n), make([]float32, n)
			a.Forward(y, attentionIn[:inputs])
			m.Forward(out, append([][]float32{y}, mlpIn[1:inputs]...))
			if a.Own() == (s.ForwardOnly && !s.KeepAttention) {
				t.Errorf("forward only %v, keep %v: has its own probabilities: %v", s.ForwardOnly, s.KeepAttention, a.Own())
			}
			// heads averaged are what Mean says
			probs, byHead := a.Mean(nil), a.Probabilities(nil)
			at := 0
			for i := range p.Seqs {
				s := p.Offsets[i+1] - p.Offsets[i]
				for j := range s * s {
					if mean := (byHead[heads*at+j] + byHead[heads*at+s*s+j]) / heads; mean != probs[at+j] {
						t.Fatalf("sequence %d: the mean of %d is %g, not %g", i, j, probs[at+j], mean)
					}
				}
				at += s * s
			}
			return out, probs
		}
		wantOut, wantProbs := run(&Scratch{})
		for _, keep := range []bool{false, true} {
			out, probs := run(&Scratch{ForwardOnly: true, KeepAttention: keep})
			if !slices.Equal(out, wantOut) || !slices.Equal(probs, wantProbs) {
				t.Errorf("tuned %v, attention kept %v: the values differ", tuned, keep)
			}
		}
	}
}
