package train

import (
	"fmt"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Protocol says how classes are dealt into phases, and on what accuracies are measured. Zero means the default.
type Protocol struct {
	Phases int // of equal size, the first takes the remainder; default 10
	// Increment, in place of Phases, is the number of classes of every phase but the first, which has Init (default: as many
	// as Increment), and the last, which has what is left.
	Init, Increment int
	// Evaluate is the split whose rows accuracies are of: test (the default) or validation, by which settings are chosen.
	// Training reads neither.
	Evaluate string
}

func (p Protocol) withDefaults() Protocol {
	if p.Phases == 0 && p.Init == 0 && p.Increment == 0 {
		p.Phases = 10
	}
	if p.Init == 0 {
		p.Init = p.Increment
	}
	if p.Evaluate == "" {
		p.Evaluate = dataset.Test
	}
	return p
}

// Evaluations lists the words of Protocol.Evaluate, the default first.
func Evaluations() []string { return []string{dataset.Test, dataset.Validation} }

// validate refuses what cannot be, of a protocol with its defaults.
func (p Protocol) validate() error {
	switch {
	case p.Phases != 0 && (p.Init != 0 || p.Increment != 0):
		return Idlef("give the number of phases, or init and increment, not both")
	case p.Phases < 0 || p.Phases == 0 && p.Increment == 0 && p.Init == 0:
		return fmt.Errorf("phases: %d: must be 1 or more", p.Phases)
	case p.Init < 0 || p.Increment < 0:
		return fmt.Errorf("init %d, increment %d: must be 1 class or more", p.Init, p.Increment)
	case p.Phases == 0 && p.Increment == 0:
		return fmt.Errorf("init %d needs an increment: the number of classes of the phases after the first", p.Init)
	case !slices.Contains(Evaluations(), p.Evaluate):
		return fmt.Errorf("evaluate %q: use one of %v", p.Evaluate, Evaluations())
	}
	return nil
}

func (p Protocol) settings(s map[string]any) {
	if p.Phases != 0 {
		s["phases"] = p.Phases
	} else {
		s["init"], s["increment"] = p.Init, p.Increment
	}
	s["evaluate"] = p.Evaluate
}

// deal deals labels in order into phases.
func (p Protocol) deal(labels []int) ([][]int, error) {
	if p.Increment == 0 {
		return phasesOf(labels, p.Phases)
	}
	if p.Init > len(labels) {
		return nil, fmt.Errorf("init: %d of %d classes: there are not as many: %w", p.Init, len(labels), ErrOptions)
	}
	phases := [][]int{slices.Clone(labels[:p.Init])}
	for rest := range slices.Chunk(labels[p.Init:], p.Increment) {
		phases = append(phases, slices.Clone(rest))
	}
	return phases, nil
}

// phasesOf deals labels in order into phases of equal size; the first takes the remainder, as the field does for 101 classes
// in 10 phases.
func phasesOf(labels []int, phases int) ([][]int, error) {
	if phases > len(labels) {
		return nil, fmt.Errorf("phases: %d of %d classes: each phase needs a class: %w", phases, len(labels), ErrOptions)
	}
	size := len(labels) / phases
	out := make([][]int, phases)
	at := 0
	for t := range out {
		n := size
		if t == 0 {
			n += len(labels) % phases
		}
		for range n {
			out[t] = append(out[t], labels[at])
			at++
		}
	}
	return out, nil
}

// checkRows refuses a class that cannot be learned or evaluated, before anything is learned.
func (r *run) checkRows(labels []int) error {
	for _, split := range []string{dataset.Train, r.o.Evaluate} {
		rows, has := r.data.Splits[split], map[int]bool{}
		if rows == nil {
			return fmt.Errorf("dataset %s: has no %s rows: %s: %w", r.o.Data, split, hintOf(split), dataset.ErrRefused)
		}
		for i := range rows.Len() {
			has[rows.Label(i)] = true
		}
		for _, label := range labels {
			if c := r.data.Classes[label]; !has[label] {
				return fmt.Errorf("dataset %s: class %s (%s) has no %s rows: leave it out with --classes: %w", r.o.Data, c.WNID, c.Name, split, dataset.ErrRefused)
			}
		}
	}
	return nil
}

// hintOf says what to do where a split is missing.
func hintOf(split string) string {
	if split == dataset.Validation {
		return "mcil build --val 0.1 takes some from train; or leave out --evaluate"
	}
	return "mcil build makes them"
}

// fill adds to a phase's report what accuracies say of classes and groups of them. old is the number of classes of earlier
// phases.
func (e evaluation) fill(p *schemas.Phase, old int) {
	p.Accuracy, p.NMEAccuracy = share(e.right, e.rows), share(e.nearest, e.rows)
	p.Top5Accuracy = share(e.rightInFive, e.rows)
	p.OldAccuracy, p.NewAccuracy = share(e.right[:old], e.rows[:old]), share(e.right[old:], e.rows[old:])
	for c := range e.rows {
		p.ClassAccuracy = append(p.ClassAccuracy, share(e.right[c:c+1], e.rows[c:c+1]))
	}
	p.TestPicturesPerSecond = e.perSecond
}
