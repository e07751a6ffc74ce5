package op

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"unsafe"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Layer is a differentiable step over flat float32 slices in row-major order. A layer may keep what its derivative needs
// between Forward and the Backward that follows it.
type Layer interface {
	Name() string
	// OutShape is the capacity of the output: (rows, columns), or () for a scalar.
	OutShape() tensor.Shape
	// Forward fills the rows of out that the batch has.
	Forward(out []float32, in [][]float32)
	// Backward fills din[i], the gradient of the loss by in[i], where din[i] is not nil. Gradients of weights are
	// overwritten whole, gradients of rows only as far as the batch fills them.
	Backward(din [][]float32, dout []float32, in [][]float32)
}

// reserver is a layer that has memory beyond its output.
type reserver interface {
	// reserve is called once, when the layer is put into a graph: wanted says which inputs the loss is differentiated by.
	// The layer takes what its derivative reads, and reserves scratch. It returns how many values it keeps.
	reserve(wanted []bool) (kept int)
}

// Input is a node that a layer reads, and whether the loss is to be differentiated by it.
type Input struct {
	Node   *gorgonia.Node
	Wanted bool
}

// Apply adds layer to the graph of its inputs and returns the output node.
func Apply(layer Layer, inputs ...Input) (*gorgonia.Node, error) {
	return ApplyInto(nil, layer, inputs...)
}

// ApplyInto is [Apply] with the output in out, where it is not nil: outputs that are not read at the same time may share
// memory.
func ApplyInto(out []float32, layer Layer, inputs ...Input) (*gorgonia.Node, error) {
	f := &forward{layer: layer, out: newValue(layer.OutShape(), out)}
	nodes := make(gorgonia.Nodes, len(inputs))
	for i, in := range inputs {
		nodes[i] = in.Node
		f.wanted = append(f.wanted, in.Wanted)
		f.inShapes = append(f.inShapes, in.Node.Shape())
	}
	if r, ok := layer.(reserver); ok {
		f.kept = r.reserve(f.wanted)
	}
	f.types = types(append(slices.Clone(f.inShapes), layer.OutShape()))
	n, err := gorgonia.ApplyOp(f, nodes...)
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", layer.Name(), err)
	}
	return n, nil
}

// identity is what gorgonia calls hashing: Ops with equal hashes are merged into one node. Layers own buffers, so no two
// are equal; the address of the op tells them apart.
type identity struct{}

func writeHash(h hash.Hash, op gorgonia.Op) { fmt.Fprintf(h, "%T %p", op, op) }

func hashcode(op gorgonia.Op) uint32 {
	h := fnv.New32a()
	op.WriteHash(h)
	return h.Sum32()
}

func (identity) ReturnsPtr() bool     { return true }
func (identity) CallsExtern() bool    { return false }
func (identity) OverwritesInput() int { return -1 } // outputs live in buffers of their own

// forward runs Layer.Forward.
type forward struct {
	identity
	layer    Layer
	wanted   []bool
	inShapes []tensor.Shape
	types    hm.Type
	out      gorgonia.Value
	kept     int         // values that layer holds
	in       [][]float32 // of the last run, reused
	calls    *[]call     // see record
}

func (f *forward) Arity() int            { return len(f.wanted) }
func (f *forward) Type() hm.Type         { return f.types }
func (f *forward) WriteHash(h hash.Hash) { writeHash(h, f) }
func (f *forward) Hashcode() uint32      { return hashcode(f) }
func (f *forward) String() string        { return f.layer.Name() }
func (f *forward) DiffWRT(int) []bool    { return f.wanted }
func (f *forward) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return f.layer.OutShape().Clone(), nil
}

func (f *forward) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	f.in = floats(f.in, inputs)
	f.layer.Forward(data(f.out), f.in)
	if f.calls != nil {
		*f.calls = append(*f.calls, call{layer: f.layer, out: data(f.out), in: f.in})
	}
	return f.out, nil
}

func (f *forward) record(calls *[]call) { f.calls = calls }

// SymDiff adds one node that computes every wanted gradient, and one for each gradient but the first that hands it out.
//
// A gradient that flows through a chain of layers is read by one backward only, so two buffers serve the whole chain: the
// first wanted gradient of a layer lies where the gradient of the output of the layer behind it was. It holds until the
// layer before the one before has its own; gradients by weights, and by what the chain begins with, hold until the next run.
func (f *forward) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	b := &backward{forward: f}
	if behind, ok := grad.Op().(*backward); ok {
		b.read = behind.grads[behind.first]
	}
	first := -1
	for i, wanted := range f.wanted {
		if !wanted {
			b.grads = append(b.grads, nil)
			b.din = append(b.din, nil)
			continue
		}
		if first < 0 {
			first = i
		}
		v := flow(grad, f.inShapes[i])
		if v == nil || i != first {
			v = newValue(f.inShapes[i], nil)
		}
		b.grads = append(b.grads, v)
		b.din = append(b.din, data(v))
	}
	if first < 0 {
		return make(gorgonia.Nodes, len(inputs)), nil
	}
	b.first = first
	b.types = types(append(append(slices.Clone(f.inShapes), output.Shape(), grad.Shape()), f.inShapes[first]))
	all, err := gorgonia.ApplyOp(b, append(slices.Clone(inputs), output, grad)...)
	if err != nil {
		return nil, fmt.Errorf("derivative of layer %s: %w", f.layer.Name(), err)
	}
	grads := make(gorgonia.Nodes, len(inputs))
	grads[first] = all
	for i := first + 1; i < len(inputs); i++ {
		if !f.wanted[i] {
			continue
		}
		h := &handOut{of: b, input: i, types: types([]tensor.Shape{f.inShapes[first], f.inShapes[i]})}
		if grads[i], err = gorgonia.ApplyOp(h, all); err != nil {
			return nil, fmt.Errorf("derivative of layer %s by input %d: %w", f.layer.Name(), i, err)
		}
	}
	return grads, nil
}

// flow is the gradient that was read to compute grad, where it has the given shape and nothing else reads it: a gradient with
// more readers is a sum that gorgonia makes, not a backward.
func flow(grad *gorgonia.Node, shape tensor.Shape) gorgonia.Value {
	b, ok := grad.Op().(*backward)
	if !ok || b.read == nil || !b.read.Shape().Eq(shape) {
		return nil
	}
	return b.read
}

// backward runs Layer.Backward and returns the gradient of the first wanted input.
type backward struct {
	identity
	forward *forward
	types   hm.Type
	first   int
	grads   []gorgonia.Value
	din     [][]float32
	read    gorgonia.Value // the gradient by the output, where it is another backward's
	in      [][]float32    // of the last run, reused
	calls   *[]call        // see record
}

func (b *backward) Arity() int            { return b.forward.Arity() + 2 }
func (b *backward) Type() hm.Type         { return b.types }
func (b *backward) WriteHash(h hash.Hash) { writeHash(h, b) }
func (b *backward) Hashcode() uint32      { return hashcode(b) }
func (b *backward) String() string        { return b.forward.layer.Name() + "'" }
func (b *backward) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return b.forward.inShapes[b.first].Clone(), nil
}

func (b *backward) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	b.in = floats(b.in, inputs)
	n := b.forward.Arity()
	b.forward.layer.Backward(b.din, b.in[n+1], b.in[:n])
	if b.calls != nil {
		*b.calls = append(*b.calls, call{layer: b.forward.layer, dout: b.in[n+1], in: b.in[:n], din: b.din})
	}
	return b.grads[b.first], nil
}

func (b *backward) record(calls *[]call) { b.calls = calls }

// handOut returns a gradient that a backward has computed.
type handOut struct {
	identity
	of    *backward
	input int
	types hm.Type
}

func (o *handOut) Arity() int            { return 1 }
func (o *handOut) Type() hm.Type         { return o.types }
func (o *handOut) WriteHash(h hash.Hash) { writeHash(h, o) }
func (o *handOut) Hashcode() uint32      { return hashcode(o) }
func (o *handOut) String() string        { return fmt.Sprintf("%v[%d]", o.of, o.input) }
func (o *handOut) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return o.of.forward.inShapes[o.input].Clone(), nil
}
func (o *handOut) Do(...gorgonia.Value) (gorgonia.Value, error) { return o.of.grads[o.input], nil }

var (
	_ gorgonia.SDOp = (*forward)(nil)
	_ gorgonia.Op   = (*backward)(nil)
	_ gorgonia.Op   = (*handOut)(nil)
	_ recorder      = (*forward)(nil)
	_ recorder      = (*backward)(nil)
)

// types is the function type of an op from shapes: the inputs', then the output's.
func types(shapes []tensor.Shape) hm.Type {
	ts := make([]hm.Type, len(shapes))
	for i, s := range shapes {
		ts[i] = tensor.Float32
		if s.Dims() > 0 {
			ts[i] = gorgonia.TensorType{Dims: s.Dims(), Of: tensor.Float32}
		}
	}
	return hm.NewFnType(ts...)
}

// newValue is a value over memory, or over its own where that is nil.
func newValue(s tensor.Shape, memory []float32) gorgonia.Value {
	if s.Dims() == 0 {
		return gorgonia.NewF32(0)
	}
	if memory == nil {
		memory = make([]float32, s.TotalSize())
	}
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(memory[:s.TotalSize()]))
}

// data is the memory of a value that newValue made, or that a node was given.
func data(v gorgonia.Value) []float32 {
	switch v := v.(type) {
	case *gorgonia.F32:
		return unsafe.Slice((*float32)(v), 1)
	case *tensor.Dense:
		return v.Float32s() // Data would box the slice
	}
	panic(fmt.Sprintf("op: a value of type %T is not float32", v))
}

func floats(dst [][]float32, values []gorgonia.Value) [][]float32 {
	dst = dst[:0]
	for _, v := range values {
		dst = append(dst, data(v))
	}
	return dst
}
