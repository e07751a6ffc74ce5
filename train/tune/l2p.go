package tune

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// L2P is a pool of prompts, of which each example takes those whose keys are nearest to its query into its sequence (Wang et
// al., CVPR 2022).
type L2P struct {
	o             L2POptions
	width         int
	prompts, keys *vilt.Tensor // [M,L·D], [M,D]
	keyNode       *gorgonia.Node
	run           op.Prompting
}

// L2POptions say how many prompts there are. None is left at zero but KeyWeight.
type L2POptions struct {
	Pool, Length, Top int     // prompts; rows of each; prompts an example takes
	KeyWeight         float64 // of the pull of chosen keys to queries
	// Batchwise has every example of a batch that is learned take the prompts that most of them would. What is asked without
	// learning never does.
	Batchwise bool
}

// NewL2P draws prompts and keys from U(-1, 1).
func NewL2P(c vilt.Config, seed uint64, o L2POptions) *L2P {
	rng := rand.New(rand.NewPCG(seed, 0x6c3270))
	return &L2P{
		o: o, width: c.Width,
		prompts: uniform(rng, "l2p.prompts", o.Pool, o.Length*c.Width), keys: uniform(rng, "l2p.keys", o.Pool, c.Width),
		run: op.Prompting{Top: o.Top},
	}
}

// Tensors lists the prompts [M,L·D] and the keys [M,D], by reference.
func (l *L2P) Tensors() []*vilt.Tensor { return []*vilt.Tensor{l.prompts, l.keys} }

// Begin does nothing: prompts are every phase's.
func (l *L2P) Begin(int) error { return nil }

// Trained is how many values a phase changes.
func (l *L2P) Trained() int { return len(l.prompts.Data) + len(l.keys.Data) }

// Rows is how many rows a sequence grows by.
func (l *L2P) Rows() int { return l.o.Top * l.o.Length }

// Into puts the pool into g, and prompts into the sequences of the encoder that will be built with o.
func (l *L2P) Into(g *gorgonia.ExprGraph, o *vilt.Options) gorgonia.Nodes {
	nodes := nodesOf(g, l.Tensors())
	l.keyNode = nodes[1]
	o.PromptRows = l.Rows()
	o.Prompts = func(p *op.Packing, x *gorgonia.Node) (op.Layer, []op.Input) {
		return op.NewPrepend(p, &l.run, l.width), append([]op.Input{{Node: x}}, wanted(nodes[0])...)
	}
	return nodes
}

// Ask chooses the prompts of the next run: see [L2POptions].
func (l *L2P) Ask(queries []float32, learn bool) {
	l.run.Queries, l.run.Chosen = append(l.run.Queries[:0], queries...), l.run.Chosen[:0]
	for q := range slices.Chunk(l.run.Queries, l.width) {
		l.run.Chosen = nearest(l.run.Chosen, q, l.keys.Data, l.o.Top)
	}
	if learn && l.o.Batchwise {
		vote(l.run.Chosen, l.o.Pool, l.o.Top)
	}
}

// vote puts the top most frequent prompts in the place of every top of chosen; of equally frequent ones the first.
func vote(chosen []int32, pool, top int) {
	votes := make([]int, pool)
	for _, k := range chosen {
		votes[k]++
	}
	order := make([]int32, pool)
	for k := range order {
		order[k] = int32(k)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(votes[b], votes[a]) })
	for own := range slices.Chunk(chosen, top) {
		copy(own, order)
	}
}

// Loss puts the loss of the graph that was made last behind its logits.
func (l *L2P) Loss(p *op.Packing, classes int, logits *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Apply(op.NewKeyed(p, &l.run, classes, l.width, l.o.KeyWeight), wanted(logits, l.keyNode)...)
}
