package kernel

// Rows in AVX2, for both assembly paths. The pointers stand for n floats each.

//go:noescape
func addAVX2(dst, a, b *float32, n int)

//go:noescape
func mulAVX2(dst, a, b *float32, n int)

// fmaAVX2 adds a∘b to dst.
//
//go:noescape
func fmaAVX2(dst, a, b *float32, n int)

//go:noescape
func axpyAVX2(dst, x *float32, alpha float32, n int)

//go:noescape
func scaleShiftAVX2(dst, x, gamma, beta *float32, ds, xs, rows, n int)

//go:noescape
func normRowAVX2(dst, x, gamma, beta *float32, n int, eps float32, stats *[2]float32)

//go:noescape
func normBackRowAVX2(dx, dy, x, gamma *float32, n int, mean, rstd float32)

// gradColsAVX2 and colSumAVX2 add to sums. They need at least one row and one column;
// strides and step are in bytes.
//
//go:noescape
func gradColsAVX2(dgamma, dbeta, dy, x *float32, dys, xs, rows, n int, mean, rstd *float32, step int)

//go:noescape
func streamAVX2(dst, src *float32, lines int)

//go:noescape
func gradBlocksAVX2(dgamma, dbeta, dx, dy, x, gamma *float32, dxs, dys, xs, rows, blocks int)

//go:noescape
func colSumAVX2(dst, x *float32, xs, rows, n int)

//go:noescape
func adamWAVX2(param, grad, m, v *float32, n int, f *adamWFactors)

//go:noescape
func geluAVX2(dst, x *float32, n int)

//go:noescape
func geluBackAVX2(dx, dy, x *float32, n int)

//go:noescape
func tanhAVX2(dst, x *float32, n int)

// softmaxAVX2 and softmaxBackAVX2 work in place on n columns, a multiple of 8,
// at least 8; ld is in bytes.
//
//go:noescape
func softmaxAVX2(p *float32, ld, rows, n int, scale float32)

//go:noescape
func softmaxBackAVX2(dp, p *float32, ld, rows, n int, scale float32)

//go:noescape
func geluAVX512(dst, x *float32, n int)

//go:noescape
func geluBackAVX512(dx, dy, x *float32, n int)

// softmaxAVX512 and softmaxBackAVX512 take any n from 1.
//
//go:noescape
func softmaxAVX512(p *float32, ld, rows, n int, scale float32)

//go:noescape
func softmaxBackAVX512(dp, p *float32, ld, rows, n int, scale float32)

//go:noescape
func scaleShiftGELUAVX512(dst, x, gamma, beta *float32, n int)

// scaleShiftGELUBackAVX512 adds to dgamma and dbeta.
//
//go:noescape
func scaleShiftGELUBackAVX512(dpre, dy, pre, gamma, beta, dgamma, dbeta *float32, n int)
