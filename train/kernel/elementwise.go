package kernel

// GELU computes dst = x/2 (1 + erf(x/√2)), the exact form (Hendrycks & Gimpel
// 2016, section 2), with absolute error below 1e-6. dst may be x.
func GELU(dst, x []float32) {
	checkLen("dst", dst, len(x))
	p := currentPath()
	parallel(len(x), elementGrain, func(lo, hi int) { geluRow(p, dst[lo:hi], x[lo:hi]) })
}

// geluRow is GELU on the caller's goroutine, for at least one element.
func geluRow(p cpuPath, dst, x []float32) {
	switch p {
	case avx512:
		geluAVX512(&dst[0], &x[0], len(x))
	case avx2:
		geluAVX2(&dst[0], &x[0], len(x))
	default:
		refGELU(dst, x)
	}
}

// GELUBackward computes dx = dy (Φ(x) + x φ(x)). dx may be dy.
func GELUBackward(dx, dy, x []float32) {
	checkLen("dx", dx, len(x))
	checkLen("dy", dy, len(x))
	p := currentPath()
	parallel(len(x), elementGrain, func(lo, hi int) { geluBackRow(p, dx[lo:hi], dy[lo:hi], x[lo:hi]) })
}

// geluBackRow is GELUBackward on the caller's goroutine, for at least one element.
// dx may also be x.
func geluBackRow(p cpuPath, dx, dy, x []float32) {
	switch p {
	case avx512:
		geluBackAVX512(&dx[0], &dy[0], &x[0], len(x))
	case avx2:
		geluBackAVX2(&dx[0], &dy[0], &x[0], len(x))
	default:
		refGELUBackward(dx, dy, x)
	}
}

// Tanh computes dst = tanh x. dst may be x.
func Tanh(dst, x []float32) {
	checkLen("dst", dst, len(x))
	vec := currentPath() != portable
	parallel(len(x), elementGrain, func(lo, hi int) {
		if vec {
			tanhAVX2(&dst[lo], &x[lo], hi-lo)
			return
		}
		refTanh(dst[lo:hi], x[lo:hi])
	})
}

// TanhBackward computes dx = dy (1-y²) where y = tanh x. dx may be dy.
func TanhBackward(dx, dy, y []float32) {
	checkLen("dx", dx, len(y))
	checkLen("dy", dy, len(y))
	parallel(len(y), elementGrain, func(lo, hi int) {
		refTanhBackward(dx[lo:hi], dy[lo:hi], y[lo:hi])
	})
}

// Add computes dst = a + b. dst may be a or b.
func Add(dst, a, b []float32) {
	checkLen("a", a, len(dst))
	checkLen("b", b, len(dst))
	p := currentPath()
	parallel(len(dst), elementGrain, func(lo, hi int) { addRow(p, dst[lo:hi], a[lo:hi], b[lo:hi]) })
}

// addRow is Add on the caller's goroutine, for at least one element.
func addRow(p cpuPath, dst, a, b []float32) {
	if p == portable {
		refAdd(dst, a, b)
		return
	}
	addAVX2(&dst[0], &a[0], &b[0], len(dst))
}

// Axpy computes dst += alpha x.
func Axpy(dst []float32, alpha float32, x []float32) {
	checkLen("x", x, len(dst))
	vec := currentPath() != portable
	if len(dst) <= elementGrain { // a row: no closure is made for it
		axpyRange(vec, dst, alpha, x)
		return
	}
	parallel(len(dst), elementGrain, func(lo, hi int) { axpyRange(vec, dst[lo:hi], alpha, x[lo:hi]) })
}

func axpyRange(vec bool, dst []float32, alpha float32, x []float32) {
	if vec && len(dst) > 0 {
		axpyAVX2(&dst[0], &x[0], alpha, len(dst))
		return
	}
	refAxpy(dst, alpha, x)
}
