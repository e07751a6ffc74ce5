package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Chosen is the row of a pool that was chosen for each sequence, or, Shared, the first row for all.
//
// Input: pool [M,W]. Output [B,W].
type Chosen struct {
	Shared bool

	p     *Packing
	s     *Prompting
	width int
}

// NewChosen returns the layer for a pool of rows of the given width. Where it is shared it reads no choice.
func NewChosen(p *Packing, s *Prompting, width int, shared bool) *Chosen {
	return &Chosen{Shared: shared, p: p, s: s, width: width}
}

func (c *Chosen) Name() string           { return "chosen prompts" }
func (c *Chosen) OutShape() tensor.Shape { return tensor.Shape{c.p.MaxBatch, c.width} }

// of is the number of the row for sequence i.
func (c *Chosen) of(i int) int {
	if c.Shared {
		return 0
	}
	return int(c.s.Chosen[i])
}

func (c *Chosen) Forward(out []float32, in [][]float32) {
	for i := range c.p.Seqs {
		copy(out[i*c.width:(i+1)*c.width], in[0][c.of(i)*c.width:])
	}
}

func (c *Chosen) Backward(din [][]float32, dout []float32, _ [][]float32) {
	if din[0] == nil {
		return
	}
	clear(din[0])
	for i := range c.p.Seqs {
		at := c.of(i) * c.width
		kernel.Axpy(din[0][at:at+c.width], 1, dout[i*c.width:(i+1)*c.width])
	}
}

// Components is a sum of a pool's rows for each sequence, weighted by how its query, with an attention of the component's
// own, agrees with the component's key (Smith et al., "CODA-Prompt", CVPR 2023, eqs. 4 and 5):
//
//	out_b = Σ_k cos(query_b ∘ A_k, K_k) P_k
//
// over the first [Prompting].To rows. Those before From are learned no more: no gradient flows to them.
//
// Inputs: P [M,W]; K [M,D]; A [M,D]. Output [B,W].
type Components struct {
	p             *Packing
	s             *Prompting
	pool          int // M
	width, prompt int // D, W

	attended          []float32 // [D] query ∘ A_k
	weights, dweights []float32 // [B,M], of which the first To columns are filled
}

// NewComponents returns the layer for a pool of rows of prompt values, with keys of the given width.
func NewComponents(p *Packing, s *Prompting, pool, width, prompt int) *Components {
	return &Components{p: p, s: s, pool: pool, width: width, prompt: prompt}
}

func (c *Components) Name() string           { return "prompt components" }
func (c *Components) OutShape() tensor.Shape { return tensor.Shape{c.p.MaxBatch, c.prompt} }

func (c *Components) reserve([]bool) (kept int) {
	b := c.p.MaxBatch
	return keep(&c.attended, c.width) + keep(&c.weights, b*c.pool) + keep(&c.dweights, b*c.pool)
}

// columns are columns lo..hi of m [B,M].
func (c *Components) columns(m []float32, lo, hi int) kernel.Matrix {
	return kernel.Matrix{Rows: len(c.p.Seqs), Cols: hi - lo, Stride: c.pool, Data: m[lo:]}
}

// rows are rows lo..hi of P or of its gradient.
func (c *Components) rows(m []float32, lo, hi int) kernel.Matrix {
	return kernel.Mat(m[lo*c.prompt:hi*c.prompt], hi-lo, c.prompt)
}

// angle compares sequence b's query with component k. What it attends to is in c.attended until the next call.
func (c *Components) angle(in [][]float32, b, k int) (query, key, attention []float32, a Angle) {
	d := c.width
	query, key, attention = c.s.Queries[b*d:(b+1)*d], in[1][k*d:(k+1)*d], in[2][k*d:(k+1)*d]
	for j, q := range query {
		c.attended[j] = q * attention[j]
	}
	return query, key, attention, AngleOf(c.attended, key)
}

func (c *Components) Forward(out []float32, in [][]float32) {
	for b := range c.p.Seqs {
		for k := range c.s.To {
			_, _, _, a := c.angle(in, b, k)
			c.weights[b*c.pool+k] = float32(a.Cos)
		}
	}
	n := len(c.p.Seqs)
	kernel.MatMul(kernel.Mat(out[:n*c.prompt], n, c.prompt), c.columns(c.weights, 0, c.s.To), c.rows(in[0], 0, c.s.To), false)
}

func (c *Components) Backward(din [][]float32, dout []float32, in [][]float32) {
	n, from, to := len(c.p.Seqs), c.s.From, c.s.To
	for _, d := range din {
		clear(d)
	}
	dy := kernel.Mat(dout[:n*c.prompt], n, c.prompt)
	if din[0] != nil {
		kernel.MatMulTN(c.rows(din[0], from, to), c.columns(c.weights, from, to), dy, false)
	}
	if din[1] == nil && din[2] == nil {
		return
	}
	kernel.MatMulNT(c.columns(c.dweights, from, to), dy, c.rows(in[0], from, to), false)
	for b := range c.p.Seqs {
		for k := from; k < to; k++ {
			query, key, _, a := c.angle(in, b, k)
			if a.A == 0 || a.B == 0 {
				continue
			}
			g := float64(c.dweights[b*c.pool+k])
			for j, u := range c.attended {
				if din[1] != nil {
					din[1][k*c.width+j] += float32(g * (float64(u)/(a.A*a.B) - a.Cos*float64(key[j])/(a.B*a.B)))
				}
				if din[2] != nil {
					din[2][k*c.width+j] += float32(g * float64(query[j]) * (float64(key[j])/(a.A*a.B) - a.Cos*float64(u)/(a.A*a.A)))
				}
			}
		}
	}
}
