package method

import (
	"fmt"

	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Plan is the memory that a network takes, in bytes, when its batches are full: the most sequences, each with the longest
// text and the most patches. A batch fills its share of the rows, and rows that were never filled are not memory yet: the
// process holds less as long as batches are smaller. What a run holds around its network, the run fills in.
type Plan struct {
	Weights     int64 // of the encoder
	Tuned       int64 // of the tuner and the classifier, and of their teacher
	Moments     int64 // AdamW's, of all that is trained
	Activations int64 // outputs of layers, and what their derivatives read
	Gradients   int64
	Scratch     int64 // what layers use while they run; pixels, or the rows of a part
	Packing     int64 // what products copy of a matrix

	Pictures  int64 // processed ones that are kept to be read again
	Queries   int64 // of prompts, that are kept: see [QueriesBytes]
	Ahead     int64 // examples made ahead of their step, and those of the step, where they are not kept ones
	Exemplars int64 // the memory of old examples
	Selection int64 // what choosing exemplars of one class looks at
	Saving    int64 // copies that a checkpoint is written from
	Garbage   int64 // what the collector has not taken back yet

	Sequences, Rows int // rows of each sequence
}

// Total is all of it.
func (p Plan) Total() int64 {
	sum := p.Weights + p.Tuned + p.Moments + p.Activations + p.Gradients + p.Scratch + p.Packing
	for _, part := range p.around() {
		sum += part.bytes
	}
	return sum
}

type part struct {
	name  string
	bytes int64
}

// around are the parts that are not the network's.
func (p Plan) around() []part {
	return []part{
		{"pictures", p.Pictures}, {"queries", p.Queries}, {"examples ahead", p.Ahead}, {"exemplars", p.Exemplars}, {"selection", p.Selection},
		{"saving", p.Saving}, {"garbage", p.Garbage},
	}
}

func (p Plan) String() string {
	mb := func(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
	s := fmt.Sprintf("memory: weights %s, activations %s at %d x %d rows, gradients %s, tuned values and moments %s, scratch %s, packing %s",
		mb(p.Weights), mb(p.Activations), p.Sequences, p.Rows, mb(p.Gradients), mb(p.Tuned+p.Moments), mb(p.Scratch), mb(p.Packing))
	for _, part := range p.around() {
		if part.bytes > 0 {
			s += fmt.Sprintf(", %s %s", part.name, mb(part.bytes))
		}
	}
	return s + ", in all " + mb(p.Total())
}

// Plan is what the network will take once it has trained and inferred. What is around it, the runtime, and what a step leaves
// to the collector are not in it.
func (n *Network) Plan() Plan {
	var l op.Ledger
	for _, m := range []*machine{n.train, n.infer} {
		l.Add(m.features.Graph(), m.encoder.Scratch)
	}
	if n.still != nil {
		l.Add(n.still.features.Graph(), n.still.encoder.Scratch)
	}
	if n.queries != nil {
		l.Add(n.queries.m.features.Graph(), n.queries.m.encoder.Scratch)
	}
	if n.prefix != nil {
		l.Add(n.prefix.m.encoder.Pixels.Graph(), n.prefix.m.encoder.Scratch)
	}
	size := func(tensors []*vilt.Tensor) (bytes int64) {
		for _, t := range tensors {
			bytes += 4 * int64(len(t.Data))
		}
		return bytes
	}
	p := Plan{
		Weights: size(n.Weights.Tensors()), Tuned: size(n.Head), Moments: 2 * size(n.State()),
		Activations: l.Activations, Gradients: l.Gradients, Sequences: n.maxBatch, Rows: n.train.encoder.Packing.MaxRows() / n.maxBatch,
	}
	if n.Tuner != nil {
		p.Tuned += size(n.Tuner.Tensors())
	}
	p.Scratch = l.Scratch + l.Inputs - p.Weights - p.Tuned // inputs are these and what a batch brings
	if n.o.Distill.Weight > 0 {
		p.Tuned += size(n.State()) // the teacher's
	}
	p.Packing = packingBytes(n.Weights.Config)
	return p
}

// packingBytes is what products copy of an encoder's largest matrix.
func packingBytes(c vilt.Config) int64 {
	return kernel.PackingBytes(c.Width * max(c.Hidden, 3*c.Width, c.PatchSize()))
}
