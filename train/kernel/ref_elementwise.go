package kernel

import "math"

func refGELU(dst, x []float32) {
	for i, v := range x {
		f := float64(v)
		dst[i] = float32(f * 0.5 * math.Erfc(-f/math.Sqrt2))
	}
}

func refGELUBackward(dx, dy, x []float32) {
	for i, v := range x {
		f := float64(v)
		cdf := 0.5 * math.Erfc(-f/math.Sqrt2)
		pdf := math.Exp(-0.5*f*f) / math.Sqrt(2*math.Pi)
		if math.IsInf(f, 0) {
			pdf, f = 0, 0 // x φ(x) goes to 0
		}
		dx[i] = float32(float64(dy[i]) * (cdf + f*pdf))
	}
}

func refTanh(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}

func refTanhBackward(dx, dy, y []float32) {
	for i, v := range y {
		dx[i] = float32(float64(dy[i]) * (1 - float64(v)*float64(v)))
	}
}

func refAdd(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func refAxpy(dst []float32, alpha float32, x []float32) {
	for i := range dst {
		dst[i] = float32(float64(dst[i]) + float64(alpha)*float64(x[i]))
	}
}

func refAdamW(param, grad, m, v []float32, f *adamWFactors) {
	for i, g := range grad {
		m[i] = f.beta1*m[i] + f.rest1*g
		v[i] = f.beta2*v[i] + f.rest2*g*g
		root := float32(math.Sqrt(float64(v[i])))
		param[i] = param[i]*f.keep - f.rate*m[i]/(root*f.rootV+f.epsAdd)
	}
}
