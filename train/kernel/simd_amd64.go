package kernel

import "golang.org/x/sys/cpu"

func bestPath() cpuPath {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return portable
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW:
		return avx512
	}
	return avx2
}

// panel computes an m x n piece of C, n at most a tile wide, from a (element
// (i,k) at a[i*ars+k*acs]) and the columns of b (row k at b[k*bs:]). Off the
// avx512 path b holds a whole tile of columns even where n is less. With acc every row
// begins as what c holds, or as bias, which the avx512 path alone knows.
func (p cpuPath) panel(c []float32, cs int, a []float32, ars, acs int, b []float32, bs, k, m, n int, bias []float32, acc bool) {
	// The assembly trusts its arguments: touch the corners here.
	_ = c[(m-1)*cs+n-1]
	_ = a[(m-1)*ars+(k-1)*acs]
	_ = b[(k-1)*bs+n-1]
	switch p {
	case avx512:
		first, fs := &c[0], 4*cs
		if bias != nil {
			_ = bias[n-1]
			first, fs = &bias[0], 0
		}
		panelAVX512(&c[0], 4*cs, &a[0], 4*ars, 4*acs, &b[0], 4*bs, k, m, first, fs, uint32(1<<n-1), acc)
	case avx2:
		panelAVX2Any(c, cs, a, ars, acs, b, bs, k, m, n, acc)
	default:
		panelPortable(c, cs, a, ars, acs, b, bs, k, m, n, acc)
	}
}

func panelAVX2Any(c []float32, cs int, a []float32, ars, acs int, b []float32, bs, k, m, n int, acc bool) {
	_ = b[(k-1)*bs+15]
	if n == 16 {
		panelAVX2(&c[0], 4*cs, &a[0], 4*ars, 4*acs, &b[0], 4*bs, k, m, acc)
		return
	}
	// Fewer columns than the tile: go through a whole tile on the stack.
	var t [6 * 16]float32
	for i := 0; i < m; i += 6 {
		r := min(6, m-i)
		if acc {
			for l := range r {
				copy(t[l*16:][:n], c[(i+l)*cs:])
			}
		}
		panelAVX2(&t[0], 4*16, &a[i*ars], 4*ars, 4*acs, &b[0], 4*bs, k, r, acc)
		for l := range r {
			copy(c[(i+l)*cs:][:n], t[l*16:])
		}
	}
}

func transpose8(dst []float32, ds int, src []float32, ss, cols int) {
	_ = dst[(cols-1)*ds+7]
	_ = src[7*ss+cols-1]
	transpose8AVX2(&dst[0], 4*ds, &src[0], 4*ss, cols/8)
}

// packWhole is packPanel for a whole panel of rows that lie next to each other.
func packWhole(dst []float32, b view, j, nr int) {
	_, _ = dst[b.rows*nr-1], b.data[(b.rows-1)*b.rs+j+nr-1]
	packCopyAVX2(&dst[0], &b.data[j], 4*b.rs, b.rows, 4*nr)
}

// packCopyAVX2 copies rows of n bytes, 64 or 128, next to each other. ss is in bytes.
//
//go:noescape
func packCopyAVX2(dst, src *float32, ss, rows, n int)

// panelAVX512 runs tiles of 14, 8, 4, 2 and 1 rows by 32 columns, or by 16 where
// mask has no bit above the sixteenth. Strides are in bytes. mask has a bit for
// each column loaded and stored. With acc the rows begin as those at init, is apart.
//
//go:noescape
func panelAVX512(c *float32, cs int, a *float32, ars, acs int, b *float32, bs, k, m int, init *float32, is int, mask uint32, acc bool)

// panelAVX2 runs tiles of 6, 4, 2 and 1 rows by 16 columns. Strides are in bytes.
//
//go:noescape
func panelAVX2(c *float32, cs int, a *float32, ars, acs int, b *float32, bs, k, m int, acc bool)

// transpose8AVX2 transposes 8 rows of src, 8 columns a block. Strides are in bytes.
//
//go:noescape
func transpose8AVX2(dst *float32, ds int, src *float32, ss, blocks int)

// peakAVX512 and peakAVX2 do n rounds of peakFLOP operations.
func peakAVX512(n int)

func peakAVX2(n int)
