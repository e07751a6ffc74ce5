package kernel

import "math"

// at reads v[i] as float64, or def where v is nil.
func at(v []float32, i int, def float64) float64 {
	if v == nil {
		return def
	}
	return float64(v[i])
}

func refLayerNorm(dst, x Matrix, gamma, beta []float32, eps float32, mean, rstd []float32) {
	for i := range x.Rows {
		xi, di := x.row(i), dst.row(i)
		var sum, sq float64
		for _, v := range xi {
			sum += float64(v)
		}
		mu := sum / float64(len(xi))
		for _, v := range xi {
			sq += (float64(v) - mu) * (float64(v) - mu)
		}
		r := 1 / math.Sqrt(sq/float64(len(xi))+float64(eps))
		for j, v := range xi {
			di[j] = float32((float64(v)-mu)*r*at(gamma, j, 1) + at(beta, j, 0))
		}
		if mean != nil {
			mean[i] = float32(mu)
		}
		if rstd != nil {
			rstd[i] = float32(r)
		}
	}
}

func refLayerNormBackward(dx, dy, x Matrix, gamma, mean, rstd, dgamma, dbeta []float32) {
	dg := make([]float64, x.Cols)
	db := make([]float64, x.Cols)
	for i := range x.Rows {
		xi, dyi, dxi := x.row(i), dy.row(i), dx.row(i)
		mu, r := float64(mean[i]), float64(rstd[i])
		var sumG, sumGX float64
		for j, v := range xi {
			xhat := (float64(v) - mu) * r
			g := float64(dyi[j]) * at(gamma, j, 1)
			sumG += g
			sumGX += g * xhat
			dg[j] += float64(dyi[j]) * xhat
			db[j] += float64(dyi[j])
		}
		n := float64(len(xi))
		for j, v := range xi {
			xhat := (float64(v) - mu) * r
			g := float64(dyi[j]) * at(gamma, j, 1)
			dxi[j] = float32(r * (g - sumG/n - xhat*sumGX/n))
		}
	}
	narrow(dgamma, dg)
	narrow(dbeta, db)
}

// narrow rounds src into dst, if dst is wanted.
func narrow(dst []float32, src []float64) {
	if dst == nil {
		return
	}
	for j, v := range src {
		dst[j] = float32(v)
	}
}

func refScaleShift(dst, x Matrix, gamma, beta []float32) {
	for i := range x.Rows {
		di := dst.row(i)
		for j, v := range x.row(i) {
			di[j] = float32(float64(v)*at(gamma, j, 1) + at(beta, j, 0))
		}
	}
}

func refScaleShiftBackward(dx, dy, x Matrix, gamma, dgamma, dbeta []float32) {
	dg := make([]float64, dy.Cols)
	db := make([]float64, dy.Cols)
	for i := range dy.Rows {
		for j, v := range dy.row(i) {
			db[j] += float64(v)
			if dgamma != nil {
				dg[j] += float64(v) * float64(x.row(i)[j])
			}
			if dx.Data != nil {
				dx.row(i)[j] = float32(float64(v) * at(gamma, j, 1))
			}
		}
	}
	narrow(dgamma, dg)
	narrow(dbeta, db)
}

func refColSum(dst []float32, x Matrix) {
	sum := make([]float64, x.Cols)
	for i := range x.Rows {
		for j, v := range x.row(i) {
			sum[j] += float64(v)
		}
	}
	narrow(dst, sum)
}
