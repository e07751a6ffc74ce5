package method

import (
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/vilt"
)

// Count says how much of a batch is there, and the operations of the products of a step over it: see [vilt.Config.Products].
// What was masked or dropped does not count. classes is the number of rows of the classifier; 0: none.
func Count(c vilt.Config, batch []dataset.Sample, classes int, learns vilt.Learns) (tokens int, flop float64) {
	sequences := make([]vilt.Sequence, len(batch))
	for i, s := range batch {
		sequences[i] = vilt.Sequence{Text: len(s.Tokens), Patches: len(s.PatchPos)}
		tokens += sequences[i].Rows()
	}
	return tokens, c.StepFLOP(sequences, classes, learns)
}
