package op

import (
	"math"
	"slices"
	"testing"
)

// TestOnlyAPhasesClassesCompete: logits of classes before and after those that compete change neither the loss nor the
// gradient of the others, and get none.
func TestOnlyAPhasesClassesCompete(t *testing.T) {
	const classes = 5
	p := &Packing{MaxBatch: 2, MaxText: 1, MaxPatches: 1, ActiveFrom: 2, Active: 4}
	p.Reset()
	p.Add([]int32{1}, []int32{0}, nil, 0, 0, 2)
	p.Add([]int32{1}, []int32{0}, nil, 0, 0, 3)
	// the rows' active logits are log 3 and 0, and 0 and 0: -log 3/4 and -log 1/2
	log3 := float32(math.Log(3))
	want := (math.Log(4.0/3) + math.Log(2)) / 2
	wantGrad := []float32{0, 0, -0.125, 0.125, 0, 0, 0, 0.25, -0.25, 0}
	for _, loss := range []Layer{NewCrossEntropy(p, classes), NewDistilled(p, classes, 1, 2)} {
		for _, others := range []float32{0, 50, -7} {
			in := []float32{others, 2 * others, log3, 0, -others, others, others, 0, 0, others}
			out, grad := []float32{0}, slices.Repeat([]float32{9}, len(in))
			loss.Forward(out, [][]float32{in})
			loss.Backward([][]float32{grad}, []float32{1}, [][]float32{in})
			if math.Abs(float64(out[0])-want) > 1e-6 {
				t.Errorf("%s beside %g: loss %g, not %g", loss.Name(), others, out[0], want)
			}
			for i, g := range grad {
				if math.Abs(float64(g-wantGrad[i])) > 1e-6 || wantGrad[i] == 0 && g != 0 {
					t.Errorf("%s beside %g: gradient %d is %g, not %g", loss.Name(), others, i, g, wantGrad[i])
				}
			}
		}
	}
}
