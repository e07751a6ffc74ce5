package method

import (
	"fmt"
	"strconv"

	"github.com/mcil/mcil/train/vilt"
)

// Attention says which attention is asked for. The zero value is the last block's, averaged over heads, which costs nothing
// to keep; any other needs a graph that keeps every block's.
type Attention struct {
	Layer string // last (the default), a block's number from 0, or mean over blocks
	Heads string // mean over heads (the default), max, or a head's number from 0
}

// Check refuses blocks and heads that an encoder has not.
func (a Attention) Check(c vilt.Config) error {
	_, _, err := a.parse(c)
	return err
}

// parse lists the blocks, and names the head: -1 for the mean, -2 for the largest.
func (a Attention) parse(c vilt.Config) (layers []int, head int, err error) {
	number := func(what, s string, n int) (int, error) {
		i, err := strconv.Atoi(s)
		if err != nil || i < 0 || i >= n {
			return 0, fmt.Errorf("attention of %s %q: the model has %d, from 0 to %d", what, s, n, n-1)
		}
		return i, nil
	}
	switch a.Layer {
	case "", "last":
		layers = []int{c.Depth - 1}
	case "mean":
		for l := range c.Depth {
			layers = append(layers, l)
		}
	default:
		l, err := number("block", a.Layer, c.Depth)
		if err != nil {
			return nil, 0, err
		}
		layers = []int{l}
	}
	switch a.Heads {
	case "", "mean":
		head = meanOfHeads
	case "max":
		head = maxOfHeads
	default:
		head, err = number("head", a.Heads, c.Heads)
	}
	return layers, head, err
}

const meanOfHeads, maxOfHeads = -1, -2

// Inside says whether the attention is of blocks or heads that a graph does not keep by itself.
func (a Attention) Inside() bool {
	return a.Layer != "" && a.Layer != "last" || a.Heads != "" && a.Heads != "mean"
}

// InsideBytes is what a network takes besides once such attention is asked for, in batches of so many sequences of so many rows
// each: query, key and value of all blocks but the last, and statistics of the norms.
func InsideBytes(c vilt.Config, sequences, rows int) int64 {
	perRow := 3*c.Width*(c.Depth-1) + 4*c.Depth
	ofLast := (2*c.Heads + 9) * c.Width // of each sequence
	return 4 * int64(sequences) * (int64(rows)*int64(perRow) + int64(ofLast))
}

// probabilities are those of the last run: [S,S] for each of n sequences, among the rows of its tokens. What they look at in
// prompts is left out.
func (m *machine) probabilities(a Attention, n int) ([][]float32, error) {
	all, err := m.allProbabilities(a, n)
	if prompts := m.encoder.Packing.Prompts; prompts > 0 {
		for i := range all {
			all[i] = withoutPrompts(all[i], m.encoder.Packing.Offsets[i+1]-m.encoder.Packing.Offsets[i], prompts)
		}
	}
	return all, err
}

// withoutPrompts leaves the rows and columns of prompts, which are behind the first, out of probabilities among s rows.
func withoutPrompts(probs []float32, s, prompts int) (own []float32) {
	for r := range s {
		if r == 0 || r > prompts {
			row := probs[r*s : (r+1)*s]
			own = append(append(own, row[0]), row[1+prompts:]...)
		}
	}
	return own
}

// allProbabilities are those among all rows.
func (m *machine) allProbabilities(a Attention, n int) ([][]float32, error) {
	offsets := m.encoder.Packing.Offsets
	split := func(all []float32, heads int) (out [][]float32) {
		for i := range n {
			s := offsets[i+1] - offsets[i]
			out = append(out, all[:heads*s*s])
			all = all[heads*s*s:]
		}
		return out
	}
	if !a.Inside() {
		return split(m.encoder.Attention(nil), 1), nil
	}
	c := m.encoder.Config
	layers, head, err := a.parse(c)
	if err != nil {
		return nil, err
	}
	out := make([][]float32, n)
	var all []float32
	for _, layer := range layers {
		all = m.encoder.Attentions(layer, all)
		for i, heads := range split(all, c.Heads) {
			one := ofHeads(heads, c.Heads, head)
			if out[i] == nil {
				out[i] = make([]float32, len(one))
			}
			for k, p := range one {
				out[i][k] += p / float32(len(layers))
			}
		}
	}
	return out, nil
}

// ofHeads makes one matrix of those of all heads: [H,S,S] to [S,S].
func ofHeads(probs []float32, heads, head int) []float32 {
	size := len(probs) / heads
	if head >= 0 {
		return probs[head*size : (head+1)*size]
	}
	out := make([]float32, size)
	for h := range heads {
		for k, p := range probs[h*size : (h+1)*size] {
			if head == maxOfHeads {
				out[k] = max(out[k], p)
			} else {
				out[k] += p / float32(heads)
			}
		}
	}
	return out
}
