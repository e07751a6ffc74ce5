package report

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

func TestStat(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Stat
		json string
	}{
		{nil, Stat{}, `{"mean":0,"n":0}`},
		{[]float64{0.5}, Stat{Mean: 0.5, SD: 0, N: 1}, `{"mean":0.5,"n":1}`},
		{[]float64{1, 1}, Stat{Mean: 1, SD: 0, N: 2}, `{"mean":1,"sd":0,"n":2}`},
		// mean 5, squared deviations 9+1+1+1+0+0+4+16 = 32, 32/7
		{[]float64{2, 4, 4, 4, 5, 5, 7, 9}, Stat{Mean: 5, SD: math.Sqrt(32.0 / 7), N: 8}, ""},
	} {
		got := NewStat(c.in)
		if got.N != c.want.N || math.Abs(got.Mean-c.want.Mean) > 1e-15 || math.Abs(got.SD-c.want.SD) > 1e-15 {
			t.Errorf("NewStat(%v) = %+v, want %+v", c.in, got, c.want)
		}
		if b, err := json.Marshal(got); c.json != "" && (err != nil || string(b) != c.json) {
			t.Errorf("NewStat(%v) as JSON = %s, %v, want %s", c.in, b, err, c.json)
		}
	}
}

func TestSummariseGroupsSeedsAndOrders(t *testing.T) {
	runs := []Run{
		smallRun("ssf", "zip", 1, 0.5, 0.4),
		smallRun("ssf", "masked", 2, 0.62, 0.52),
		smallRun("ssf", "cim", 1, 0.5, 0.4),
		smallRun("ssf", "mrdc", 1, 0.5, 0.4),
		smallRun("ssf", "masked", 1, 0.60, 0.48),
		smallRun("ssf", "arc", 1, 0.5, 0.4),
		smallRun("ssf", "raw", 1, 0.5, 0.4),
		smallRun("l2p", "none", 1, 0.5, 0.4),
		smallRun("ease", "none", 1, 0.5, 0.4),
	}
	rows := Summarise(runs)
	var labels []string
	for _, r := range rows {
		labels = append(labels, r.Label())
	}
	want := []string{"ease + none", "l2p + none", "ssf + raw", "ssf + mrdc", "ssf + cim", "ssf + masked", "ssf + arc", "ssf + zip"}
	if !slices.Equal(labels, want) {
		t.Fatalf("order %q, want %q", labels, want)
	}
	m := rows[5]
	if !slices.Equal(m.Seeds, []uint64{1, 2}) {
		t.Errorf("seeds %v", m.Seeds)
	}
	near := func(name string, got Stat, mean, sd float64, n int) {
		t.Helper()
		if math.Abs(got.Mean-mean) > 1e-9 || math.Abs(got.SD-sd) > 1e-9 || got.N != n {
			t.Errorf("%s = %+v, want %g ± %g over %d", name, got, mean, sd, n)
		}
	}
	// Two values differ by d: SD = d/√2.
	near("average", m.Average, 0.61, 0.02/math.Sqrt2, 2)
	near("last", m.Last, 0.50, 0.04/math.Sqrt2, 2)
	near("forgetting", m.Forgetting, 0.32, 0.04/math.Sqrt2, 2) // 2·0.60−2·0.48+0.1 = 0.34, 2·0.62−2·0.52+0.1 = 0.30
	near("exemplars", m.ExemplarsPerClass, 7.5, 1/math.Sqrt2, 2)
	near("used", m.UsedBytes, 8001.5, 1/math.Sqrt2, 2)
	near("budget", m.BudgetBytes, 8192, 0, 2)
	near("seconds", m.Seconds, 30, 0, 2)
	near("first point", m.Curve[0].Accuracy, 0.72, 0, 2)
	near("one seed", rows[0].Average, 0.5, 0, 1)
	// The mean matrix is {0.72}, {0.4, 0.6}; the first phase dropped from 0.72 to 0.38 and to 0.42.
	if got := m.Matrix; math.Abs(got[0][0]-0.72)+math.Abs(got[1][0]-0.4)+math.Abs(got[1][1]-0.6) > 1e-9 {
		t.Errorf("matrix %v", got)
	}
	if len(m.Drop) != 1 || math.Abs(m.Drop[0]-0.32) > 1e-9 {
		t.Errorf("drop %v, want 0.32", m.Drop)
	}
}

func TestVariantsNameWhatDiffers(t *testing.T) {
	a, b, c := smallRun("ssf", "raw", 1, 0.5, 0.4), smallRun("ssf", "raw", 1, 0.5, 0.4), smallRun("ssf", "raw", 2, 0.5, 0.4)
	b.Settings.Settings["budget"] = 10.0
	b.Report.Phases[1].MemoryBudgetBytes *= 2
	rows := Summarise([]Run{b, a, c})
	if len(rows) != 2 || rows[0].Label() != "ssf + raw (budget 5)" || rows[1].Label() != "ssf + raw (budget 10)" || len(rows[0].Seeds) != 2 {
		t.Errorf("rows %+v", rows)
	}
	// The same settings over another schedule of classes: another row, for its curve cannot be averaged with the first.
	d := smallRun("ssf", "raw", 2, 0.5, 0.4)
	d.Report.Phases[1].Classes = 6
	rows = Summarise([]Run{a, d})
	if len(rows) != 2 || rows[1].Label() != "ssf + raw (6 classes, 2 phases)" {
		t.Errorf("rows %+v", rows)
	}
}

func TestDropIsTheBestMinusTheLast(t *testing.T) {
	a := [][]float64{{0.5}, {0.9, 0.2}, {0.6, 0.7, 0.1}}
	for i, want := range []float64{0.3, 0, 0} {
		if got := drop(a, i); math.Abs(got-want) > 1e-15 {
			t.Errorf("drop of phase %d = %g, want %g", i, got, want)
		}
	}
}

func TestSettings(t *testing.T) {
	run := func(m map[string]any) Run { return Run{Settings: schemas.Run{Settings: m}} }
	common, differ := compare([]Run{
		run(map[string]any{"seed": 1.0, "rate": 0.005, "train": map[string]any{"epochs": 20.0, "seed": 3.0}, "layers": []any{1.0, 2.0}, "a": true}),
		run(map[string]any{"seed": 2.0, "rate": 0.01, "train": map[string]any{"epochs": 20.0}, "layers": []any{1.0, 2.0}}),
	})
	if want := []setting{{"layers", "[1,2]"}, {"train.epochs", "20"}}; !slices.Equal(common, want) {
		t.Errorf("common %v, want %v", common, want)
	}
	if len(differ) != 2 || differ[0].Key != "a" || !slices.Equal(differ[0].Values, []string{"true", ""}) ||
		differ[1].Key != "rate" || !slices.Equal(differ[1].Values, []string{"0.005", "0.01"}) {
		t.Errorf("differ %v", differ)
	}
	if got := lookup(common, "epochs"); got != "20" {
		t.Errorf("epochs %q", got)
	}
}

func TestTexts(t *testing.T) {
	for got, want := range map[string]string{
		fixed(-0.04, 1): "0.0", fixed(-0.06, 1): "-0.1", percent(0.99996): "100.0", byteText(1023): "1023 B", byteText(14541): "14.2 KiB",
		byteText(3 << 30): "3.0 GiB", spread(Stat{Mean: 0.5, SD: 0.012, N: 2}, 100, 1): "50.0 ± 1.2", spread(Stat{Mean: 0.5, SD: 0, N: 1}, 100, 1): "50.0",
		durationText(90): "90.0 s", durationText(600): "10.0 min", durationText(9000): "2.5 h", clip("häßlich", 4): "häß…",
		list([]string{"1", "2", "3"}): "1, 2 and 3", count(1, "class", "classes"): "1 class",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRamps(t *testing.T) {
	for v, want := range map[float64]uint32{0: 0xf7fbff, 0.125: 0xdeebf7, 1: 0x08306b, 2: 0x08306b} {
		if got := colourAt(blues(), v); got != want {
			t.Errorf("blues at %g = %06x, want %06x", v, got, want)
		}
	}
	if got := contrast(0, 0xffffff); math.Abs(got-21) > 1e-9 {
		t.Errorf("black on white has contrast %g", got)
	}
	// Numbers in every cell can be read (WCAG AA is 4.5), and lightness never turns back along a ramp.
	for name, ramp := range map[string][]uint32{"blues": blues(), "night": night(), "viridis": viridis()} {
		var lum []float64
		for i := range heatSteps + 1 {
			c := colourAt(ramp, float64(i)/heatSteps)
			if best := max(contrast(c, 0xffffff), contrast(c, 0x000000)); best < 4.5 && name != "viridis" {
				t.Errorf("%s step %d: contrast %.2f", name, i, best)
			}
			lum = append(lum, luminance(c))
		}
		if name == "blues" {
			slices.Reverse(lum)
		}
		if !slices.IsSorted(lum) {
			t.Errorf("%s: luminance turns back: %v", name, lum)
		}
	}
	if css := string(rampCSS()); strings.Count(css, ".h") != 2*(heatSteps+1) || strings.Count(css, ".a") != levels {
		t.Errorf("style sheet of the ramps is incomplete:\n%s", css)
	}
}

// TestPathsDoNotGroup: how a path is written makes no group of its own; another folder does.
func TestPathsDoNotGroup(t *testing.T) {
	runs := []Run{smallRun("ssf", "raw", 1, 0.5, 0.4), smallRun("ssf", "raw", 2, 0.5, 0.4), smallRun("ssf", "raw", 3, 0.5, 0.4)}
	runs[1].Settings.Settings["data"] = "/home/x/data/./hf/"
	runs[2].Settings.Settings["data"] = "other"
	rows := Summarise(runs)
	if len(rows) != 2 || rows[0].Variant != "data hf" || rows[1].Variant != "data other" || len(rows[0].Seeds) != 2 {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
}
