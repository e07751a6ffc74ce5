package kernel

import (
	"fmt"
	"runtime"
	"sync"
)

// AdamWAll is AdamW of every param[i] with grad[i], m[i] and v[i], to the same bytes, with
// the work of all of them shared out at once: a tuner's vectors are many and short. Where
// settings differ, as weight decay does between matrices and vectors, call it for each group.
func AdamWAll(params, grads, m, v [][]float32, o AdamWStep) {
	if len(grads) != len(params) || len(m) != len(params) || len(v) != len(params) {
		panic(fmt.Sprintf("kernel: AdamW of %d parameters, %d gradients, %d and %d moments", len(params), len(grads), len(m), len(v)))
	}
	if o.Step < 1 {
		panic("kernel: AdamW step counts from 1")
	}
	elements, pieces := 0, 0
	for i, p := range params {
		checkLen("grad", grads[i], len(p))
		checkLen("m", m[i], len(p))
		checkLen("v", v[i], len(p))
		elements += len(p)
		pieces += adamWPieces(len(p))
	}
	a := adamWs.Get().(*adamWAll)
	a.params, a.grads, a.m, a.v = params, grads, m, v
	a.vec, a.factors = currentPath() != portable, o.factors()
	if elements <= elementGrain {
		a.pieces(0, pieces)
	} else {
		const shares = 4 // of each goroutine: they even out what other work the cores have
		parallel(pieces, max(1, pieces/(shares*runtime.GOMAXPROCS(0))), a.run)
	}
	a.params, a.grads, a.m, a.v = nil, nil, nil, nil
	adamWs.Put(a)
}

// adamWAll is one call of AdamWAll. It is pooled with its method value, so that a call
// allocates neither.
type adamWAll struct {
	params, grads, m, v [][]float32
	vec                 bool
	factors             adamWFactors
	run                 func(lo, hi int)
}

var adamWs = sync.Pool{New: func() any {
	a := new(adamWAll)
	a.run = a.pieces
	return a
}}

// adamWPieces is how many pieces of elementGrain a parameter of n elements is cut into.
func adamWPieces(n int) int { return (n + elementGrain - 1) / elementGrain }

// pieces updates the pieces [lo, hi), counted through all parameters.
func (a *adamWAll) pieces(lo, hi int) {
	first := 0 // piece of parameter i
	for i, p := range a.params {
		end := first + adamWPieces(len(p))
		if end > lo && first < hi {
			from, to := max(lo-first, 0)*elementGrain, min((hi-first)*elementGrain, len(p))
			adamWRange(a.vec, p[from:to], a.grads[i][from:to], a.m[i][from:to], a.v[i][from:to], &a.factors)
		}
		if first = end; first >= hi {
			return
		}
	}
}
