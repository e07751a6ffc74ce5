package kernel

import "math"

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
	if o.Step < 1 {
		panic("kernel: AdamW step counts from 1")
	}
	vec := currentPath() != portable
	if len(param) <= elementGrain { // a vector: no closure is made for it
		f := o.factors()
		adamWRange(vec, param, grad, m, v, &f)
		return
	}
	f := o.factors()
	parallel(len(param), elementGrain, func(lo, hi int) {
		adamWRange(vec, param[lo:hi], grad[lo:hi], m[lo:hi], v[lo:hi], &f)
	})
}

func adamWRange(vec bool, param, grad, m, v []float32, f *adamWFactors) {
	if vec && len(param) > 0 {
		adamWAVX2(&param[0], &grad[0], &m[0], &v[0], len(param), f)
		return
	}
	refAdamW(param, grad, m, v, f)
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
