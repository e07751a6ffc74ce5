package split_test

import (
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/split"
)

// What numpy's RandomState(1993).permutation(n) gives, as published with the class orders of PyCIL and PILOT.
var (
	order200 = []int{
		168, 136, 51, 9, 183, 101, 171, 99, 42, 159, 191, 70, 16, 188, 27, 10, 175, 26, 68, 187, 98, 6, 85, 35, 112, 43,
		100, 0, 103, 181, 88, 59, 4, 2, 116, 174, 94, 80, 106, 1, 147, 17, 141, 131, 72, 23, 173, 54, 197, 118, 87, 32,
		79, 104, 91, 19, 135, 107, 178, 36, 11, 199, 142, 8, 122, 3, 28, 57, 153, 172, 190, 56, 49, 44, 97, 62, 151, 169,
		194, 55, 192, 12, 189, 78, 66, 180, 15, 137, 109, 134, 92, 119, 126, 52, 170, 40, 148, 65, 144, 64, 138, 45, 77,
		89, 154, 90, 71, 193, 74, 30, 113, 143, 96, 84, 67, 50, 186, 156, 69, 21, 18, 111, 108, 58, 125, 157, 150, 110,
		182, 129, 166, 83, 81, 60, 13, 165, 14, 176, 63, 117, 5, 22, 145, 121, 38, 41, 82, 127, 114, 20, 31, 53, 37, 163,
		196, 130, 152, 162, 86, 76, 24, 34, 184, 149, 33, 128, 198, 155, 146, 167, 139, 120, 140, 102, 47, 25, 158, 123,
		46, 164, 61, 7, 115, 75, 133, 160, 105, 132, 179, 124, 48, 73, 93, 39, 95, 195, 29, 177, 185, 161,
	}
	order101 = []int{
		68, 56, 78, 8, 23, 84, 90, 65, 74, 76, 40, 89, 3, 92, 55, 9, 26, 80, 43, 38, 58, 70, 77, 1, 85, 19, 17, 50, 28,
		53, 13, 81, 45, 82, 6, 59, 83, 16, 15, 44, 91, 41, 72, 60, 79, 52, 20, 10, 31, 54, 37, 95, 14, 71, 96, 99, 98,
		2, 64, 66, 42, 22, 35, 86, 24, 34, 87, 21, 100, 0, 88, 27, 18, 94, 11, 12, 47, 25, 30, 46, 62, 69, 36, 61, 7, 63,
		75, 5, 32, 4, 51, 48, 73, 93, 39, 67, 29, 97, 49, 57, 33,
	}
)

func TestClassOrderGoldens(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		begin []int
	}{
		{"1993", 200, order200}, {"1993", 101, order101}, {"1993", 100, []int{68, 56, 78, 8, 23}},
		{"natural", 4, []int{0, 1, 2, 3}}, {"", 3, []int{0, 1, 2}}, {"1993", 1, []int{0}}, {"1993", 0, nil},
	} {
		got, err := split.ClassOrder(c.name, c.n)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != c.n || !slices.Equal(got[:len(c.begin)], c.begin) {
			t.Errorf("order %q of %d: %v, want it to begin with %v", c.name, c.n, got, c.begin)
		}
	}
}

func TestClassOrderIsAPermutation(t *testing.T) {
	for _, seed := range []string{"0", "1", "42", "4294967295"} {
		got, err := split.ClassOrder(seed, 257)
		if err != nil {
			t.Fatal(err)
		}
		natural, _ := split.ClassOrder("natural", 257)
		if slices.Equal(got, natural) {
			t.Errorf("seed %s does not shuffle", seed)
		}
		slices.Sort(got)
		if !slices.Equal(got, natural) {
			t.Errorf("seed %s: not a permutation", seed)
		}
	}
}

func TestClassOrderErrors(t *testing.T) {
	for _, name := range []string{"random", "-1", "1993x", " 1", "01", "4294967296", "1e3"} {
		_, err := split.ClassOrder(name, 10)
		datasettest.WantError(t, err, dataset.ErrRefused, "natural", "1993")
	}
}
