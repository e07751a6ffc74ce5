package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Rows says how many rows a layer goes over: those of a [Packing], or one a sequence.
type Rows interface {
	MaxRows() int // capacity
	Rows() int    // filled
}

// First is the rows of layers behind [First] and [FirstAttention]: one for each sequence, its first.
func (p *Packing) First() Rows { return firstRows{p} }

type firstRows struct{ p *Packing }

func (f firstRows) MaxRows() int { return f.p.MaxBatch }
func (f firstRows) Rows() int    { return len(f.p.Seqs) }

// gather copies the first row of each sequence of x [N,D] into dst [B,D].
func (p *Packing) gather(dst, x kernel.Matrix) {
	for i := range p.Seqs {
		copy(dst.Data[i*dst.Stride:][:dst.Cols], x.Data[p.Offsets[i]*x.Stride:])
	}
}

// scatterAdd adds the rows of x [B,D] to the first rows of the sequences in dst [N,D].
func (p *Packing) scatterAdd(dst, x kernel.Matrix) {
	for i := range p.Seqs {
		kernel.Axpy(dst.Data[p.Offsets[i]*dst.Stride:][:dst.Cols], 1, x.Data[i*x.Stride:][:x.Cols])
	}
}

// First is the first row ([CLS]) of each sequence.
//
// Input: x [N,D]. Output [B,D].
type First struct {
	p     *Packing
	width int
}

// NewFirst returns the layer for sequences packed by p.
func NewFirst(p *Packing, width int) *First { return &First{p: p, width: width} }

func (f *First) Name() string           { return "first" }
func (f *First) OutShape() tensor.Shape { return tensor.Shape{f.p.MaxBatch, f.width} }

// views are of all rows, and of the first ones.
func (f *First) views(all, first []float32) (x, y kernel.Matrix) {
	n, b, d := f.p.Rows(), len(f.p.Seqs), f.width
	return kernel.Mat(all[:n*d], n, d), kernel.Mat(first[:b*d], b, d)
}

func (f *First) Forward(out []float32, in [][]float32) {
	x, y := f.views(in[0], out)
	f.p.gather(y, x)
}

func (f *First) Backward(din [][]float32, dout []float32, _ [][]float32) {
	if din[0] == nil {
		return
	}
	dx, dy := f.views(din[0], dout)
	clear(dx.Data)
	f.p.scatterAdd(dx, dy)
}
