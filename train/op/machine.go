package op

import "gorgonia.org/gorgonia"

// Machine runs a graph. gorgonia's TapeMachine compiles it and makes the first run; where every node that is computed is a
// layer's, the runs after it repeat the layers' calls in the order and on the memory of the first, which allocates nothing: a
// TapeMachine makes some hundred small objects a run for its instructions. A graph with other Ops is the TapeMachine's for
// good. Values are read where they were in the first run: new ones are written into them, not bound in their place.
type Machine struct {
	gorgonia.VM
	calls    []call
	recorded bool
	recorder []recorder // the layers' Ops, until the first run is over
	foreign  bool       // there are other Ops
}

var _ gorgonia.VM = (*Machine)(nil)

// call is one call of a layer.
type call struct {
	layer     Layer
	out, dout []float32 // out of a Forward, dout of a Backward
	in, din   [][]float32
}

// recorder is an Op that says what it calls while calls is not nil.
type recorder interface{ record(calls *[]call) }

// NewMachine compiles g.
func NewMachine(g *gorgonia.ExprGraph) *Machine {
	m := &Machine{VM: gorgonia.NewTapeMachine(g)}
	for _, n := range g.AllNodes() {
		switch o := n.Op().(type) {
		case nil, *handOut:
		case recorder:
			m.recorder = append(m.recorder, o)
		default:
			// the derivative of a loss by itself is a constant, which is read and not computed
			m.foreign = m.foreign || o.Arity() > 0
		}
	}
	return m
}

// RunAll runs the graph.
func (m *Machine) RunAll() error {
	if m.recorded {
		for i := range m.calls {
			m.calls[i].run()
		}
		return nil
	}
	if m.foreign {
		return m.VM.RunAll()
	}
	m.calls = m.calls[:0]
	for _, o := range m.recorder {
		o.record(&m.calls)
	}
	err := m.VM.RunAll()
	for _, o := range m.recorder {
		o.record(nil)
	}
	if m.recorded = err == nil; m.recorded {
		m.VM.Reset()
	}
	return err
}

// Reset makes the machine ready for another run.
func (m *Machine) Reset() {
	if m.recorded {
		return // the TapeMachine does not run again
	}
	m.VM.Reset()
}

func (c *call) run() {
	if c.dout != nil {
		c.layer.Backward(c.din, c.dout, c.in)
		return
	}
	c.layer.Forward(c.out, c.in)
}
