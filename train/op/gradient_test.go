package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// weighted is the test's loss: the sum of x times fixed random weights over the filled rows.
type weighted struct {
	shape   tensor.Shape
	rows    func() int
	weights []float32
}

func (w *weighted) Name() string           { return "weighted sum" }
func (w *weighted) OutShape() tensor.Shape { return tensor.Shape{} }
func (w *weighted) n() int {
	if w.shape.Dims() == 0 {
		return 1
	}
	return w.rows() * w.shape[1]
}

func (w *weighted) Forward(out []float32, in [][]float32) {
	var sum float64
	for i, x := range in[0][:w.n()] {
		sum += float64(x) * float64(w.weights[i])
	}
	out[0] = float32(sum)
}

func (w *weighted) Backward(din [][]float32, dout []float32, _ [][]float32) {
	for i := range w.n() {
		din[0][i] = dout[0] * w.weights[i]
	}
}

// testPacking holds three sequences: a full one, a masked one with gaps, and one with a single patch.
func testPacking() *Packing {
	p := &Packing{MaxBatch: 4, MaxText: 5, MaxPatches: 6}
	p.Reset()
	p.Add([]int32{1, 4, 2, 6, 3}, []int32{0, 1, 2, 3, 4}, []int32{0, 1, 2, 3, 4, 5}, 2, 3, 0)
	p.Add([]int32{1, 5, 3}, []int32{0, 2, 4}, []int32{1, 4}, 3, 2, 2)
	p.Add([]int32{1, 3}, []int32{0, 1}, []int32{0}, 1, 1, 1)
	return p
}

// input is one input of a layer under test.
type input struct {
	shape tensor.Shape
	mean  float64 // of its random values; norms' weights are near one
	skip  bool    // no derivative is defined
}

func TestGradients(t *testing.T) {
	const d, hidden, patch, grid, vocab, classes, eps = 8, 12, 5, 2, 7, 4, 1e-5
	m := func(r, c int) input { return input{shape: tensor.Shape{r, c}} }
	v := func(n int) input { return input{shape: tensor.Shape{n}} }
	near1 := func(n int) input { return input{shape: tensor.Shape{n}, mean: 1} }
	p := testPacking()
	p.Old, p.Teacher = 3, []float32{1, -2, 0.5, 0, 0, 3, -1, 2, 1}
	s := &Scratch{}
	rows := p.Rows
	batch := func() int { return len(p.Seqs) }
	pairs := func(widths ...int) (in []input) {
		for _, w := range widths {
			in = append(in, near1(w), v(w))
		}
		return in
	}
	with := func(in []input, more ...input) []input { return append(append([]input(nil), in...), more...) }

	embed := []input{{shape: tensor.Shape{p.MaxBatch * p.MaxPatches, patch}, skip: true}, m(vocab, d), m(5, d), m(2, d), near1(d), v(d), m(2, d), m(d, patch), v(d), m(1, d), m(1+grid*grid, d)}
	attention := []input{m(p.MaxRows(), d), near1(d), v(d), m(3*d, d), v(3 * d), m(d, d), v(d)}
	mlp := []input{m(p.MaxRows(), d), near1(d), v(d), m(hidden, d), v(hidden), m(d, hidden), v(d)}
	firstMLP := with([]input{m(p.MaxBatch, d)}, mlp[1:]...)
	p.Noise = 9
	adapter := []input{m(3, d), v(3), m(d, 3), v(d)}
	pool := []input{m(p.MaxBatch, d), near1(d), v(d), m(d, d), v(d)}
	for _, c := range []struct {
		name   string
		layer  Layer
		rows   func() int
		inputs []input
	}{
		{"embed", NewEmbed(p, s, d, patch, grid, eps), rows, embed},
		{"embed tuned", NewEmbed(p, s, d, patch, grid, eps), rows, with(embed, pairs(d)...)},
		{"attention", NewAttention(p, s, d, 2, eps), rows, attention},
		{"attention tuned", NewAttention(p, s, d, 2, eps), rows, with(attention, pairs(d, 3*d, d)...)},
		{"first", NewFirst(p, d), batch, []input{m(p.MaxRows(), d)}},
		{"attention of first rows", NewFirstAttention(p, s, d, 2, eps), batch, attention},
		{"attention of first rows tuned", NewFirstAttention(p, s, d, 2, eps), batch, with(attention, pairs(d, 3*d, d)...)},
		{"mlp", NewMLP(p, s, d, hidden, eps), rows, mlp},
		{"mlp tuned", NewMLP(p, s, d, hidden, eps), rows, with(mlp, pairs(d, hidden, d)...)},
		{"mlp of first rows", NewMLP(p.First(), s, d, hidden, eps), batch, firstMLP},
		{"mlp of first rows tuned", NewMLP(p.First(), s, d, hidden, eps), batch, with(firstMLP, pairs(d, hidden, d)...)},
		{"mlp and adapter", NewAdaptedMLP(NewMLP(p, s, d, hidden, eps), p, Adapter{Width: 3, Scale: 0.7}), rows, with(mlp, adapter...)},
		{"mlp and wide adapter of first rows, tuned and dropped", NewAdaptedMLP(NewMLP(p.First(), s, d, hidden, eps), p, Adapter{Width: 20, Scale: 0.7, Dropout: 0.4, Block: 3}), batch,
			with(with(firstMLP, pairs(d, hidden, d)...), m(20, d), v(20), m(d, 20), v(d))},
		{"pool", NewPool(p, s, d, eps), batch, pool},
		{"pool tuned", NewPool(p, s, d, eps), batch, with(pool, pairs(d)...)},
		{"classify", NewClassify(p, d, classes), batch, []input{m(p.MaxBatch, d), m(classes, d), v(classes)}},
		{"cross-entropy", NewCrossEntropy(p, classes), batch, []input{m(p.MaxBatch, classes)}},
		{"distillation", NewDistilled(p, classes, 1.5, 2), batch, []input{m(p.MaxBatch, classes)}},
		{"cosine", NewCosine(p, d, classes), batch, []input{m(p.MaxBatch, d), m(classes, d), near1(1)}},
		{"norm and gelu", NewNormGELU(p, d, eps), batch, []input{m(p.MaxBatch, d), near1(d), v(d)}},
	} {
		t.Run(c.name, func(t *testing.T) { checkGradients(t, c.layer, c.rows, c.inputs) })
	}
}

// checkGradients compares the symbolic derivative by every input, run by a TapeMachine, with central differences of the
// forward pass. Float32 noise in the loss is about 1e-6, so a step of 1e-2 leaves errors of about 1e-4 beside gradients
// of the order of one; the tolerance is 1e-2 of the largest gradient of the input.
func checkGradients(t *testing.T, layer Layer, rows func() int, inputs []input) {
	rng := rand.New(rand.NewPCG(7, 8))
	g := gorgonia.NewGraph()
	var wanted gorgonia.Nodes
	var args []Input
	var values [][]float32
	for i, in := range inputs {
		value := make([]float32, in.shape.TotalSize())
		for j := range value {
			value[j] = float32(in.mean + 0.5*rng.NormFloat64())
		}
		n := gorgonia.NewTensor(g, tensor.Float32, in.shape.Dims(), gorgonia.WithShape(in.shape...), gorgonia.WithName(fmt.Sprint("in", i)),
			gorgonia.WithValue(tensor.New(tensor.WithShape(in.shape...), tensor.WithBacking(value))))
		values = append(values, value)
		args = append(args, Input{n, !in.skip})
		if !in.skip {
			wanted = append(wanted, n)
		}
	}
	out, err := Apply(layer, args...)
	if err != nil {
		t.Fatal(err)
	}
	sum := &weighted{shape: layer.OutShape(), rows: rows, weights: make([]float32, max(1, layer.OutShape().TotalSize()))}
	for i := range sum.weights {
		sum.weights[i] = float32(rng.NormFloat64())
	}
	loss, err := Apply(sum, Input{out, true})
	if err != nil {
		t.Fatal(err)
	}
	grads, err := gorgonia.Grad(loss, wanted...)
	if err != nil {
		t.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	var got [][]float32
	for _, n := range grads {
		got = append(got, append([]float32(nil), data(n.Value())...))
	}
	buffer, scalar := make([]float32, max(1, layer.OutShape().TotalSize())), make([]float32, 1)
	at := func() float64 {
		layer.Forward(buffer, values)
		sum.Forward(scalar, [][]float32{buffer})
		return float64(scalar[0])
	}
	k := -1
	for i, in := range inputs {
		if in.skip {
			continue
		}
		k++
		var worst, largest float64
		for j := range values[i] {
			const step = 1e-2
			old := values[i][j]
			values[i][j] = old + step
			up := at()
			values[i][j] = old - step
			down := at()
			values[i][j] = old
			want := (up - down) / (2 * step)
			if unused := want == 0 && up == down; unused && in.shape.Dims() == 2 && i == 0 {
				continue // rows beyond the batch are not written
			}
			worst = max(worst, math.Abs(want-float64(got[k][j])))
			largest = max(largest, math.Abs(want))
		}
		if worst > 1e-2*largest+1e-4 {
			t.Errorf("input %d %v: gradient off by %.2g, largest is %.2g", i, in.shape, worst, largest)
		} else {
			t.Logf("input %d %v: off by %.2g of %.2g", i, in.shape, worst, largest)
		}
	}
}

func TestRowsBeyondTheBatchAreNotTouched(t *testing.T) {
	p, s := testPacking(), &Scratch{}
	layer := NewMLP(p, s, 4, 8, 1e-5)
	in := [][]float32{make([]float32, p.MaxRows()*4), make([]float32, 4), make([]float32, 4), make([]float32, 32), make([]float32, 8), make([]float32, 32), make([]float32, 4)}
	out := make([]float32, p.MaxRows()*4)
	for i := range out {
		out[i] = 42
	}
	layer.Forward(out, in)
	for i, v := range out[p.Rows()*4:] {
		if v != 42 {
			t.Fatalf("value %d beyond the %d rows of the batch became %g", i, p.Rows(), v)
		}
	}
}
