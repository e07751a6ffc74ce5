package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestAttentionFirstKnown(t *testing.T) {
	// D = 1, one head. q·k is 0 for key 0 and ln 3 for key 1, so the weights are 1/4 and 3/4.
	ln3 := float32(math.Log(3))
	q, kv := Mat([]float32{1, 5}, 2, 1), Mat([]float32{
		0, 4,
		ln3, 8,
		5, 7, // a sequence of one row: its own value
	}, 3, 2)
	onEveryPath(t, func(t *testing.T) {
		dst, dq, dkv := Mat(make([]float32, 2), 2, 1), Mat(make([]float32, 2), 2, 1), Mat(make([]float32, 6), 3, 2)
		AttentionFirst(dst, q, kv, []int{0, 2, 3}, 1)
		near(t, "dst", dst.Data, []float32{7, 7}, 1e-6)
		// p (dp - Σ p dp) with dp = dy v = 4, 8 is -3/4 and 3/4; dv is p dy.
		AttentionFirstBackward(dq, dkv, Mat([]float32{1, 10}, 2, 1), q, kv, []int{0, 2, 3}, 1)
		near(t, "dq", dq.Data, []float32{0.75 * ln3, 0}, 1e-6)
		near(t, "dkv", dkv.Data, []float32{-0.75, 0.25, 0.75, 0.75, 0, 10}, 1e-6)
	})
}

// apartFirst is what AttentionFirst takes of qkv: the query of each sequence's first row,
// and all keys and values, where they lie.
func apartFirst(qkv Matrix, offsets []int) (q, kv Matrix) {
	d := qkv.Cols / 3
	q = Mat(make([]float32, sequences(offsets)*d), sequences(offsets), d)
	for s := range q.Rows {
		if offsets[s+1] > offsets[s] {
			copy(q.row(s), qkv.row(offsets[s]))
		}
	}
	return q, qkv.part(0, d, qkv.Rows, 2*d)
}

// TestAttentionFirst holds it to what Attention's reference says of the sequences' first
// rows, where no other row's result has a gradient, and to Attention's own bytes.
func TestAttentionFirst(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(41)
		for _, c := range attentionShapes {
			name := fmt.Sprint(c)
			offsets, d := packedOffsets(c.lengths), c.d
			n, b := offsets[len(offsets)-1], len(c.lengths)
			qkv := randomMatrix(r, n, 3*d, 2)
			q, kv := apartFirst(qkv, offsets)
			dy, dyAll := randomMatrix(r, b, d, 1), Mat(make([]float32, n*d), n, d)
			got, all, want := randomMatrix(r, b, d, 3), Mat(make([]float32, n*d), n, d), Mat(make([]float32, n*d), n, d)
			dq, dkv, dqkv := randomMatrix(r, b, d, 1), randomMatrix(r, n, 2*d, 5), Mat(make([]float32, n*3*d), n, 3*d)
			for s := range b {
				if c.lengths[s] > 0 {
					copy(dyAll.row(offsets[s]), dy.row(s))
				}
			}
			AttentionFirst(got, q, kv, offsets, c.heads)
			Attention(all, qkv, offsets, c.heads)
			refAttention(want, qkv, offsets, c.heads)
			AttentionFirstBackward(dq, dkv, dy, q, kv, offsets, c.heads)
			refAttentionBackward(dqkv, dyAll, qkv, offsets, c.heads)
			for s := range b {
				if c.lengths[s] == 0 {
					zeros := make([]float32, d)
					sameBytes(t, name+" of no rows", got.row(s), zeros)
					sameBytes(t, name+" of no rows, backward", dq.row(s), zeros)
					continue
				}
				sameBytes(t, name, got.row(s), all.row(offsets[s]))
				near(t, name, got.row(s), want.row(offsets[s]), 5e-6)
				near(t, name+" dq", dq.row(s), dqkv.row(offsets[s])[:d], 1e-5)
			}
			for i := range n {
				near(t, name+" dkv", dkv.row(i), dqkv.row(i)[d:], 1e-5)
			}
		}
	})
}

func TestAttentionFirstGradient(t *testing.T) {
	r := newRand(42)
	const n, d, heads = 5, 6, 2
	offsets := []int{0, 2, 5}
	q, kv, dy := randomMatrix(r, 2, d, 0), randomMatrix(r, n, 2*d, 0), randomMatrix(r, 2, d, 0)
	loss := func() (sum float64) {
		qkv, y := Mat(make([]float32, n*3*d), n, 3*d), Mat(make([]float32, n*d), n, d)
		for i := range n {
			copy(qkv.row(i)[d:], kv.row(i))
		}
		for s := range 2 {
			copy(qkv.row(offsets[s]), q.row(s))
		}
		refAttention(y, qkv, offsets, heads)
		for s := range 2 {
			for c, g := range dy.row(s) {
				sum += float64(g) * float64(y.row(offsets[s])[c])
			}
		}
		return sum
	}
	wantQ, wantKV := differences(q.Data[:2*d], loss), differences(kv.Data[:n*2*d], loss)
	onEveryPath(t, func(t *testing.T) {
		dq, dkv := Mat(make([]float32, 2*d), 2, d), Mat(make([]float32, n*2*d), n, 2*d)
		AttentionFirstBackward(dq, dkv, dy, q, kv, offsets, heads)
		near(t, "dq", dq.Data, wantQ, 1e-4)
		near(t, "dkv", dkv.Data, wantKV, 1e-4)
	})
}

// A sequence gives the same bytes alone and among others, on any number of threads, and
// rows outside every sequence are left alone.
func TestAttentionFirstAlone(t *testing.T) {
	r := newRand(43)
	const d, heads, n = 64, 4, 200
	offsets := []int{3, 60, 61, 180}
	b := len(offsets) - 1
	q, kv, dy := randomMatrix(r, b, d, 0), randomMatrix(r, n, 2*d, 0), randomMatrix(r, b, d, 0)
	run := func(first, last int) (y, dq, dkv Matrix) {
		b := last - first
		y, dq, dkv = Mat(make([]float32, b*d), b, d), Mat(make([]float32, b*d), b, d), Mat(make([]float32, n*2*d), n, 2*d)
		for i := range dkv.Data {
			dkv.Data[i] = 42
		}
		AttentionFirst(y, q.rowRange(first, last), kv, offsets[first:last+1], heads)
		AttentionFirstBackward(dq, dkv, dy.rowRange(first, last), q.rowRange(first, last), kv, offsets[first:last+1], heads)
		return y, dq, dkv
	}
	onEveryPath(t, func(t *testing.T) {
		y, dq, dkv := run(0, b)
		for s := range b {
			one, dqOne, dkvOne := run(s, s+1)
			sameBytes(t, "alone", one.Data, y.row(s))
			sameBytes(t, "alone, dq", dqOne.Data, dq.row(s))
			lo, hi := offsets[s]*2*d, offsets[s+1]*2*d
			sameBytes(t, "alone, dkv", dkvOne.Data[lo:hi], dkv.Data[lo:hi])
		}
		for _, i := range []int{0, 3*2*d - 1, 180 * 2 * d, n*2*d - 1} {
			if dkv.Data[i] != 42 {
				t.Fatalf("element %d outside every sequence became %v", i, dkv.Data[i])
			}
		}
		sameOnAnyThreads(t, "attention of first rows", func() []float32 {
			y, dq, dkv := run(0, b)
			return slices.Concat(y.Data, dq.Data, dkv.Data)
		})
	})
}

func TestAttentionFirstMistakes(t *testing.T) {
	mat := func(rows, cols int) Matrix { return Mat(make([]float32, rows*cols), rows, cols) }
	q, kv, y := mat(1, 4), mat(2, 8), mat(1, 4)
	mustPanic(t, "heads", func() { AttentionFirst(y, q, kv, []int{0, 2}, 3) })
	mustPanic(t, "width", func() { AttentionFirst(y, q, mat(2, 9), []int{0, 2}, 1) })
	mustPanic(t, "queries", func() { AttentionFirst(y, mat(2, 4), kv, []int{0, 2}, 2) })
	mustPanic(t, "offsets", func() { AttentionFirst(y, q, kv, []int{0, 3}, 2) })
	mustPanic(t, "order", func() { AttentionFirst(y, q, kv, []int{2, 0}, 2) })
	mustPanic(t, "dst", func() { AttentionFirst(mat(2, 4), q, kv, []int{0, 2}, 2) })
	mustPanic(t, "dkv", func() { AttentionFirstBackward(y, mat(2, 12), y, q, kv, []int{0, 2}, 2) })
}
