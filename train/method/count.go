package method

import (
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/vilt"
)

// Count says how much of a batch is there, and the operations of the products of a step over it: see [vilt.Config.Products].
// What was masked or dropped does not count. classes is the number of rows of the classifier; 0: none.
func Count(c vilt.Config, batch []dataset.Sample, classes int, learns vilt.Learns) (tokens int, flop float64) {
	sequences, tokens := sequencesOf(batch)
	return tokens, c.StepFLOP(sequences, classes, learns)
}

// sequencesOf are the sizes of a batch's examples, and the tokens in all.
func sequencesOf(batch []dataset.Sample) (sequences []vilt.Sequence, tokens int) {
	sequences = make([]vilt.Sequence, len(batch))
	for i, s := range batch {
		sequences[i] = vilt.Sequence{Text: len(s.Tokens), Patches: len(s.PatchPos)}
		tokens += sequences[i].Rows()
	}
	return sequences, tokens
}

// counts is the tuner where it knows best what a step of it takes.
func (n *Network) counts() interface {
	StepFLOP(c vilt.Config, batch []vilt.Sequence, classes int) float64
} {
	t, _ := n.Tuner.(interface {
		StepFLOP(c vilt.Config, batch []vilt.Sequence, classes int) float64
	})
	return t
}

// count is [Count] of the step over batch that was taken last, with its teacher's pass where there are old classes. The blocks
// that are not tuned count where they were run.
func (n *Network) count(batch []dataset.Sample, old int) (tokens int, flop float64) {
	c := n.Weights.Config
	sequences, tokens := sequencesOf(batch)
	learns := vilt.LearnsTuned
	switch {
	case n.Tuner == nil:
		learns = vilt.LearnsAll
	case n.frozen():
		learns = vilt.LearnsHead
	case n.queries != nil:
		return n.countPrompted(batch)
	case n.counts() != nil:
		return tokens, n.counts().StepFLOP(c, sequences, n.Classes)
	}
	pass := func(learns vilt.Learns) float64 { return c.StepFLOP(sequences, n.Classes, learns) }
	if p := n.prefix; p != nil {
		pass = func(learns vilt.Learns) float64 { return c.FLOPFrom(p.block, sequences, n.Classes, learns) }
		flop = c.FLOPBelow(p.block, p.made) // for both passes
	}
	if n.teaches(old) {
		flop += pass(vilt.LearnsNothing)
	}
	return tokens, flop + pass(learns)
}

// countPrompted is [Count] of the two passes of a step with prompts: that of the queries which were not at hand, and the one that
// is learned, with what it takes to sum prompts where they are sums.
func (n *Network) countPrompted(batch []dataset.Sample) (tokens int, flop float64) {
	sequences, tokens := sequencesOf(batch)
	flop = n.Weights.Config.StepFLOP(n.queries.running, 0, vilt.LearnsNothing) + n.train.encoder.PromptedFLOP(sequences, n.Classes)
	if t, is := n.Tuner.(interface{ SumFLOP(batch int) float64 }); is {
		flop += t.SumFLOP(len(batch))
	}
	return tokens, flop
}
