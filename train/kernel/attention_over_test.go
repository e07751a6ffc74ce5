package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestAttentionOverKnown(t *testing.T) {
	// D = 1, one query. q·x is 0 for row 0 and ln 3 for row 1, so the weights are 1/4 and 3/4.
	ln3 := float32(math.Log(3))
	q, x := Mat([]float32{1, 5}, 2, 1), Mat([]float32{0, ln3, 7}, 3, 1) // the last one alone: its own value
	onEveryPath(t, func(t *testing.T) {
		dst, dq, dx := Mat(make([]float32, 2), 2, 1), Mat(make([]float32, 2), 2, 1), Mat(make([]float32, 3), 3, 1)
		AttentionOver(dst, q, x, []int{0, 2, 3}, 1, 1)
		near(t, "dst", dst.Data, []float32{0.75 * ln3, 7}, 1e-6)
		// ds = p (dp - Σ p dp) with dp = dy x is -3/16 ln 3 and 3/16 ln 3; dx is p dy + ds q.
		AttentionOverBackward(dq, dx, Mat([]float32{1, 10}, 2, 1), q, x, []int{0, 2, 3}, 1, 1)
		near(t, "dq", dq.Data, []float32{3.0 / 16 * ln3 * ln3, 0}, 1e-6)
		near(t, "dx", dx.Data, []float32{0.25 - 3.0/16*ln3, 0.75 + 3.0/16*ln3, 10}, 1e-6)
	})
}

// refAttentionOver is the definition, in float64.
func refAttentionOver(dst, q, x Matrix, offsets []int, heads int, scale float64) {
	for r := range q.Rows {
		lo, hi := offsets[r/heads], offsets[r/heads+1]
		p, top, sum := make([]float64, hi-lo), math.Inf(-1), 0.0
		for j := range p {
			for c, v := range q.row(r) {
				p[j] += scale * float64(v) * float64(x.row(lo + j)[c])
			}
			top = max(top, p[j])
		}
		for j := range p {
			p[j] = math.Exp(p[j] - top)
			sum += p[j]
		}
		for c := range dst.row(r) {
			var y float64
			for j := range p {
				y += p[j] / sum * float64(x.row(lo + j)[c])
			}
			dst.row(r)[c] = float32(y)
		}
	}
}

func TestAttentionOver(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(41)
		for _, c := range attentionShapes {
			offsets := packedOffsets(c.lengths)
			n, b := offsets[len(offsets)-1], len(c.lengths)
			q, x := randomMatrix(r, b*c.heads, c.d, 2), randomMatrix(r, n, c.d, 3)
			got := randomMatrix(r, b*c.heads, c.d, 1)
			want := clone(got)
			scale := float32(1 / math.Sqrt(float64(c.d)))
			AttentionOver(got, q, x, offsets, c.heads, scale)
			refAttentionOver(want, q, x, offsets, c.heads, float64(scale))
			near(t, fmt.Sprint(c), got.Data, want.Data, 5e-6)
		}
	})
}

func TestAttentionOverGradient(t *testing.T) {
	r := newRand(42)
	const n, d, heads, scale = 6, 5, 3, 0.5
	offsets := []int{0, 2, 2, 6}
	q, x, dy := randomMatrix(r, 3*heads, d, 0), randomMatrix(r, n, d, 0), randomMatrix(r, 3*heads, d, 0)
	loss := func() (sum float64) {
		y := Mat(make([]float32, 3*heads*d), 3*heads, d)
		refAttentionOver(y, q, x, offsets, heads, scale)
		for i, g := range dy.Data[:len(y.Data)] {
			sum += float64(g) * float64(y.Data[i])
		}
		return sum
	}
	wantQ, wantX := differences(q.Data[:3*heads*d], loss), differences(x.Data[:n*d], loss)
	onEveryPath(t, func(t *testing.T) {
		dq, dx := randomMatrix(r, 3*heads, d, 0), Mat(make([]float32, n*d), n, d)
		AttentionOverBackward(dq, dx, dy, q, x, offsets, heads, scale)
		near(t, "dq", dq.Data[:3*heads*d], wantQ, 1e-4)
		near(t, "dx", dx.Data, wantX, 1e-4)
	})
}

// A sequence gives the same bytes alone and among others, on any number of threads, and
// rows outside every sequence are left alone.
func TestAttentionOverAlone(t *testing.T) {
	r := newRand(43)
	const d, heads, n = 64, 4, 200
	offsets := []int{3, 60, 61, 180}
	b := len(offsets) - 1
	q, x, dy := randomMatrix(r, b*heads, d, 0), randomMatrix(r, n, d, 0), randomMatrix(r, b*heads, d, 0)
	run := func(first, last int) (y, dq, dx Matrix) {
		lo, hi := first*heads, last*heads
		y, dq, dx = Mat(make([]float32, (hi-lo)*d), hi-lo, d), Mat(make([]float32, (hi-lo)*d), hi-lo, d), Mat(make([]float32, n*d), n, d)
		for i := range dx.Data {
			dx.Data[i] = 42
		}
		AttentionOver(y, q.rowRange(lo, hi), x, offsets[first:last+1], heads, 0.1)
		AttentionOverBackward(dq, dx, dy.rowRange(lo, hi), q.rowRange(lo, hi), x, offsets[first:last+1], heads, 0.1)
		return y, dq, dx
	}
	onEveryPath(t, func(t *testing.T) {
		y, dq, dx := run(0, b)
		for s := range b {
			one, dqOne, dxOne := run(s, s+1)
			sameBytes(t, "alone", one.Data, y.Data[s*heads*d:(s+1)*heads*d])
			sameBytes(t, "alone, dq", dqOne.Data, dq.Data[s*heads*d:(s+1)*heads*d])
			sameBytes(t, "alone, dx", dxOne.Data[offsets[s]*d:offsets[s+1]*d], dx.Data[offsets[s]*d:offsets[s+1]*d])
		}
		for _, i := range []int{0, 3*d - 1, 180 * d, n*d - 1} {
			if dx.Data[i] != 42 {
				t.Fatalf("element %d outside every sequence became %v", i, dx.Data[i])
			}
		}
		sameOnAnyThreads(t, "attention over rows", func() []float32 {
			y, dq, dx := run(0, b)
			return slices.Concat(y.Data, dq.Data, dx.Data)
		})
	})
}

func TestAttentionOverMistakes(t *testing.T) {
	mat := func(rows, cols int) Matrix { return Mat(make([]float32, rows*cols), rows, cols) }
	q, x, y := mat(2, 4), mat(3, 4), mat(2, 4)
	mustPanic(t, "heads", func() { AttentionOver(y, q, x, []int{0, 2}, 0, 1) })
	mustPanic(t, "width", func() { AttentionOver(y, q, mat(3, 5), []int{0, 2}, 2, 1) })
	mustPanic(t, "queries", func() { AttentionOver(y, q, x, []int{0, 2, 3}, 2, 1) })
	mustPanic(t, "offsets", func() { AttentionOver(y, q, x, []int{0, 4}, 2, 1) })
	mustPanic(t, "order", func() { AttentionOver(y, q, x, []int{2, 0}, 2, 1) })
	mustPanic(t, "dst", func() { AttentionOver(mat(1, 4), q, x, []int{0, 2}, 2, 1) })
	mustPanic(t, "dx", func() { AttentionOverBackward(y, mat(2, 4), y, q, x, []int{0, 2}, 2, 1) })
}
