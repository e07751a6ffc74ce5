package tune

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// DualPrompt is prefixes of keys and values: general ones in the first blocks, the same for all, and behind them expert ones, a
// set for each phase, found by a key (Wang et al., ECCV 2022).
type DualPrompt struct {
	o       DualPromptOptions
	width   int
	general []*vilt.Tensor // [1,2·LG·D] by block
	expert  []*vilt.Tensor // [M,2·L·D] by block, from o.First on
	keys    *vilt.Tensor   // [M,D], of all blocks
	keyNode *gorgonia.Node
	phase   int
	run     op.Prompting
}

// DualPromptOptions say where prompts are. None is left at zero but KeyWeight and First.
type DualPromptOptions struct {
	Pool          int     // expert prompts; a phase beyond has none of its own
	Length        int     // rows of keys, and of values, of an expert prompt
	GeneralLength int     // of a general one
	First, Last   int     // blocks with expert prompts; general ones are in those before
	KeyWeight     float64 // of the pull of a phase's key to queries
}

// NewDualPrompt draws prompts and keys from U(-1, 1).
func NewDualPrompt(c vilt.Config, seed uint64, o DualPromptOptions) *DualPrompt {
	rng := rand.New(rand.NewPCG(seed, 0x6475616c))
	d := &DualPrompt{o: o, width: c.Width, run: op.Prompting{Top: 1}}
	for i := range o.Last + 1 {
		if i < o.First {
			d.general = append(d.general, uniform(rng, fmt.Sprintf("dualprompt.general.%d", i), 1, 2*o.GeneralLength*c.Width))
		} else {
			d.expert = append(d.expert, uniform(rng, fmt.Sprintf("dualprompt.expert.%d", i), o.Pool, 2*o.Length*c.Width))
		}
	}
	d.keys = uniform(rng, "dualprompt.keys", o.Pool, c.Width)
	return d
}

// Tensors lists the general prompts, the expert ones and the keys, by reference.
func (d *DualPrompt) Tensors() []*vilt.Tensor {
	return append(slices.Concat(d.general, d.expert), d.keys)
}

// Begin makes the phase's expert prompts copies of those of the phase before. The key stays its own.
func (d *DualPrompt) Begin(phase int) error {
	d.phase = phase
	if phase > 0 && phase < d.o.Pool {
		for _, t := range d.expert {
			size := t.Shape[1]
			copy(t.Data[phase*size:(phase+1)*size], t.Data[(phase-1)*size:phase*size])
		}
	}
	return nil
}

// Trained is how many values a phase changes: the general prompts, and its own expert ones with their key, or where it has none
// of its own whichever are found.
func (d *DualPrompt) Trained() (n int) {
	own := d.o.Pool
	if d.phase < d.o.Pool {
		own = 1
	}
	for _, t := range d.general {
		n += len(t.Data)
	}
	for _, t := range append(slices.Clone(d.expert), d.keys) {
		n += own * t.Shape[1]
	}
	return n
}

// Into puts the prompts into g, and into the blocks of the encoder that will be built with o.
func (d *DualPrompt) Into(g *gorgonia.ExprGraph, o *vilt.Options) gorgonia.Nodes {
	nodes := nodesOf(g, d.Tensors())
	d.keyNode = nodes[len(nodes)-1]
	o.Prefix = func(p *op.Packing, block int) (*gorgonia.Node, int, error) {
		switch {
		case block > d.o.Last:
			return nil, 0, nil
		case block < d.o.First:
			n, err := op.Apply(op.NewChosen(p, &d.run, d.general[block].Shape[1], true), wanted(nodes[block])...)
			return n, d.o.GeneralLength, err
		}
		n, err := op.Apply(op.NewChosen(p, &d.run, d.expert[block-d.o.First].Shape[1], false), wanted(nodes[block])...)
		return n, d.o.Length, err
	}
	return nodes
}

// Ask chooses the expert prompts of the next run. While a phase is learned they are its own; otherwise, and in a phase that has
// none, they are those of the nearest key among the phases begun.
func (d *DualPrompt) Ask(queries []float32, learn bool) {
	d.run.Queries, d.run.Chosen = append(d.run.Queries[:0], queries...), d.run.Chosen[:0]
	begun := min(d.phase+1, d.o.Pool)
	for q := range slices.Chunk(d.run.Queries, d.width) {
		if learn && d.phase < d.o.Pool {
			d.run.Chosen = append(d.run.Chosen, int32(d.phase))
			continue
		}
		d.run.Chosen = nearest(d.run.Chosen, q, d.keys.Data[:begun*d.width], 1)
	}
}

// Loss puts the loss of the graph that was made last behind its logits.
func (d *DualPrompt) Loss(p *op.Packing, classes int, logits *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Apply(op.NewKeyed(p, &d.run, classes, d.width, d.o.KeyWeight), wanted(logits, d.keyNode)...)
}
