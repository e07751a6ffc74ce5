package kernel

// refLinearFused is every pass of LinearFused on its own, the product in float64.
func refLinearFused(y, x, w Matrix, e Epilogue) {
	pre := Mat(make([]float32, y.Rows*y.Cols), y.Rows, y.Cols)
	fillRows(pre, e.Bias, false)
	refProduct(pre, x.view(), w.view().t(), e.Bias != nil)
	for i := range y.Rows {
		if e.Pre.Data != nil {
			copy(e.Pre.row(i), pre.row(i))
		}
	}
	refScaleShift(pre, pre, e.Gamma, e.Beta)
	if e.GELU {
		refGELU(pre.Data, pre.Data)
	}
	for i := range y.Rows {
		if e.Residual.Data == nil {
			copy(y.row(i), pre.row(i))
			continue
		}
		refAdd(y.row(i), pre.row(i), e.Residual.row(i))
	}
}

func refScaleShiftGELU(y, pre Matrix, gamma, beta []float32) {
	refScaleShift(y, pre, gamma, beta)
	for i := range y.Rows {
		refGELU(y.row(i), y.row(i))
	}
}

func refScaleShiftGELUBackward(dpre, dy, pre Matrix, gamma, beta, dgamma, dbeta []float32) {
	g := Mat(make([]float32, pre.Rows*pre.Cols), pre.Rows, pre.Cols)
	refScaleShift(g, pre, gamma, beta)
	for i := range g.Rows {
		refGELUBackward(g.row(i), dy.row(i), g.row(i))
	}
	refScaleShiftBackward(dpre, g, pre, gamma, dgamma, dbeta)
}
