package op

import "github.com/mcil/mcil/train/kernel"

// Scratch is memory that the layers of one graph share while one of them runs. Nothing in it outlives a call, but for
// what [Attention.Mean] and [Attention.Probabilities] read.
type Scratch struct {
	// ForwardOnly says that the graph is never differentiated: nothing is kept for a derivative.
	ForwardOnly bool
	// KeepAttention says that in a forward-only graph as well each attention keeps what its probabilities come from.
	KeepAttention bool
	// ForgetAttention says that a graph that is differentiated computes the probabilities of attention again instead of
	// keeping them.
	ForgetAttention bool
	// Beside, if not nil, is the scratch of another graph, which never runs at the same time: its memory is used.
	Beside *Scratch

	slots [slots]slot
}

// slot is one buffer. Its room is known when the graph is built, and taken when it is first used, so that a step takes none.
type slot struct {
	room int // values
	data []float32
}

// Slots of a scratch; D is the width, M the hidden one. What a layer has in a slot is gone when another layer runs, but for
// slotProjected, which attention alone writes.
const (
	slotGrad      = iota // [N,D] a gradient
	slotGrad2            // [N,D] another
	slotNormed           // [N,D] a norm's output, before or after its scale and shift
	slotMixed            // [N,D] attention's output
	slotProjected        // [N,3D] query, key and value
	slotWide             // [N,M] the MLP's hidden rows
	slotWideGrad         // [N,3D] or [N,M] their gradient
	slots
)

// reserve says that a layer will ask for n values of slot i.
func (s *Scratch) reserve(i, n int) {
	if s.Beside != nil {
		s.Beside.reserve(i, n)
		return
	}
	s.slots[i].room = max(s.slots[i].room, n)
}

// rows returns slot i as a matrix. Its content is undefined.
func (s *Scratch) rows(i, rows, cols int) kernel.Matrix {
	if s.Beside != nil {
		return s.Beside.rows(i, rows, cols)
	}
	m := &s.slots[i]
	if len(m.data) < rows*cols {
		m.data = make([]float32, max(m.room, rows*cols))
	}
	return kernel.Mat(m.data[:rows*cols], rows, cols)
}

// Bytes is the memory of all slots together, as far as the layers that were put into graphs have asked for it; 0 where it is
// another scratch's.
func (s *Scratch) Bytes() (n int64) {
	for _, m := range s.slots {
		n += 4 * int64(max(m.room, len(m.data)))
	}
	return n
}

// keep makes *own n values long and returns n.
func keep(own *[]float32, n int) int {
	*own = make([]float32, n)
	return n
}

// kept is own as a matrix, or else a slot.
func (s *Scratch) kept(own []float32, slot, rows, cols int) kernel.Matrix {
	if own == nil {
		return s.rows(slot, rows, cols)
	}
	return kernel.Mat(own[:rows*cols], rows, cols)
}

// scaleShift is SSF's y = gamma * x + beta per channel, or nothing where gamma is nil
// (Lian et al., "Scaling & Shifting Your Features", NeurIPS 2022, eq. 3).
type scaleShift struct{ gamma, beta []float32 }

// backward fills ds, and dst with the gradient by pre, which it returns: dy itself where there is nothing to scale. dst may be
// dy.
func (s scaleShift) backward(dst, dy, pre kernel.Matrix, ds scaleShift) kernel.Matrix {
	if s.gamma == nil {
		return dy
	}
	kernel.ScaleShiftBackward(dst, dy, pre, s.gamma, ds.gamma, ds.beta)
	return dst
}

// linear is y = scaleShift(x Wᵀ + b); W is [out, in].
type linear struct {
	in, out int
	pre     []float32 // [N, out] before scale and shift, where the derivative reads it
}

// forward fills y and, where it is kept, pre. What then says of bias, scale and shift, and of pre, is filled in here.
func (l *linear) forward(y, x kernel.Matrix, w, b []float32, s scaleShift, then kernel.Epilogue) {
	then.Bias, then.Gamma, then.Beta = b, s.gamma, s.beta
	if l.pre != nil {
		then.Pre = l.before(x.Rows)
	}
	kernel.LinearFused(y, x, kernel.Mat(w, l.out, l.in), then)
}

// before is pre of the last batch, of so many rows; where it is not kept, nothing.
func (l *linear) before(rows int) kernel.Matrix {
	if l.pre == nil {
		return kernel.Matrix{}
	}
	return kernel.Mat(l.pre[:rows*l.out], rows, l.out)
}

// backward is maps, after the way back through scale and shift: it fills ds, and between is memory for the gradient before
// them. It may be dy.
func (l *linear) backward(dx kernel.Matrix, dw, db []float32, ds scaleShift, dy, between, x kernel.Matrix, w []float32, s scaleShift) {
	l.maps(dx, dw, db, s.backward(between, dy, l.before(dy.Rows), ds), x, w)
}

// maps fills dx, dw and db where they are not nil, from the gradient before scale and shift. x is read for dw alone.
func (l *linear) maps(dx kernel.Matrix, dw, db []float32, dy, x kernel.Matrix, w []float32) {
	if dw != nil {
		kernel.MatMulTN(kernel.Mat(dw, l.out, l.in), dy, x, false)
	}
	if db != nil {
		kernel.ColSum(db, dy)
	}
	if dx.Data != nil {
		kernel.MatMul(dx, dy, kernel.Mat(w, l.out, l.in), false)
	}
}

// norm is y = scaleShift(LayerNorm(x)). Its rows cost less to compute again than to keep.
type norm struct {
	width      int
	eps        float32
	mean, rstd []float32 // [N]
}

func newNorm(width, maxRows int, eps float32) norm {
	return norm{width: width, eps: eps, mean: make([]float32, maxRows), rstd: make([]float32, maxRows)}
}

func (n *norm) forward(y, x kernel.Matrix, w, b []float32, s scaleShift) {
	kernel.LayerNorm(y, x, w, b, n.eps, n.mean[:x.Rows], n.rstd[:x.Rows])
	if s.gamma != nil {
		kernel.ScaleShift(y, y, s.gamma, s.beta)
	}
}

// backward overwrites dy with the gradient before scale and shift, and fills dx, and dw, db, ds where they are not nil. What
// was scaled and shifted is computed again, into dx.
func (n *norm) backward(dx kernel.Matrix, dw, db []float32, ds scaleShift, dy, x kernel.Matrix, w, b []float32, s scaleShift) {
	if ds.gamma != nil {
		kernel.LayerNorm(dx, x, w, b, n.eps, nil, nil)
	}
	dy = s.backward(dy, dy, dx, ds)
	kernel.LayerNormBackward(dx, dy, x, w, n.mean[:x.Rows], n.rstd[:x.Rows], dw, db)
}

// pair is the scale and shift at inputs i and i+1, or none where a layer is not tuned. It serves gradients as well.
func pair(in [][]float32, i int) scaleShift {
	if i+1 >= len(in) {
		return scaleShift{}
	}
	return scaleShift{in[i], in[i+1]}
}
