package kernel

import (
	"fmt"
	"testing"
)

func BenchmarkProduct(b *testing.B) {
	for _, s := range [][3]int{{1480, 768, 768}, {1480, 768, 3072}, {2000, 128, 384}, {2000, 512, 128}, {2000, 128, 128}} {
		m, k, n := s[0], s[1], s[2] // a layer from k to n features over m rows
		r := newRand(9)
		x, w, y := randomMatrix(r, m, k, 0), randomMatrix(r, n, k, 0), randomMatrix(r, m, n, 0)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, m, k, n), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		run("forward-nt", func() { MatMulNT(y, x, w, false) })
		run("input-nn", func() { MatMul(x, y, w, false) })
		run("weight-tn", func() { MatMulTN(w, y, x, true) })
	}
}

func BenchmarkAttention(b *testing.B) {
	const d, heads, n, count = 128, 4, 90, 32
	offsets := []int{0}
	for range count {
		offsets = append(offsets, offsets[len(offsets)-1]+n)
	}
	r := newRand(10)
	qkv, y := randomMatrix(r, count*n, 3*d, 0), randomMatrix(r, count*n, d, 0)
	dqkv := randomMatrix(r, count*n, 3*d, 0)
	product := 2 * float64(n*n*d*count) // flop of one of the products
	b.Run("forward", func(b *testing.B) {
		for b.Loop() {
			Attention(y, qkv, offsets, heads)
		}
		b.ReportMetric(2*product*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
	b.Run("backward", func(b *testing.B) {
		for b.Loop() {
			AttentionBackward(dqkv, y, qkv, offsets, heads)
		}
		b.ReportMetric(5*product*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
	b.Run("mean", func(b *testing.B) {
		mean := make([]float32, count*n*n)
		for b.Loop() {
			AttentionMean(mean, qkv, offsets, heads)
		}
	})
}

func BenchmarkElementwise(b *testing.B) {
	const rows, cols = 2000, 128
	r := newRand(12)
	x, y, z := randomMatrix(r, rows, cols, 0), randomMatrix(r, rows, cols, 0), randomMatrix(r, rows, cols, 0)
	x.Data, y.Data, z.Data = x.Data[:rows*cols], y.Data[:rows*cols], z.Data[:rows*cols]
	gamma, beta := randomSlice(r, cols), randomSlice(r, cols)
	dgamma, dbeta := make([]float32, cols), make([]float32, cols)
	mean, rstd := make([]float32, rows), make([]float32, rows)
	m, v := make([]float32, rows*cols), make([]float32, rows*cols)
	LayerNorm(z, x, gamma, beta, 1e-5, mean, rstd)
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(rows*cols*float64(b.N)/b.Elapsed().Seconds()/1e6, "Melem/s")
		})
	}
	run("LayerNorm", func() { LayerNorm(z, x, gamma, beta, 1e-5, mean, rstd) })
	run("LayerNormBackward", func() { LayerNormBackward(z, y, x, gamma, mean, rstd, dgamma, dbeta) })
	run("ScaleShift", func() { ScaleShift(z, x, gamma, beta) })
	run("ScaleShiftBackward", func() { ScaleShiftBackward(z, y, x, gamma, dgamma, dbeta) })
	run("ColSum", func() { ColSum(dbeta, x) })
	run("GELU", func() { GELU(z.Data, x.Data) })
	run("GELUBackward", func() { GELUBackward(z.Data, y.Data, x.Data) })
	run("Tanh", func() { Tanh(z.Data, x.Data) })
	run("TanhBackward", func() { TanhBackward(z.Data, y.Data, x.Data) })
	run("Add", func() { Add(z.Data, y.Data, x.Data) })
	run("Axpy", func() { Axpy(z.Data, 1e-9, x.Data) })
	run("AdamW", func() {
		AdamW(z.Data, x.Data, m, v, AdamWStep{LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Step: 5})
	})
	run("SoftmaxRows90", func() {
		softmaxRows(Matrix{Rows: rows, Cols: 90, Stride: cols, Data: z.Data}, 0.1)
	})
}
