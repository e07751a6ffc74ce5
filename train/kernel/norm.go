package kernel

// LayerNorm computes dst = (x-mean)/sqrt(var+eps)*gamma + beta row by row; x is
// (N, D), gamma and beta are (D) and may be nil for ones and zeros. mean and rstd
// (N) receive what LayerNormBackward needs, or are nil. dst may be x.
func LayerNorm(dst, x Matrix, gamma, beta []float32, eps float32, mean, rstd []float32) {
	x.check("x")
	dst.checkShape("dst", x.Rows, x.Cols)
	checkLenOrNil("gamma", gamma, x.Cols)
	checkLenOrNil("beta", beta, x.Cols)
	checkLenOrNil("mean", mean, x.Rows)
	checkLenOrNil("rstd", rstd, x.Rows)
	vec := currentPath() != portable && gamma != nil && beta != nil && x.Cols > 0
	parallelRows(x.Rows, x.Cols, func(lo, hi int) {
		if !vec {
			refLayerNorm(dst.rowRange(lo, hi), x.rowRange(lo, hi), gamma, beta, eps, part(mean, lo, hi), part(rstd, lo, hi))
			return
		}
		var stats [2]float32
		for i := lo; i < hi; i++ {
			normRowAVX2(&dst.row(i)[0], &x.row(i)[0], &gamma[0], &beta[0], x.Cols, eps, &stats)
			if mean != nil {
				mean[i] = stats[0]
			}
			if rstd != nil {
				rstd[i] = stats[1]
			}
		}
	})
}

// LayerNormBackward overwrites dx (N, D) with the gradient of the loss with
// respect to x, given dy and what LayerNorm saved. dgamma and dbeta (D) are
// overwritten, or nil. dx may be dy only when dgamma and dbeta are nil.
func LayerNormBackward(dx, dy, x Matrix, gamma, mean, rstd []float32, dgamma, dbeta []float32) {
	x.check("x")
	dx.checkShape("dx", x.Rows, x.Cols)
	dy.checkShape("dy", x.Rows, x.Cols)
	checkLenOrNil("gamma", gamma, x.Cols)
	checkLen("mean", mean, x.Rows)
	checkLen("rstd", rstd, x.Rows)
	checkLenOrNil("dgamma", dgamma, x.Cols)
	checkLenOrNil("dbeta", dbeta, x.Cols)
	if currentPath() == portable || gamma == nil || x.Cols == 0 {
		refLayerNormBackward(dx, dy, x, gamma, mean, rstd, dgamma, dbeta)
		return
	}
	parallelRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			normBackRowAVX2(&dx.row(i)[0], &dy.row(i)[0], &x.row(i)[0], &gamma[0], x.Cols, mean[i], rstd[i])
		}
	})
	gradRows(dgamma, dbeta, dy, x, mean, rstd, nil)
}

// ScaleShift computes dst = gamma*x + beta, one gamma and beta per column; nil
// gamma is ones, nil beta zeros. dst may be x.
func ScaleShift(dst, x Matrix, gamma, beta []float32) {
	x.check("x")
	dst.checkShape("dst", x.Rows, x.Cols)
	checkLenOrNil("gamma", gamma, x.Cols)
	checkLenOrNil("beta", beta, x.Cols)
	p := currentPath()
	parallelRows(x.Rows, x.Cols, func(lo, hi int) {
		scaleShiftRows(p, dst.rowRange(lo, hi), x.rowRange(lo, hi), gamma, beta)
	})
}

// scaleShiftRows is ScaleShift on the caller's goroutine, for at least one row.
func scaleShiftRows(p cpuPath, dst, x Matrix, gamma, beta []float32) {
	switch {
	case x.Cols == 0:
	case p == portable:
		refScaleShift(dst, x, gamma, beta)
	case gamma != nil && beta != nil:
		_, _ = dst.row(x.Rows-1), x.row(x.Rows-1)
		scaleShiftAVX2(&dst.Data[0], &x.Data[0], &gamma[0], &beta[0], 4*dst.Stride, 4*x.Stride, x.Rows, x.Cols)
	case gamma != nil:
		for i := range x.Rows {
			mulAVX2(&dst.row(i)[0], &x.row(i)[0], &gamma[0], x.Cols)
		}
	case beta != nil:
		for i := range x.Rows {
			addAVX2(&dst.row(i)[0], &x.row(i)[0], &beta[0], x.Cols)
		}
	default:
		for i := range x.Rows {
			copy(dst.row(i), x.row(i))
		}
	}
}

// scaleShiftRow is scaleShiftRows for one row, without gaps.
func scaleShiftRow(p cpuPath, dst, x, gamma, beta []float32) {
	n := len(x)
	scaleShiftRows(p, Matrix{1, n, n, dst}, Matrix{1, n, n, x}, gamma, beta)
}

// ScaleShiftBackward writes dx = gamma*dy, dgamma = column sums of dy*x and
// dbeta = column sums of dy. dx with nil Data, and nil dgamma or dbeta, are left
// out; x is read only for dgamma. dx may be dy or x.
func ScaleShiftBackward(dx, dy, x Matrix, gamma, dgamma, dbeta []float32) {
	dy.check("dy")
	if dx.Data != nil {
		dx.checkShape("dx", dy.Rows, dy.Cols)
	}
	if dgamma != nil {
		x.checkShape("x", dy.Rows, dy.Cols)
	}
	checkLenOrNil("gamma", gamma, dy.Cols)
	checkLenOrNil("dgamma", dgamma, dy.Cols)
	checkLenOrNil("dbeta", dbeta, dy.Cols)
	if currentPath() == portable || dy.Cols == 0 {
		refScaleShiftBackward(dx, dy, x, gamma, dgamma, dbeta)
		return
	}
	if dx.Data == nil || dgamma == nil && dbeta == nil {
		if dx.Data != nil {
			ScaleShift(dx, dy, gamma, nil)
		}
		gradRows(dgamma, dbeta, dy, x, nil, nil, nil)
		return
	}
	p := currentPath()
	gradRows(dgamma, dbeta, dy, x, nil, nil, func(i, j, rows, cols int) {
		scaleShiftRows(p, dx.part(i, j, rows, cols), dy.part(i, j, rows, cols), part(gamma, j, j+cols), nil)
	})
}

// ColSum writes the sum of each column of x: the gradient of a bias. dst is (D).
func ColSum(dst []float32, x Matrix) {
	x.check("x")
	checkLen("dst", dst, x.Cols)
	if currentPath() == portable || x.Cols == 0 {
		refColSum(dst, x)
		return
	}
	gradRows(nil, dst, x, Matrix{}, nil, nil, nil)
}

// gradRowsAtOnce is how many rows gradRows takes at a time: as many streams as the
// processor can foresee, where a column at a time would have it fetch every line anew.
const gradRowsAtOnce = 4

// gradRows writes dgamma = column sums of dy (x-mean) rstd, with mean 0 and rstd 1
// where they are nil, and dbeta = column sums of dy; either may be nil. Columns
// are split over threads and rows are added in order, so that the sums do not
// depend on how many threads there are. after, unless nil, is called for each block of
// rows and columns once its sums are taken.
func gradRows(dgamma, dbeta []float32, dy, x Matrix, mean, rstd []float32, after func(i, j, rows, cols int)) {
	if dgamma == nil && dbeta == nil {
		return
	}
	if dgamma != nil && dbeta == nil {
		s := borrow(dy.Cols)
		defer s.giveBack()
		dbeta = s.data[:dy.Cols]
	}
	clear(dgamma)
	clear(dbeta)
	if dy.Rows == 0 {
		return
	}
	neutral := [2]float32{0, 1}
	parallelCols(dy.Rows, dy.Cols, func(lo, hi int) {
		for i := 0; i < dy.Rows; i += gradRowsAtOnce {
			rows := min(gradRowsAtOnce, dy.Rows-i)
			mu, r, step := &neutral[0], &neutral[1], 0
			if mean != nil {
				mu, r, step = &mean[i], &rstd[i], 4
			}
			if dgamma == nil {
				colSumAVX2(&dbeta[lo], &dy.Data[i*dy.Stride+lo], 4*dy.Stride, rows, hi-lo)
			} else {
				gradColsAVX2(&dgamma[lo], &dbeta[lo], &dy.Data[i*dy.Stride+lo], &x.Data[i*x.Stride+lo], 4*dy.Stride, 4*x.Stride,
					rows, hi-lo, mu, r, step)
			}
			if after != nil {
				after(i, lo, rows, hi-lo)
			}
		}
	})
}

// part is v[lo:hi], or nil for nil.
func part(v []float32, lo, hi int) []float32 {
	if v == nil {
		return nil
	}
	return v[lo:hi]
}
