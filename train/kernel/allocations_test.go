package kernel

import (
	"runtime"
	"testing"
)

// allocations is the objects that a call of f makes in a steady state: the fewest of some
// rounds, as the runtime makes goroutines of its own accord where the system holds some up.
// testing.AllocsPerRun would count on one thread.
func allocations(f func()) float64 {
	const rounds, runs = 200, 5
	fewest := uint64(1 << 60)
	for range rounds {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			f()
		}
		runtime.ReadMemStats(&after)
		if fewest = min(fewest, after.Mallocs-before.Mallocs); fewest == 0 {
			break
		}
	}
	return float64(fewest) / runs
}

// TestNothingAllocated calls every kernel of a training step at sizes that are shared
// out, on one thread and on several.
func TestNothingAllocated(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n, d, heads = 120, 96, 4
	r := newRand(61)
	x, y, z, w := randomMatrix(r, n, d, 0), randomMatrix(r, n, d, 0), randomMatrix(r, n, d, 0), randomMatrix(r, d, d, 0)
	qkv, dqkv, dw := randomMatrix(r, n, 3*d, 0), randomMatrix(r, n, 3*d, 0), randomMatrix(r, d, d, 0)
	gamma, beta, dgamma, dbeta := randomSlice(r, d), randomSlice(r, d), make([]float32, d), make([]float32, d)
	mean, rstd := make([]float32, n), make([]float32, n)
	offsets := []int{0, 50, 70, n}
	q, dq := randomMatrix(r, (len(offsets)-1)*heads, d, 0), randomMatrix(r, (len(offsets)-1)*heads, d, 0)
	blocks := make([]float32, heads*(50*50+20*20+50*50))
	kept := make([]float32, AttentionKeeps(offsets, heads))
	logits, labels := randomMatrix(r, n, 20, 0), make([]int32, n)
	elements := func(m Matrix) []float32 { return m.Data[:n*d] }
	m, v := make([]float32, n*d), make([]float32, n*d)
	vectors := func(x []float32) (all [][]float32) {
		for i := 0; i < len(x); i += d {
			all = append(all, x[i:i+d])
		}
		return all
	}
	params, grads, ms, vs := vectors(elements(z)), vectors(elements(x)), vectors(m), vectors(v)
	o := AdamWStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, WeightDecay: 0.1, Step: 3}
	batch := [3][]Matrix{{x, y}, {z, clone(z)}, {clone(w), clone(w)}}
	kernels := map[string]func(){
		"MatMul":                 func() { MatMul(z, x, w, false) },
		"MatMulNT":               func() { MatMulNT(z, x, w, true) },
		"MatMulTN":               func() { MatMulTN(dw, x, y, true) },
		"MatMulBatch":            func() { MatMulBatch(batch[1], batch[0], batch[2], false, true, false) },
		"Linear":                 func() { Linear(z, x, w, beta) },
		"LinearFused":            func() { LinearFused(z, x, w, Epilogue{Bias: beta, Gamma: gamma, Beta: beta, GELU: true, Pre: y}) },
		"LinearFused, residual":  func() { LinearFused(z, x, w, Epilogue{Bias: beta, Gamma: gamma, Beta: beta, Residual: z}) },
		"LayerNorm":              func() { LayerNorm(z, x, gamma, beta, 1e-6, mean, rstd) },
		"LayerNormBackward":      func() { LayerNormBackward(z, y, x, gamma, mean, rstd, dgamma, dbeta) },
		"LayerNormBackward, dx":  func() { LayerNormBackward(z, y, x, gamma, mean, rstd, nil, nil) },
		"ScaleShift":             func() { ScaleShift(z, x, gamma, beta) },
		"ScaleShiftBackward":     func() { ScaleShiftBackward(z, y, x, gamma, dgamma, dbeta) },
		"ScaleShiftBackward, dx": func() { ScaleShiftBackward(z, y, x, gamma, nil, nil) },
		"ScaleShiftGELU":         func() { ScaleShiftGELU(z, x, gamma, beta) },
		"ScaleShiftGELUBackward": func() { ScaleShiftGELUBackward(z, y, x, gamma, beta, dgamma, dbeta) },
		"ColSum":                 func() { ColSum(dbeta, x) },
		"GELU":                   func() { GELU(elements(z), elements(x)) },
		"GELUBackward":           func() { GELUBackward(elements(z), elements(y), elements(x)) },
		"Tanh":                   func() { Tanh(elements(z), elements(x)) },
		"TanhBackward":           func() { TanhBackward(elements(z), elements(y), elements(x)) },
		"Add":                    func() { Add(elements(z), elements(y), elements(x)) },
		"Axpy":                   func() { Axpy(elements(z), 0.1, elements(x)) },
		"Attention":              func() { Attention(z, qkv, offsets, heads) },
		"AttentionBackward":      func() { AttentionBackward(dqkv, y, qkv, offsets, heads) },
		"AttentionKeeping":       func() { AttentionKeeping(kept, z, qkv, offsets, heads) },
		"AttentionBackwardKept":  func() { AttentionBackwardKept(dqkv, y, qkv, kept, offsets, heads) },
		"AttentionOver":          func() { AttentionOver(dq, q, x, offsets, heads, 0.1) },
		"AttentionOverBackward":  func() { AttentionOverBackward(dq, z, q, q, x, offsets, heads, 0.1) },
		"AttentionMean":          func() { AttentionMean(blocks[:len(blocks)/heads], qkv, offsets, heads) },
		"AttentionProbabilities": func() { AttentionProbabilities(blocks, qkv, offsets, heads) },
		"SoftmaxCrossEntropy":    func() { SoftmaxCrossEntropy(logits, logits, labels, 0) },
		"AdamW":                  func() { AdamW(elements(z), elements(x), m, v, o) },
		"AdamWAll":               func() { AdamWAll(params, grads, ms, vs, o) },
	}
	// The reference behind the portable path makes rows of float64 for these.
	ownRows := map[string]bool{"LayerNormBackward": true, "LayerNormBackward, dx": true, "ScaleShiftBackward": true,
		"ScaleShiftBackward, dx": true, "ScaleShiftGELUBackward": true, "ColSum": true}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	onEveryPath(t, func(t *testing.T) {
		for _, threads := range []int{1, 2, 4} {
			runtime.GOMAXPROCS(threads)
			for name, f := range kernels {
				if currentPath() == portable && ownRows[name] {
					continue
				}
				if a := allocations(f); a > 0 {
					t.Errorf("%s makes %.1f objects a call on %d threads", name, a, threads)
				}
			}
		}
	})
}
