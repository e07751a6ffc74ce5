package method

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Encoder is a ViLT that is only run forward: a [Network] without classifier and without the memory of training.
type Encoder struct{ m *machine }

// NewEncoder prepares an encoder for batches of at most maxBatch examples. It shares the memory of w.
func NewEncoder(w *vilt.Weights, maxBatch int) (*Encoder, error) {
	building.Lock()
	defer building.Unlock()
	g := gorgonia.NewGraph()
	encoder, err := vilt.Build(g, w, maxBatch, vilt.Options{ForwardOnly: true, LastOnly: true})
	if err != nil {
		return nil, err
	}
	return &Encoder{&machine{encoder: encoder, features: encoder.Features, vm: op.NewMachine(g)}}, nil
}

// Plan is the memory that it takes with full batches; w is what it was made of.
func (e *Encoder) Plan(w *vilt.Weights) Plan {
	var l op.Ledger
	l.Add(e.m.features.Graph(), e.m.encoder.Scratch)
	packing := e.m.encoder.Packing
	p := Plan{Weights: 4 * int64(Values(w.Tensors())), Activations: l.Activations, Sequences: packing.MaxBatch, Rows: packing.MaxRows() / packing.MaxBatch}
	p.Scratch = l.Scratch + l.Inputs - p.Weights // inputs are the weights and what a batch brings
	p.Packing = packingBytes(w.Config)
	return p
}

// Close frees the machine.
func (e *Encoder) Close() error { return e.m.vm.Close() }

// Infer is [Network.Infer] without logits, and with the attention of the last block's mean head only.
func (e *Encoder) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	if attention != nil && attention.Inside() {
		return Output{}, fmt.Errorf("attention %+v: an encoder that is only run forward has the last block's, averaged over heads", *attention)
	}
	return e.m.infer(batch, attention)
}

// infer runs forward.
func (m *machine) infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	if err := m.load(batch, 0); err != nil {
		return Output{}, err
	}
	if err := m.run(); err != nil {
		return Output{}, fmt.Errorf("inference: %w", err)
	}
	filled := func(n *gorgonia.Node) []float32 { // the rows of the batch, of a node with capacity for more
		return n.Value().Data().([]float32)[:len(batch)*n.Shape()[1]]
	}
	out := Output{Features: filled(m.features)}
	if m.logits != nil {
		out.Logits = filled(m.logits)
	}
	if attention != nil {
		var err error
		if out.Probs, err = m.probabilities(*attention, len(batch)); err != nil {
			return Output{}, err
		}
	}
	return out, nil
}
