package op

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// leastNorm is the length below which a vector has no direction: it is left as it is, and nothing flows back through it.
const leastNorm = 1e-12

// Cosine is the cosine classifier: logits = sigma · cos(f, W[k]), so that a class is a direction and none is favoured for the
// length of its row (Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing", CVPR 2019, eq. 4).
//
// Inputs: f [B,D]; W [K,D]; sigma [1]. Output [B,K].
type Cosine struct {
	p              *Packing
	width, classes int

	features, rows             []float32 // [B,D], [K,D] of length 1
	featureLengths, rowLengths []float32 // [B], [K] before; 0 where there is no direction
	cosines, dcosines          []float32 // [B,K]
	dfeatures, drows           []float32 // [B,D], [K,D] gradients by features and rows
}

// NewCosine returns the layer for K classes.
func NewCosine(p *Packing, width, classes int) *Cosine {
	return &Cosine{p: p, width: width, classes: classes}
}

func (c *Cosine) Name() string           { return "cosine" }
func (c *Cosine) OutShape() tensor.Shape { return tensor.Shape{c.p.MaxBatch, c.classes} }

func (c *Cosine) reserve([]bool) (kept int) {
	b, k, d := c.p.MaxBatch, c.classes, c.width
	for _, s := range []struct {
		own *[]float32
		n   int
	}{
		{&c.features, b * d}, {&c.rows, k * d}, {&c.featureLengths, b}, {&c.rowLengths, k}, {&c.cosines, b * k}, {&c.dcosines, b * k},
		{&c.dfeatures, b * d}, {&c.drows, k * d},
	} {
		kept += keep(s.own, s.n)
	}
	return kept
}

// views are the unit features, the unit rows and the cosines of the batch.
func (c *Cosine) views() (f, w, cos kernel.Matrix) {
	b := len(c.p.Seqs)
	return kernel.Mat(c.features[:b*c.width], b, c.width), kernel.Mat(c.rows, c.classes, c.width), kernel.Mat(c.cosines[:b*c.classes], b, c.classes)
}

func (c *Cosine) Forward(out []float32, in [][]float32) {
	f, w, cos := c.views()
	directions(f, in[0], c.featureLengths)
	directions(w, in[1], c.rowLengths)
	kernel.MatMulNT(cos, f, w, false)
	sigma := in[2][0]
	for i, v := range cos.Data {
		out[i] = sigma * v
	}
}

func (c *Cosine) Backward(din [][]float32, dout []float32, in [][]float32) {
	f, w, cos := c.views()
	dcos := kernel.Mat(c.dcosines[:len(cos.Data)], cos.Rows, cos.Cols)
	var dsigma float64
	for i, g := range dout[:len(cos.Data)] {
		dsigma += float64(g) * float64(cos.Data[i])
		dcos.Data[i] = in[2][0] * g
	}
	if din[2] != nil {
		din[2][0] = float32(dsigma)
	}
	if din[0] != nil {
		df := kernel.Mat(c.dfeatures[:len(f.Data)], f.Rows, f.Cols)
		kernel.MatMul(df, dcos, w, false)
		directionsBackward(din[0], df, f, c.featureLengths)
	}
	if din[1] != nil {
		dw := kernel.Mat(c.drows, w.Rows, w.Cols)
		kernel.MatMulTN(dw, dcos, f, false)
		directionsBackward(din[1], dw, w, c.rowLengths)
	}
}

// directions fills dst with the rows of x, each divided by its length.
func directions(dst kernel.Matrix, x []float32, lengths []float32) {
	for i := range dst.Rows {
		row, unit := x[i*dst.Cols:(i+1)*dst.Cols], dst.Data[i*dst.Cols:(i+1)*dst.Cols]
		var squares float64
		for _, v := range row {
			squares += float64(v) * float64(v)
		}
		length := math.Sqrt(squares)
		lengths[i] = float32(length)
		if length < leastNorm {
			lengths[i] = 0
			copy(unit, row)
			continue
		}
		for j, v := range row {
			unit[j] = float32(float64(v) / length)
		}
	}
}

// directionsBackward fills dx from the gradient by the unit rows: dx = (dy - y <y, dy>) / length.
func directionsBackward(dx []float32, dy, y kernel.Matrix, lengths []float32) {
	for i := range y.Rows {
		at, end := i*y.Cols, (i+1)*y.Cols
		if lengths[i] == 0 {
			clear(dx[at:end])
			continue
		}
		var along float64
		for j := at; j < end; j++ {
			along += float64(y.Data[j]) * float64(dy.Data[j])
		}
		for j := at; j < end; j++ {
			dx[j] = float32((float64(dy.Data[j]) - along*float64(y.Data[j])) / float64(lengths[i]))
		}
	}
}
