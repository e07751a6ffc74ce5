package kernel

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

var epoch = time.Now()

// fast times f until the benchmark is over and reports work a second of the tenth fastest
// call in a hundred, which other programs on the machine disturb least (with -cpu 1 less
// still: see clock), and its share of bound, in work a second, where there is one.
func fast(b *testing.B, work, bound float64, unit string, f func()) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took []time.Duration
	for b.Loop() {
		began := clock()
		f()
		took = append(took, clock()-began)
	}
	slices.Sort(took)
	rate := work / took[len(took)/10].Seconds()
	b.ReportMetric(rate/1e9, unit)
	if bound > 0 {
		b.ReportMetric(100*rate/bound, "%bound")
	}
}

// benchPeak is the FLOP/s that the multiply-add units give.
func benchPeak(b *testing.B) float64 {
	b.Helper()
	var peak float64
	for range 10 {
		peak = max(peak, Peak())
	}
	return peak
}

// BenchmarkProduct is the layers of ViT-B at the rows of 8 full sequences and of 8 masked
// ones, those of the small model, and the heads of 8 sequences, their results in the cache
// or in 13 MB of memory.
func BenchmarkProduct(b *testing.B) {
	peak := benchPeak(b)
	for _, s := range [][3]int{{1480, 768, 768}, {1480, 768, 3072}, {1480, 3072, 768}, {530, 768, 768}, {2000, 128, 384}} {
		m, k, n := s[0], s[1], s[2] // a layer from k to n features over m rows
		r := newRand(9)
		x, w, y := randomMatrix(r, m, k, 0), randomMatrix(r, n, k, 0), randomMatrix(r, m, n, 0)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, m, k, n), func(b *testing.B) {
				fast(b, 2*float64(m)*float64(n)*float64(k), peak, "GFLOP/s", f)
			})
		}
		run("forward-nt", func() { MatMulNT(y, x, w, false) })
		run("input-nn", func() { MatMul(x, y, w, false) })
		run("weight-tn", func() { MatMulTN(w, y, x, true) })
	}
	const n, k, heads = 185, 64, 96
	r := newRand(9)
	var q, v, c, same []Matrix
	for range heads {
		q, v = append(q, randomMatrix(r, n, k, 0)), append(v, randomMatrix(r, n, k, 0))
		c = append(c, randomMatrix(r, n, n, 0))
		same = append(same, c[0])
	}
	b.Run("heads-nt/185x64x185", func(b *testing.B) {
		fast(b, heads*2*n*n*k, peak, "GFLOP/s", func() { MatMulBatch(c, q, v, false, true, false) })
	})
	b.Run("heads-nn/185x185x64", func(b *testing.B) {
		fast(b, heads*2*n*n*k, peak, "GFLOP/s", func() { MatMulBatch(q, c, v, false, false, false) })
	})
	b.Run("head-nt-in-cache/185x64x185", func(b *testing.B) {
		fast(b, 2*n*n*k, peak, "GFLOP/s", func() { gemm(same[0], q[0].view(), v[0].view().t(), nil, false, true) })
	})
}

// BenchmarkPack is what preparing a weight would save: the share of packing it in a product
// of 1480 rows is its time over the product's.
func BenchmarkPack(b *testing.B) {
	const n = 768
	g := call{path: currentPath(), nc: n, packed: make([]float32, n*n)}
	_, g.nr = g.path.tile()
	w := randomMatrix(newRand(9), n, n, 0)
	for _, g.b = range []view{w.view().t(), w.view()} {
		name := "nn"
		if g.b.cs != 1 {
			name = "nt"
		}
		b.Run(name+"/768x768", func(b *testing.B) {
			fast(b, 4*n*n, 0, "GB/s", func() { g.packPanels(0, n/g.nr) })
		})
	}
}

// BenchmarkAttention is 8 sequences of 185 rows over 12 heads, and 32 of 90 over 4.
func BenchmarkAttention(b *testing.B) {
	peak := benchPeak(b)
	for _, s := range [][4]int{{768, 12, 185, 8}, {128, 4, 90, 32}} {
		d, heads, n, count := s[0], s[1], s[2], s[3]
		var lengths []int
		for range count {
			lengths = append(lengths, n)
		}
		offsets := packedOffsets(lengths)
		r := newRand(10)
		qkv, y, dqkv := randomMatrix(r, count*n, 3*d, 0), randomMatrix(r, count*n, d, 0), randomMatrix(r, count*n, 3*d, 0)
		product := 2 * float64(n*n*d*count) // flop of one of the products
		name := fmt.Sprintf("/%dx%d", n, d)
		b.Run("forward"+name, func(b *testing.B) {
			fast(b, 2*product, peak, "GFLOP/s", func() { Attention(y, qkv, offsets, heads) })
		})
		b.Run("backward"+name, func(b *testing.B) {
			fast(b, 5*product, peak, "GFLOP/s", func() { AttentionBackward(dqkv, y, qkv, offsets, heads) })
		})
		b.Run("mean"+name, func(b *testing.B) {
			mean := make([]float32, count*n*n)
			fast(b, product, peak, "GFLOP/s", func() { AttentionMean(mean, qkv, offsets, heads) })
		})
	}
}

// BenchmarkElementwise is work on rows of 768. Its bound is the pace of Add, which does
// nothing but load and store, in bytes read and written.
func BenchmarkElementwise(b *testing.B) {
	const rows, cols = 1480, 768
	const n = rows * cols
	r := newRand(12)
	draw := func() Matrix {
		m := randomMatrix(r, rows, cols, 0)
		m.Data = m.Data[:n]
		return m
	}
	x, y, z := draw(), draw(), draw()
	gamma, beta := randomSlice(r, cols), randomSlice(r, cols)
	dgamma, dbeta := make([]float32, cols), make([]float32, cols)
	mean, rstd := make([]float32, rows), make([]float32, rows)
	m, v := make([]float32, n), make([]float32, n)
	LayerNorm(z, x, gamma, beta, 1e-5, mean, rstd)
	adding := time.Hour
	for range 300 {
		began := clock()
		Add(z.Data, y.Data, x.Data)
		adding = min(adding, clock()-began)
	}
	bound := 12 * n / adding.Seconds()
	run := func(name string, matrices float64, f func()) { // read or written
		b.Run(name, func(b *testing.B) { fast(b, 4*n*matrices, bound, "GB/s", f) })
	}
	run("LayerNorm", 2, func() { LayerNorm(z, x, gamma, beta, 1e-5, mean, rstd) })
	run("LayerNormBackward", 3, func() { LayerNormBackward(z, y, x, gamma, mean, rstd, nil, nil) })
	run("LayerNormBackward-all", 5, func() { LayerNormBackward(z, y, x, gamma, mean, rstd, dgamma, dbeta) })
	run("ScaleShift", 2, func() { ScaleShift(z, x, gamma, beta) })
	run("ScaleShiftBackward", 3, func() { ScaleShiftBackward(z, y, x, gamma, dgamma, dbeta) })
	run("ScaleShiftGELU", 2, func() { ScaleShiftGELU(z, x, gamma, beta) })
	run("ScaleShiftGELUBackward", 3, func() { ScaleShiftGELUBackward(z, y, x, gamma, beta, dgamma, dbeta) })
	run("ColSum", 1, func() { ColSum(dbeta, x) })
	run("GELU", 2, func() { GELU(z.Data, x.Data) })
	run("GELUBackward", 3, func() { GELUBackward(z.Data, y.Data, x.Data) })
	run("Tanh", 2, func() { Tanh(z.Data, x.Data) })
	run("TanhBackward", 3, func() { TanhBackward(z.Data, y.Data, x.Data) })
	run("Add", 3, func() { Add(z.Data, y.Data, x.Data) })
	run("Axpy", 3, func() { Axpy(z.Data, 1e-9, x.Data) })
	run("AdamW", 7, func() {
		AdamW(z.Data, x.Data, m, v, AdamWStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: 5})
	})
}

// BenchmarkInCache is what a polynomial or many additions bound, on rows in the first
// cache, in elements a second; its bound is the multiply-adds, multiplications and, where
// more, additions of the assembly, per vector, at the pace of Peak.
func BenchmarkInCache(b *testing.B) {
	const n, rows = 185, 14
	peak := benchPeak(b) / 2 // operations on an element a second
	r := newRand(13)
	x, y, z := randomMatrix(r, rows, 192, 0), randomMatrix(r, rows, 192, 0), randomMatrix(r, rows, 192, 0)
	x.Cols, z.Cols = n, n
	run := func(name string, elements, operations float64, f func()) {
		b.Run(name, func(b *testing.B) {
			bound := 0.0
			if operations > 0 {
				bound = peak / operations
			}
			const calls = 100 // a call alone is too short for the clock
			fast(b, calls*elements, bound, "Gelem/s", func() {
				for range calls {
					f()
				}
			})
		})
	}
	p := currentPath()
	run("GELU", rows*192, 21, func() { geluRow(p, z.Data[:rows*192], x.Data[:rows*192]) })
	run("GELUBackward", rows*192, 23, func() { geluBackRow(p, z.Data[:rows*192], y.Data[:rows*192], x.Data[:rows*192]) })
	run("Softmax", rows*n, 13, func() { softmaxRows(z, 0.1) })
	run("SoftmaxBackward", rows*n, 3, func() { softmaxBackRows(z, x, 0.1) })
	logits, labels := randomMatrix(r, 8, 200, 0), make([]int32, 8)
	run("CrossEntropy", 8*200, 0, func() { SoftmaxCrossEntropy(logits, logits, labels, 0) })
	var all [4][][]float32
	for range 200 {
		for i := range all {
			all[i] = append(all[i], randomSlice(r, 768))
		}
	}
	run("AdamWAll", 200*768, 0, func() {
		AdamWAll(all[0], all[1], all[2], all[3], AdamWStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: 5})
	})
}
