package method

import (
	"slices"

	"github.com/mcil/mcil/dataset"
)

// Distill says how much of the answers of the network before the phase is kept: see [op.Distilled]. A Weight of 0 means that
// nothing is.
type Distill struct {
	Weight      float64
	Temperature float64 // default 2
}

// WithDefaults returns d with the default temperature where it distills.
func (d Distill) WithDefaults() Distill {
	if d.Weight > 0 && d.Temperature == 0 {
		d.Temperature = 2
	}
	return d
}

// teaches says whether a step with so many old classes has a teacher.
func (n *Network) teaches(old int) bool { return old > 0 && n.o.Distill.Weight > 0 }

// Freeze makes the network as it is now the teacher of the steps to come. Only what is trained is copied: the rest of a tuned
// network is the same.
func (n *Network) Freeze() {
	trained := n.Trained()
	if len(n.teacher) != len(trained) { // the first time, or the first since it was settled
		n.teacher = make([][]float32, len(trained))
	}
	for i, t := range trained {
		n.teacher[i] = append(n.teacher[i][:0], t.Data...)
	}
}

// swap exchanges the network with its teacher: graphs read parameters where they lie.
func (n *Network) swap() {
	for i, t := range n.Trained() {
		for j, v := range n.teacher[i] {
			n.teacher[i][j], t.Data[j] = t.Data[j], v
		}
	}
}

// teach fills in the teacher's logits of a batch for the first old classes. It comes before the batch is loaded for the step:
// both graphs lie in the same memory.
func (n *Network) teach(batch []dataset.Sample, old int) error {
	n.swap()
	out, err := n.infer.infer(batch, nil)
	n.swap()
	if err != nil {
		return err
	}
	p := n.steps().encoder.Packing
	p.Old, p.Teacher = old, slices.Grow(p.Teacher[:0], len(batch)*old)
	for i := range batch {
		p.Teacher = append(p.Teacher, out.Logits[i*n.Classes:i*n.Classes+old]...)
	}
	return nil
}
