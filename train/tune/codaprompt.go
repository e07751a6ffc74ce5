package tune

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// CODAPrompt is prefixes of keys and values that are sums of components, weighted by each example's query (Smith et al., CVPR
// 2023). Each phase learns components of its own, orthogonal to the earlier ones at its start, and freezes those.
type CODAPrompt struct {
	o     CODAPromptOptions
	width int
	seed  uint64
	// by block, from o.First on: components [M,2·L·D], their keys [M,D] and their attention [M,D]
	tensors []*vilt.Tensor
	run     op.Prompting
}

// CODAPromptOptions say where prompts are. None is left at zero but First.
type CODAPromptOptions struct {
	Pool        int // components of all phases together
	Phases      int // which share the pool equally
	Length      int // rows of keys, and of values
	First, Last int // blocks with prompts
}

// NewCODAPrompt returns components that are zero until their phase begins.
func NewCODAPrompt(c vilt.Config, seed uint64, o CODAPromptOptions) *CODAPrompt {
	p := &CODAPrompt{o: o, width: c.Width, seed: seed}
	for block := o.First; block <= o.Last; block++ {
		for _, t := range []struct {
			name  string
			width int
		}{{"prompts", 2 * o.Length * c.Width}, {"keys", c.Width}, {"attention", c.Width}} {
			p.tensors = append(p.tensors, &vilt.Tensor{
				Name: fmt.Sprintf("codaprompt.%s.%d", t.name, block), Shape: []int{o.Pool, t.width}, Data: make([]float32, o.Pool*t.width),
			})
		}
	}
	return p
}

// Tensors lists components, keys and attention of each block, by reference.
func (c *CODAPrompt) Tensors() []*vilt.Tensor { return c.tensors }

// Begin draws the phase's components, of length 1 and orthogonal to those before.
func (c *CODAPrompt) Begin(phase int) error {
	if phase >= c.o.Phases {
		return fmt.Errorf("phase %d: components of prompts were dealt out to %d", phase+1, c.o.Phases)
	}
	own := c.o.Pool / c.o.Phases
	c.run.From, c.run.To = phase*own, (phase+1)*own
	for i, t := range c.tensors {
		rng := rand.New(rand.NewPCG(c.seed, uint64(phase)<<32+uint64(i)<<16+0xc0da))
		orthogonal(rng, t.Data, t.Shape[1], c.run.From, c.run.To)
	}
	return nil
}

// Trained is how many values a phase changes.
func (c *CODAPrompt) Trained() (n int) {
	for _, t := range c.tensors {
		n += (c.run.To - c.run.From) * t.Shape[1]
	}
	return n
}

// Unused is how many values no phase has: those of components that are left when all phases have equally many.
func (c *CODAPrompt) Unused() (n int) {
	for _, t := range c.tensors {
		n += c.o.Pool % c.o.Phases * t.Shape[1]
	}
	return n
}

// SumFLOP is the operations of the products of a step that make sums for so many examples, and their derivatives by the
// components of the phase and by their weights.
func (c *CODAPrompt) SumFLOP(batch int) (sum float64) {
	for i := 0; i < len(c.tensors); i += 3 {
		sum += 2 * float64(batch*c.tensors[i].Shape[1]*(c.run.To+2*(c.run.To-c.run.From)))
	}
	return sum
}

// Into puts the components into g, and their sums into the blocks of the encoder that will be built with o.
func (c *CODAPrompt) Into(g *gorgonia.ExprGraph, o *vilt.Options) gorgonia.Nodes {
	nodes := nodesOf(g, c.tensors)
	o.Prefix = func(p *op.Packing, block int) (*gorgonia.Node, int, error) {
		if block < c.o.First || block > c.o.Last {
			return nil, 0, nil
		}
		at := 3 * (block - c.o.First)
		n, err := op.Apply(op.NewComponents(p, &c.run, c.o.Pool, c.width, c.tensors[at].Shape[1]), wanted(nodes[at:at+3]...)...)
		return n, c.o.Length, err
	}
	return nodes
}

// Ask takes the queries of the next run.
func (c *CODAPrompt) Ask(queries []float32, _ bool) {
	c.run.Queries = append(c.run.Queries[:0], queries...)
}

// Loss puts the loss of the graph that was made last behind its logits. The paper's penalty on components that are not
// orthogonal is left out, as its authors came to (a weight of 0).
func (c *CODAPrompt) Loss(p *op.Packing, classes int, logits *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Apply(op.NewCrossEntropy(p, classes), wanted(logits)...)
}

// orthogonal draws rows from to to of m [M,width] from a Gaussian, takes away what lies in the span of all rows before, and
// divides them by their lengths (Gram-Schmidt, twice over for float64's rounding). Earlier rows may have been learned since and
// need be neither orthogonal nor of length 1. Where they already span the whole space, rows are only of length 1.
func orthogonal(rng *rand.Rand, m []float32, width, from, to int) {
	var basis [][]float64
	rest := func(v []float64) (length float64) {
		for range 2 {
			for _, b := range basis {
				var along float64
				for i, x := range v {
					along += x * b[i]
				}
				for i := range v {
					v[i] -= along * b[i]
				}
			}
		}
		for _, x := range v {
			length += x * x
		}
		return math.Sqrt(length)
	}
	scaled := func(v []float64, by float64) []float64 {
		for i := range v {
			v[i] /= by
		}
		return v
	}
	for k := range from {
		v := make([]float64, width)
		var whole float64
		for i, x := range m[k*width : (k+1)*width] {
			v[i] = float64(x)
			whole += v[i] * v[i]
		}
		if length := rest(v); len(basis) < width && length > 1e-6*math.Sqrt(whole) {
			basis = append(basis, scaled(v, length))
		}
	}
	for k := from; k < to; k++ {
		v := make([]float64, width)
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		if len(basis) < width {
			v = scaled(v, rest(v))
			basis = append(basis, v)
		} else {
			var whole float64
			for _, x := range v {
				whole += x * x
			}
			v = scaled(v, math.Sqrt(whole))
		}
		for i, x := range v {
			m[k*width+i] = float32(x)
		}
	}
}
