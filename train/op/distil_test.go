package op

import (
	"math"
	"testing"
)

// TestDistilledByHand: two old classes of three, T = 2. The teacher's logits 2 ln 3 and 0 are 3/4 and 1/4 at that temperature;
// the student's are alike, so KD is ln 2 for each example, and its gradient (1/2-3/4)/2 and (1/2-1/4)/2 over the batch of two.
func TestDistilledByHand(t *testing.T) {
	p := &Packing{MaxBatch: 2, MaxText: 1, MaxPatches: 1}
	p.Reset()
	for range 2 {
		p.Add([]int32{1}, []int32{0}, []int32{0}, 1, 1, 2)
	}
	teacher := float32(2 * math.Log(3))
	p.Old, p.Teacher = 2, []float32{teacher, 0, teacher, 0}
	logits := []float32{5, 5, 5, 5, 5, 5}
	loss, plain := NewDistilled(p, 3, 10, 2), NewCrossEntropy(p, 3)
	out, without := make([]float32, 1), make([]float32, 1)
	loss.Forward(out, [][]float32{logits})
	plain.Forward(without, [][]float32{logits})
	if want := math.Log(3) + 10*math.Ln2; math.Abs(float64(out[0])-want) > 1e-5 {
		t.Errorf("the loss is %g, not %g", out[0], want)
	}
	for i := range 6 {
		want := float64(plain.grad[i]) + 10*[]float64{-1. / 8, 1. / 8, 0}[i%3]/2
		if math.Abs(float64(loss.grad[i])-want) > 1e-6 {
			t.Errorf("gradient %d is %g, not %g", i, loss.grad[i], want)
		}
	}
	p.Old = 0
	loss.Forward(out, [][]float32{logits})
	for i := range 6 {
		if out[0] != without[0] || loss.grad[i] != plain.grad[i] {
			t.Error("without a teacher it is not the cross-entropy")
		}
	}
}

// TestCosineByHand: rows (3,4) and (0,2) against the feature (1,0) of any length: cosines 0.6 and 0. What has no direction has
// the logit 0 and no gradient.
func TestCosineByHand(t *testing.T) {
	p := &Packing{MaxBatch: 2, MaxText: 1, MaxPatches: 1}
	p.Reset()
	for range 2 {
		p.Add([]int32{1}, []int32{0}, []int32{0}, 1, 1, 0)
	}
	c := NewCosine(p, 2, 3)
	c.reserve(nil)
	in := [][]float32{{7, 0, 0, 0}, {3, 4, 0, 2, 0, 0}, {10}}
	out := make([]float32, 6)
	c.Forward(out, in)
	for i, want := range []float32{6, 0, 0, 0, 0, 0} {
		if math.Abs(float64(out[i]-want)) > 1e-6 {
			t.Errorf("logit %d is %g, not %g", i, out[i], want)
		}
	}
	din := [][]float32{make([]float32, 4), make([]float32, 6), make([]float32, 1)}
	c.Backward(din, []float32{1, 1, 1, 1, 1, 1}, in)
	// by f: sigma (w - f <f, w>) / |f| = 10 (0, 0.8 + 1) / 7; by w0: 10 (1 - 0.36, 0 - 0.48) / 5; by w1: 10 (1, 0) / 2
	for i, want := range []float64{0, 18. / 7, 0, 0} {
		if math.Abs(float64(din[0][i])-want) > 1e-6 {
			t.Errorf("the gradient by feature %d is %g, not %g", i, din[0][i], want)
		}
	}
	for i, want := range []float64{1.28, -0.96, 5, 0, 0, 0} {
		if math.Abs(float64(din[1][i])-want) > 1e-6 {
			t.Errorf("the gradient by weight %d is %g, not %g", i, din[1][i], want)
		}
	}
	if math.Abs(float64(din[2][0])-0.6) > 1e-6 {
		t.Errorf("the gradient by sigma is %g, not 0.6", din[2][0])
	}
}
