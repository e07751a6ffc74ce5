package op

import (
	"math"

	"gorgonia.org/tensor"
)

// Distilled is [CrossEntropy] over the active classes plus Weight times the distillation of a teacher's answers over the old
// classes, those of the packing's Teacher:
//
//	KD = -1/B Σ_b Σ_c softmax(teacher_b / T)_c · log softmax(logits_b[old] / T)_c
//
// without the factor T² of Hinton et al. (2015), as class-incremental toolboxes have it (iCaRL in PyCIL: T = 2). Where there
// is no teacher it is the cross-entropy, bit for bit.
//
// Input: logits [B,K]. Output: a scalar.
type Distilled struct {
	CrossEntropy
	Weight, Temperature float64

	student, teacher []float64 // [K] logarithms of one row's probabilities
}

// NewDistilled returns the loss over K classes, with the labels and the teacher of p.
func NewDistilled(p *Packing, classes int, weight, temperature float64) *Distilled {
	return &Distilled{
		CrossEntropy: *NewCrossEntropy(p, classes), Weight: weight, Temperature: temperature,
		student: make([]float64, classes), teacher: make([]float64, classes),
	}
}

func (d *Distilled) Name() string           { return "distillation" }
func (d *Distilled) OutShape() tensor.Shape { return tensor.Shape{} }

func (d *Distilled) Forward(out []float32, in [][]float32) {
	d.CrossEntropy.Forward(out, in)
	b, old := len(d.p.Seqs), d.p.Old
	if old == 0 {
		return
	}
	student, teacher := d.student[:old], d.teacher[:old]
	var sum float64
	for i := range b {
		row := in[0][i*d.classes : i*d.classes+old]
		logSoftmax(teacher, d.p.Teacher[i*old:(i+1)*old], d.Temperature)
		logSoftmax(student, row, d.Temperature)
		for c := range old {
			q := math.Exp(teacher[c])
			sum -= q * student[c]
			d.grad[i*d.classes+c] += float32(d.Weight * (math.Exp(student[c]) - q) / d.Temperature / float64(b))
		}
	}
	out[0] += float32(d.Weight * sum / float64(b))
}

// logSoftmax fills dst with log softmax(row / temperature).
func logSoftmax(dst []float64, row []float32, temperature float64) {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v))
	}
	var sum float64
	for j, v := range row {
		dst[j] = (float64(v) - top) / temperature
		sum += math.Exp(dst[j])
	}
	for j := range dst {
		dst[j] -= math.Log(sum)
	}
}
