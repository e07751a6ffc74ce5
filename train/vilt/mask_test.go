package vilt

import (
	"reflect"
	"strings"
	"testing"
)

// rectangle is a mask of height by width that is true in [0,h) by [0,w).
func rectangle(height, width, h, w int) []bool {
	mask := make([]bool, height*width)
	for y := range h {
		for x := range w {
			mask[y*width+x] = true
		}
	}
	return mask
}

func TestFromPixelMask(t *testing.T) {
	hole := rectangle(12, 12, 8, 12)
	hole[4*12+4] = false
	for _, c := range []struct {
		name          string
		mask          []bool
		height, width int // of the padded picture
		want          Unpadded
	}{
		{"whole", rectangle(8, 12, 8, 12), 8, 12, Unpadded{2, 3, []int32{0, 1, 2, 3, 4, 5}, []int32{0, 1, 2, 3, 4, 5}}},
		{"padded to the right", rectangle(8, 12, 8, 8), 8, 12, Unpadded{2, 2, []int32{0, 1, 2, 3}, []int32{0, 1, 3, 4}}},
		{"padded below", rectangle(12, 8, 4, 8), 12, 8, Unpadded{1, 2, []int32{0, 1}, []int32{0, 1}}},
		{"padded both ways", rectangle(12, 12, 8, 4), 12, 12, Unpadded{2, 1, []int32{0, 1}, []int32{0, 3}}},
		{"a patch counts by its first pixel", rectangle(8, 8, 5, 1), 8, 8, Unpadded{2, 1, []int32{0, 1}, []int32{0, 2}}},
		{"a patch left out", hole, 12, 12, Unpadded{2, 3, []int32{0, 1, 2, 3, 5}, []int32{0, 1, 2, 3, 5}}},
		// 11 pixels hold 2 patches of 4, which look at pixels 0 and floor(5.5)
		{"not whole patches", rectangle(11, 11, 6, 5), 11, 11, Unpadded{2, 1, []int32{0, 1}, []int32{0, 2}}},
	} {
		if got, err := FromPixelMask(c.mask, c.height, c.width, 4); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v (%v), not %+v", c.name, got, err, c.want)
		}
	}
}

func TestFromPixelMaskRefuses(t *testing.T) {
	edge, below := rectangle(8, 8, 8, 8), rectangle(8, 8, 8, 4)
	edge[4*8] = false
	below[4*8+4] = true
	right := make([]bool, 64)
	right[4] = true
	for _, c := range []struct {
		name          string
		mask          []bool
		height, width int
		patch         int
		want          string
	}{
		{"the first column is shorter", edge, 8, 8, 4, "patch (1,1) lies beyond the 1 by 2 patches"},
		{"more than a rectangle", below, 8, 8, 4, "patch (1,1) lies beyond the 2 by 1 patches"},
		{"nothing", make([]bool, 64), 8, 8, 4, "no picture in the first row and column"},
		{"padding on the left", right, 8, 8, 4, "no picture in the first row and column"},
		{"another size", make([]bool, 64), 8, 9, 4, "64 values are not 8 by 9"},
		{"no size", nil, 0, 0, 4, "0 values are not 0 by 0"},
		{"less than a patch", make([]bool, 6), 2, 3, 4, "hold no patch of 4"},
		{"no patch", make([]bool, 6), 2, 3, 0, "hold no patch of 0"},
	} {
		if _, err := FromPixelMask(c.mask, c.height, c.width, c.patch); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
