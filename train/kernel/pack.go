package kernel

// packPanel copies columns [j, j+n) of b into dst as K rows of nr, zeros beyond n.
// The zeros reach only lanes of the register tile that are not stored.
func packPanel(p cpuPath, dst []float32, b view, j, n, nr int) {
	if b.cs == 1 && p != portable && n == nr {
		packWhole(dst, b, j, nr)
		return
	}
	if b.cs == 1 {
		for k := range b.rows {
			row := dst[k*nr:][:nr]
			copy(row, b.data[k*b.rs+j:][:n])
			clear(row[n:])
		}
		return
	}
	if n < nr {
		clear(dst)
	}
	transpose(p, dst, nr, b.data[j*b.cs:], b.cs, n, b.rows, b.rs)
}

// transpose writes dst[c*ds+r] = src[r*ss+c*cs] for r < rows, c < cols.
func transpose(p cpuPath, dst []float32, ds int, src []float32, ss, rows, cols, cs int) {
	r := 0
	if p != portable && cs == 1 {
		for ; r+8 <= rows; r += 8 {
			whole := cols &^ 7
			if whole > 0 {
				transpose8(dst[r:], ds, src[r*ss:], ss, whole)
			}
			for c := whole; c < cols; c++ {
				for i := r; i < r+8; i++ {
					dst[c*ds+i] = src[i*ss+c]
				}
			}
		}
	}
	for ; r < rows; r++ {
		for c := range cols {
			dst[c*ds+r] = src[r*ss+c*cs]
		}
	}
}

// packRows copies rows [i, i+m), columns [k0, k0+kc) of a into buf, keeping
// whichever direction is contiguous, and returns the copy with its strides. A
// stride that is an odd number of cache lines keeps the rows of one column out of
// each other's cache sets.
func packRows(buf []float32, a view, i, m, k0, kc int) (data []float32, rs, cs int) {
	if a.cs == 1 {
		ld := (kc+15)/16*16 | 16
		for r := range m {
			copy(buf[r*ld:][:kc], a.data[(i+r)*a.rs+k0:])
		}
		return buf, ld, 1
	}
	for k := range kc {
		if a.rs == 1 {
			copy(buf[k*m:][:m], a.data[(k0+k)*a.cs+i:])
			continue
		}
		for r := range m {
			buf[k*m+r] = a.data[(i+r)*a.rs+(k0+k)*a.cs]
		}
	}
	return buf, 1, m
}
