package op

import (
	"math"
	"testing"
)

// TestCornersCopyTheLearnedGrid: on a grid of the learned size every patch takes its own position, whole.
func TestCornersCopyTheLearnedGrid(t *testing.T) {
	for _, g := range []int{1, 2, 5, 12, 19} {
		e := &Embed{grid: g}
		for pos := range g * g {
			var whole float32
			for _, c := range e.corners(Sequence{GridH: g, GridW: g}, int32(pos)) {
				if c.row == 1+pos {
					whole += c.weight
				} else if c.weight != 0 {
					t.Fatalf("grid %d: patch %d takes %g of row %d", g, pos, c.weight, c.row)
				}
			}
			if whole != 1 {
				t.Fatalf("grid %d: patch %d takes %g of its own position", g, pos, whole)
			}
		}
	}
}

// TestCornersByHand: a learned grid of 3 by 3 (rows 1..9 of the table) seen by pictures of other grids.
func TestCornersByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		h, w int
		pos  int32
		want map[int]float64
	}{
		{"2x2 has the corners", 2, 2, 0, map[int]float64{1: 1}},
		{"2x2 has the corners", 2, 2, 1, map[int]float64{3: 1}},
		{"2x2 has the corners", 2, 2, 2, map[int]float64{7: 1}},
		{"2x2 has the corners", 2, 2, 3, map[int]float64{9: 1}},
		{"5x5: cell (1,1) is at (0.5,0.5)", 5, 5, 6, map[int]float64{1: .25, 2: .25, 4: .25, 5: .25}},
		{"5x3: cell (3,2) is at (1.5,2)", 5, 3, 11, map[int]float64{6: .5, 9: .5}},
		{"2x4: cell (1,1) is at (2,2/3)", 2, 4, 5, map[int]float64{7: 1. / 3, 8: 2. / 3}},
		{"one row is the first row", 1, 3, 2, map[int]float64{3: 1}},
		{"one column is the first column", 3, 1, 2, map[int]float64{7: 1}},
		{"one cell is the first", 1, 1, 0, map[int]float64{1: 1}},
	} {
		got := map[int]float64{}
		for _, x := range (&Embed{grid: 3}).corners(Sequence{GridH: c.h, GridW: c.w}, c.pos) {
			got[x.row] += float64(x.weight)
		}
		for row := range 10 {
			if math.Abs(got[row]-c.want[row]) > 1e-6 {
				t.Errorf("%s: patch %d takes %.4f of row %d, not %.4f", c.name, c.pos, got[row], row, c.want[row])
			}
		}
	}
}

// TestCornersOfOnePosition: where the model has learned one position, every patch of every grid takes it whole.
func TestCornersOfOnePosition(t *testing.T) {
	for _, grid := range [][2]int{{1, 1}, {1, 4}, {3, 1}, {3, 4}} {
		for pos := range grid[0] * grid[1] {
			var whole float32
			for _, c := range (&Embed{grid: 1}).corners(Sequence{GridH: grid[0], GridW: grid[1]}, int32(pos)) {
				if whole += c.weight; c.row != 1 {
					t.Fatalf("grid %v: patch %d takes row %d", grid, pos, c.row)
				}
			}
			if whole != 1 {
				t.Fatalf("grid %v: patch %d takes %g", grid, pos, whole)
			}
		}
	}
}

// TestCornersStayInside: for every grid that a picture can have, rows are the table's and shares are of one whole.
func TestCornersStayInside(t *testing.T) {
	const g = 12
	e := &Embed{grid: g}
	for h := 1; h <= 19; h++ {
		for w := 1; w <= 19; w++ {
			for pos := range h * w {
				var sum float64
				for _, c := range e.corners(Sequence{GridH: h, GridW: w}, int32(pos)) {
					if c.row < 1 || c.row > g*g || c.weight < -1e-6 {
						t.Fatalf("%d by %d: patch %d takes %g of row %d", h, w, pos, c.weight, c.row)
					}
					sum += float64(c.weight)
				}
				if math.Abs(sum-1) > 1e-6 {
					t.Fatalf("%d by %d: patch %d takes %g in all", h, w, pos, sum)
				}
			}
			last := map[int]float64{}
			for _, c := range e.corners(Sequence{GridH: h, GridW: w}, int32(h*w-1)) {
				last[c.row] += float64(c.weight)
			}
			row := 1
			if h > 1 {
				row += (g - 1) * g
			}
			if w > 1 {
				row += g - 1
			}
			if math.Abs(last[row]-1) > 1e-5 {
				t.Fatalf("%d by %d: the last patch takes %v, not all of row %d", h, w, last, row)
			}
		}
	}
}

func TestPackingRefusesWhatDoesNotFit(t *testing.T) {
	add := func(name string, tokens, positions, patches int) {
		t.Helper()
		p := &Packing{MaxBatch: 1, MaxText: 2, MaxPatches: 2}
		defer func() {
			if recover() == nil {
				t.Errorf("%s: was taken", name)
			}
		}()
		p.Add(make([]int32, tokens), make([]int32, positions), make([]int32, patches), 2, 2, 0)
		if name == "a second sequence" {
			p.Add(make([]int32, 1), make([]int32, 1), nil, 1, 1, 0)
		}
	}
	add("a long text", 3, 3, 1)
	add("no text", 0, 0, 1)
	add("positions of another length", 2, 1, 1)
	add("too many patches", 1, 1, 3)
	add("a second sequence", 2, 2, 2)
}
