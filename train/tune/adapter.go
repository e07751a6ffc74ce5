package tune

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// AdapterOptions are an adapter's. Zero means the default.
type AdapterOptions struct {
	Width   int     // of the narrow rows; default 64
	Scale   float64 // of what is added; default 0.1
	Dropout float64 // of the narrow rows, in training; default 0.1, negative: none
}

// WithDefaults returns o with every zero field at its default.
func (o AdapterOptions) WithDefaults() AdapterOptions {
	if o.Width == 0 {
		o.Width = 64
	}
	if o.Scale == 0 {
		o.Scale = 0.1
	}
	if o.Dropout == 0 {
		o.Dropout = 0.1
	}
	return o
}

// Validate says what about o cannot be.
func (o AdapterOptions) Validate() error {
	switch {
	case o.Width < 0 || o.Width > 1<<14:
		return fmt.Errorf("adapter width: %d: must be between 1 and %d", o.Width, 1<<14)
	case !(o.Scale >= 0 && o.Scale < 1e6):
		return fmt.Errorf("adapter scale: %g: must be above 0", o.Scale)
	case !(o.Dropout < 1):
		return fmt.Errorf("adapter dropout: %g: must be a share from 0 to below 1", o.Dropout)
	}
	return nil
}

// Adapter is a narrow pair of maps beside the MLP of each block: see [op.AdaptedMLP]. 1,189,632 values on ViT-B at a width of 64.
type Adapter struct {
	tensors []*vilt.Tensor // of each block, down: weight and bias, up: weight and bias
	o       AdapterOptions
}

// NewAdapter makes an adapter as [Adapter.Draw] has it.
func NewAdapter(c vilt.Config, o AdapterOptions, seed, turn uint64) *Adapter {
	a := &Adapter{o: o.WithDefaults()}
	width := a.o.Width
	for i := range c.Depth {
		for _, t := range []vilt.Tensor{
			{Name: "down.weight", Shape: []int{width, c.Width}}, {Name: "down.bias", Shape: []int{width}},
			{Name: "up.weight", Shape: []int{c.Width, width}}, {Name: "up.bias", Shape: []int{c.Width}},
		} {
			t.Name, t.Data = fmt.Sprintf("adapter.%d.%s", i, t.Name), make([]float32, vilt.Size(t.Shape))
			a.tensors = append(a.tensors, &t)
		}
	}
	a.Draw(seed, turn)
	return a
}

// Draw has the adapter start afresh, by the seed and the turn: the way down from U(-1/√D, 1/√D), which is Kaiming's uniform
// with PyTorch's a of √5, all else from zero, so that it adds nothing yet.
func (a *Adapter) Draw(seed, turn uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x61646170+turn<<32))
	for i, t := range a.tensors {
		clear(t.Data)
		if i%4 != 0 {
			continue
		}
		bound := 1 / math.Sqrt(float64(t.Shape[1]))
		for k := range t.Data {
			t.Data[k] = float32(bound * (2*rng.Float64() - 1))
		}
	}
}

// Tensors lists each block's four, by reference.
func (a *Adapter) Tensors() []*vilt.Tensor { return a.tensors }

// Into puts the adapter into g, and beside the blocks of the encoder that will be built with o.
func (a *Adapter) Into(g *gorgonia.ExprGraph, o *vilt.Options) (nodes gorgonia.Nodes) {
	for _, t := range a.tensors {
		nodes = append(nodes, vilt.Node(g, t))
	}
	shape := op.Adapter{Width: a.o.Width, Scale: float32(a.o.Scale), Dropout: float32(max(0, a.o.Dropout))}
	o.Adapter = func(block int) *vilt.Adapter {
		return &vilt.Adapter{Adapter: shape, Nodes: nodes[4*block : 4*block+4]}
	}
	return nodes
}

// StepFLOP is the operations of the products of a step that learns it.
func (a *Adapter) StepFLOP(c vilt.Config, batch []vilt.Sequence, classes int) float64 {
	return c.AdaptedFLOP(a.o.Width, batch, classes)
}
