package op

import (
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// AdaptedMLP is an [MLP] with an adapter beside it, which reads the stream before the norm (Chen et al., "AdaptFormer", NeurIPS
// 2022, eq. 3, without their norm; Zhou et al., "Expandable Subspace Ensemble", CVPR 2024, eq. 4):
//
//	y = MLP(x) + s · (Wu · drop(ReLU(Wd · x + bd)) + bu)
//
// drop is there in a graph that is differentiated alone, and where the packing has Noise: each value is 0 with the probability
// p, by the noise, the block and the value's place, and else divided by 1-p.
//
// Inputs: the MLP's; then Wd [A,D], bd [A], Wu [D,A], bu [D]. Output [N,D].
type AdaptedMLP struct {
	mlp    *MLP
	p      *Packing
	o      Adapter
	down   linear
	up     linear
	scale  []float32 // [D]: s
	active []float32 // [N,A] after ReLU and drop, where the derivative reads it
}

// Adapter is the shape of an adapter.
type Adapter struct {
	Width   int     // A
	Scale   float32 // s
	Dropout float32 // p, in [0,1)
	Block   int     // which of the network's, for the noise
}

// NewAdaptedMLP puts an adapter beside a layer over p, or over its first rows.
func NewAdaptedMLP(mlp *MLP, p *Packing, o Adapter) *AdaptedMLP {
	return &AdaptedMLP{
		mlp: mlp, p: p, o: o,
		down:  linear{in: mlp.width, out: o.Width},
		up:    linear{in: o.Width, out: mlp.width},
		scale: slices.Repeat([]float32{o.Scale}, mlp.width),
	}
}

func (a *AdaptedMLP) Name() string           { return "mlp and adapter" }
func (a *AdaptedMLP) OutShape() tensor.Shape { return a.mlp.OutShape() }

// adapterInputs is how many inputs follow the MLP's.
const adapterInputs = 4

// reserve: what the MLP keeps, and the adapter's narrow rows.
func (a *AdaptedMLP) reserve(wanted []bool) (kept int) {
	kept = a.mlp.reserve(wanted[:len(wanted)-adapterInputs])
	n, s := a.mlp.p.MaxRows(), a.mlp.scratch
	s.reserve(slotWide, n*a.o.Width)
	if s.ForwardOnly || !slices.Contains(wanted, true) {
		return kept
	}
	s.reserve(slotGrad, n*a.mlp.width)
	s.reserve(slotWideGrad, n*a.o.Width)
	return kept + keep(&a.active, n*a.o.Width)
}

func (a *AdaptedMLP) Forward(out []float32, in [][]float32) {
	k := len(in) - adapterInputs
	a.mlp.Forward(out, in[:k])
	n, d := a.mlp.p.Rows(), a.mlp.width
	x, y := kernel.Mat(in[mlpX][:n*d], n, d), kernel.Mat(out[:n*d], n, d)
	active := a.mlp.scratch.kept(a.active, slotWide, n, a.o.Width)
	a.down.forward(active, x, in[k], in[k+1], scaleShift{}, kernel.Epilogue{})
	for i, v := range active.Data {
		active.Data[i] = max(v, 0)
	}
	if a.drops() {
		a.drop(active.Data)
	}
	a.up.forward(y, active, in[k+2], in[k+3], scaleShift{gamma: a.scale}, kernel.Epilogue{Residual: y})
}

// drops says whether there is dropout in this run.
func (a *AdaptedMLP) drops() bool {
	return a.o.Dropout > 0 && a.p.Noise != 0 && !a.mlp.scratch.ForwardOnly
}

// drop takes values out. A number of 64 bits decides on two of them.
func (a *AdaptedMLP) drop(values []float32) {
	rng := rand.NewPCG(a.p.Noise, uint64(a.o.Block))
	limit, raise := uint32(float64(a.o.Dropout)*(1<<32)), 1/(1-a.o.Dropout)
	var bits uint64
	for i, v := range values {
		if i%2 == 0 {
			bits = rng.Uint64()
		}
		if uint32(bits) < limit {
			values[i] = 0
		} else {
			values[i] = v * raise
		}
		bits >>= 32
	}
}

func (a *AdaptedMLP) Backward(din [][]float32, dout []float32, in [][]float32) {
	k := len(in) - adapterInputs
	if slices.ContainsFunc(din[:k], func(d []float32) bool { return d != nil }) { // not in a block that nothing tuned lies before
		a.mlp.Backward(din[:k], dout, in[:k])
	}
	n, d, s := a.mlp.p.Rows(), a.mlp.width, a.mlp.scratch
	x, dy := kernel.Mat(in[mlpX][:n*d], n, d), s.rows(slotGrad, n, d)
	kernel.ScaleShift(dy, kernel.Mat(dout[:n*d], n, d), a.scale, nil)
	active, dactive := kernel.Mat(a.active[:n*a.o.Width], n, a.o.Width), s.rows(slotWideGrad, n, a.o.Width)
	a.up.maps(dactive, din[k+2], din[k+3], dy, active, in[k+2])
	raise := float32(1)
	if a.drops() {
		raise = 1 / (1 - a.o.Dropout)
	}
	for i, v := range active.Data {
		if v > 0 {
			dactive.Data[i] *= raise
		} else {
			dactive.Data[i] = 0
		}
	}
	a.down.maps(kernel.Matrix{}, din[k], din[k+1], dactive, x, in[k])
	if din[mlpX] != nil {
		kernel.MatMul(kernel.Mat(din[mlpX][:n*d], n, d), dactive, kernel.Mat(in[k], a.o.Width, d), true)
	}
}
