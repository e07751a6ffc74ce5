package kernel

import (
	"runtime"
	"time"
)

// Peak measures what no kernel can go beyond here: the FLOP/s, on GOMAXPROCS threads, of
// multiply-adds in registers that wait for nothing, in the instructions of the CPU path in
// use. It takes some 30 ms. The best of its turns counts, as other work on the cores only
// ever slows one; where they are never free for a few milliseconds it is too low.
func Peak() float64 {
	const turns, turn, part, enough = 10, 3 * time.Millisecond, 100 * time.Microsecond, 40 * time.Millisecond
	p, threads, start := currentPath(), runtime.GOMAXPROCS(0), time.Now()
	n, took := 1<<8, time.Duration(0) // rounds of a part, so that who comes late does less
	for took < part {
		n *= 2
		began := time.Now()
		peakLoop(p, n)
		took = time.Since(began)
	}
	parts := threads * int(turn/part)
	var best float64
	for i := 0; i < turns && (i == 0 || time.Since(start) < enough); i++ {
		began := time.Now()
		sharedPeaks.parallel(parts, 1, peak{p, n}, func(k peak, lo, hi int) {
			for range hi - lo {
				peakLoop(k.path, k.rounds)
			}
		})
		best = max(best, float64(parts*n*peakFLOP(p))/time.Since(began).Seconds())
	}
	return best
}

// peak is a part of a turn of Peak.
type peak struct {
	path   cpuPath
	rounds int
}

var sharedPeaks sharing[peak]

// peakFLOP is the operations of one round of peakLoop.
func peakFLOP(p cpuPath) int {
	switch p {
	case avx512:
		return 2 * 16 * 16
	case avx2:
		return 2 * 8 * 12
	}
	return 2 * peakChains
}

func peakLoop(p cpuPath, n int) {
	switch p {
	case avx512:
		peakAVX512(n)
	case avx2:
		peakAVX2(n)
	default:
		if peakPortable(n) == 0 {
			panic("kernel: sums of positive numbers are zero")
		}
	}
}

// peakChains are the values that peakPortable keeps in registers.
const peakChains = 12

// peakPortable multiplies and adds one number at a time, as the portable kernels do, in as
// many chains as hide most of what an operation takes.
//
//go:noinline
func peakPortable(n int) float32 {
	x, y := float32(1), float32(0.5) // every chain goes to 2
	a, b, c, d, e, f := x+1, x+2, x+3, x+4, x+5, x+6
	g, h, i, j, k, l := x+7, x+8, x+9, x+10, x+11, x+12
	for range n {
		a, b, c = a*y+x, b*y+x, c*y+x
		d, e, f = d*y+x, e*y+x, f*y+x
		g, h, i = g*y+x, h*y+x, i*y+x
		j, k, l = j*y+x, k*y+x, l*y+x
	}
	return a + b + c + d + e + f + g + h + i + j + k + l
}
