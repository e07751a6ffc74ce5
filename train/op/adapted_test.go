package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/train/kernel"
)

// adapterCase is a layer over the test's packing, with an MLP that adds nothing.
func adapterCase(s *Scratch, o Adapter) (a *AdaptedMLP, p *Packing, in [][]float32, out []float32) {
	const d, hidden = 6, 4
	p = testPacking()
	a = NewAdaptedMLP(NewMLP(p, s, d, hidden, 1e-5), p, o)
	rng := rand.New(rand.NewPCG(5, 6))
	drawn := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	zeros := func(n int) []float32 { return make([]float32, n) }
	in = [][]float32{drawn(p.MaxRows() * d), zeros(d), zeros(d), zeros(hidden * d), zeros(hidden), zeros(d * hidden), zeros(d),
		drawn(o.Width * d), drawn(o.Width), drawn(d * o.Width), drawn(d)}
	wanted := slices.Repeat([]bool{true}, len(in))
	a.reserve(wanted)
	return a, p, in, make([]float32, p.MaxRows()*d)
}

// TestAdaptedMLPByHand: y = x + MLP(x) + s(Wu ReLU(Wd x + bd) + bu), of the stream as it comes and not of its norm, and rows
// beyond the batch are left alone.
func TestAdaptedMLPByHand(t *testing.T) {
	const d, width, scale = 6, 3, 0.25
	a, p, in, out := adapterCase(&Scratch{}, Adapter{Width: width, Scale: scale, Dropout: 0.5})
	for i := range out {
		out[i] = 42
	}
	a.Forward(out, in) // without noise nothing is dropped
	for r := range p.Rows() {
		x := in[0][r*d : (r+1)*d]
		var narrow [width]float64
		for k := range narrow {
			narrow[k] = float64(in[8][k])
			for e, v := range x {
				narrow[k] += float64(in[7][k*d+e]) * float64(v)
			}
			narrow[k] = max(0, narrow[k])
		}
		for e := range d {
			up := float64(in[10][e])
			for k, v := range narrow {
				up += float64(in[9][e*width+k]) * v
			}
			if want := float64(x[e]) + scale*up; math.Abs(float64(out[r*d+e])-want) > 1e-5 {
				t.Fatalf("row %d: %g, not %g", r, out[r*d+e], want)
			}
		}
	}
	for _, v := range out[p.Rows()*d:] {
		if v != 42 {
			t.Fatal("rows beyond the batch are written")
		}
	}
}

// TestAdapterDrops: a share p of the narrow values is dropped and the others are raised by 1/(1-p), by the noise and the block
// alone, and never in a graph that is only run forward.
func TestAdapterDrops(t *testing.T) {
	const width, share = 400, 0.3
	active := func(s *Scratch, noise uint64, block int) []float32 {
		a, p, in, out := adapterCase(s, Adapter{Width: width, Scale: 1, Dropout: share, Block: block})
		p.Noise = noise
		a.Forward(out, in)
		if s.ForwardOnly {
			return slices.Clone(s.rows(slotWide, p.Rows(), width).Data)
		}
		return a.active[:p.Rows()*width]
	}
	whole := active(&Scratch{}, 0, 1)
	some, again := active(&Scratch{}, 7, 1), active(&Scratch{}, 7, 1)
	dropped, there := 0, 0
	for i, v := range whole {
		switch {
		case v == 0:
		case some[i] == 0:
			dropped++
		case math.Abs(float64(some[i]-v/(1-share))) > 1e-5*float64(v):
			t.Fatalf("%g became %g", v, some[i])
		default:
			there++
		}
	}
	if got := float64(dropped) / float64(dropped+there); math.Abs(got-share) > 0.02 { // of some 5000: a deviation is 0.0065
		t.Errorf("%.3f of the values are dropped, not %g", got, share)
	}
	if !slices.Equal(some, again) {
		t.Error("the same noise drops other values")
	}
	if slices.Equal(some, active(&Scratch{}, 8, 1)) || slices.Equal(some, active(&Scratch{}, 7, 2)) {
		t.Error("what is dropped does not follow noise and block")
	}
	if !slices.Equal(whole, active(&Scratch{ForwardOnly: true}, 7, 1)) {
		t.Error("values are dropped in a graph that is only run forward")
	}
}

// TestAdapterWithoutAStream: where nothing that is learned lies before, the adapter's own gradients are what they are with it.
func TestAdapterWithoutAStream(t *testing.T) {
	a, p, in, out := adapterCase(&Scratch{}, Adapter{Width: 5, Scale: 0.5})
	din := func(stream bool) [][]float32 {
		g := make([][]float32, len(in))
		for i := range g {
			if i == 0 && stream || i > 6 {
				g[i] = make([]float32, len(in[i]))
			}
		}
		a.Forward(out, in)
		a.Backward(g, slices.Clone(out), in)
		return g
	}
	with, without := din(true), din(false)
	for i := 7; i < len(in); i++ {
		if !slices.Equal(with[i], without[i]) || !slices.ContainsFunc(with[i], func(v float32) bool { return v != 0 }) {
			t.Errorf("gradient by input %d depends on whether the stream's is wanted", i)
		}
	}
	if kernel.Mat(with[0], p.MaxRows(), 6).Data[0] == 0 {
		t.Error("no gradient goes back into the stream")
	}
}
