//go:build !amd64

package kernel

// The portable path never calls these.

func noAssembly() { panic("kernel: no assembly on this architecture") }

func addAVX2(dst, a, b *float32, n int)                                            { noAssembly() }
func mulAVX2(dst, a, b *float32, n int)                                            { noAssembly() }
func fmaAVX2(dst, a, b *float32, n int)                                            { noAssembly() }
func axpyAVX2(dst, x *float32, alpha float32, n int)                               { noAssembly() }
func scaleShiftAVX2(dst, x, gamma, beta *float32, ds, xs, rows, n int)             { noAssembly() }
func normRowAVX2(dst, x, gamma, beta *float32, n int, eps float32, st *[2]float32) { noAssembly() }
func normBackRowAVX2(dx, dy, x, gamma *float32, n int, mean, rstd float32)         { noAssembly() }
func colSumAVX2(dst, x *float32, xs, rows, n int)                                  { noAssembly() }
func streamAVX2(dst, src *float32, lines int)                                      { noAssembly() }
func gradBlocksAVX2(dg, db, dx, dy, x, gamma *float32, dxs, dys, xs, rows, blocks int) {
	noAssembly()
}
func gradColsAVX2(dg, db, dy, x *float32, dys, xs, rows, n int, mean, rstd *float32, step int) {
	noAssembly()
}
func adamWAVX2(param, grad, m, v *float32, n int, f *adamWFactors)   { noAssembly() }
func geluAVX2(dst, x *float32, n int)                                { noAssembly() }
func geluBackAVX2(dx, dy, x *float32, n int)                         { noAssembly() }
func tanhAVX2(dst, x *float32, n int)                                { noAssembly() }
func softmaxAVX2(p *float32, ld, rows, n int, scale float32)         { noAssembly() }
func softmaxBackAVX2(dp, p *float32, ld, rows, n int, scale float32) { noAssembly() }

func geluAVX512(dst, x *float32, n int)                                { noAssembly() }
func geluBackAVX512(dx, dy, x *float32, n int)                         { noAssembly() }
func softmaxAVX512(p *float32, ld, rows, n int, scale float32)         { noAssembly() }
func softmaxBackAVX512(dp, p *float32, ld, rows, n int, scale float32) { noAssembly() }

func scaleShiftGELUAVX512(dst, x, gamma, beta *float32, n int) { noAssembly() }

func scaleShiftGELUBackAVX512(dpre, dy, pre, gamma, beta, dgamma, dbeta *float32, n int) {
	noAssembly()
}
