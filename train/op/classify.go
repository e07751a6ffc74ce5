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

// CrossEntropy is the mean over the batch of -log softmax(logits)[label], over the packing's active classes only.
//
// Input: logits [B,K]. Output: a scalar.
type CrossEntropy struct {
	p       *Packing
	classes int
	grad    []float32 // [B,K]
}

// NewCrossEntropy returns the loss over K classes, with the labels of p.
func NewCrossEntropy(p *Packing, classes int) *CrossEntropy {
	return &CrossEntropy{p: p, classes: classes, grad: make([]float32, p.MaxBatch*classes)}
}

func (c *CrossEntropy) reserve([]bool) int { return len(c.grad) }

func (c *CrossEntropy) Name() string           { return "cross-entropy" }
func (c *CrossEntropy) OutShape() tensor.Shape { return tensor.Shape{} }

func (c *CrossEntropy) Forward(out []float32, in [][]float32) {
	b, active := len(c.p.Seqs), c.p.Active
	if active == 0 {
		active = c.classes
	}
	logits := kernel.Mat(in[0][:b*c.classes], b, c.classes)
	out[0] = kernel.SoftmaxCrossEntropy(kernel.Mat(c.grad[:b*c.classes], b, c.classes), logits, c.p.Labels, active)
}

func (c *CrossEntropy) Backward(din [][]float32, dout []float32, _ [][]float32) {
	n := len(c.p.Seqs) * c.classes
	for i, g := range c.grad[:n] {
		din[0][i] = g * dout[0]
	}
}
