package method

import (
	"math"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// tape is the reference with derivatives: what it computes it notes, and goes back through. Only what is tuned on a frozen
// encoder has a gradient. It follows the same description in float64, one example at a time, and shares nothing with the
// network but the parameters' names.
type tape struct {
	*reference
	grads map[string][]float64 // by the name of the parameter
	back  []func()             // of one example, in the order of going forward
}

// rows are values with the derivative of the loss by them, both [N][D].
type rows struct{ x, dx [][]float64 }

func newRows(x [][]float64) rows {
	r := rows{x: x}
	for _, row := range x {
		r.dx = append(r.dx, make([]float64, len(row)))
	}
	return r
}

// newTape trains a copy of n's parameters.
func newTape(n *Network) *tape {
	t := &tape{reference: newReference(n), grads: map[string][]float64{}}
	for _, p := range n.Trained() {
		t.grads[p.Name] = make([]float64, len(p.Data))
	}
	return t
}

// each applies f to every row.
func each(in rows, f func(row []float64) []float64) rows {
	var x [][]float64
	for _, row := range in.x {
		x = append(x, f(row))
	}
	return newRows(x)
}

// note has dx added to in's derivatives, given a row, what came of it, and the derivative by that.
func (t *tape) note(in, out rows, back func(x, y, dy []float64) (dx []float64)) rows {
	t.back = append(t.back, func() {
		for i := range in.x {
			for c, v := range back(in.x[i], out.x[i], out.dx[i]) {
				in.dx[i][c] += v
			}
		}
	})
	return out
}

func (t *tape) denseOf(name string, in rows) rows {
	w, dw, db := t.ps[name+".weight"], t.grads[name+".weight"], t.grads[name+".bias"]
	return t.note(in, each(in, func(row []float64) []float64 { return t.dense(name, row) }), func(x, _, dy []float64) []float64 {
		dx := make([]float64, len(x))
		for o, g := range dy {
			for i := range x {
				dx[i] += g * w[o*len(x)+i]
				if dw != nil {
					dw[o*len(x)+i] += g * x[i]
				}
			}
			if db != nil {
				db[o] += g
			}
		}
		return dx
	})
}

func (t *tape) tunedOf(place string, in rows) rows {
	out := each(in, func(row []float64) []float64 { return t.tuned(place, row) })
	return t.note(in, out, func(x, _, dy []float64) []float64 { return t.tunedBack(place, x, dy) })
}

func (t *tape) tunedBack(place string, x, dy []float64) []float64 {
	gamma, dgamma, dbeta := t.ps["ssf."+place+".gamma"], t.grads["ssf."+place+".gamma"], t.grads["ssf."+place+".beta"]
	dx := make([]float64, len(x))
	for i, g := range dy {
		dgamma[i] += g * x[i]
		dbeta[i] += g
		dx[i] = g * gamma[i]
	}
	return dx
}

// normOf: with y = (x - mean)/sigma, dx = (g - mean(g) - y mean(g y))/sigma for g = dy w.
func (t *tape) normOf(name string, in rows) rows {
	w := t.ps[name+".weight"]
	return t.note(in, each(in, func(row []float64) []float64 { return t.layerNorm(name, row) }), func(x, _, dy []float64) []float64 {
		n := float64(len(x))
		var mean, variance, meanG, meanGY float64
		for _, v := range x {
			mean += v / n
		}
		for _, v := range x {
			variance += (v - mean) * (v - mean) / n
		}
		sigma := math.Sqrt(variance + float64(t.c.Eps))
		for i, v := range x {
			meanG += dy[i] * w[i] / n
			meanGY += dy[i] * w[i] * (v - mean) / sigma / n
		}
		dx := make([]float64, len(x))
		for i, v := range x {
			dx[i] = (dy[i]*w[i] - meanG - (v-mean)/sigma*meanGY) / sigma
		}
		return dx
	})
}

func (t *tape) geluOf(in rows) rows {
	out := each(in, func(row []float64) []float64 {
		y := make([]float64, len(row))
		for i, v := range row {
			y[i] = v / 2 * (1 + math.Erf(v/math.Sqrt2))
		}
		return y
	})
	return t.note(in, out, func(x, _, dy []float64) []float64 {
		dx := make([]float64, len(x))
		for i, v := range x {
			dx[i] = dy[i] * ((1+math.Erf(v/math.Sqrt2))/2 + v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi))
		}
		return dx
	})
}

func (t *tape) tanhOf(in rows) rows {
	out := each(in, func(row []float64) []float64 {
		y := make([]float64, len(row))
		for i, v := range row {
			y[i] = math.Tanh(v)
		}
		return y
	})
	return t.note(in, out, func(_, y, dy []float64) []float64 {
		dx := make([]float64, len(y))
		for i, v := range y {
			dx[i] = dy[i] * (1 - v*v)
		}
		return dx
	})
}

func (t *tape) sumOf(a, b rows) rows {
	var x [][]float64
	for i := range a.x {
		x = append(x, plus(a.x[i], b.x[i]))
	}
	out := newRows(x)
	pass := func(_, _, dy []float64) []float64 { return dy }
	return t.note(b, t.note(a, out, pass), pass)
}

// attentionOf mixes the values of qkv, head by head.
func (t *tape) attentionOf(qkv rows) rows {
	n, d, heads := len(qkv.x), t.c.Width, t.c.Heads
	size := d / heads
	scale := 1 / math.Sqrt(float64(size))
	out := newRows(make([][]float64, n))
	for i := range n {
		out.x[i], out.dx[i] = make([]float64, d), make([]float64, d)
	}
	for h := range heads {
		q := func(x [][]float64, i int) []float64 { return x[i][h*size : (h+1)*size] }
		k := func(x [][]float64, i int) []float64 { return x[i][d+h*size : d+(h+1)*size] }
		v := func(x [][]float64, i int) []float64 { return x[i][2*d+h*size : 2*d+(h+1)*size] }
		probs := make([][]float64, n)
		for i := range n {
			var total float64
			for j := range n {
				p := math.Exp(scale * dot(q(qkv.x, i), k(qkv.x, j)))
				probs[i] = append(probs[i], p)
				total += p
			}
			for j := range n {
				probs[i][j] /= total
				axpy(q(out.x, i), probs[i][j], v(qkv.x, j))
			}
		}
		t.back = append(t.back, func() {
			for i := range n {
				dy := q(out.dx, i)
				var mean float64
				for j := range n {
					mean += probs[i][j] * dot(dy, v(qkv.x, j))
				}
				for j := range n {
					score := scale * probs[i][j] * (dot(dy, v(qkv.x, j)) - mean)
					axpy(q(qkv.dx, i), score, k(qkv.x, j))
					axpy(k(qkv.dx, j), score, q(qkv.x, i))
					axpy(v(qkv.dx, j), probs[i][j], dy)
				}
			}
		})
	}
	return out
}

func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func axpy(dst []float64, a float64, x []float64) {
	for i, v := range x {
		dst[i] += a * v
	}
}

// streamOf is what the first block reads: of it the patches alone hang on something tuned.
func (t *tape) streamOf(s dataset.Sample) rows {
	out := newRows(t.stream(s))
	t.back = append(t.back, func() {
		size := t.c.PatchSize()
		for i := range s.PatchPos {
			pixels := make([]float64, size)
			for j, v := range s.Pixels[i*size : (i+1)*size] {
				pixels[j] = float64(v)/127.5 - 1
			}
			t.tunedBack("patch", t.dense("embeddings.patch_embeddings.projection", pixels), out.dx[len(s.Tokens)+1+i])
		}
	})
	return out
}

func (t *tape) blockOf(name, place string, x rows) rows {
	mixed := t.attentionOf(t.tunedOf(place+"qkv", t.denseOf(name+"attention.attention.qkv", t.tunedOf(place+"norm1", t.normOf(name+"layernorm_before", x)))))
	x = t.sumOf(x, t.tunedOf(place+"proj", t.denseOf(name+"attention.output.dense", mixed)))
	raised := t.geluOf(t.tunedOf(place+"fc1", t.denseOf(name+"intermediate.dense", t.tunedOf(place+"norm2", t.normOf(name+"layernorm_after", x)))))
	return t.sumOf(x, t.tunedOf(place+"fc2", t.denseOf(name+"output.dense", raised)))
}

// differentiate returns the loss of a batch over the first active classes, and leaves its gradients in t.grads.
func (t *tape) differentiate(batch []dataset.Sample, active int) (loss float64) {
	for _, g := range t.grads {
		clear(g)
	}
	for _, s := range batch {
		t.back = t.back[:0]
		x := t.streamOf(s)
		for i := range t.c.Depth {
			x = t.blockOf(t.layer(i), t.place(i), x)
		}
		first := rows{x.x[:1], x.dx[:1]}
		feature := t.tanhOf(t.denseOf("pooler.dense", t.tunedOf("norm", t.normOf("layernorm", first))))
		logits := t.denseOf("head", feature)
		var total float64
		for _, v := range logits.x[0][:active] {
			total += math.Exp(v)
		}
		loss += (math.Log(total) - logits.x[0][s.Label]) / float64(len(batch))
		for k := range active {
			logits.dx[0][k] = math.Exp(logits.x[0][k]) / total / float64(len(batch))
		}
		logits.dx[0][s.Label] -= 1 / float64(len(batch))
		for _, back := range slices.Backward(t.back) {
			back()
		}
	}
	return loss
}

// adamW is algorithm 2 of Loshchilov and Hutter with ViLT's betas, on the reference's parameters. Matrices decay.
type adamW struct {
	step  int
	decay float64
	m, v  map[string][]float64
}

func (a *adamW) update(t *tape, rate float64) {
	a.step++
	if a.m == nil {
		a.m, a.v = map[string][]float64{}, map[string][]float64{}
	}
	for name, g := range t.grads {
		w := t.ps[name]
		if a.m[name] == nil {
			a.m[name], a.v[name] = make([]float64, len(w)), make([]float64, len(w))
		}
		m, v := a.m[name], a.v[name]
		decay := 0.0
		if strings.HasSuffix(name, ".weight") {
			decay = a.decay
		}
		for i := range w {
			m[i] = 0.9*m[i] + 0.1*g[i]
			v[i] = 0.98*v[i] + 0.02*g[i]*g[i]
			step := m[i] / (1 - math.Pow(0.9, float64(a.step))) / (math.Sqrt(v[i]/(1-math.Pow(0.98, float64(a.step)))) + 1e-8)
			w[i] -= rate*decay*w[i] + rate*step
		}
	}
}
