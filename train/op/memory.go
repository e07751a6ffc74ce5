package op

import "gorgonia.org/gorgonia"

// Memory is what a graph holds, in bytes, at the capacity of its batch. Rows that no batch has filled are address space and
// not yet memory.
type Memory struct {
	Inputs      int64 // values given to the graph: parameters, pixels
	Activations int64 // outputs, and what layers keep for their derivatives
	Gradients   int64 // by outputs, which take turns in two buffers, and by what is trained
	Scratch     int64 // of the layers
}

// Ledger adds up what graphs hold. Memory that several of them use counts once.
type Ledger struct {
	Memory
	seen map[*float32]bool
}

// Add counts what g holds; scratch is its layers'.
func (l *Ledger) Add(g *gorgonia.ExprGraph, scratch *Scratch) {
	for _, n := range g.AllNodes() {
		switch o := n.Op().(type) {
		case nil:
			if v := n.Value(); v != nil && n.IsVar() {
				l.Inputs += l.once(data(v))
			}
		case *forward:
			l.Activations += l.once(data(o.out)) + 4*int64(o.kept)
		case *backward:
			for _, d := range o.din {
				l.Gradients += l.once(d)
			}
		}
	}
	l.Scratch += scratch.Bytes()
}

// once is the size of a buffer, and 0 for one that was counted already.
func (l *Ledger) once(v []float32) int64 {
	if l.seen == nil {
		l.seen = map[*float32]bool{}
	}
	if len(v) == 0 || l.seen[&v[0]] {
		return 0
	}
	l.seen[&v[0]] = true
	return 4 * int64(len(v))
}
