package kernel

// columns are the arguments of work on matrices of one shape, x and what goes with it: dy is
// the gradient of a result, dx that of x. gamma, beta, dgamma and dbeta are one a column,
// mean and rstd one a row.
type columns struct {
	path          cpuPath
	dst, x        Matrix
	dx, dy        Matrix
	gamma, beta   []float32
	dgamma, dbeta []float32
	mean, rstd    []float32
	eps           float32
}

var sharedColumns sharing[columns]

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
	c := columns{path: currentPath(), dst: dst, x: x, gamma: gamma, beta: beta, mean: mean, rstd: rstd, eps: eps}
	sharedColumns.parallelRows(x.Rows, x.Cols, c, columns.norm)
}

func (c columns) norm(lo, hi int) {
	if c.path == portable || c.gamma == nil || c.beta == nil || c.x.Cols == 0 {
		refLayerNorm(c.dst.rowRange(lo, hi), c.x.rowRange(lo, hi), c.gamma, c.beta, c.eps, part(c.mean, lo, hi), part(c.rstd, lo, hi))
		return
	}
	var stats [2]float32
	for i := lo; i < hi; i++ {
		normRowAVX2(&c.dst.row(i)[0], &c.x.row(i)[0], &c.gamma[0], &c.beta[0], c.x.Cols, c.eps, &stats)
		if c.mean != nil {
			c.mean[i] = stats[0]
		}
		if c.rstd != nil {
			c.rstd[i] = stats[1]
		}
	}
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
	c := columns{dx: dx, dy: dy, x: x, gamma: gamma, mean: mean, rstd: rstd}
	sharedColumns.parallelRows(x.Rows, x.Cols, c, func(c columns, lo, hi int) {
		for i := lo; i < hi; i++ {
			normBackRowAVX2(&c.dx.row(i)[0], &c.dy.row(i)[0], &c.x.row(i)[0], &c.gamma[0], c.x.Cols, c.mean[i], c.rstd[i])
		}
	})
	c = columns{dy: dy, x: x, mean: mean, rstd: rstd, dgamma: dgamma, dbeta: dbeta}
	c.sums()
}

// ScaleShift computes dst = gamma*x + beta, one gamma and beta per column; nil
// gamma is ones, nil beta zeros. dst may be x.
func ScaleShift(dst, x Matrix, gamma, beta []float32) {
	x.check("x")
	dst.checkShape("dst", x.Rows, x.Cols)
	checkLenOrNil("gamma", gamma, x.Cols)
	checkLenOrNil("beta", beta, x.Cols)
	c := columns{path: currentPath(), dst: dst, x: x, gamma: gamma, beta: beta}
	sharedColumns.parallelRows(x.Rows, x.Cols, c, func(c columns, lo, hi int) {
		scaleShiftRows(c.path, c.dst.rowRange(lo, hi), c.x.rowRange(lo, hi), c.gamma, c.beta)
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
	p := currentPath()
	if p == portable || dy.Cols == 0 {
		refScaleShiftBackward(dx, dy, x, gamma, dgamma, dbeta)
		return
	}
	if dgamma == nil && dbeta == nil {
		if dx.Data != nil {
			ScaleShift(dx, dy, gamma, nil)
		}
		return
	}
	c := columns{path: p, dx: dx, dy: dy, x: x, gamma: gamma, dgamma: dgamma, dbeta: dbeta}
	c.sums()
}

// ColSum writes the sum of each column of x: the gradient of a bias. dst is (D).
func ColSum(dst []float32, x Matrix) {
	x.check("x")
	checkLen("dst", dst, x.Cols)
	if currentPath() == portable || x.Cols == 0 {
		refColSum(dst, x)
		return
	}
	c := columns{dy: x, dbeta: dst}
	c.sums()
}

// sumRows is how many rows are summed at a time: as many streams as the processor can
// foresee, where a column at a time would have it fetch every line anew.
const sumRows = 4

// sums writes dgamma = column sums of dy (x-mean) rstd, with mean 0 and rstd 1 where they
// are nil, and dbeta = column sums of dy; either may be nil. Columns are split over
// threads and rows are added in order, so that the sums do not depend on how many threads
// there are. Where dx is given it becomes gamma*dy, block by block once its sums are taken.
func (c columns) sums() {
	if c.dgamma == nil && c.dbeta == nil {
		return
	}
	if c.dbeta == nil {
		s := borrow(c.dy.Cols)
		defer s.giveBack()
		c.dbeta = s.data[:c.dy.Cols]
	}
	clear(c.dgamma)
	clear(c.dbeta)
	sharedColumns.parallelCols(c.dy.Rows, c.dy.Cols, c, columns.sumRange)
}

func (c columns) sumRange(lo, hi int) {
	for i := 0; i < c.dy.Rows; i += sumRows {
		rows := min(sumRows, c.dy.Rows-i)
		from := lo
		if c.dgamma != nil && c.mean == nil && (c.dx.Data == nil || c.gamma != nil) {
			from += c.sumBlocks(i, rows, lo, (hi-lo)/sumBlock)
		}
		if from < hi {
			c.sumRest(i, rows, from, hi)
		}
	}
}

// sumBlock is the columns that gradBlocksAVX2 takes at a time.
const sumBlock = 32

// sumBlocks adds rows [i, i+rows) to the sums of whole blocks of columns from lo on, and returns how many columns those are.
func (c columns) sumBlocks(i, rows, lo, blocks int) int {
	if blocks == 0 {
		return 0
	}
	dy, x := c.dy.part(i, lo, rows, blocks*sumBlock), c.x.part(i, lo, rows, blocks*sumBlock)
	var dx, gamma *float32
	if c.dx.Data != nil {
		dx, gamma = &c.dx.part(i, lo, rows, blocks*sumBlock).Data[0], &c.gamma[lo]
	}
	gradBlocksAVX2(&c.dgamma[lo], &c.dbeta[lo], dx, &dy.Data[0], &x.Data[0], gamma, 4*c.dx.Stride, 4*dy.Stride, 4*x.Stride, rows, blocks)
	return blocks * sumBlock
}

// sumRest is sumBlocks for any columns and any sums.
func (c columns) sumRest(i, rows, lo, hi int) {
	neutral := [2]float32{0, 1}
	dy, x := c.dy, c.x
	mu, r, step := &neutral[0], &neutral[1], 0
	if c.mean != nil {
		mu, r, step = &c.mean[i], &c.rstd[i], 4
	}
	if c.dgamma == nil {
		colSumAVX2(&c.dbeta[lo], &dy.Data[i*dy.Stride+lo], 4*dy.Stride, rows, hi-lo)
	} else {
		gradColsAVX2(&c.dgamma[lo], &c.dbeta[lo], &dy.Data[i*dy.Stride+lo], &x.Data[i*x.Stride+lo], 4*dy.Stride, 4*x.Stride,
			rows, hi-lo, mu, r, step)
	}
	if c.dx.Data != nil {
		scaleShiftRows(c.path, c.dx.part(i, lo, rows, hi-lo), dy.part(i, lo, rows, hi-lo), part(c.gamma, lo, hi), nil)
	}
}

// part is v[lo:hi], or nil for nil.
func part(v []float32, lo, hi int) []float32 {
	if v == nil {
		return nil
	}
	return v[lo:hi]
}
