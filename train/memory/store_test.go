package memory

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// each yields exemplars.
func each(es []Exemplar) iter.Seq2[Exemplar, error] {
	return func(yield func(Exemplar, error) bool) {
		for _, e := range es {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// ofBytes is an exemplar that costs exactly n stored bytes, 5 at least: pixels of patches of one pixel, one token.
func ofBytes(label, i, n int) Exemplar {
	patches := (n - 2) / 3
	e := Exemplar{ID: fmt.Sprintf("%d/%d", label, i), Label: label, Codec: schemas.CodecRaw, GridH: 1, GridW: patches, PatchPx: 1, Pixels: make([]byte, 3*patches), TextLen: 1, Tokens: []uint16{1}}
	switch (n - 2) % 3 { // one or two bytes of bitmap
	case 1:
		e.TokenBits = []byte{1}
	case 2:
		e.Tokens = []uint16{1, 2}
		e.TextLen = 2
	}
	return e
}

func ids(es []Exemplar) (names []string) {
	for _, e := range es {
		names = append(names, e.ID)
	}
	return names
}

// TestPutStops: 20 bytes hold 8 and 8; the next of 8 does not fit, and the 5 behind it, which would not either, nor the
// one of 5 into 21 bytes, which would, are not let in.
func TestPutStops(t *testing.T) {
	sizes := []int{8, 8, 8, 5}
	for _, c := range []struct {
		budget Budget
		held   int
		used   int64
	}{{20, 2, 16}, {21, 2, 16}, {16, 2, 16}, {15, 1, 8}, {24, 3, 24}, {28, 3, 24}, {29, 4, 29}, {7, 0, 0}, {0, 0, 0}} {
		drawn := 0
		candidates := func(yield func(Exemplar, error) bool) {
			for i, n := range sizes {
				drawn++
				if !yield(ofBytes(0, i, n), nil) {
					return
				}
			}
		}
		var s Store
		if err := s.Put(0, c.budget, candidates); err != nil {
			t.Fatal(err)
		}
		if len(s.All()) != c.held || s.Used().StoredBytes != c.used || s.Budget() != c.budget {
			t.Errorf("budget %d: %d exemplars of %d bytes, not %d of %d", c.budget, len(s.All()), s.Used().StoredBytes, c.held, c.used)
		}
		if want := min(c.held+1, len(sizes)); drawn != want {
			t.Errorf("budget %d: %d candidates were drawn, not %d", c.budget, drawn, want)
		}
	}
}

func TestPutFails(t *testing.T) {
	var s Store
	if err := s.Put(1, 100, each([]Exemplar{ofBytes(1, 0, 8)})); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := s.Put(1, 50, func(yield func(Exemplar, error) bool) { yield(Exemplar{}, broken) })
	if !errors.Is(err, broken) || len(s.OfClass(1)) != 1 || s.Budget() != 100 {
		t.Errorf("after %v the class holds %d exemplars and a budget of %d", err, len(s.OfClass(1)), s.Budget())
	}
}

func TestShrinkKeepsPrefixes(t *testing.T) {
	var s Store
	var es []Exemplar
	for i := range 6 {
		es = append(es, ofBytes(2, i, 5+i)) // 5 6 7 8 9 10: prefix sums 5 11 18 26 35 45
	}
	if err := s.Put(2, 45, each(es)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		budget, left Budget
		held         int
	}{{45, 45, 6}, {60, 45, 6}, {44, 44, 5}, {26, 26, 4}, {25, 25, 3}, {30, 25, 3}, {4, 4, 0}, {0, 0, 0}} {
		s.Shrink(2, c.budget)
		if s.Budget() != c.left || !slices.Equal(ids(s.OfClass(2)), ids(es[:c.held])) {
			t.Errorf("shrunk to %d: budget %d and %v, not %d and the first %d", c.budget, s.Budget(), ids(s.OfClass(2)), c.left, c.held)
		}
	}
	s.Shrink(7, 1) // a class that is not there
	if got := s.Budgets(); len(got) != 1 {
		t.Errorf("budgets %v", got)
	}
}

// TestStoreProperties runs random calls against a plain model, in each unit: for each class, the candidates in order and the
// budget.
func TestStoreProperties(t *testing.T) {
	type held struct {
		candidates []Exemplar
		budget     Budget
	}
	for seed := range uint64(201) {
		rng := rand.New(rand.NewPCG(seed, 2))
		unit := Units()[seed%3]
		s := Store{Unit: unit}
		most := map[Unit]int{Stored: 200, Pixels: 170, Tokens: 65}[unit] // of a budget: some hold all, some nothing
		model := map[int]*held{}
		for step := range 30 {
			label := rng.IntN(5)
			switch kind := rng.IntN(4); {
			case kind < 2:
				h := &held{budget: Budget(rng.IntN(most))}
				for i := range rng.IntN(12) {
					h.candidates = append(h.candidates, ofBytes(label, i, 5+rng.IntN(40)))
				}
				model[label] = h
				if err := s.Put(label, h.budget, each(h.candidates)); err != nil {
					t.Fatal(err)
				}
			case kind == 2:
				b := Budget(rng.IntN(most))
				s.Shrink(label, b)
				if h := model[label]; h != nil {
					h.budget = min(h.budget, b)
				}
			default:
				all, budgets := s.All(), s.Budgets()
				s = Store{Unit: unit}
				if err := s.Restore(all, budgets); err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
			}
			var used int64
			var total Budget
			for label := range 5 {
				h := model[label]
				if h == nil {
					if s.OfClass(label) != nil {
						t.Fatalf("seed %d, step %d: class %d was never put", seed, step, label)
					}
					continue
				}
				var amount int64
				got := s.OfClass(label)
				for i, e := range got {
					if e.ID != h.candidates[i].ID {
						t.Fatalf("seed %d, step %d: class %d holds %v, not a prefix of %v", seed, step, label, ids(got), ids(h.candidates))
					}
					amount += CostOf(e).In(unit)
				}
				if amount > int64(h.budget) || s.Budgets()[label] != h.budget {
					t.Fatalf("seed %d, step %d: class %d uses %d %s of %d (%d in the store)", seed, step, label, amount, unit, h.budget, s.Budgets()[label])
				}
				if n := len(got); n < len(h.candidates) && amount+CostOf(h.candidates[n]).In(unit) <= int64(h.budget) {
					t.Fatalf("seed %d, step %d: class %d could hold more than %d", seed, step, label, n)
				}
				h.candidates = slices.Clone(got) // a later, smaller budget never brings back what was dropped
				used, total = used+amount, total+h.budget
			}
			if s.Used().In(unit) != used || s.Budget() != total {
				t.Fatalf("seed %d, step %d: %d %s of %d in all, not %d of %d", seed, step, s.Used().In(unit), unit, s.Budget(), used, total)
			}
			if !slices.IsSortedFunc(s.All(), func(a, b Exemplar) int { return a.Label - b.Label }) {
				t.Fatalf("seed %d, step %d: the exemplars are not in the order of their classes", seed, step)
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	a, b := ofBytes(0, 0, 10), ofBytes(1, 0, 10)
	for name, c := range map[string]struct {
		es      []Exemplar
		budgets map[int]Budget
	}{
		"beyond the budget": {[]Exemplar{a}, map[int]Budget{0: 9}},
		"no budget":         {[]Exemplar{a, b}, map[int]Budget{0: 10}},
		"out of order":      {[]Exemplar{b, a}, map[int]Budget{0: 10, 1: 10}},
	} {
		var s Store
		if err := s.Put(5, 100, each([]Exemplar{ofBytes(5, 0, 20)})); err != nil {
			t.Fatal(err)
		}
		if err := s.Restore(c.es, c.budgets); err == nil {
			t.Errorf("%s: was taken", name)
		}
		if len(s.All()) != 1 || s.Budget() != 100 {
			t.Errorf("%s: was refused and the store changed", name)
		}
	}
}

// TestStoreInAnyUnit: random calls, as a run makes them: phases of new classes, old ones shrunk to their share before these are
// put. After every call the cost of all exemplars and of each class is within the budget, in the store's unit.
func TestStoreInAnyUnit(t *testing.T) {
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 7))
		s := Store{Unit: Units()[seed%3]}
		total := float64(20 + rng.IntN(3000))
		within := func(step string) {
			t.Helper()
			var all int64
			for label, b := range s.Budgets() {
				used := s.UsedOf(label)
				if used > int64(b) {
					t.Fatalf("seed %d, %s: class %d uses %d of %d %s", seed, step, label, used, b, s.Unit)
				}
				all += used
			}
			if all != s.Used().In(s.Unit) || all > int64(s.Budget()) || float64(s.Budget()) > total {
				t.Fatalf("seed %d, %s: %d of %d %s are used, and the budget is %g", seed, step, all, s.Budget(), s.Unit, total)
			}
		}
		classes := map[int][]Exemplar{}
		for phase := range 1 + rng.IntN(5) {
			old := len(classes)
			for range 1 + rng.IntN(4) {
				var es []Exemplar
				for i := range rng.IntN(15) {
					es = append(es, ofBytes(len(classes), i, 5+rng.IntN(90)))
				}
				classes[len(classes)] = es
			}
			demands := make([]float64, len(classes))
			for label := range demands {
				if demands[label] = float64(s.UsedOf(label)); label >= old {
					for _, e := range classes[label] {
						demands[label] += float64(CostOf(e).In(s.Unit))
					}
				}
			}
			shares := Share(total, demands)
			for label := range shares {
				held := ids(s.OfClass(label))
				step := fmt.Sprintf("phase %d, class %d", phase, label)
				if label < old {
					s.Shrink(label, Budget(shares[label]))
					if now := ids(s.OfClass(label)); !slices.Equal(now, held[:len(now)]) {
						t.Fatalf("seed %d, %s: holds %v, before %v", seed, step, now, held)
					}
				} else if err := s.Put(label, Budget(shares[label]), each(classes[label])); err != nil {
					t.Fatal(err)
				}
				within(step)
				if shares[label] == demands[label] && label >= old && len(s.OfClass(label)) != len(classes[label]) {
					t.Fatalf("seed %d, %s: it has room for all and holds %d of %d", seed, step, len(s.OfClass(label)), len(classes[label]))
				}
			}
		}
		all, budgets := s.All(), s.Budgets()
		other := Store{Unit: s.Unit}
		if err := other.Restore(all, budgets); err != nil || other.Used() != s.Used() {
			t.Fatalf("seed %d: restored %+v, not %+v (%v)", seed, other.Used(), s.Used(), err)
		}
	}
}

// TestUnits: the same exemplars take 17 tokens, 480 bytes of pixels and 494 stored ones each.
func TestUnits(t *testing.T) {
	e, err := Encode(whole("n1/a.jpg", 0, 2, 5, 4, 7), Mask{}, 4, Codec{})
	if err != nil {
		t.Fatal(err)
	}
	for unit, each1 := range map[Unit]Budget{"": 494, Stored: 494, Pixels: 480, Tokens: 17} {
		for _, c := range []struct {
			budget Budget
			held   int
		}{{2 * each1, 2}, {2*each1 - 1, 1}, {each1 - 1, 0}} {
			s := Store{Unit: unit}
			if err := s.Put(0, c.budget, each([]Exemplar{e, e, e})); err != nil {
				t.Fatal(err)
			}
			whole := Store{Unit: unit}
			if err := whole.Put(0, 3*each1, each([]Exemplar{e, e, e})); err != nil {
				t.Fatal(err)
			}
			whole.Shrink(0, c.budget)
			if got := len(whole.OfClass(0)); got != c.held {
				t.Errorf("shrunk to %d in %q it holds %d, not %d", c.budget, unit, got, c.held)
			}
			if got := len(s.OfClass(0)); got != c.held || s.UsedOf(0) != int64(c.held)*int64(each1) {
				t.Errorf("%d in %q hold %d, not %d", c.budget, unit, got, c.held)
			}
		}
	}
}
