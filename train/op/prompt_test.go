package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gorgonia.org/tensor"
)

// drawn are so many values from N(0, 1).
func drawn(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func TestPromptGradients(t *testing.T) {
	const d, heads, length, classes, pool, eps = 8, 2, 2, 4, 5, 1e-5
	m := func(r, c int) input { return input{shape: tensor.Shape{r, c}} }
	v := func(n int) input { return input{shape: tensor.Shape{n}} }
	fixed := func(in input) input { in.skip = true; return in }
	p := testPacking()
	batch, rows := func() int { return len(p.Seqs) }, p.Rows
	s := &Scratch{}
	q := drawn(rand.New(rand.NewPCG(3, 4)), 3*d)
	two := &Prompting{Queries: q, Chosen: []int32{0, 3, 3, 1, 1, 0}, Top: 2}
	one := &Prompting{Queries: q, Chosen: []int32{3, 1, 3}, Top: 1, From: 0, To: 4}
	later := &Prompting{Queries: q, From: 2, To: 4}

	longer := testPacking()
	longer.Prompts = two.Top * length
	longer.Reset()
	for i, of := range p.Seqs {
		longer.Add(p.TokenIDs[of.FirstToken:][:of.Text], p.TokenPos[of.FirstToken:][:of.Text], p.PatchPos[of.FirstPatch:][:of.Patches], of.GridH, of.GridW, p.Labels[i])
	}
	weights := []input{fixed(input{shape: tensor.Shape{d}, mean: 1}), fixed(v(d)), fixed(m(3*d, d)), fixed(v(3 * d)), fixed(m(d, d)), fixed(v(d))}
	prefixed := append(append([]input{m(p.MaxRows(), d)}, weights...), m(p.MaxBatch, 2*length*d))
	first := slices.Clone(prefixed)
	first[0] = fixed(first[0])
	for _, c := range []struct {
		name   string
		layer  Layer
		rows   func() int
		inputs []input
	}{
		{"prepend", NewPrepend(longer, two, d), longer.Rows, []input{m(longer.MaxRows(), d), m(pool, length*d)}},
		{"prompts only", NewPromptsOnly(longer, d), longer.PromptRows().Rows, []input{m(longer.MaxRows(), d)}},
		{"mean of prompts", NewPromptMean(longer, d, eps), batch, []input{m(longer.PromptRows().MaxRows(), d), fixed(v(d)), fixed(v(d))}},
		{"keys", NewKeyed(p, two, classes, d, 1.5), batch, []input{m(p.MaxBatch, classes), m(pool, d)}},
		{"chosen", NewChosen(p, one, 6, false), batch, []input{m(pool, 6)}},
		{"shared", NewChosen(p, nil, 6, true), batch, []input{m(1, 6)}},
		{"components", NewComponents(p, one, 4, d, 6), batch, []input{m(4, 6), m(4, d), m(4, d)}},
		{"attention with prefixes", NewPrefixAttention(p, s, d, heads, length, eps), rows, prefixed},
		{"attention with prefixes alone", NewPrefixAttention(p, s, d, heads, length, eps), rows, first},
	} {
		t.Run(c.name, func(t *testing.T) { checkGradients(t, c.layer, c.rows, c.inputs) })
	}

	t.Run("older components are frozen", func(t *testing.T) {
		layer := NewComponents(p, later, 5, d, 6)
		layer.reserve([]bool{true, true, true})
		rng := rand.New(rand.NewPCG(5, 6))
		in := [][]float32{drawn(rng, 5*6), drawn(rng, 5*d), drawn(rng, 5*d)}
		out := make([]float32, p.MaxBatch*6)
		layer.Forward(out, in)
		din := [][]float32{drawn(rng, 5*6), drawn(rng, 5*d), drawn(rng, 5*d)}
		layer.Backward(din, drawn(rng, p.MaxBatch*6), in)
		for i, width := range []int{6, d, d} {
			for k := range 5 {
				row := din[i][k*width : (k+1)*width]
				learned := k >= later.From && k < later.To
				if slices.ContainsFunc(row, func(g float32) bool { return g != 0 }) != learned {
					t.Errorf("input %d: the gradient of component %d is %v", i, k, row)
				}
			}
		}
	})
}

// TestPrefixAttention holds the layer to softmax(q [Pk; k]) [Pv; v] written out in float64: keys are keys and values are values
// for every sequence of a batch, whatever its place in it.
func TestPrefixAttention(t *testing.T) {
	const d, heads, length, eps = 8, 2, 3, 1e-5
	p := testPacking()
	rng := rand.New(rand.NewPCG(1, 2))
	in := [][]float32{drawn(rng, p.MaxRows()*d), drawn(rng, d), drawn(rng, d), drawn(rng, 3*d*d), drawn(rng, 3*d), drawn(rng, d*d), drawn(rng, d), drawn(rng, p.MaxBatch*2*length*d)}
	layer := NewPrefixAttention(p, &Scratch{}, d, heads, length, eps)
	layer.reserve(slices.Repeat([]bool{true}, len(in)))
	out := make([]float32, p.MaxRows()*d)
	layer.Forward(out, in)
	probs, mean := layer.Probabilities(nil), layer.Mean(nil)
	for i := range p.Seqs {
		lo, n := p.Offsets[i], p.Offsets[i+1]-p.Offsets[i]
		qkv := make([][]float64, n)
		for r := range n {
			qkv[r] = projected(in, in[0][(lo+r)*d:(lo+r+1)*d])
		}
		prefix := in[attentionPrefix][i*2*length*d:]
		means := make([]float64, n*n)
		for r := range n {
			mixed := make([]float64, d)
			for h := range heads {
				at := h * d / heads
				var scores []float64
				var values [][]float64
				add := func(key, value []float64) {
					var s float64
					for c, k := range key {
						s += qkv[r][at+c] * k
					}
					scores, values = append(scores, s/math.Sqrt(d/heads)), append(values, value)
				}
				for k := range length {
					add(wide(prefix[k*d+at:][:d/heads]), wide(prefix[(length+k)*d+at:][:d/heads]))
				}
				for k := range n {
					add(qkv[k][d+at:][:d/heads], qkv[k][2*d+at:][:d/heads])
				}
				var sum float64
				for k := range scores {
					scores[k] = math.Exp(scores[k])
					sum += scores[k]
				}
				for k, v := range values {
					for c := range v {
						mixed[at+c] += scores[k] / sum * v[c]
					}
				}
				for k := range n {
					want := scores[length+k] / sum
					if got := probs[(h*n+r)*n+k]; math.Abs(float64(got)-want) > 1e-5 {
						t.Fatalf("sequence %d head %d: row %d looks at %d by %g, not %g", i, h, r, k, got, want)
					}
					means[r*n+k] += want / heads
				}
			}
			for c := range d {
				want := float64(in[0][(lo+r)*d+c]) + float64(in[6][c])
				for k, v := range mixed {
					want += v * float64(in[5][c*d+k])
				}
				if got := out[(lo+r)*d+c]; math.Abs(float64(got)-want) > 1e-4 {
					t.Fatalf("sequence %d row %d: %g, not %g", i, r, got, want)
				}
			}
		}
		for k, want := range means {
			if math.Abs(float64(mean[k])-want) > 1e-5 {
				t.Fatalf("sequence %d: the mean of pair %d is %g, not %g", i, k, mean[k], want)
			}
		}
		probs, mean = probs[heads*n*n:], mean[n*n:]
	}
}

func wide(v []float32) (w []float64) {
	for _, x := range v {
		w = append(w, float64(x))
	}
	return w
}

// projected is query, key and value of one row.
func projected(in [][]float32, x []float32) []float64 {
	d := len(x)
	var mean, variance float64
	for _, v := range x {
		mean += float64(v) / float64(d)
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(d)
	}
	qkv := wide(in[attentionQKVB])
	for c, v := range x {
		y := (float64(v)-mean)/math.Sqrt(variance+1e-5)*float64(in[1][c]) + float64(in[2][c])
		for r := range qkv {
			qkv[r] += y * float64(in[3][r*d+c])
		}
	}
	return qkv
}

// TestPrepend: prompts lie behind the first row, in the order chosen, and the embedding leaves room for them.
func TestPrepend(t *testing.T) {
	const d = 2
	p := &Packing{MaxBatch: 2, MaxText: 2, MaxPatches: 1, Prompts: 2}
	p.Reset()
	p.Add([]int32{1, 2}, []int32{0, 1}, []int32{0}, 1, 1, 0)
	p.Add([]int32{1}, []int32{0}, nil, 0, 0, 0)
	if !slices.Equal(p.Offsets, []int{0, 6, 10}) || p.MaxRows() != 12 {
		t.Fatalf("sequences are at %v of %d", p.Offsets, p.MaxRows())
	}
	x := make([]float32, p.MaxRows()*d)
	for i := range x {
		x[i] = float32(i)
	}
	out := make([]float32, len(x))
	layer := NewPrepend(p, &Prompting{Chosen: []int32{2, 0, 1, 2}, Top: 2}, d)
	pool := []float32{-1, -2, -3, -4, -5, -6}
	layer.Forward(out, [][]float32{x, pool})
	want := []float32{0, 1, -5, -6, -1, -2, 6, 7, 8, 9, 10, 11, 12, 13, -3, -4, -5, -6, 18, 19, 0, 0, 0, 0}
	if !slices.Equal(out, want) {
		t.Errorf("rows are %v", out)
	}
	only := make([]float32, p.PromptRows().MaxRows()*d)
	if NewPromptsOnly(p, d).Forward(only, [][]float32{out}); !slices.Equal(only, []float32{-5, -6, -1, -2, -3, -4, -5, -6}) {
		t.Errorf("the prompts are %v", only)
	}
	layer.Forward(x, [][]float32{x, pool})
	if !slices.Equal(x[:p.Rows()*d], want[:p.Rows()*d]) {
		t.Errorf("where they lie they are %v", x)
	}
}

func TestAngleOf(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want Angle
	}{
		{[]float32{3, 4}, []float32{6, 8}, Angle{1, 5, 10}}, {[]float32{1, 0}, []float32{1, 1}, Angle{math.Sqrt2 / 2, 1, math.Sqrt2}},
		{[]float32{1, 0}, []float32{-2, 0}, Angle{-1, 1, 2}}, {[]float32{0, 0}, []float32{1, 1}, Angle{0, 0, math.Sqrt2}},
	} {
		got := AngleOf(c.a, c.b)
		if math.Abs(got.Cos-c.want.Cos) > 1e-12 || math.Abs(got.A-c.want.A) > 1e-12 || math.Abs(got.B-c.want.B) > 1e-12 {
			t.Errorf("of %v and %v: %+v, not %+v", c.a, c.b, got, c.want)
		}
	}
}
