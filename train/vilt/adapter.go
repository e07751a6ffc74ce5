package vilt

import (
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
)

// Adapter is what lies beside a block's MLP: see [op.AdaptedMLP].
type Adapter struct {
	op.Adapter
	Nodes gorgonia.Nodes // down: weight [A,D] and bias [A]; up: weight [D,A] and bias [D]
}

// adapted is the second half of block i with its adapter, where it has one, and the adapter's inputs.
func (b *builder) adapted(mlp *op.MLP, p *op.Packing, i int) (op.Layer, []op.Input) {
	if b.o.Adapter == nil {
		return mlp, nil
	}
	a := b.o.Adapter(i)
	if a == nil {
		return mlp, nil
	}
	var inputs []op.Input
	for _, n := range a.Nodes {
		inputs = append(inputs, op.Input{Node: n, Wanted: true})
	}
	shape := a.Adapter
	shape.Block = i
	return op.NewAdaptedMLP(mlp, p, shape), inputs
}

// learns says that the graph has anything in the encoder to be differentiated by.
func (b *builder) learns() bool {
	return b.o.Train || b.o.ScaleShift != nil || b.o.Adapter != nil || b.o.Prompts != nil || b.o.Prefix != nil
}

// passes notes an output that nothing tuned lies before: what reads it needs no gradient by it.
func (b *builder) passes(out *gorgonia.Node, inputs []op.Input) {
	if !slices.ContainsFunc(inputs, func(in op.Input) bool { return in.Wanted }) {
		b.constant = out
	}
}

// AdaptedFLOP is the operations of the products of a step that learns adapters of the given width in every block, and the
// classifier of so many rows.
func (c Config) AdaptedFLOP(width int, batch []Sequence, classes int) float64 {
	rows := 0
	for _, s := range batch {
		rows += s.Rows()
	}
	one := Product{FormNT, 1, c.Width, width, 1}.FLOP() // a product of one row
	// Two forward; back, the gradients by both weights, by the narrow rows and, but in the first block, by the stream.
	sum := one * (6*float64((c.Depth-1)*rows+len(batch)) - float64(rows))
	if c.Depth == 1 {
		return one*5*float64(len(batch)) + c.StepFLOP(batch, classes, LearnsHead)
	}
	return sum + c.FLOPBelow(1, batch) + c.FLOPFrom(1, batch, classes, LearnsTuned)
}
