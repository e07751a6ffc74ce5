package vilt

import (
	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
)

// prefix is what the rows of a block look at beside their own; the zero value is nothing.
type prefix struct {
	*gorgonia.Node
	length int
}

// inputs are those of [op.PrefixAttention] beyond an attention's own.
func (p prefix) inputs() []op.Input {
	if p.Node == nil {
		return nil
	}
	return []op.Input{{Node: p.Node, Wanted: true}}
}

// prefixes are those of every block.
func (b *builder) prefixes(p *op.Packing) ([]prefix, error) {
	all := make([]prefix, b.w.Config.Depth)
	for i := range all {
		if b.o.Prefix == nil {
			continue
		}
		node, length, err := b.o.Prefix(p, i)
		if err != nil {
			return nil, err
		}
		all[i] = prefix{node, length}
	}
	return all, nil
}

// prompted is x with rows of prompts, where there are any. They lie where x does: what is embedded leaves room for them, and is
// not read again.
func (b *builder) prompted(e *Encoder, x *gorgonia.Node) *gorgonia.Node {
	if b.o.Prompts == nil || b.err != nil {
		return x
	}
	layer, inputs := b.o.Prompts(e.Packing, x)
	x = b.into(e.outputs[0], layer, inputs)
	e.stream[0] = x
	return x
}
