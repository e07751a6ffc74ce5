package tune

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// uniform is a tensor drawn from U(-1, 1), as the published implementations of prompts draw theirs.
func uniform(rng *rand.Rand, name string, shape ...int) *vilt.Tensor {
	t := &vilt.Tensor{Name: name, Shape: shape, Data: make([]float32, vilt.Size(shape))}
	for i := range t.Data {
		t.Data[i] = float32(2*rng.Float64() - 1)
	}
	return t
}

// nodesOf puts tensors into g.
func nodesOf(g *gorgonia.ExprGraph, tensors []*vilt.Tensor) (nodes gorgonia.Nodes) {
	for _, t := range tensors {
		nodes = append(nodes, vilt.Node(g, t))
	}
	return nodes
}

// wanted are inputs that the loss is differentiated by.
func wanted(nodes ...*gorgonia.Node) (inputs []op.Input) {
	for _, n := range nodes {
		inputs = append(inputs, op.Input{Node: n, Wanted: true})
	}
	return inputs
}

// nearest appends the top of the given keys [M,D] by cosine with a query [D], the nearest first; of equal ones the first.
func nearest(dst []int32, query, keys []float32, top int) []int32 {
	type near struct {
		key int32
		cos float64
	}
	d := len(query)
	all := make([]near, len(keys)/d)
	for k := range all {
		all[k] = near{int32(k), op.AngleOf(query, keys[k*d:(k+1)*d]).Cos}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(b.cos, a.cos) })
	for _, n := range all[:top] {
		dst = append(dst, n.key)
	}
	return dst
}
