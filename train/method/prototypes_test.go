package method

import (
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/vilt"
)

// TestPrototypesAreOfFreshExamples: prototypes are means of features of the examples as they are, which are those of a test, and
// not of what steps are given, which may be changed at random. Under each adapter of ease, too.
func TestPrototypesAreOfFreshExamples(t *testing.T) {
	c := smallConfig()
	phases, fresh := lessons(c)
	var changed [][]dataset.Sample
	for _, own := range fresh {
		own = slices.Clone(own)
		for i, s := range own {
			own[i].Pixels = slices.Clone(s.Pixels)
			for k, v := range s.Pixels {
				own[i].Pixels[k] = 255 - v
			}
		}
		changed = append(changed, own)
	}
	w, err := vilt.Random(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"simplecil", "ease"} {
		l, err := New(name, w, 4, Options{Schedule: Schedule{Epochs: 1, BatchSize: 12}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i, p := range phases {
			if err := l.Begin(p); err != nil {
				t.Fatal(err)
			}
			if err := l.Fit(t.Context(), Lesson{Items: inMemory(changed[i]), Fresh: inMemory(fresh[i])}); err != nil {
				t.Fatal(err)
			}
			n, subspaces := p.Seen-p.Old, 1
			if name == "ease" {
				subspaces = i + 1
			}
			kept := make([]float32, 0, n*subspaces*c.Width) // by subspace and class
			switch m := l.(type) {
			case *prototyped:
				kept = append(kept, m.means[i].Data...)
			case *ease:
				for _, x := range m.means[i] {
					kept = append(kept, x.Data...)
				}
			}
			wanted := func(items []dataset.Sample) []float32 {
				out, err := l.Infer(items, nil)
				if err != nil {
					t.Fatal(err)
				}
				means := make([]float32, len(kept))
				for j := range subspaces {
					for class := range n {
						for k := range c.Width {
							var sum, count float64
							for b, s := range items {
								if s.Label == p.Old+class {
									sum, count = sum+float64(out.Features[(b*subspaces+j)*c.Width+k]), count+1
								}
							}
							means[(j*n+class)*c.Width+k] = float32(sum / count)
						}
					}
				}
				return means
			}
			if !slices.Equal(kept, wanted(fresh[i])) {
				t.Errorf("%s, phase %d: prototypes are not means of the examples as they are", name, i)
			}
			if slices.Equal(kept, wanted(changed[i])) {
				t.Errorf("%s, phase %d: examples that are changed have the same means", name, i)
			}
		}
	}
}
