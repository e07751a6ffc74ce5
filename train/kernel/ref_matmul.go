package kernel

// refProduct is the plain product the fast paths are held to: float64 sums.
func refProduct(dst Matrix, a, b view, acc bool) {
	for i := range dst.Rows {
		row := dst.row(i)
		for j := range row {
			var s float64
			for k := range a.cols {
				s += float64(a.data[i*a.rs+k*a.cs]) * float64(b.data[k*b.rs+j*b.cs])
			}
			if acc {
				s += float64(row[j])
			}
			row[j] = float32(s)
		}
	}
}
