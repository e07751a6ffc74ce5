package method

import (
	"fmt"
	"slices"
	"sync"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Tuner is what is trained on a frozen encoder.
type Tuner interface {
	// Tensors lists what is trained, by reference.
	Tensors() []*vilt.Tensor
	// Into puts it into g, and sets the hooks of o by which the encoder will use it. It returns the nodes in the order of
	// Tensors.
	Into(g *gorgonia.ExprGraph, o *vilt.Options) gorgonia.Nodes
}

// Network is a ViLT encoder with a classifier over its pooled feature, compiled twice: a graph that is
// differentiated by what is trained, and one that is only run forward. Both share the parameters' memory, so a step of the
// first is seen by the second. They share all other memory too, as they take turns.
type Network struct {
	Weights *vilt.Weights
	Tuner   Tuner          // nil: every weight of the encoder is trained
	Head    []*vilt.Tensor // the classifier's: weight [K,D] and bias [K] of a linear one
	Classes int            // K

	o        NetworkOptions
	maxBatch int
	prefix   *prefix // the part that is not tuned; nil: there is none
	train    *machine
	infer    *machine
	still    *machine    // that trains the classifier alone, for when the tuner is settled; nil without NetworkOptions.Settles
	settled  bool        // see Settle
	queries  *queries    // of prompts; nil where there are none
	inside   *machine    // infer with every block and every block's attention; nil until it is asked for
	teacher  [][]float32 // what Freeze copied, in the order of Trained
}

// NetworkOptions say what is behind the encoder. Zero means the default.
type NetworkOptions struct {
	Head    string // kind of classifier: see [Heads]; default linear
	Distill Distill
	Seed    uint64 // of classifiers that are drawn

	Settles bool // makes ready for [Network.Settle]

	ForgetAttention bool // computes attention's probabilities again for its derivative: see [vilt.Options]
}

// purpose is what a graph is for.
type purpose int

const (
	toTrain     purpose = iota // by all that is trained
	toTrainHead                // by the classifier alone, whatever the tuner has
	toInfer
	toLookInside // infers, and keeps every block's attention
)

// partial is a Tuner of which nothing is before a block: the part of the encoder below is run once for a sample.
type partial interface {
	FromBlock() int // 0: something is
}

// machine is one compiled graph.
type machine struct {
	encoder  *vilt.Encoder
	features *gorgonia.Node
	logits   *gorgonia.Node
	loss     *gorgonia.Node
	vm       gorgonia.VM
	model    []gorgonia.ValueGrad // in the order of Network.Trained
	prefix   *prefix              // where the encoder begins with a block: what its rows come from
}

// NewNetwork prepares a network with a linear classifier for classes classes and batches of at most maxBatch examples.
func NewNetwork(w *vilt.Weights, tuner Tuner, classes, maxBatch int) (*Network, error) {
	return NewNetworkWith(w, tuner, classes, maxBatch, NetworkOptions{})
}

// NewNetworkWith is [NewNetwork] with options.
func NewNetworkWith(w *vilt.Weights, tuner Tuner, classes, maxBatch int, o NetworkOptions) (*Network, error) {
	if o.Head == "" {
		o.Head = HeadLinear
	}
	o.Distill = o.Distill.WithDefaults()
	n := &Network{Weights: w, Tuner: tuner, Classes: classes, o: o, maxBatch: maxBatch}
	var err error
	if n.Head, err = headTensors(o.Head, w.Config, classes, o.Seed); err != nil {
		return nil, err
	}
	if t, ok := tuner.(partial); ok && t.FromBlock() > 0 {
		n.prefix = &prefix{block: t.FromBlock()}
	}
	if n.train, err = n.compile(toTrain); err != nil {
		return nil, err
	}
	if n.prefix != nil {
		if n.prefix.m, err = compilePrefix(w, maxBatch, n.prefix.block, n.train.encoder); err != nil {
			return nil, err
		}
	}
	if _, is := tuner.(prompter); is {
		m, err := compileQuery(w, maxBatch, n.train.encoder)
		if err != nil {
			return nil, err
		}
		n.queries = newQueries(m)
	}
	if n.infer, err = n.compile(toInfer); err != nil {
		return nil, err
	}
	if o.Settles {
		if n.still, err = n.compile(toTrainHead); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Close frees the machines.
func (n *Network) Close() error {
	n.infer.vm.Close()
	if n.inside != nil {
		n.inside.vm.Close()
	}
	if n.queries != nil {
		n.queries.m.vm.Close()
	}
	if n.prefix != nil {
		n.prefix.m.vm.Close()
	}
	if n.still != nil {
		n.still.vm.Close()
	}
	return n.train.vm.Close()
}

// Trained lists what a step changes, in a fixed order.
func (n *Network) Trained() []*vilt.Tensor {
	tensors := n.Weights.Tensors()
	switch {
	case n.settled:
		tensors = nil
	case n.Tuner != nil:
		tensors = n.Tuner.Tensors()
	}
	return append(append([]*vilt.Tensor(nil), tensors...), n.Head...)
}

// State lists what is trained, and what was: it does not change with Settle.
func (n *Network) State() []*vilt.Tensor {
	if n.settled {
		return slices.Concat(n.Tuner.Tensors(), n.Head)
	}
	return n.Trained()
}

// Settle leaves what the tuner has as it is: steps from now on train the classifier alone, without a gradient through the
// encoder. It takes NetworkOptions.Settles, and may be called again.
func (n *Network) Settle() { n.settled = true }

// frozen says that steps train or tune nothing of the encoder: no gradient goes back into it.
func (n *Network) frozen() bool { return n.settled || n.Tuner != nil && len(n.Tuner.Tensors()) == 0 }

// steps is the graph that steps run.
func (n *Network) steps() *machine {
	if n.settled {
		return n.still
	}
	return n.train
}

// building guards gorgonia.Grad, which writes to a node that all graphs of the process share.
var building sync.Mutex

func (n *Network) compile(to purpose) (*machine, error) {
	building.Lock()
	defer building.Unlock()
	g := gorgonia.NewGraph()
	train, attentions := to == toTrain || to == toTrainHead, to == toLookInside
	frozen := to == toTrainHead || n.frozen()
	o := vilt.Options{
		Train: train && n.Tuner == nil, ForwardOnly: !train || frozen, LastOnly: train && frozen,
		KeepAttentions: attentions, ForgetAttention: n.o.ForgetAttention,
	}
	if to != toTrain {
		o.Beside = n.train.encoder
	}
	prefix := n.prefix
	if prefix != nil && attentions {
		o.Beside, prefix = prefix.m.encoder, nil // blocks below have attention too, and pixels are there
	}
	if prefix != nil {
		o.FromBlock = prefix.block
	}
	var variables gorgonia.Nodes
	if n.Tuner != nil {
		variables = n.Tuner.Into(g, &o)
	}
	if frozen {
		variables = nil
	}
	m := &machine{prefix: prefix}
	var err error
	if m.encoder, err = vilt.Build(g, n.Weights, n.maxBatch, o); err != nil {
		return nil, err
	}
	m.features = m.encoder.Features
	variables = append(variables, m.encoder.Weights...)
	p := m.encoder.Packing
	var head gorgonia.Nodes
	for _, t := range n.Head {
		head = append(head, vilt.Node(g, t))
	}
	variables = append(variables, head...)
	if m.logits, err = applyHead(n.o.Head, p, n.Weights.Config, n.Classes, m.features, !frozen, head); err != nil {
		return nil, err
	}
	if !train {
		m.vm = op.NewMachine(g)
		return m, nil
	}
	var loss op.Layer = op.NewCrossEntropy(p, n.Classes)
	if d := n.o.Distill; d.Weight > 0 {
		loss = op.NewDistilled(p, n.Classes, d.Weight, d.Temperature)
	}
	if t, is := n.Tuner.(prompter); is {
		m.loss, err = t.Loss(p, n.Classes, m.logits)
	} else {
		m.loss, err = op.Apply(loss, op.Input{Node: m.logits, Wanted: true})
	}
	if err != nil {
		return nil, err
	}
	grads, err := gorgonia.Grad(m.loss, variables...)
	if err != nil {
		return nil, fmt.Errorf("derivative of the network: %w", err)
	}
	for i, v := range variables {
		m.model = append(m.model, parameter{v, grads[i]})
	}
	m.vm = op.NewMachine(g)
	return m, nil
}

// parameter is a variable with the node of its gradient. gorgonia's own dual values would hold every gradient once more, and
// add to it at every run.
type parameter struct{ node, grad *gorgonia.Node }

func (p parameter) Value() gorgonia.Value         { return p.node.Value() }
func (p parameter) Grad() (gorgonia.Value, error) { return p.grad.Value(), nil }

// load packs a batch into a machine's inputs. active is the number of classes that compete in the loss.
func (m *machine) load(batch []dataset.Sample, active int) error {
	var rows [][]byte
	if m.prefix != nil {
		var err error
		if rows, err = m.prefix.rows(batch); err != nil {
			return err
		}
	}
	p := m.encoder.Packing
	p.Reset()
	p.Active = active
	size := m.encoder.Config.PatchSize()
	for i, s := range batch {
		first := len(p.PatchPos)
		p.Add(s.Tokens, s.TokenPos, s.PatchPos, s.GridH, s.GridW, int32(s.Label))
		if rows != nil {
			m.prefix.read(m.encoder.Input(p.Offsets[i]), rows[i])
			continue
		}
		dataset.Normalise(m.encoder.PatchPixels(first)[:len(s.PatchPos)*size], s.Pixels)
	}
	return nil
}

// run executes the compiled program.
func (m *machine) run() error {
	defer m.vm.Reset()
	return m.vm.RunAll()
}

// Step trains on one batch, by the labels alone, and returns its loss.
func (n *Network) Step(batch []dataset.Sample, active int, solver gorgonia.Solver) (float64, error) {
	return n.step(batch, active, 0, solver)
}

// step is Step with a teacher for the first old classes: see [Network.Freeze].
func (n *Network) step(batch []dataset.Sample, active, old int, solver gorgonia.Solver) (float64, error) {
	m := n.steps()
	m.encoder.Packing.Old = 0
	if n.prefix != nil {
		var err error
		if batch, err = n.prefix.bring(batch); err != nil {
			return 0, err
		}
	}
	if n.teaches(old) {
		if err := n.teach(batch, old); err != nil {
			return 0, fmt.Errorf("teacher: %w", err)
		}
	}
	if err := n.ask(batch, true); err != nil {
		return 0, err
	}
	if err := m.load(batch, active); err != nil {
		return 0, err
	}
	if err := m.run(); err != nil {
		return 0, fmt.Errorf("training step: %w", err)
	}
	if err := solver.Step(m.model); err != nil {
		return 0, err
	}
	return float64(m.loss.Value().Data().(float32)), nil
}

// Output is what the network says of a batch. Its slices are overwritten by the next call.
type Output struct {
	Features []float32 // [B,D]
	Logits   []float32 // [B,K]
	// Probs holds, for each example, the attention that was asked for: [S,S].
	Probs [][]float32
}

// Infer runs forward. Attention is computed where asked for; the first time that it is of other blocks than the last, or of
// single heads, another graph is made for it, which keeps every block's: see [InsideBytes]. It has the blocks that are not tuned
// as well, and computes them, with nothing rounded.
//
// Scale and shift are not multiplied into the weights for it (tune.SSF.Merge does that): products apply them to their rows
// while these are in the cache, which takes as long as without. Measured for ViT-B/32 and 1480 rows on one thread of a Zen 4,
// processor time of the fastest of five passes: 2.85 s tuned, 2.90 s merged. Merging would take 349 MB more and would have
// to be done again after every step.
func (n *Network) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	if err := n.ask(batch, false); err != nil {
		return Output{}, err
	}
	if attention == nil || !attention.Inside() {
		return n.infer.infer(batch, attention)
	}
	if err := attention.Check(n.Weights.Config); err != nil {
		return Output{}, err
	}
	if n.inside == nil {
		var err error
		if n.inside, err = n.compile(toLookInside); err != nil {
			return Output{}, err
		}
	}
	return n.inside.infer(batch, attention)
}
