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

// count is [Count] of the step over batch that was taken last. The blocks that are not tuned count where they were run.
func (n *Network) count(batch []dataset.Sample) (tokens int, flop float64) {
	c := n.Weights.Config
	switch {
	case n.Tuner == nil:
		return Count(c, batch, n.Classes, vilt.LearnsAll)
	case n.frozen():
		return Count(c, batch, n.Classes, vilt.LearnsHead)
	case n.query != nil:
		return n.countPrompted(batch)
	case n.prefix == nil:
		return Count(c, batch, n.Classes, vilt.LearnsTuned)
	}
	sequences, tokens := sequencesOf(batch)
	return tokens, c.FLOPFrom(n.prefix.block, sequences, n.Classes) + c.FLOPBelow(n.prefix.block, n.prefix.made)
}

// countPrompted is [Count] of the two passes of a step with prompts: that of the queries, and the one that is learned, in which
// prompts are rows of the sequence. Not counted is what the other rows do with prefixes, and what the last block does for rows
// of prompts beyond what it does for the first row alone.
func (n *Network) countPrompted(batch []dataset.Sample) (tokens int, flop float64) {
	c := n.Weights.Config
	sequences, tokens := sequencesOf(batch)
	flop = c.StepFLOP(sequences, 0, vilt.LearnsNothing)
	for i := range sequences {
		sequences[i].Text += n.train.encoder.Packing.Prompts
	}
	return tokens, flop + c.StepFLOP(sequences, n.Classes, vilt.LearnsTuned)
}
