package kernel

import (
	"fmt"
	"math"
)

// SoftmaxCrossEntropy returns the mean over the B rows of logits (B, K) of
// -log softmax(row)[label], where only the first active columns compete; active 0
// means all K. dlogits receives (p-onehot)/B, zero in the columns that do not
// compete; with nil Data it is left out. dlogits may be logits. A label that does
// not compete is the caller's mistake. No rows: 0.
func SoftmaxCrossEntropy(dlogits, logits Matrix, labels []int32, active int) float32 {
	logits.check("logits")
	if dlogits.Data != nil {
		dlogits.checkShape("dlogits", logits.Rows, logits.Cols)
	}
	if active == 0 {
		active = logits.Cols
	}
	if active < 0 || active > logits.Cols {
		panic(fmt.Sprintf("kernel: %d active classes of %d", active, logits.Cols))
	}
	if len(labels) != logits.Rows {
		panic(fmt.Sprintf("kernel: %d labels for %d rows", len(labels), logits.Rows))
	}
	for i, l := range labels {
		if l < 0 || int(l) >= active {
			panic(fmt.Sprintf("kernel: label %d of row %d is not among the %d active classes", l, i, active))
		}
	}
	if logits.Rows == 0 {
		return 0
	}
	var loss float64
	for i := range logits.Rows {
		var grad []float32
		if dlogits.Data != nil {
			grad = dlogits.row(i)
		}
		loss += crossEntropyRow(grad, logits.row(i)[:active], int(labels[i]), float64(logits.Rows))
	}
	return float32(loss / float64(logits.Rows))
}

// crossEntropyRow is float64 throughout: B and K are small here, and the loss is
// the number people read. The exponentials are computed twice so that grad may
// be the row itself.
func crossEntropyRow(grad, row []float32, label int, batch float64) float64 {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v))
	}
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	loss := math.Log(sum) + top - float64(row[label])
	if grad == nil {
		return loss
	}
	for j, v := range row {
		p := math.Exp(float64(v)-top) / sum
		if j == label {
			p--
		}
		grad[j] = float32(p / batch)
	}
	clear(grad[len(row):])
	return loss
}
