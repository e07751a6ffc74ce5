package kernel

import (
	"math"
	"testing"
)

func TestSoftmaxCrossEntropyKnown(t *testing.T) {
	// Row 0: logits 0, ln 3 compete, p = 1/4, 3/4; the third column does not.
	ln3 := float32(math.Log(3))
	logits := Mat([]float32{0, ln3, 50, ln3, 0, 50}, 2, 3)
	grad := Mat([]float32{9, 9, 9, 9, 9, 9}, 2, 3)
	loss := SoftmaxCrossEntropy(grad, logits, []int32{1, 1}, 2)
	near(t, "loss", []float32{loss}, []float32{float32((math.Log(4.0/3) + math.Log(4)) / 2)}, 1e-6)
	near(t, "gradient", grad.Data, []float32{0.125, -0.125, 0, 0.375, -0.375, 0}, 1e-6)
	if again := SoftmaxCrossEntropy(Matrix{}, logits, []int32{1, 1}, 2); again != loss {
		t.Errorf("loss without gradient = %v, want %v", again, loss)
	}
	if all := SoftmaxCrossEntropy(Matrix{}, logits, []int32{2, 2}, 0); all > 1e-6 {
		t.Errorf("loss of a certain class = %v, want 0", all)
	}
	if none := SoftmaxCrossEntropy(Matrix{}, Mat(nil, 0, 3), nil, 3); none != 0 {
		t.Errorf("loss of no rows = %v", none)
	}
}

func TestSoftmaxCrossEntropyGradient(t *testing.T) {
	r := newRand(41)
	const rows, k, active = 4, 9, 6
	logits := randomMatrix(r, rows, k, 0)
	labels := []int32{0, 5, 3, 3}
	want := differences(logits.Data[:rows*k], func() float64 {
		var s float64
		for i := range rows {
			var sum float64
			for _, v := range logits.row(i)[:active] {
				sum += math.Exp(float64(v))
			}
			s += (math.Log(sum) - float64(logits.row(i)[labels[i]])) / rows
		}
		return s
	})
	grad := Mat(make([]float32, rows*k), rows, k)
	SoftmaxCrossEntropy(grad, logits, labels, active)
	near(t, "gradient", grad.Data, want, 1e-5)
	inPlace := clone(logits)
	inPlace.Data = inPlace.Data[:rows*k]
	SoftmaxCrossEntropy(inPlace, inPlace, labels, active)
	sameBytes(t, "in place", inPlace.Data, grad.Data)
}

func TestSoftmaxCrossEntropyMistakes(t *testing.T) {
	logits := Mat(make([]float32, 6), 2, 3)
	mustPanic(t, "label", func() { SoftmaxCrossEntropy(Matrix{}, logits, []int32{0, 2}, 2) })
	mustPanic(t, "negative", func() { SoftmaxCrossEntropy(Matrix{}, logits, []int32{0, -1}, 2) })
	mustPanic(t, "count", func() { SoftmaxCrossEntropy(Matrix{}, logits, []int32{0}, 2) })
	mustPanic(t, "active", func() { SoftmaxCrossEntropy(Matrix{}, logits, []int32{0, 0}, 4) })
}

func TestAdamWKnown(t *testing.T) {
	// lr 0.1, β 0.9 0.99, ε 0, λ 0.5, gradients 2 then -1, parameter 1.
	// Step 1: m=0.2, v=0.04, m̂=2, v̂=4, param = 1·0.95 - 0.1·2/2 = 0.85.
	// Step 2: m=0.9·0.2-0.1=0.08, v=0.99·0.04+0.01=0.0496,
	// m̂=0.08/0.19, v̂=0.0496/0.0199, param = 0.85·0.95 - 0.1·m̂/√v̂.
	second := 0.85*0.95 - 0.1*(0.08/0.19)/math.Sqrt(0.0496/0.0199)
	o := AdamWStep{LR: 0.1, Beta1: 0.9, Beta2: 0.99, WeightDecay: 0.5, Step: 1}
	onEveryPath(t, func(t *testing.T) {
		for n := 1; n < 20; n++ {
			fill := func(v float32) []float32 {
				x := make([]float32, n)
				for i := range x {
					x[i] = v
				}
				return x
			}
			param, m, v := fill(1), fill(0), fill(0)
			o.Step = 1
			AdamW(param, fill(2), m, v, o)
			near(t, "step 1", param, fill(0.85), 1e-6)
			near(t, "m", m, fill(0.2), 1e-6)
			near(t, "v", v, fill(0.04), 1e-6)
			o.Step = 2
			AdamW(param, fill(-1), m, v, o)
			near(t, "step 2", param, fill(float32(second)), 1e-6)
		}
	})
}

func TestAdamW(t *testing.T) {
	r := newRand(42)
	const n = 2*elementGrain + 5
	o := AdamWStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, Step: 3}
	param, grad, m, v := randomSlice(r, n), randomSlice(r, n), randomSlice(r, n), randomSlice(r, n)
	grad[7] = 0
	for i := range v {
		v[i] *= v[i]
	}
	copies := func() (p, m2, v2 []float32) {
		return append([]float32(nil), param...), append([]float32(nil), m...), append([]float32(nil), v...)
	}
	wp, wm, wv := copies()
	f := o.factors()
	refAdamW(wp, grad, wm, wv, &f)
	onEveryPath(t, func(t *testing.T) {
		gp, gm, gv := copies()
		AdamW(gp, grad, gm, gv, o)
		near(t, "param", gp, wp, 1e-6)
		near(t, "m", gm, wm, 1e-6)
		near(t, "v", gv, wv, 1e-6)
		sameOnAnyThreads(t, "param", func() []float32 {
			gp, gm, gv := copies()
			AdamW(gp, grad, gm, gv, o)
			return gp
		})
	})
	mustPanic(t, "step", func() { AdamW(param, grad, m, v, AdamWStep{}) })
}
