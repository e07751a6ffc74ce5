//go:build !amd64

package kernel

func bestPath() cpuPath { return portable }

func (cpuPath) panel(c []float32, cs int, a []float32, ars, acs int, b []float32, bs, k, m, n int, _ []float32, acc bool) {
	panelPortable(c, cs, a, ars, acs, b, bs, k, m, n, acc)
}

func transpose8([]float32, int, []float32, int, int) {
	panic("kernel: no assembly on this architecture")
}

func packWhole([]float32, view, int, int) {
	panic("kernel: no assembly on this architecture")
}

func peakAVX512(int) { panic("kernel: no assembly on this architecture") }

func peakAVX2(int) { panic("kernel: no assembly on this architecture") }
