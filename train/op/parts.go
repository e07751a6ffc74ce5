package op

import "github.com/mcil/mcil/train/kernel"

// Scratch is memory that the layers of one graph share while one of them runs. Nothing in it outlives a call, but for
// what [Attention.Mean] and [Attention.Probabilities] read.
type Scratch struct {
	// ForwardOnly says that the graph is never differentiated: what a layer would keep for its derivative lies here too.
	ForwardOnly bool
	// KeepAttention says that in a forward-only graph as well each attention keeps what its probabilities come from.
	KeepAttention bool

	slots [][]float32
}

// Slots of a forward-only graph: what a layer keeps elsewhere. The last one is written by attention alone.
const (
	slotNormed = iota
	slotMixed
	slotRaised
	slotActive
	slotProjected
)

// keep is memory for what a layer keeps for its derivative, n values; nil where there is none to come.
func (s *Scratch) keep(n int) []float32 {
	if s.ForwardOnly {
		return nil
	}
	return make([]float32, n)
}

// kept is what [Scratch.keep] gave as a matrix, or else a slot.
func (s *Scratch) kept(own []float32, slot, rows, cols int) kernel.Matrix {
	if own == nil {
		return s.rows(slot, rows, cols)
	}
	return kernel.Mat(own[:rows*cols], rows, cols)
}

// rows returns slot i as a matrix, grown as needed. Its content is undefined.
func (s *Scratch) rows(i, rows, cols int) kernel.Matrix {
	for len(s.slots) <= i {
		s.slots = append(s.slots, nil)
	}
	if len(s.slots[i]) < rows*cols {
		s.slots[i] = make([]float32, rows*cols)
	}
	return kernel.Mat(s.slots[i][:rows*cols], rows, cols)
}

// scaleShift is SSF's y = gamma * x + beta per channel, or nothing where gamma is nil
// (Lian et al., "Scaling & Shifting Your Features", NeurIPS 2022, eq. 3).
type scaleShift struct{ gamma, beta []float32 }

// backward fills ds and then overwrites dy with the gradient by pre.
func (s scaleShift) backward(dy, pre kernel.Matrix, ds scaleShift) {
	kernel.ScaleShiftBackward(kernel.Matrix{}, dy, pre, s.gamma, ds.gamma, ds.beta)
	kernel.ScaleShift(dy, dy, s.gamma, nil)
}

// linear is y = scaleShift(x Wᵀ + b); W is [out, in]. What its derivative needs is kept in pre.
type linear struct {
	in, out int
	pre     []float32 // [N, out] before scale and shift; nil where there is none or no derivative
}

func newLinear(s *Scratch, in, out, maxRows int, tuned bool) linear {
	l := linear{in: in, out: out}
	if tuned {
		l.pre = s.keep(maxRows * out)
	}
	return l
}

func (l *linear) forward(y, x kernel.Matrix, w, b []float32, s scaleShift) {
	weight := kernel.Mat(w, l.out, l.in)
	if s.gamma == nil {
		kernel.Linear(y, x, weight, b)
		return
	}
	pre := y
	if l.pre != nil {
		pre = kernel.Mat(l.pre[:x.Rows*l.out], x.Rows, l.out)
	}
	kernel.Linear(pre, x, weight, b)
	kernel.ScaleShift(y, pre, s.gamma, s.beta)
}

// backward overwrites dy with the gradient before scale and shift, and fills dx, dw, db, ds where they are not nil.
func (l *linear) backward(dx kernel.Matrix, dw, db []float32, ds scaleShift, dy, x kernel.Matrix, w []float32, s scaleShift) {
	if s.gamma != nil {
		s.backward(dy, kernel.Mat(l.pre[:x.Rows*l.out], x.Rows, l.out), ds)
	}
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

// norm is y = scaleShift(LayerNorm(x)).
type norm struct {
	width      int
	eps        float32
	mean, rstd []float32 // [N]
	pre        []float32 // [N, width] before scale and shift; nil where there is none or no derivative
}

func newNorm(s *Scratch, width, maxRows int, eps float32, tuned bool) norm {
	n := norm{width: width, eps: eps, mean: make([]float32, maxRows), rstd: make([]float32, maxRows)}
	if tuned {
		n.pre = s.keep(maxRows * width)
	}
	return n
}

func (n *norm) forward(y, x kernel.Matrix, w, b []float32, s scaleShift) {
	if s.gamma == nil {
		kernel.LayerNorm(y, x, w, b, n.eps, n.mean[:x.Rows], n.rstd[:x.Rows])
		return
	}
	pre := y
	if n.pre != nil {
		pre = kernel.Mat(n.pre[:x.Rows*n.width], x.Rows, n.width)
	}
	kernel.LayerNorm(pre, x, w, b, n.eps, n.mean[:x.Rows], n.rstd[:x.Rows])
	kernel.ScaleShift(y, pre, s.gamma, s.beta)
}

// backward overwrites dy with the gradient before scale and shift and fills dx, dw, db, ds where they are not nil.
func (n *norm) backward(dx kernel.Matrix, dw, db []float32, ds scaleShift, dy, x kernel.Matrix, w []float32, s scaleShift) {
	if s.gamma != nil {
		s.backward(dy, kernel.Mat(n.pre[:x.Rows*n.width], x.Rows, n.width), ds)
	}
	kernel.LayerNormBackward(dx, dy, x, w, n.mean[:x.Rows], n.rstd[:x.Rows], dw, db)
}

// pair is the scale and shift at inputs i and i+1, or none where a layer is not tuned. It serves gradients as well.
func pair(in [][]float32, i int) scaleShift {
	if i+1 >= len(in) {
		return scaleShift{}
	}
	return scaleShift{in[i], in[i+1]}
}
