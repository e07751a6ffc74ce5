package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestAttentionKnown(t *testing.T) {
	// D = 1, one head. Row 0: q=0, so its two keys weigh the same. Row 1: q·k is
	// ln 3 for key 1 and 0 for key 0, so the weights are 1/4 and 3/4.
	ln3 := float32(math.Log(3))
	qkv := Mat([]float32{
		0, 0, 4,
		1, ln3, 8,
		5, 5, 7, // a sequence of one row: its own value
	}, 3, 3)
	onEveryPath(t, func(t *testing.T) {
		dst := Mat(make([]float32, 3), 3, 1)
		Attention(dst, qkv, []int{0, 2, 3}, 1)
		near(t, "dst", dst.Data, []float32{6, 7, 7}, 1e-6)
		mean := make([]float32, 5)
		AttentionMean(mean, qkv, []int{0, 2, 3}, 1)
		near(t, "mean", mean, []float32{0.5, 0.5, 0.25, 0.75, 1}, 1e-6)
	})
}

var attentionShapes = []struct {
	d, heads int
	lengths  []int
}{
	{4, 1, []int{1}}, {4, 2, []int{3, 1, 5}}, {6, 3, []int{0, 2, 7, 0}}, {64, 4, []int{17, 60, 9}},
	{128, 4, []int{33, 90}}, {48, 1, []int{64, 8}}, {128, 2, []int{185, 70}}, {15, 5, []int{121, 16}},
}

func packedOffsets(lengths []int) []int {
	offsets := []int{0}
	for _, n := range lengths {
		offsets = append(offsets, offsets[len(offsets)-1]+n)
	}
	return offsets
}

func TestAttention(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := newRand(31)
		for _, s := range attentionShapes {
			name := fmt.Sprint(s)
			offsets := packedOffsets(s.lengths)
			n := offsets[len(offsets)-1]
			qkv, dy := randomMatrix(r, n, 3*s.d, 2), randomMatrix(r, n, s.d, 1)
			got := randomMatrix(r, n, s.d, 3)
			want := clone(got)
			Attention(got, qkv, offsets, s.heads)
			refAttention(want, qkv, offsets, s.heads)
			near(t, name, got.Data, want.Data, 5e-6)

			dqkv := randomMatrix(r, n, 3*s.d, 1)
			want = clone(dqkv)
			AttentionBackward(dqkv, dy, qkv, offsets, s.heads)
			refAttentionBackward(want, dy, qkv, offsets, s.heads)
			near(t, name+" backward", dqkv.Data, want.Data, 1e-5)

			kept, again := make([]float32, AttentionKeeps(offsets, s.heads)+1)[1:], clone(dqkv) // a line is not aligned
			y := clone(got)
			AttentionKeeping(kept, y, qkv, offsets, s.heads)
			sameBytes(t, name+" keeping", y.Data, got.Data)
			kept = slices.Clone(kept)
			AttentionBackwardKept(again, dy, qkv, kept, offsets, s.heads)
			sameBytes(t, name+" backward from what was kept", again.Data, dqkv.Data)
			if len(kept) > 0 {
				for i := range again.Rows {
					clear(again.row(i))
				}
				clear(kept)
				AttentionBackwardKept(again, dy, qkv, kept, offsets, s.heads)
				if n > 0 && slices.ContainsFunc(again.row(offsets[0])[:s.d], func(v float32) bool { return v != 0 }) {
					t.Errorf("%s: probabilities of zero have a gradient by the query: what is kept is not read", name)
				}
			}

			squares := 0
			for _, l := range s.lengths {
				squares += l * l
			}
			mean, mean2 := make([]float32, squares), make([]float32, squares)
			AttentionMean(mean, qkv, offsets, s.heads)
			refAttentionMean(mean2, qkv, offsets, s.heads)
			near(t, name+" mean", mean, mean2, 2e-6)

			probs := make([]float32, s.heads*squares)
			AttentionProbabilities(probs, qkv, offsets, s.heads)
			var each []float32
			for i := range s.lengths {
				for h := range s.heads {
					for _, p := range refProbabilities(qkv, offsets[i], offsets[i+1], s.heads, h) {
						each = append(each, float32(p))
					}
				}
			}
			near(t, name+" probabilities", probs, each, 2e-6)
		}
	})
}

func TestAttentionGradient(t *testing.T) {
	r := newRand(32)
	const n, d, heads = 5, 6, 2
	offsets := []int{0, 2, 5}
	qkv, dy := randomMatrix(r, n, 3*d, 0), randomMatrix(r, n, d, 0)
	loss := func() float64 {
		var s float64
		for b := range 2 {
			lo, hi := offsets[b], offsets[b+1]
			for h := range heads {
				p := refProbabilities(qkv, lo, hi, heads, h)
				for i := range hi - lo {
					for j := range hi - lo {
						for c := h * d / heads; c < (h+1)*d/heads; c++ {
							s += float64(dy.row(lo + i)[c]) * p[i*(hi-lo)+j] * float64(qkv.row(lo + j)[2*d+c])
						}
					}
				}
			}
		}
		return s
	}
	want := differences(qkv.Data[:n*3*d], loss)
	onEveryPath(t, func(t *testing.T) {
		dqkv := Mat(make([]float32, n*3*d), n, 3*d)
		AttentionBackward(dqkv, dy, qkv, offsets, heads)
		near(t, "dqkv", dqkv.Data, want, 1e-4)
	})
}

// A sequence gives the same bytes alone and among others, and rows outside every
// sequence are left alone.
func TestAttentionAlone(t *testing.T) {
	r := newRand(33)
	const d, heads, n = 64, 4, 200
	offsets := []int{3, 60, 61, 61, 180}
	qkv, dy := randomMatrix(r, n, 3*d, 0), randomMatrix(r, n, d, 0)
	run := func(offsets []int) (y, dx Matrix) {
		y, dx = Mat(make([]float32, n*d), n, d), Mat(make([]float32, n*3*d), n, 3*d)
		for i := range y.Data {
			y.Data[i] = 42
		}
		Attention(y, qkv, offsets, heads)
		AttentionBackward(dx, dy, qkv, offsets, heads)
		return y, dx
	}
	onEveryPath(t, func(t *testing.T) {
		y, dx := run(offsets)
		for s := range len(offsets) - 1 {
			lo, hi := offsets[s], offsets[s+1]
			one, dxOne := run(offsets[s : s+2])
			sameBytes(t, "alone", one.Data[lo*d:hi*d], y.Data[lo*d:hi*d])
			sameBytes(t, "alone, backward", dxOne.Data[lo*3*d:hi*3*d], dx.Data[lo*3*d:hi*3*d])
		}
		for _, i := range []int{0, 2*d + 5, 180 * d, n*d - 1} {
			if y.Data[i] != 42 {
				t.Fatalf("element %d outside every sequence became %v", i, y.Data[i])
			}
		}
		sameOnAnyThreads(t, "attention", func() []float32 {
			y, dx := run(offsets)
			mean := make([]float32, 57*57+1+119*119)
			AttentionMean(mean, qkv, offsets, heads)
			probs := make([]float32, heads*len(mean))
			AttentionProbabilities(probs, qkv, offsets, heads)
			return slices.Concat(y.Data, dx.Data, mean, probs)
		})
	})
}

// Far apart scores make probabilities of exactly zero, not NaN.
func TestAttentionExtreme(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		const n, d = 20, 8
		qkv := Mat(make([]float32, n*3*d), n, 3*d)
		for i := range n {
			qkv.row(i)[0] = 1e4
			qkv.row(i)[d] = float32(100 * i)
			qkv.row(i)[2*d] = float32(i)
		}
		mean := make([]float32, n*n)
		AttentionMean(mean, qkv, []int{0, n}, 1)
		for i := range n {
			for j := range n {
				want := float32(0)
				if j == n-1 {
					want = 1
				}
				if mean[i*n+j] != want {
					t.Fatalf("p[%d,%d] = %v, want %v", i, j, mean[i*n+j], want)
				}
			}
		}
	})
}

func TestSoftmaxNaN(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		p := Mat(make([]float32, 16), 2, 8)
		p.Cols = 5
		p.Data[2] = float32(math.NaN())
		softmaxRows(p, 1)
		for j := range 5 {
			if x := p.Data[j]; x == x {
				t.Errorf("column %d of a row with NaN is %v", j, x)
			}
			if x := p.Data[8+j]; math.Abs(float64(x)-0.2) > 1e-7 {
				t.Errorf("column %d of five equals is %v", j, x)
			}
		}
	})
}

func TestAttentionMistakes(t *testing.T) {
	qkv, y := Mat(make([]float32, 24), 2, 12), Mat(make([]float32, 8), 2, 4)
	mustPanic(t, "heads", func() { Attention(y, qkv, []int{0, 2}, 3) })
	mustPanic(t, "width", func() { Attention(y, Mat(make([]float32, 20), 2, 10), []int{0, 2}, 1) })
	mustPanic(t, "offsets", func() { Attention(y, qkv, []int{0, 3}, 2) })
	mustPanic(t, "order", func() { Attention(y, qkv, []int{2, 0}, 2) })
	mustPanic(t, "mean", func() { AttentionMean(y.Data, qkv, []int{0, 2}, 2) })
}
