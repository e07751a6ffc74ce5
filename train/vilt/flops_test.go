package vilt

import (
	"reflect"
	"testing"
)

// TestProducts holds the list to one worked out by hand.
func TestProducts(t *testing.T) {
	c := Config{Width: 8, Depth: 3, Heads: 2, Hidden: 12, Channels: 3, Patch: 2}
	batch := []Sequence{{Text: 2, Patches: 3}, {Text: 1, Patches: 1}, {Text: 4, Patches: 1}} // of 6, 3 and 6 rows: 15
	forward := map[Product]int{
		{FormNT, 5, 12, 8, 1}:    1, // patches
		{FormNT, 15, 8, 24, 1}:   2, // query, key and value
		{FormNT, 15, 8, 8, 1}:    2,
		{FormNT, 15, 8, 12, 1}:   2,
		{FormNT, 15, 12, 8, 1}:   2,
		{FormNT, 3, 8, 8, 1}:     3, // the last block's query and the map after attention; the pooler
		{FormNN, 3, 4, 8, 2}:     1, // its key's map by heads, the query's side
		{FormNT, 3, 8, 4, 2}:     1, // its value's
		{FormNT, 3, 8, 12, 1}:    1, // its MLP
		{FormNT, 3, 12, 8, 1}:    1,
		{FormNT, 3, 8, 7, 1}:     1, // classifier
		{FormNT, 6, 4, 6, 4}:     2, // two sequences of two heads
		{FormNN, 6, 6, 4, 4}:     2,
		{FormNT, 3, 4, 3, 1 * 2}: 2,
		{FormNN, 3, 3, 4, 1 * 2}: 2,
		{FormNT, 2, 8, 6, 2}:     1, // in the last block two queries of the whole width
		{FormNN, 2, 6, 8, 2}:     1,
		{FormNT, 2, 8, 3, 1}:     1,
		{FormNN, 2, 3, 8, 1}:     1,
	}
	with := func(more map[Product]int) map[Product]int {
		all := map[Product]int{}
		for _, m := range []map[Product]int{forward, more} {
			for p, n := range m {
				all[p] += n
			}
		}
		return all
	}
	backward := map[Product]int{
		{FormNN, 15, 24, 8, 1}: 2,
		{FormNN, 15, 8, 8, 1}:  2,
		{FormNN, 15, 12, 8, 1}: 2,
		{FormNN, 15, 8, 12, 1}: 2,
		{FormNN, 3, 8, 8, 1}:   3,
		{FormNN, 3, 4, 8, 2}:   1,
		{FormNT, 3, 8, 4, 2}:   1,
		{FormNN, 3, 12, 8, 1}:  1,
		{FormNN, 3, 8, 12, 1}:  1,
		{FormNN, 3, 7, 8, 1}:   1,
		{FormTN, 7, 3, 8, 1}:   1,
		{FormNT, 6, 4, 6, 4}:   2,
		{FormNN, 6, 6, 4, 4}:   2,
		{FormTN, 6, 6, 4, 4}:   4,
		{FormNT, 3, 4, 3, 2}:   2,
		{FormNN, 3, 3, 4, 2}:   2,
		{FormTN, 3, 3, 4, 2}:   4,
		{FormNT, 2, 8, 6, 2}:   1,
		{FormNN, 2, 6, 8, 2}:   1,
		{FormTN, 6, 2, 8, 2}:   2,
		{FormNT, 2, 8, 3, 1}:   1,
		{FormNN, 2, 3, 8, 1}:   1,
		{FormTN, 3, 2, 8, 1}:   2,
	}
	tuned := with(backward)
	head := with(map[Product]int{{FormTN, 7, 3, 8, 1}: 1})
	for p, n := range map[Product]int{
		{FormTN, 8, 5, 12, 1}:  1,
		{FormTN, 24, 15, 8, 1}: 2,
		{FormTN, 8, 15, 8, 1}:  2,
		{FormTN, 12, 15, 8, 1}: 2,
		{FormTN, 8, 15, 12, 1}: 2,
		{FormTN, 4, 3, 8, 2}:   2,
		{FormTN, 8, 3, 8, 1}:   3,
		{FormTN, 12, 3, 8, 1}:  1,
		{FormTN, 8, 3, 12, 1}:  1,
	} {
		backward[p] += n
	}
	for learns, want := range map[Learns]map[Product]int{LearnsNothing: forward, LearnsHead: head, LearnsTuned: tuned, LearnsAll: with(backward)} {
		got := c.Products(batch, 7, learns)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("learns %d: products\n%v, want\n%v", learns, got, want)
		}
		var flop float64
		for p, n := range want {
			flop += p.FLOP() * float64(n)
		}
		if got := c.StepFLOP(batch, 7, learns); got != flop {
			t.Errorf("learns %d: %g operations, want %g", learns, got, flop)
		}
	}
	if got, want := c.StepFLOP(batch, 0, LearnsNothing), c.StepFLOP(batch, 7, LearnsNothing)-2*3*8*7; got != want {
		t.Errorf("without a classifier %g operations, want %g", got, want)
	}
	if n := testing.AllocsPerRun(10, func() { c.StepFLOP(batch, 7, LearnsAll) }); n > 0 {
		t.Errorf("counting allocates %g times", n)
	}
}

// TestAdaptedFLOP: what a step with adapters has beyond one with scale and shift are the adapters' products, and what it lacks
// is the way back through the first block, which nothing tuned lies before.
func TestAdaptedFLOP(t *testing.T) {
	c := Config{Width: 8, Depth: 3, Heads: 2, Hidden: 32, Patch: 4, Channels: 3}
	batch := []Sequence{{Text: 4, Patches: 6}, {Text: 2, Patches: 1}}
	const width, rows, classes = 5, 11 + 4, 3
	adapters := 0.0
	for block, n := range []float64{rows, rows, 2} {
		products := 6.0 // two forward, and the gradients by two weights, the narrow rows and the stream
		if block == 0 {
			products = 5
		}
		adapters += products * 2 * n * 8 * width
	}
	back := 2.0 * rows * 8 * (3*8 + 8 + 2*32)
	for _, s := range batch {
		back += 4 * 2 * float64(s.Rows()*s.Rows()) * 8 // dp, dv, dq and dk of all heads
	}
	want := c.StepFLOP(batch, classes, LearnsTuned) - back + adapters
	if got := c.AdaptedFLOP(width, batch, classes); got != want {
		t.Errorf("%g, not %g", got, want)
	}
}
