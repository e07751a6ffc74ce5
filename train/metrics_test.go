package train

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s is %.6f, not %.6f", what, got, want)
	}
}

func TestMetricsByHand(t *testing.T) {
	for _, c := range []struct {
		name              string
		m                 Matrix
		macro, forgetting float64
	}{
		{"nothing", nil, 0, 0},
		{"one phase", Matrix{{0.75}}, 0.75, 0},
		// rows: 0.9; (0.6+0.8)/2 = 0.7; (0.5+0.7+0.9)/3 = 0.7; lost: 0.9-0.5 and 0.8-0.7
		{"loss in every phase", Matrix{{0.9}, {0.6, 0.8}, {0.5, 0.7, 0.9}}, 2.3 / 3, 0.25},
		// the first phase's best is in the middle: 0.7-0.6; the second's is at the end: nothing is lost
		{"later gain", Matrix{{0.4}, {0.7, 0.2}, {0.6, 0.5, 1}}, (0.4 + 0.45 + 0.7) / 3, 0.05},
		{"gain only", Matrix{{0.1}, {0.9, 0.3}}, (0.1 + 0.6) / 2, 0},
		// the last phase's own column does not count
		{"two phases", Matrix{{1}, {0.25, 0}}, (1 + 0.125) / 2, 0.75},
	} {
		near(t, c.name+": macro average", c.m.MacroAverage(), c.macro)
		near(t, c.name+": forgetting", c.m.Forgetting(), c.forgetting)
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
