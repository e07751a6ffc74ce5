package train

import (
	"math"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s is %.6f, not %.6f", what, got, want)
	}
}

func TestMetricsByHand(t *testing.T) {
	for _, c := range []struct {
		name                    string
		m                       Matrix
		macro, forgetting, coda float64
	}{
		{"nothing", nil, 0, 0, 0},
		{"one phase", Matrix{{0.75}}, 0.75, 0, 0},
		// rows: 0.9; (0.6+0.8)/2 = 0.7; (0.5+0.7+0.9)/3 = 0.7; lost: 0.9-0.5 and 0.8-0.7; step by step: 0.3, then 0.1 and 0.1
		{"loss in every phase", Matrix{{0.9}, {0.6, 0.8}, {0.5, 0.7, 0.9}}, 2.3 / 3, 0.25, 0.2},
		// the first phase's best is in the middle: 0.7-0.6; the second's is at the end: nothing is lost
		{"later gain", Matrix{{0.4}, {0.7, 0.2}, {0.6, 0.5, 1}}, (0.4 + 0.45 + 0.7) / 3, 0.05, (-0.3 + (0.1-0.3)/2) / 2},
		{"gain only", Matrix{{0.1}, {0.9, 0.3}}, (0.1 + 0.6) / 2, 0, -0.8},
		// the last phase's own column does not count
		{"two phases", Matrix{{1}, {0.25, 0}}, (1 + 0.125) / 2, 0.75, 0.75},
	} {
		near(t, c.name+": macro average", c.m.MacroAverage(), c.macro)
		near(t, c.name+": forgetting", c.m.Forgetting(), c.forgetting)
		near(t, c.name+": CODA's forgetting", c.m.CodaForgetting(), c.coda)
	}
	// Uneven phases: of 30 and 10 test rows, 27 and then 18 and 2 are right; pooled 0.9 and 20/40.
	near(t, "pooled average", AverageAccuracy([]float64{27. / 30, 20. / 40}), 0.7)
	near(t, "macro average", Matrix{{27. / 30}, {18. / 30, 2. / 10}}.MacroAverage(), 0.65)
	near(t, "average of nothing", AverageAccuracy(nil), 0)
}

func TestArgmax(t *testing.T) {
	nan := float32(math.NaN())
	for want, v := range [][]float32{{3, 1, 3}, {-5, -1, -2}, {0, 1, 2}} {
		if got := argmax(v); got != want {
			t.Errorf("the largest of %v is at %d, not %d", v, got, want)
		}
	}
	if got := argmax([]float32{nan, nan}); got != 0 {
		t.Errorf("of no numbers the largest is at %d", got)
	}
}

func TestPlaceOf(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		v    []float32
		want []int // of each entry
	}{
		{[]float32{3, 1, 3, 2}, []int{0, 3, 1, 2}},
		{[]float32{0, 0, 0}, []int{0, 1, 2}},
		{[]float32{nan, 1, nan}, []int{3, 0, 3}},
	} {
		for label, want := range c.want {
			if got := placeOf(c.v, label); got != want {
				t.Errorf("of %v, entry %d has the place %d, not %d", c.v, label, got, want)
			}
		}
	}
}

// TestEvaluationByHand: seven classes, of which the first three are old, seven rows.
func TestEvaluationByHand(t *testing.T) {
	const seen, classes = 7, 9 // logits of two classes to come are not looked at
	e := evaluation{rows: make([]int, seen), right: make([]int, seen), rightInFive: make([]int, seen), nearest: make([]int, seen)}
	row := func(label int, logits ...float32) (dataset.Sample, []float32) {
		return dataset.Sample{Label: label}, append(logits, 99, 99)
	}
	var batch []dataset.Sample
	var out method.Output
	add := func(s dataset.Sample, logits []float32) {
		batch, out.Logits = append(batch, s), append(out.Logits, logits...)
	}
	add(row(0, 7, 6, 5, 4, 3, 2, 1)) // right
	add(row(0, 1, 7, 6, 5, 4, 3, 2)) // last of seven
	add(row(1, 7, 6, 5, 4, 3, 2, 1)) // second
	add(row(2, 6, 7, 2, 5, 4, 3, 1)) // sixth
	add(row(3, 1, 2, 3, 7, 4, 5, 6)) // right
	add(row(6, 7, 6, 5, 1, 2, 3, 4)) // fourth
	add(row(6, 1, 2, 3, 4, 5, 6, 7)) // right
	out.Features = make([]float32, 2*len(batch))
	for i := range batch {
		out.Features[2*i+min(1, batch[i].Label)] = 1 // class 0 is along the first axis, all others along the second
	}
	means := [][]float32{{1, 0}, {0, 1}}
	for len(means) < seen {
		means = append(means, []float32{-1, 0})
	}
	e.count(batch, out, means)
	var p schemas.Phase
	e.perSecond = 12
	e.fill(&p, 3)
	near(t, "accuracy", p.Accuracy, 3./7)
	near(t, "top five", p.Top5Accuracy, 5./7)
	near(t, "old", p.OldAccuracy, 1./4)
	near(t, "new", p.NewAccuracy, 2./3)
	near(t, "nearest mean", p.NMEAccuracy, 3./7) // both rows of class 0, and class 1
	if want := []float64{0.5, 0, 0, 1, 0, 0, 0.5}; !slices.Equal(p.ClassAccuracy, want) {
		t.Errorf("by class %v, not %v", p.ClassAccuracy, want)
	}
	if p.TestPicturesPerSecond != 12 {
		t.Errorf("%g pictures a second", p.TestPicturesPerSecond)
	}
}
