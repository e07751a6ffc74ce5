package report

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

var look = flag.String("look", "", "folder to write reports of made-up runs to, to be looked at")

// grid of made-up runs: a formula with noise, in the form of a sweep. Nothing in it was measured.
type made struct {
	phases  []int
	kinds   []string
	budgets func(phases int) []float64
	seeds   int
	classes int
	bare    bool // without what newer programs measure
}

// sweepRuns makes the runs of a sweep of 3 schedules, 5 ways to keep exemplars and, at L = 10, 5 budgets.
func sweepRuns(t testing.TB, seeds int) []Run {
	return made{phases: []int{5, 10, 20}, kinds: []string{"none", "raw", "mrdc", "cim", "masked"}, seeds: seeds, classes: 100,
		budgets: func(phases int) []float64 {
			if phases == 10 {
				return []float64{1, 3, 5, 7, 10}
			}
			return []float64{5}
		}}.runs(t)
}

func (m made) runs(t testing.TB) (runs []Run) {
	for _, phases := range m.phases {
		for _, kind := range m.kinds {
			budgets := m.budgets(phases)
			if kind == "none" {
				budgets = []float64{0}
			}
			for _, budget := range budgets {
				for seed := range m.seeds {
					runs = append(runs, m.run(t, phases, kind, budget, uint64(seed+1)))
				}
			}
		}
	}
	return runs
}

func (m made) run(t testing.TB, phases int, kind string, budget float64, seed uint64) Run {
	k := rank(kind)
	worth := []float64{0, 1, 1.46, 1.94, 2.8}[k]
	held := math.Floor(budget * worth)
	rng := rand.New(rand.NewPCG(seed, uint64(phases*1000+k*100)+uint64(budget)))
	lose := 0.9 / (1 + 1.1*math.Sqrt(held)) / math.Sqrt(float64(phases)/5)
	if k == 0 {
		lose = 1.4
	}
	r := schemas.Report{Header: schemas.ReportHeader, Method: "ssf", Exemplars: kind, Seed: seed, TrainedParameters: 205_848,
		KeptBytes: 820_000 + int64(held*float64(m.classes)*3000), Program: schemas.Program{Name: "mcil", Version: "v0.2.0", Go: "go1.26.0"}}
	per := m.classes / phases
	hard := make([]float64, m.classes) // of a class, the same in every run
	classRNG := rand.New(rand.NewPCG(7, 7))
	for c := range hard {
		hard[c] = 0.12 * classRNG.NormFloat64()
		r.Classes = append(r.Classes, schemas.RunClass{WNID: fmt.Sprintf("n%08d", 1440000+37*c), Name: fmt.Sprintf("class %d", c+1), Phase: c / per})
	}
	best := make([]float64, phases)
	for p := range phases {
		seen := per * (p + 1)
		var all, old, fresh float64
		ph := schemas.Phase{Phase: p, Classes: seen, Seconds: 41 + rng.Float64(), LearnSeconds: 30, LearnPicturesPerSecond: 120 + 9*rng.Float64(),
			TestPicturesPerSecond: 410 + 20*rng.Float64(), Top5Accuracy: 0.95 - 0.004*float64(p), NMEAccuracy: 0.6 * min(budget, 1),
			ExemplarsPerClass: held, MemoryBudgetBytes: int64(budget * float64(seen) * 9800), MemoryUsedBytes: int64(budget*float64(seen)*9800*0.97) - int64(900*seed)}
		if kind != "none" {
			ph.TokenFraction, ph.PixelFraction, ph.StoredFraction = 0.95/worth, 0.9/worth, 1/worth
		}
		if kind == "none" {
			ph.MemoryBudgetBytes, ph.MemoryUsedBytes = 0, 0
		}
		row := make([]float64, p+1)
		for c := range seen {
			age := float64(p - c/per)
			a := 0.9 - 0.05*math.Log1p(float64(p)) - (1-math.Exp(-lose*age))*0.6 + hard[c]*math.Min(1, 0.4+age) + 0.03*rng.NormFloat64()
			a = math.Round(min(max(a, 0), 1)*20) / 20
			ph.ClassAccuracy = append(ph.ClassAccuracy, a)
			ph.ClassExemplars = append(ph.ClassExemplars, int(held))
			row[c/per] += a / float64(per)
			all += a / float64(seen)
			if c < seen-per {
				old += a / float64(seen-per)
			} else {
				fresh += a / float64(per)
			}
		}
		ph.Accuracy, ph.OldAccuracy, ph.NewAccuracy = all, old, fresh
		if m.bare {
			ph.OldAccuracy, ph.NewAccuracy, ph.Top5Accuracy, ph.ClassAccuracy, ph.ClassExemplars = 0, 0, 0, nil, nil
			ph.LearnPicturesPerSecond, ph.TestPicturesPerSecond, r.TrainedParameters, r.KeptBytes = 0, 0, 0, 0
		}
		for q := range row {
			row[q] = min(row[q], 1)
			best[q] = max(best[q], row[q])
		}
		r.AccuracyMatrix = append(r.AccuracyMatrix, row)
		r.Phases = append(r.Phases, ph)
		r.AverageAccuracy += all / float64(phases)
		r.MacroAverageAccuracy += all / float64(phases)
		r.LastAccuracy = all
		if p == phases-1 {
			for q := range row[:p] {
				r.Forgetting += (best[q] - row[q]) / float64(p)
			}
		}
	}
	settings := map[string]any{"method": "ssf", "exemplars": kind, "seed": float64(seed), "data": "drawn/hf", "phases": float64(phases), "classes": "",
		"model": "small", "weights": "pretrained/small", "epochs": 20.0, "learning_rate": 0.005, "batch_size": 32.0}
	if kind != "none" {
		settings["budget"] = budget
	}
	run := Run{Dir: fmt.Sprintf("%s-%d-%g-%d", kind, phases, budget, seed), Report: r, Settings: schemas.Run{Header: schemas.RunHeader, Settings: settings,
		Digest: fmt.Sprintf("%s/%d/%g/%d", kind, phases, budget, seed)}}
	if kind == "masked" && budget == 5 && phases == 10 {
		run.Gallery = &schemas.Gallery{Header: schemas.GalleryHeader}
		for i := range 3 {
			e := drawn(t, i, 12, 12+2*i, 16)
			e.Kind = "masked"
			for j := range e.Tokens {
				e.Tokens[j].Score = float32(0.002 + 0.001*rng.Float64())
				if e.Tokens[j].Kept {
					e.Tokens[j].Score = float32(0.008 + 0.03*rng.Float64()*rng.Float64())
				}
			}
			run.Gallery.Exemplars = append(run.Gallery.Exemplars, e)
		}
	}
	if (kind == "cim" || kind == "mrdc") && budget == 5 && phases == 10 {
		e := drawn(t, 1, 12, 16, 16)
		e.Kind, e.ReplayPNG, e.StoredBytes = kind, coarse(t, e.PicturePNG), 8800
		for i := range e.KeptPatch {
			e.KeptPatch[i] = true
		}
		for i := range e.Tokens {
			e.Tokens[i].Kept, e.Tokens[i].Score = true, 0
		}
		if kind == "cim" {
			e.Box = &schemas.GalleryBox{X: 64, Y: 48, W: 112, H: 112}
		} else {
			e.Quality = 25
			clear(e.Attention)
		}
		run.Gallery = &schemas.Gallery{Header: schemas.GalleryHeader, Exemplars: []schemas.GalleryExemplar{e}}
	}
	return run
}

// coarse is a picture in squares of 8 pixels, as a PNG.
func coarse(t testing.TB, b []byte) []byte {
	t.Helper()
	in, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(in.Bounds())
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Set(x, y, in.At(x/8*8, y/8*8))
		}
	}
	var w bytes.Buffer
	if err := png.Encode(&w, out); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// ablations makes runs of masked exemplars with other rules, beside their rivals.
func ablations(t testing.TB) (ablations []Run) {
	for i, v := range [][2]string{{}, {"mask_score", "random"}, {"mask_score", "inverse"}, {"mask_text", "all"}, {"mask_image", "all"}, {"replay", "black"}, {"mask_layer", "0"}, {"mask_layer", "mean"}} {
		for _, r := range (made{phases: []int{10}, kinds: []string{"masked"}, seeds: 3, classes: 100, budgets: func(int) []float64 { return []float64{5, 10} }}).runs(t) {
			for k, plain := range map[string]any{"mask_score": "attention", "mask_text": "mean", "mask_image": "mean", "replay": "drop", "mask_layer": "last"} {
				r.Settings.Settings[k] = plain
			}
			if v[0] != "" {
				r.Settings.Settings[v[0]] = v[1]
			}
			for p := range r.Report.Phases {
				r.Report.Phases[p].Accuracy -= 0.012 * float64(i*p) / 10
			}
			r.Report.AverageAccuracy -= 0.006 * float64(i)
			r.Settings.Digest += strings.Join(v[:], "=")
			ablations = append(ablations, r)
		}
	}
	ablations = append(ablations, made{phases: []int{10}, kinds: []string{"none", "raw", "cim"}, seeds: 3, classes: 100, budgets: func(int) []float64 { return []float64{5} }}.runs(t)...)
	return ablations
}

// TestLook writes what there is to be looked at: go test ./train/report -run Look -look DIR.
func TestLook(t *testing.T) {
	if *look == "" {
		t.Skip("no folder named")
	}
	partly := made{phases: []int{5, 9}, kinds: []string{"none", "raw", "masked"}, seeds: 1, classes: 45, bare: true,
		budgets: func(phases int) []float64 { return []float64{1, 2}[:1+phases%2] }}.runs(t)
	for name, runs := range map[string][]Run{"ablations": ablations(t), "sweep": sweepRuns(t, 5), "demo": benchmark(t), "partly": partly[:len(partly)-2]} {
		if err := Write(t.Context(), filepath.Join(*look, name), runs, Options{}); err != nil {
			t.Fatal(err)
		}
	}
}
