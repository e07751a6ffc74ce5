package memory

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Budget is an amount of memory in the unit of the store that it is for: see [Cost].
type Budget int64

// Store holds exemplars by class, in the order of their priority. After every call what each class uses is at most its
// budget, and so in all. The zero value is empty and counts stored bytes.
type Store struct {
	Unit Unit // of budgets; not to be changed once there are exemplars

	classes []class // by label
}

type class struct {
	label     int
	budget    Budget
	exemplars []Exemplar
}

// Put gives a class a budget and fills it with candidates in order of priority, until the next one would not fit: a
// cheaper one behind it is not let in, so that the selection stays herding's (as in CIM, Luo et al., CVPR 2023). It
// replaces what the store held of the class.
func (s *Store) Put(label int, budget Budget, candidates iter.Seq2[Exemplar, error]) error {
	c := class{label: label, budget: budget}
	var used int64
	for e, err := range candidates {
		if err != nil {
			return err
		}
		cost := CostOf(e).In(s.Unit)
		if used+cost > int64(budget) {
			break
		}
		used += cost
		c.exemplars = append(c.exemplars, e)
	}
	i, found := s.find(label)
	if !found {
		s.classes = slices.Insert(s.classes, i, c)
	}
	s.classes[i] = c
	return nil
}

// Shrink lowers a class's budget and drops its least important exemplars until they fit.
func (s *Store) Shrink(label int, budget Budget) {
	i, found := s.find(label)
	if !found || budget >= s.classes[i].budget {
		return
	}
	c := &s.classes[i]
	c.budget = budget
	var used int64
	for k, e := range c.exemplars {
		used += CostOf(e).In(s.Unit)
		if used > int64(budget) {
			c.exemplars = slices.Clip(c.exemplars[:k])
			return
		}
	}
}

// find returns the place of a class, or the one that it would take.
func (s *Store) find(label int) (int, bool) {
	return slices.BinarySearchFunc(s.classes, label, func(c class, label int) int { return c.label - label })
}

// Budget is the sum of the classes' budgets.
func (s *Store) Budget() Budget {
	var b Budget
	for _, c := range s.classes {
		b += c.budget
	}
	return b
}

// Used is the cost of all exemplars.
func (s *Store) Used() Cost {
	var used Cost
	for _, c := range s.classes {
		for _, e := range c.exemplars {
			used = used.Plus(CostOf(e))
		}
	}
	return used
}

// UsedOf is what a class takes of its budget.
func (s *Store) UsedOf(label int) int64 {
	var used int64
	for _, e := range s.OfClass(label) {
		used += CostOf(e).In(s.Unit)
	}
	return used
}

// All lists the exemplars by label and priority. They are shared with the store: do not modify them.
func (s *Store) All() []Exemplar {
	var all []Exemplar
	for _, c := range s.classes {
		all = append(all, c.exemplars...)
	}
	return all
}

// OfClass lists one class's exemplars.
func (s *Store) OfClass(label int) []Exemplar {
	if i, found := s.find(label); found {
		return s.classes[i].exemplars
	}
	return nil
}

// Restore fills the store with exemplars as All listed them and budgets as Budgets did. What does not hold together is an
// error, and leaves the store as it was.
func (s *Store) Restore(exemplars []Exemplar, budgets map[int]Budget) error {
	var classes []class
	for _, label := range slices.Sorted(maps.Keys(budgets)) {
		n := 0
		var used int64
		for n < len(exemplars) && exemplars[n].Label == label {
			if err := check(exemplars[n]); err != nil {
				return err
			}
			used += CostOf(exemplars[n]).In(s.Unit)
			n++
		}
		if used > int64(budgets[label]) {
			return fmt.Errorf("exemplars of class %d take %d (%s), more than their budget of %d", label, used, cmp.Or(s.Unit, Stored), budgets[label])
		}
		classes = append(classes, class{label: label, budget: budgets[label], exemplars: exemplars[:n:n]})
		exemplars = exemplars[n:]
	}
	if len(exemplars) > 0 {
		return fmt.Errorf("exemplar %s of class %d is out of order or has no budget", exemplars[0].ID, exemplars[0].Label)
	}
	s.classes = classes
	return nil
}

// Budgets lists each class's budget by label.
func (s *Store) Budgets() map[int]Budget {
	m := map[int]Budget{}
	for _, c := range s.classes {
		m[c.label] = c.budget
	}
	return m
}
