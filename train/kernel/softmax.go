package kernel

import "math"

// softmaxRows turns each row x of p into exp(scale x)/sum, in place. The stride
// holds whole vectors of 8, and columns up to the next multiple of 8 may
// be overwritten. A probability below about 1e-38 is zero.
func softmaxRows(p Matrix, scale float32) {
	switch currentPath() {
	case avx512:
		_ = p.row(p.Rows - 1)
		softmaxAVX512(&p.Data[0], 4*p.Stride, p.Rows, p.Cols, scale)
	case avx2:
		whole := fillPad(p, float32(math.Inf(-1)))
		softmaxAVX2(&p.Data[0], 4*p.Stride, p.Rows, whole, scale)
	default:
		for i := range p.Rows {
			softmaxRow(p.row(i), float64(scale))
		}
	}
}

func softmaxRow(row []float32, scale float64) {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v))
	}
	var sum float64
	for j, v := range row {
		e := math.Exp((float64(v) - top) * scale)
		row[j] = float32(e)
		sum += e
	}
	for j := range row {
		row[j] = float32(float64(row[j]) / sum)
	}
}

// softmaxBackRows turns dp, the gradient of the probabilities p, into that of the
// values softmaxRows was given: scale p (dp - sum(p dp)), in place. The columns of
// padding are as for softmaxRows.
func softmaxBackRows(dp, p Matrix, scale float32) {
	switch currentPath() {
	case avx512:
		_, _ = p.row(p.Rows-1), dp.row(p.Rows-1)
		softmaxBackAVX512(&dp.Data[0], &p.Data[0], 4*p.Stride, p.Rows, p.Cols, scale)
	case avx2:
		whole := fillPad(dp, 0)
		softmaxBackAVX2(&dp.Data[0], &p.Data[0], 4*p.Stride, p.Rows, whole, scale)
	default:
		for i := range p.Rows {
			softmaxBackRow(dp.row(i), p.row(i), float64(scale))
		}
	}
}

func softmaxBackRow(dp, p []float32, scale float64) {
	var dot float64
	for j := range dp {
		dot += float64(dp[j]) * float64(p[j])
	}
	for j := range dp {
		dp[j] = float32(float64(p[j]) * (float64(dp[j]) - dot) * scale)
	}
}

// fillPad sets the columns of padding and returns the width with them.
func fillPad(p Matrix, v float32) int {
	whole := (p.Cols + 7) &^ 7
	_ = p.Data[(p.Rows-1)*p.Stride+whole-1]
	for i := 0; i < p.Rows && whole > p.Cols; i++ {
		pad := p.Data[i*p.Stride+p.Cols : i*p.Stride+whole]
		for j := range pad {
			pad[j] = v
		}
	}
	return whole
}
