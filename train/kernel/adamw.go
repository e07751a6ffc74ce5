package kernel

import (
	"fmt"
	"math"
)

// AdamWStep is the setting of one AdamW update (Loshchilov & Hutter 2019,
// algorithm 2). There are no defaults: every field is used as it stands.
type AdamWStep struct {
	LR           float32 // learning rate of this step, schedule applied
	Beta1, Beta2 float32 // decay of the first and second moment, in [0, 1)
	Eps          float32 // added to the root of the second moment
	WeightDecay  float32 // decoupled: param loses LR*WeightDecay of itself
	Step         int     // counts from 1; sets the bias correction
}

// adamWFactors are the constants of one update, derived once in float64.
// The field order is read by the assembly.
type adamWFactors struct {
	keep   float32 // 1 - LR*WeightDecay
	beta1  float32
	rest1  float32 // 1 - Beta1
	beta2  float32
	rest2  float32 // 1 - Beta2
	rate   float32 // LR / (1 - Beta1^Step)
	rootV  float32 // 1 / sqrt(1 - Beta2^Step)
	epsAdd float32
}

// AdamW updates param and its moments m and v in place from grad:
//
//	m = β1 m + (1-β1) g
//	v = β2 v + (1-β2) g²
//	param = param (1 - lr λ) - lr m̂ / (√v̂ + ε)
//
// with m̂ = m/(1-β1ᵗ), v̂ = v/(1-β2ᵗ).
func AdamW(param, grad, m, v []float32, o AdamWStep) {
	checkLen("grad", grad, len(param))
	checkLen("m", m, len(param))
	checkLen("v", v, len(param))
	o.check()
	u := update{path: currentPath(), factors: o.factors()}
	u.one = [4][]float32{param, grad, m, v}
	sharedUpdates.parallel(len(param), elementGrain, u, func(u update, lo, hi int) {
		u.vector(u.one[0][lo:hi], u.one[1][lo:hi], u.one[2][lo:hi], u.one[3][lo:hi])
	})
}

// AdamWAll is AdamW for each of params, whose gradients and moments have the same index
// in grads, m and v. What is tuned on a frozen network is hundreds of vectors that are too
// short to be split each on its own: here all of them are one stretch of work.
func AdamWAll(params, grads, m, v [][]float32, o AdamWStep) {
	if len(grads) != len(params) || len(m) != len(params) || len(v) != len(params) {
		panic(fmt.Sprintf("kernel: AdamWAll of %d params, %d grads, and %d and %d moments", len(params), len(grads), len(m), len(v)))
	}
	o.check()
	n := 0
	for i, p := range params {
		checkLen("grad", grads[i], len(p))
		checkLen("m", m[i], len(p))
		checkLen("v", v[i], len(p))
		n += len(p)
	}
	u := update{path: currentPath(), factors: o.factors(), all: [4][][]float32{params, grads, m, v}}
	sharedUpdates.parallel(n, elementGrain, u, update.stretch)
}

// update is a call of AdamW, or of AdamWAll: parameters, gradients and the two moments.
type update struct {
	path    cpuPath
	factors adamWFactors
	one     [4][]float32
	all     [4][][]float32
}

var sharedUpdates sharing[update]

// stretch does the elements [lo, hi) of all vectors one after another.
func (u update) stretch(lo, hi int) {
	begin := 0 // of the vector at hand
	for i, p := range u.all[0] {
		from, to := max(lo-begin, 0), min(hi-begin, len(p))
		if from < to {
			u.vector(p[from:to], u.all[1][i][from:to], u.all[2][i][from:to], u.all[3][i][from:to])
		}
		if begin += len(p); begin >= hi {
			return
		}
	}
}

// vector updates at least one element.
func (u *update) vector(param, grad, m, v []float32) {
	if u.path == portable {
		refAdamW(param, grad, m, v, &u.factors)
		return
	}
	adamWAVX2(&param[0], &grad[0], &m[0], &v[0], len(param), &u.factors)
}

func (o AdamWStep) check() {
	if o.Step < 1 {
		panic("kernel: AdamW step counts from 1")
	}
}

func (o AdamWStep) factors() adamWFactors {
	t := float64(o.Step)
	return adamWFactors{
		keep:   float32(1 - float64(o.LR)*float64(o.WeightDecay)),
		beta1:  o.Beta1,
		rest1:  float32(1 - float64(o.Beta1)),
		beta2:  o.Beta2,
		rest2:  float32(1 - float64(o.Beta2)),
		rate:   float32(float64(o.LR) / (1 - math.Pow(float64(o.Beta1), t))),
		rootV:  float32(1 / math.Sqrt(1-math.Pow(float64(o.Beta2), t))),
		epsAdd: o.Eps,
	}
}
