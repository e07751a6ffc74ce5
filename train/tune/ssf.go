// Package tune holds what is trained on a frozen encoder.
package tune

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/vilt"
)

// SSF is scaling and shifting of features (Lian et al., NeurIPS 2022): a gamma and a beta per channel after each step of
// the encoder that [vilt.Places] lists; 205,824 values on ViT-B. It shares its memory with every graph it is put into.
type SSF struct {
	tensors []*vilt.Tensor // gamma and beta by place
	at      map[string]int
	from    int // the first block with any
}

// NewSSF draws gamma from N(1, 0.02²) and beta from N(0, 0.02²), as the paper's code does.
func NewSSF(c vilt.Config, seed uint64) *SSF { return NewSSFFrom(c, seed, 0) }

// NewSSFFrom is [NewSSF] for the places of the given block, of those behind it, and of the final norm: what lies before stays
// as published, so its outputs are constants of a sample. The vectors that are there start as NewSSF's do. From block 0 on
// the patch embedding is tuned too.
func NewSSFFrom(c vilt.Config, seed uint64, block int) *SSF {
	s := &SSF{at: map[string]int{}, from: block}
	places := vilt.Places(c)
	before := 0
	if block > 0 {
		before = slices.IndexFunc(places, func(p vilt.Place) bool { return p.Name == fmt.Sprintf("block.%d.norm1", block) })
	}
	if before < 0 {
		before = len(places) - 1 // beyond the last block
	}
	rng := rand.New(rand.NewPCG(seed, 0x737366))
	for at, p := range places {
		gamma := &vilt.Tensor{Name: "ssf." + p.Name + ".gamma", Shape: []int{p.Width}, Data: make([]float32, p.Width)}
		beta := &vilt.Tensor{Name: "ssf." + p.Name + ".beta", Shape: []int{p.Width}, Data: make([]float32, p.Width)}
		for i := range p.Width {
			gamma.Data[i] = float32(1 + 0.02*rng.NormFloat64())
			beta.Data[i] = float32(0.02 * rng.NormFloat64())
		}
		if at < before {
			continue
		}
		s.at[p.Name] = len(s.tensors)
		s.tensors = append(s.tensors, gamma, beta)
	}
	return s
}

// Tensors lists gamma and beta of each place, by reference.
func (s *SSF) Tensors() []*vilt.Tensor { return s.tensors }

// FromBlock is the first block that is tuned; 0: all are, and the patch embedding.
func (s *SSF) FromBlock() int { return s.from }

// Count is the number of trained values.
func (s *SSF) Count() int {
	var n int
	for _, t := range s.tensors {
		n += len(t.Data)
	}
	return n
}

// Into puts the vectors into g, and the encoder that will be built with o to use them. It returns the nodes in the order of
// Tensors.
func (s *SSF) Into(g *gorgonia.ExprGraph, o *vilt.Options) (nodes gorgonia.Nodes) {
	for _, t := range s.tensors {
		nodes = append(nodes, vilt.Node(g, t))
	}
	o.ScaleShift = func(place string, _ int) (*gorgonia.Node, *gorgonia.Node) {
		i, is := s.at[place]
		if !is {
			return nil, nil // it is before the first block that is tuned
		}
		return nodes[i], nodes[i+1]
	}
	return nodes
}
