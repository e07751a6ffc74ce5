package vilt

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/op"
)

// Options say how an encoder is put into a graph.
type Options struct {
	// Train makes every weight a variable that the loss is differentiated by. Otherwise the encoder is frozen.
	Train bool
	// ScaleShift returns the tuned pair after the step called place, of the given width, or nil where nothing is tuned.
	// Places are listed by [Places]. A frozen encoder without it is the model as published.
	ScaleShift func(place string, width int) (gamma, beta *gorgonia.Node)
	// Prompts, if not nil, puts PromptRows rows behind the first of each sequence of the embeddings x, where there is room for
	// them: see [op.Prepend]. The feature is then the mean of what becomes of them, after the final norm; nothing is pooled.
	Prompts    func(p *op.Packing, x *gorgonia.Node) (op.Layer, []op.Input)
	PromptRows int
	// Prefix returns what the rows of a block look at beside their own keys and values: [B, 2·L·D] of L each, as
	// [op.PrefixAttention] has them; or nil, where there is nothing. The encoder's weights and scales must not be trained.
	Prefix func(p *op.Packing, block int) (prefix *gorgonia.Node, length int, err error)
	// Adapter returns what is learned beside the MLP of a block, or nil where there is nothing.
	Adapter func(block int) *Adapter
	// ForwardOnly says that the graph is never differentiated, which takes much less memory.
	ForwardOnly bool
	// KeepLayers makes every row of the last block, for [Encoder.Hidden] and [Encoder.LastHidden]: otherwise those alone that
	// the pooler reads. It does what KeepAttentions does, and each of the 2·Depth+1 outputs of the stream has memory of its own,
	// D values a row, beside another graph too.
	KeepLayers bool
	// KeepAttentions keeps what [Encoder.Attentions] reads of every block in a forward-only graph too: 3·D values a row and
	// block, but for the last one, which has its input at hand.
	KeepAttentions bool
	// LastOnly lets the stream of a forward-only graph without KeepLayers take turns in two buffers, so that of its layers
	// only the features and the last block's attentions are there after a run: see [Encoder.Hidden].
	LastOnly bool
	// ForgetAttention computes the probabilities of attention again on the way back instead of keeping them, which takes some
	// hundredth longer and saves H·S values a row and block, S being the rows of the longest sequence in whole cache lines.
	ForgetAttention bool
	// Beside, if not nil, is the encoder of another graph, for batches as large, that never runs at the same time: pixels
	// and scratch lie in its memory. Forward-only and without KeepLayers, the stream does as well, and what it is within the
	// encoder is lost: see [Encoder.Hidden]. The other graph's layers are then lost too, until it runs again.
	Beside *Encoder
	// FromBlock leaves out the embeddings and the blocks below it: [Encoder.Input] takes their place. 0: the whole encoder.
	FromBlock int
	// ToBlock leaves out that block and all that follows it: [Encoder.Hidden] of it is the output, and there are no
	// Features. 0: up to the end.
	ToBlock int
}

// Place is a step of the encoder whose output may be scaled and shifted.
type Place struct {
	Name  string
	Width int // channels
}

// Places lists the seven kinds of place of SSF in order: the patch embedding; in each block the norm before attention,
// query-key-value, attention's output, the norm before the MLP, its first and its second map; and the final norm.
func Places(c Config) []Place {
	places := []Place{{"patch", c.Width}}
	for i := range c.Depth {
		block := fmt.Sprintf("block.%d.", i)
		places = append(places,
			Place{block + "norm1", c.Width}, Place{block + "qkv", 3 * c.Width}, Place{block + "proj", c.Width},
			Place{block + "norm2", c.Width}, Place{block + "fc1", c.Hidden}, Place{block + "fc2", c.Width})
	}
	return append(places, Place{"norm", c.Width})
}

// Encoder is ViLT in a graph.
type Encoder struct {
	Config   Config
	Packing  *op.Packing
	Scratch  *op.Scratch
	Pixels   *gorgonia.Node // input [P, C·p·p], rows as the packing has the patches; nil with Options.FromBlock
	Features *gorgonia.Node // output [B, D]: the pooler's
	Weights  gorgonia.Nodes // variables, where Options.Train; in the order of Weights.Tensors

	from       int // the first block that is there
	pixels     []float32
	outputs    [][]float32 // [N,D] of the embeddings, then of each half of a block; two that take turns where they are another's
	turns      bool
	whole      bool  // every row of the last block is made, not those alone that are read of each sequence
	mixed      bool  // every row of the last block's attention is
	constant   int   // so many blocks, from the first on, lie before all that is learned: no gradient flows back through them
	prefixes   []int // rows that those of each block look at beside their own
	weights    *Weights
	stream     gorgonia.Nodes // [N,D]: the embeddings, then each block's output; the last one's of the rows that are read where it is not whole
	attentions []attention    // by block
	finalPair  []op.Input     // the final norm's scale and shift, or none
}

// attention is the first half of a block: [op.Attention] or [op.FirstAttention].
type attention interface {
	op.Layer
	Mean(dst []float32) []float32
	Probabilities(dst []float32) []float32
	Own() bool
}

// Build adds the encoder to g for batches of at most maxBatch sequences. The graph shares the memory of w.
func Build(g *gorgonia.ExprGraph, w *Weights, maxBatch int, o Options) (*Encoder, error) {
	c := w.Config
	b := &builder{g: g, w: w, o: o, nodes: map[string]*gorgonia.Node{}}
	if o.Beside != nil && (o.Beside.Config != c || o.Beside.Packing.MaxBatch != maxBatch) {
		return nil, fmt.Errorf("vilt: an encoder for %d sequences of %+v beside one for %d of %+v", maxBatch, c, o.Beside.Packing.MaxBatch, o.Beside.Config)
	}
	p := &op.Packing{MaxBatch: maxBatch, MaxText: c.MaxText, MaxPatches: c.MaxPatches(), Prompts: o.PromptRows}
	scratch := &op.Scratch{ForwardOnly: o.ForwardOnly, KeepAttention: o.KeepLayers || o.KeepAttentions, ForgetAttention: o.ForgetAttention}
	e := &Encoder{Config: c, Packing: p, Scratch: scratch, whole: o.KeepLayers, weights: w, from: o.FromBlock}
	if err := o.checkPart(c); err != nil {
		return nil, err
	}
	if o.Beside != nil {
		e.Scratch.Beside, e.pixels = o.Beside.Scratch, o.Beside.pixels
	}
	if e.pixels == nil && o.FromBlock == 0 {
		e.pixels = make([]float32, maxBatch*p.MaxPatches*c.PatchSize())
	}
	if o.ForwardOnly && !o.KeepLayers {
		switch size := p.MaxRows() * c.Width; {
		case o.Beside != nil:
			e.outputs, e.turns = o.Beside.two(size), true
		case o.LastOnly:
			e.outputs, e.turns = [][]float32{make([]float32, size), make([]float32, size)}, true
		}
	}
	prefixes, err := b.prefixes(p)
	if err != nil {
		return nil, fmt.Errorf("vilt: %w", err)
	}
	for _, prefix := range prefixes {
		e.prefixes = append(e.prefixes, prefix.length)
	}
	e.mixed = e.whole || o.Prompts != nil || prefixes[c.Depth-1].Node != nil
	x := b.prompted(e, e.begin(g, b))
	for i := o.FromBlock; i < o.stop(c); i++ {
		layer, block := fmt.Sprintf("encoder.layer.%d.", i), fmt.Sprintf("block.%d.", i)
		var looks attention = op.NewAttention(p, e.Scratch, c.Width, c.Heads, c.Eps)
		var behind op.Rows = p
		last := i == c.Depth-1 && !e.whole
		if last {
			behind = e.readRows()
		}
		if last && !e.mixed {
			looks = op.NewFirstAttention(p, e.Scratch, c.Width, c.Heads, c.Eps)
		}
		beside := prefixes[i]
		if beside.Node != nil {
			looks = op.NewPrefixAttention(p, e.Scratch, c.Width, c.Heads, beside.length, c.Eps)
		}
		e.attentions = append(e.attentions, looks)
		x = b.into(e.output(2*i+1), looks, b.flow(x),
			b.weights(layer+"layernorm_before.weight", layer+"layernorm_before.bias", layer+qkvWeight, layer+qkvBias,
				layer+"attention.output.dense.weight", layer+"attention.output.dense.bias"),
			b.pairs(block+"norm1", c.Width), b.pairs(block+"qkv", 3*c.Width), b.pairs(block+"proj", c.Width), beside.inputs())
		if last && e.mixed {
			x = b.apply(e.read(), b.flow(x))
		}
		mlp, adapter := b.adapted(op.NewMLP(behind, e.Scratch, c.Width, c.Hidden, c.Eps), p, i)
		x = b.into(e.output(2*i+2), mlp, b.flow(x),
			b.weights(layer+"layernorm_after.weight", layer+"layernorm_after.bias", layer+"intermediate.dense.weight",
				layer+"intermediate.dense.bias", layer+"output.dense.weight", layer+"output.dense.bias"),
			b.pairs(block+"norm2", c.Width), b.pairs(block+"fc1", c.Hidden), b.pairs(block+"fc2", c.Width), adapter)
		e.stream = append(e.stream, x)
		if x == b.constant {
			e.constant = i + 1
		}
	}
	if o.ToBlock > 0 {
		return e, b.failed()
	}
	if e.whole {
		x = b.apply(e.read(), b.flow(x))
	}
	if o.Prompts != nil {
		e.Features = b.apply(op.NewPromptMean(p, c.Width, c.Eps), b.flow(x), b.weights("layernorm.weight", "layernorm.bias"))
		return e, b.failed()
	}
	e.finalPair = b.pairs("norm", c.Width)
	e.Features = b.apply(op.NewPool(p, e.Scratch, c.Width, c.Eps), b.flow(x),
		b.weights("layernorm.weight", "layernorm.bias", "pooler.dense.weight", "pooler.dense.bias"), e.finalPair)
	if err := b.failed(); err != nil {
		return nil, err
	}
	if o.Train {
		for _, t := range w.tensors {
			e.Weights = append(e.Weights, b.nodes[t.Name])
		}
	}
	return e, nil
}

// embed puts the embeddings into g, where the encoder begins with them.
func (e *Encoder) embed(g *gorgonia.ExprGraph, b *builder) *gorgonia.Node {
	c, p := e.Config, e.Packing
	e.Pixels = Node(g, &Tensor{Name: "pixels", Shape: []int{p.MaxBatch * p.MaxPatches, c.PatchSize()}, Data: e.pixels})
	text := "embeddings.text_embeddings."
	return b.into(e.output(0), op.NewEmbed(p, e.Scratch, c.Width, c.PatchSize(), c.Grid(), c.Eps),
		[]op.Input{{Node: e.Pixels}},
		b.weights(text+"word_embeddings.weight", text+"position_embeddings.weight", text+"token_type_embeddings.weight",
			text+"LayerNorm.weight", text+"LayerNorm.bias", "embeddings.token_type_embeddings.weight",
			"embeddings.patch_embeddings.projection.weight", "embeddings.patch_embeddings.projection.bias",
			"embeddings.cls_token", "embeddings.position_embeddings"),
		b.pairs("patch", c.Width))
}

// output is memory for the i-th output of the stream, counted in the whole encoder, or nil for one that has no more than a row a sequence, which has its
// own: so the input of the last block's attention is still there after a run, where its output takes no turn.
func (e *Encoder) output(i int) []float32 {
	switch {
	case !e.whole && i > 2*(e.Config.Depth-1) && !(e.mixed && i == 2*e.Config.Depth-1):
		return nil
	case e.turns:
		return e.outputs[i%2]
	}
	e.outputs = append(e.outputs, make([]float32, e.Packing.MaxRows()*e.Config.Width))
	return e.outputs[i-2*e.from]
}

// read takes from the stream what is read of each sequence: its first row, or those of its prompts.
func (e *Encoder) read() op.Layer {
	if e.Packing.Prompts > 0 {
		return op.NewPromptsOnly(e.Packing, e.Config.Width)
	}
	return op.NewFirst(e.Packing, e.Config.Width)
}

// readRows are the rows that read takes.
func (e *Encoder) readRows() op.Rows {
	if e.Packing.Prompts > 0 {
		return e.Packing.PromptRows()
	}
	return e.Packing.First()
}

// PatchPixels is the memory of the pixel input's rows from the given patch on.
func (e *Encoder) PatchPixels(patch int) []float32 { return e.pixels[patch*e.Config.PatchSize():] }

// builder holds the first error, so that the network above reads as a network.
type builder struct {
	g     *gorgonia.ExprGraph
	w     *Weights
	o     Options
	nodes map[string]*gorgonia.Node
	// constant is a stream that nothing tuned lies before, or nil.
	constant *gorgonia.Node
	err      error
}

func (b *builder) apply(layer op.Layer, inputs ...[]op.Input) *gorgonia.Node {
	return b.into(nil, layer, inputs...)
}

// into is apply with the output's memory given.
func (b *builder) into(out []float32, layer op.Layer, inputs ...[]op.Input) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	var all []op.Input
	for _, in := range inputs {
		all = append(all, in...)
	}
	n, err := op.ApplyInto(out, layer, all...)
	b.err = err
	b.passes(n, all)
	return n
}

func (b *builder) flow(x *gorgonia.Node) []op.Input {
	return []op.Input{{Node: x, Wanted: x != b.constant && b.learns()}}
}

func (b *builder) weights(names ...string) []op.Input {
	inputs := make([]op.Input, len(names))
	for i, name := range names {
		n := Node(b.g, b.w.get(name))
		b.nodes[name] = n
		inputs[i] = op.Input{Node: n, Wanted: b.o.Train}
	}
	return inputs
}

func (b *builder) pairs(place string, width int) []op.Input {
	if b.o.ScaleShift == nil {
		return nil
	}
	gamma, beta := b.o.ScaleShift(place, width)
	if gamma == nil {
		return nil
	}
	return []op.Input{{Node: gamma, Wanted: true}, {Node: beta, Wanted: true}}
}

// Node puts t into g as an input that shares t's memory. One or two dimensions are kept, more are joined into two.
func Node(g *gorgonia.ExprGraph, t *Tensor) *gorgonia.Node {
	shape := tensor.Shape{len(t.Data)}
	if len(t.Shape) > 1 {
		shape = tensor.Shape{t.Shape[0], Size(t.Shape[1:])}
	}
	v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(t.Data))
	return gorgonia.NewTensor(g, tensor.Float32, shape.Dims(), gorgonia.WithShape(shape...), gorgonia.WithName(t.Name), gorgonia.WithValue(v))
}
