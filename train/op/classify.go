package op

import (
	"gorgonia.org/tensor"

	"github.com/mcil/mcil/train/kernel"
)

// Classify is the linear classifier: logits = W · f + b.
//
// Inputs: f [B,D]; W [K,D], b [K]. Output [B,K].
type Classify struct {
	p       *Packing
	classes int
	dense   linear
}

// NewClassify returns the layer for K classes.
func NewClassify(p *Packing, width, classes int) *Classify {
	return &Classify{p: p, classes: classes, dense: linear{in: width, out: classes}}
}

func (c *Classify) Name() string           { return "classify" }
func (c *Classify) OutShape() tensor.Shape { return tensor.Shape{c.p.MaxBatch, c.classes} }

func (c *Classify) Forward(out []float32, in [][]float32) {
	b := len(c.p.Seqs)
	c.dense.forward(kernel.Mat(out[:b*c.classes], b, c.classes), kernel.Mat(in[0][:b*c.dense.in], b, c.dense.in), in[1], in[2], scaleShift{}, kernel.Epilogue{})
}

func (c *Classify) Backward(din [][]float32, dout []float32, in [][]float32) {
	b := len(c.p.Seqs)
	var dx kernel.Matrix
	if din[0] != nil {
		dx = kernel.Mat(din[0][:b*c.dense.in], b, c.dense.in)
	}
	c.dense.maps(dx, din[1], din[2], kernel.Mat(dout[:b*c.classes], b, c.classes), kernel.Mat(in[0][:b*c.dense.in], b, c.dense.in), in[1])
}

// CrossEntropy is the mean over the batch of -log softmax(logits)[label], over the packing's active classes only. Nothing
// flows back to the others.
//
// Input: logits [B,K]. Output: a scalar.
type CrossEntropy struct {
	p       *Packing
	classes int
	grad    []float32 // [B,K]
	labels  []int32   // [B] counted from the first active class
}

// NewCrossEntropy returns the loss over K classes, with the labels of p.
func NewCrossEntropy(p *Packing, classes int) *CrossEntropy {
	return &CrossEntropy{p: p, classes: classes, grad: make([]float32, p.MaxBatch*classes), labels: make([]int32, p.MaxBatch)}
}

func (c *CrossEntropy) reserve([]bool) int { return len(c.grad) }

func (c *CrossEntropy) Name() string           { return "cross-entropy" }
func (c *CrossEntropy) OutShape() tensor.Shape { return tensor.Shape{} }

func (c *CrossEntropy) Forward(out []float32, in [][]float32) {
	b, from, active := len(c.p.Seqs), c.p.ActiveFrom, c.p.Active
	if active == 0 {
		active = c.classes
	}
	labels := c.labels[:b]
	for i, label := range c.p.Labels {
		labels[i] = label - int32(from)
	}
	// the columns from the first active class on
	columns := func(m []float32) kernel.Matrix {
		return kernel.Matrix{Rows: b, Cols: c.classes - from, Stride: c.classes, Data: m[from:]}
	}
	for i := range b {
		clear(c.grad[i*c.classes:][:from])
	}
	out[0] = kernel.SoftmaxCrossEntropy(columns(c.grad), columns(in[0]), labels, active-from)
}

func (c *CrossEntropy) Backward(din [][]float32, dout []float32, _ [][]float32) {
	n := len(c.p.Seqs) * c.classes
	for i, g := range c.grad[:n] {
		din[0][i] = g * dout[0]
	}
}
