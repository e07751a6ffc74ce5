package kernel

// panelPortable computes an m x n piece of C (n at most 4) from a (element (i,k)
// at a[i*ars+k*acs]) and four columns of b (row k at b[k*bs:]).
func panelPortable(c []float32, cs int, a []float32, ars, acs int, b []float32, bs, k, m, n int, acc bool) {
	for i := 0; i < m; i += 2 {
		a0 := a[i*ars:]
		a1 := a0
		if i+1 < m {
			a1 = a[(i+1)*ars:]
		}
		var t [2][4]float32
		if acc {
			copy(t[0][:], c[i*cs:][:n])
			if i+1 < m {
				copy(t[1][:], c[(i+1)*cs:][:n])
			}
		}
		c00, c01, c02, c03 := t[0][0], t[0][1], t[0][2], t[0][3]
		c10, c11, c12, c13 := t[1][0], t[1][1], t[1][2], t[1][3]
		for l := range k {
			r := b[l*bs:][:4:4]
			x, y := a0[l*acs], a1[l*acs]
			c00 += x * r[0]
			c01 += x * r[1]
			c02 += x * r[2]
			c03 += x * r[3]
			c10 += y * r[0]
			c11 += y * r[1]
			c12 += y * r[2]
			c13 += y * r[3]
		}
		t[0] = [4]float32{c00, c01, c02, c03}
		t[1] = [4]float32{c10, c11, c12, c13}
		copy(c[i*cs:][:n], t[0][:])
		if i+1 < m {
			copy(c[(i+1)*cs:][:n], t[1][:])
		}
	}
}
