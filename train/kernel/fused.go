package kernel

// Epilogue is what is done with a product's rows while they are in the cache.
// The zero value does nothing.
type Epilogue struct {
	Bias        []float32 // one a column; nil: none
	Gamma, Beta []float32 // scale and shift, one a column; nil: ones and zeros
	GELU        bool
	Residual    Matrix // added last; zero value: none
	Pre         Matrix // where given: x wᵀ + bias, before scale and shift, is kept here
}

// LinearFused computes y = GELU?(gamma∘(x wᵀ + bias) + beta) + residual: x is (N, K),
// w is (out, K), the rest (N, out). It gives the bytes that Linear, ScaleShift, GELU and
// Add give one after another. y may be the residual; it must not overlap x, w or Pre,
// nor Pre any of the others.
func LinearFused(y, x, w Matrix, e Epilogue) {
	checkLenOrNil("bias", e.Bias, y.Cols)
	checkLenOrNil("gamma", e.Gamma, y.Cols)
	checkLenOrNil("beta", e.Beta, y.Cols)
	checkProduct(y, x, w, x.view(), w.view().t())
	then := finish{gamma: e.Gamma, beta: e.Beta, gelu: e.GELU, y: y, add: e.Residual}
	dst := y
	if then.add.Data != nil {
		then.add.checkShape("residual", y.Rows, y.Cols)
	}
	if e.Pre.Data != nil {
		e.Pre.checkShape("pre", y.Rows, y.Cols)
		dst = e.Pre
	} else {
		// The residual would be overwritten before it is read.
		then.apart = then.add.Data != nil && len(y.Data) > 0 && &y.Data[0] == &then.add.Data[0]
	}
	if then.apart && x.Cols == 0 {
		dst = Mat(make([]float32, y.Rows*y.Cols), y.Rows, y.Cols)
	}
	then.any = e.Pre.Data != nil || e.Gamma != nil || e.Beta != nil || e.GELU || then.add.Data != nil
	gemmThen(dst, x.view(), w.view().t(), e.Bias, false, false, then)
}

const (
	finishCols = 1024 // columns of a block finished at a time: it lies in the second cache still
	rowPiece   = 256  // columns that one pass after another goes over in the first cache
)

// finish is the part of an Epilogue that comes after the product.
type finish struct {
	any         bool
	apart       bool // the product is not written to memory that y has: a task has room of its own
	gamma, beta []float32
	gelu        bool
	y, add      Matrix
}

// rows finishes a block of the product; its first element is (i, j) of y.
func (f *finish) rows(p cpuPath, block Matrix, i, j int) {
	if !f.any {
		return
	}
	for r := range block.Rows {
		x, y := block.row(r), f.y.row(i + r)[j:j+block.Cols]
		for from := 0; from < len(x); from += rowPiece {
			to := min(from+rowPiece, len(x))
			f.piece(p, y[from:to], x[from:to], i+r, j+from)
		}
	}
}

// piece is rows for at most rowPiece columns of one row.
func (f *finish) piece(p cpuPath, y, x []float32, i, j int) {
	gamma, beta := part(f.gamma, j, j+len(x)), part(f.beta, j, j+len(x))
	if f.add.Data == nil {
		f.activate(p, y, x, gamma, beta)
		return
	}
	var room [rowPiece]float32
	if f.gelu || gamma != nil || beta != nil {
		f.activate(p, room[:len(x)], x, gamma, beta)
		x = room[:len(x)] // not y, which may hold what is to be added
	}
	addRow(p, y, x, f.add.row(i)[j:j+len(x)])
}

// activate computes y = GELU?(gamma∘x + beta) for a piece of a row.
func (f *finish) activate(p cpuPath, y, x, gamma, beta []float32) {
	switch {
	case f.gelu && gamma != nil && beta != nil && p == avx512:
		scaleShiftGELUAVX512(&y[0], &x[0], &gamma[0], &beta[0], len(x))
	case f.gelu && gamma == nil && beta == nil:
		geluRow(p, y, x)
	default:
		scaleShiftRow(p, y, x, gamma, beta)
		if f.gelu {
			geluRow(p, y, y)
		}
	}
}

// ScaleShiftGELU computes y = GELU(gamma∘pre + beta), the bytes of ScaleShift and then
// GELU: what follows a layer whose product alone was kept. gamma or beta may be nil.
// y may be pre.
func ScaleShiftGELU(y, pre Matrix, gamma, beta []float32) {
	pre.check("pre")
	y.checkShape("y", pre.Rows, pre.Cols)
	checkLenOrNil("gamma", gamma, pre.Cols)
	checkLenOrNil("beta", beta, pre.Cols)
	c := columns{path: currentPath(), dst: y, x: pre, gamma: gamma, beta: beta}
	sharedColumns.parallelRows(pre.Rows, pre.Cols, c, func(c columns, lo, hi int) {
		f := finish{any: true, gamma: c.gamma, beta: c.beta, gelu: true, y: c.dst}
		for i := lo; i < hi; i++ {
			f.rows(c.path, c.x.rowRange(i, i+1), i, 0) // row by row, as memory lies
		}
	})
}

// ScaleShiftGELUBackward is the way back through ScaleShiftGELU: with z = gamma∘pre +
// beta and g = dy GELU'(z) it writes dpre = gamma∘g, dgamma = column sums of g∘pre and
// dbeta = column sums of g. nil gamma is ones, nil beta zeros; nil dgamma or dbeta is
// left out. It gives the bytes that ScaleShift, GELUBackward and ScaleShiftBackward give
// one after another. dpre may be dy or pre.
func ScaleShiftGELUBackward(dpre, dy, pre Matrix, gamma, beta, dgamma, dbeta []float32) {
	pre.check("pre")
	dy.checkShape("dy", pre.Rows, pre.Cols)
	dpre.checkShape("dpre", pre.Rows, pre.Cols)
	checkLenOrNil("gamma", gamma, pre.Cols)
	checkLenOrNil("beta", beta, pre.Cols)
	checkLenOrNil("dgamma", dgamma, pre.Cols)
	checkLenOrNil("dbeta", dbeta, pre.Cols)
	p := currentPath()
	if p == portable || pre.Cols == 0 || pre.Rows == 0 {
		refScaleShiftGELUBackward(dpre, dy, pre, gamma, beta, dgamma, dbeta)
		return
	}
	room := borrow(2 * pre.Cols)
	defer room.giveBack()
	if dgamma == nil {
		dgamma = room.data[:pre.Cols]
	}
	if dbeta == nil {
		dbeta = room.data[pre.Cols:][:pre.Cols]
	}
	clear(dgamma)
	clear(dbeta)
	c := columns{path: p, dx: dpre, dy: dy, x: pre, gamma: gamma, beta: beta, dgamma: dgamma, dbeta: dbeta}
	sharedColumns.parallelCols(pre.Rows, pre.Cols, c, func(c columns, lo, hi int) {
		for i := range c.x.Rows {
			for j := lo; j < hi; j += rowPiece {
				k := min(j+rowPiece, hi)
				scaleShiftGELUBackRow(c.path, c.dx.row(i)[j:k], c.dy.row(i)[j:k], c.x.row(i)[j:k],
					part(c.gamma, j, k), part(c.beta, j, k), c.dgamma[j:k], c.dbeta[j:k])
			}
		}
	})
}

// scaleShiftGELUBackRow does rowPiece columns of a row at most, and adds to the sums.
func scaleShiftGELUBackRow(p cpuPath, dpre, dy, pre, gamma, beta, dgamma, dbeta []float32) {
	if p == avx512 && gamma != nil && beta != nil {
		scaleShiftGELUBackAVX512(&dpre[0], &dy[0], &pre[0], &gamma[0], &beta[0], &dgamma[0], &dbeta[0], len(pre))
		return
	}
	var room [rowPiece]float32
	g := room[:len(pre)]
	scaleShiftRow(p, g, pre, gamma, beta)
	geluBackRow(p, g, dy, g)
	fmaAVX2(&dgamma[0], &g[0], &pre[0], len(g))
	addAVX2(&dbeta[0], &dbeta[0], &g[0], len(g))
	if gamma == nil {
		copy(dpre, g)
		return
	}
	mulAVX2(&dpre[0], &g[0], &gamma[0], len(g))
}
