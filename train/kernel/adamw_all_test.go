package kernel

import (
	"runtime"
	"testing"
)

// TestAdamWAll: many parameters at once become the bytes that each alone becomes, on any number of threads; short ones,
// none, and one of several pieces with a rest are among them.
func TestAdamWAll(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
		for _, lengths := range [][]int{{3, 0, 17}, {768, 768, 3072, 1, 0, 8192, 8193, 2304, 3*elementGrain + 5, 768}, {}} {
			make4 := func() (all [4][][]float32) {
				r := newRand(1)
				for _, n := range lengths {
					for k := range all {
						x := randomSlice(r, n)
						if k == 3 { // second moments are sums of squares
							for i := range x {
								x[i] *= x[i]
							}
						}
						all[k] = append(all[k], x)
					}
				}
				return all
			}
			o := AdamWStep{LR: 1e-2, Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, WeightDecay: 0.05, Step: 3}
			want := make4()
			for i := range lengths {
				AdamW(want[0][i], want[1][i], want[2][i], want[3][i], o)
			}
			for _, threads := range []int{1, 2, 3} {
				runtime.GOMAXPROCS(threads)
				got := make4()
				AdamWAll(got[0], got[1], got[2], got[3], o)
				for i := range lengths {
					for k, name := range []string{"param", "grad", "m", "v"} {
						sameBytes(t, name, got[k][i], want[k][i])
					}
				}
			}
		}
	})
}

// TestAdamWAllAllocatesNothing, on one goroutine and where the work is shared out.
func TestAdamWAllAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	lists := [4][][]float32{}
	for k := range lists {
		for range 180 {
			lists[k] = append(lists[k], make([]float32, 768))
		}
	}
	if n := testing.AllocsPerRun(20, func() { AdamWAll(lists[0], lists[1], lists[2], lists[3], AdamWStep{Step: 1}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAdamWAllRefuses(t *testing.T) {
	x := [][]float32{{1, 2}}
	mustPanic(t, "lists of other lengths", func() { AdamWAll(x, x, x, nil, AdamWStep{Step: 1}) })
	mustPanic(t, "slices of other lengths", func() { AdamWAll(x, [][]float32{{1}}, x, x, AdamWStep{Step: 1}) })
	mustPanic(t, "no step", func() { AdamWAll(x, x, x, x, AdamWStep{}) })
}
