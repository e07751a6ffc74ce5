package kernel

// elements are the arguments of work on elements one by one.
type elements struct {
	path      cpuPath
	dst, a, b []float32
	alpha     float32
}

var sharedElements sharing[elements]

// share calls f for ranges of e that together cover it.
func (e elements) share(f func(e elements, lo, hi int)) {
	sharedElements.parallel(len(e.dst), elementGrain, e, f)
}

// GELU computes dst = x/2 (1 + erf(x/√2)), the exact form (Hendrycks & Gimpel
// 2016, section 2), with absolute error below 1e-6. dst may be x.
func GELU(dst, x []float32) {
	checkLen("dst", dst, len(x))
	elements{path: currentPath(), dst: dst, a: x}.share(func(e elements, lo, hi int) {
		geluRow(e.path, e.dst[lo:hi], e.a[lo:hi])
	})
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
	elements{path: currentPath(), dst: dx, a: dy, b: x}.share(func(e elements, lo, hi int) {
		geluBackRow(e.path, e.dst[lo:hi], e.a[lo:hi], e.b[lo:hi])
	})
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
	elements{path: currentPath(), dst: dst, a: x}.share(func(e elements, lo, hi int) {
		if e.path == portable {
			refTanh(e.dst[lo:hi], e.a[lo:hi])
			return
		}
		tanhAVX2(&e.dst[lo], &e.a[lo], hi-lo)
	})
}

// TanhBackward computes dx = dy (1-y²) where y = tanh x. dx may be dy.
func TanhBackward(dx, dy, y []float32) {
	checkLen("dx", dx, len(y))
	checkLen("dy", dy, len(y))
	elements{dst: dx, a: dy, b: y}.share(func(e elements, lo, hi int) {
		refTanhBackward(e.dst[lo:hi], e.a[lo:hi], e.b[lo:hi])
	})
}

// Add computes dst = a + b. dst may be a or b.
func Add(dst, a, b []float32) {
	checkLen("a", a, len(dst))
	checkLen("b", b, len(dst))
	elements{path: currentPath(), dst: dst, a: a, b: b}.share(func(e elements, lo, hi int) {
		addRow(e.path, e.dst[lo:hi], e.a[lo:hi], e.b[lo:hi])
	})
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
	elements{path: currentPath(), dst: dst, a: x, alpha: alpha}.share(func(e elements, lo, hi int) {
		if e.path == portable {
			refAxpy(e.dst[lo:hi], e.alpha, e.a[lo:hi])
			return
		}
		axpyAVX2(&e.dst[lo], &e.a[lo], e.alpha, hi-lo)
	})
}
