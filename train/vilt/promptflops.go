package vilt

// PromptedFLOP is the operations of the products of a step of an encoder with prompts or prefixes, as it was built, and of the
// classifier of so many rows behind it. Not counted is how prompts are chosen or summed: see [op.Chosen] and [op.Components].
func (e *Encoder) PromptedFLOP(batch []Sequence, classes int) (sum float64) {
	c, b, prompts := e.Config, len(batch), e.Packing.Prompts
	rows := 0
	for _, s := range batch {
		rows += s.Rows() + prompts
	}
	linear := func(m, k, n int) float64 { return Product{FormNT, m, k, n, 1}.FLOP() } // forward, or by its input
	// All heads' scores and what they mix, of so many rows beside a sequence's own, forward: as much as half of the way back.
	attention := func(beside int) (sum float64) {
		for _, s := range batch {
			n := s.Rows() + prompts + beside
			sum += 2 * Product{FormNT, n, c.Width / c.Heads, n, c.Heads}.FLOP()
		}
		return sum
	}
	qkv, proj, mlp := linear(rows, c.Width, 3*c.Width), linear(rows, c.Width, c.Width), 2*linear(rows, c.Width, c.Hidden)
	sum = c.patchFLOP(batch)
	for i, beside := range e.prefixes {
		forward := qkv + proj + mlp + attention(beside)
		back := qkv + proj + mlp + 2*attention(beside)
		if i == c.Depth-1 && !e.whole { // its MLP is of the rows that are read
			read := 2 * linear(b*max(1, prompts), c.Width, c.Hidden)
			forward, back = forward-mlp+read, back-mlp+read
		}
		switch {
		case i == c.Depth-1 && !e.mixed: // all of a one-block encoder that is tuned, but for its patches, pooler and classifier
			forward = c.above(i).StepFLOP(batch, 0, LearnsNothing) - c.patchFLOP(batch) - linear(b, c.Width, c.Width)
			back = c.above(i).StepFLOP(batch, 0, LearnsTuned) - c.patchFLOP(batch) - 2*linear(b, c.Width, c.Width) - forward
		case i == e.constant && beside > 0: // nothing that is learned lies before its queries, keys and values
			back -= qkv
		}
		if sum += forward; i >= e.constant {
			sum += back
		}
	}
	behind := 3 * linear(b, c.Width, classes)
	if prompts == 0 {
		behind += 2 * linear(b, c.Width, c.Width) // the pooler
	}
	return sum + behind
}
