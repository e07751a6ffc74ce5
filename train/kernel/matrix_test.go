package kernel

import (
	"fmt"
	"testing"
)

func TestStride(t *testing.T) {
	for cols, want := range map[int]int{64: 64, 256: 256, 512: 528, 768: 768, 1024: 1040, 2304: 2304, 3072: 3088, 4096: 4112} {
		if got := Stride(cols); got != want {
			t.Errorf("rows of %d columns are %d apart, want %d", cols, got, want)
		}
	}
}

// TestStridesOfA: rows that are read where they lie, and rows that are copied because they crowd, give the same bytes, the
// reference's within roundings.
func TestStridesOfA(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, k := range []int{512, 768} {
			r := newRand(3)
			a, w := randomMatrix(r, 240, k, 0), randomMatrix(r, 140, k, 0)
			want := randomMatrix(r, a.Rows, w.Rows, 0)
			refProduct(want, a.view(), w.view().t(), false)
			var first []float32
			for _, gap := range []int{0, 5, 16, 512} {
				apart := randomMatrix(r, a.Rows, k, gap)
				for i := range a.Rows {
					copy(apart.row(i), a.row(i))
				}
				got := clone(want)
				MatMulNT(got, apart, w, false)
				name := fmt.Sprintf("rows of %d columns %d apart", k, k+gap)
				if first == nil {
					first = got.Data
					near(t, name, got.Data, want.Data, 4e-7*float64(k))
				}
				sameBytes(t, name, got.Data, first)
			}
		}
	})
}
