package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

// smallRun is a run of two phases of two classes whose figures can be checked by hand.
func smallRun(method, exemplars string, seed uint64, average, last float64) Run {
	return Run{
		Dir: fmt.Sprintf("%s-%s-%d", method, exemplars, seed),
		Settings: schemas.Run{
			Header: schemas.RunHeader,
			Settings: map[string]any{"method": method, "exemplars": exemplars, "seed": float64(seed), "phases": 2.0, "budget": 5.0,
				"data": "data/hf", "model": "tiny"},
			Digest: fmt.Sprintf("%s/%s/%d", method, exemplars, seed),
		},
		Report: schemas.Report{
			Header: schemas.ReportHeader, Method: method, Exemplars: exemplars, Seed: seed,
			AccuracyMatrix:  [][]float64{{2*average - last}, {last - 0.1, last + 0.1}},
			AverageAccuracy: average, MacroAverageAccuracy: average, LastAccuracy: last, Forgetting: 2*average - 2*last + 0.1,
			Phases: []schemas.Phase{
				{Phase: 0, Classes: 2, Accuracy: 2*average - last, ExemplarsPerClass: 8, MemoryBudgetBytes: 4096, MemoryUsedBytes: 4000, Seconds: 10},
				{Phase: 1, Classes: 4, Accuracy: last, ExemplarsPerClass: 6 + float64(seed), MemoryBudgetBytes: 8192, MemoryUsedBytes: 8000 + int64(seed),
					TokenFraction: 0.3, PixelFraction: 0.25, StoredFraction: 0.4, Seconds: 20},
			},
			Program: schemas.Program{Name: "mcil", Version: "v0", Go: "go1.26"},
		},
	}
}

// save writes r as the trainer does, below dir, and returns its folder.
func save(t *testing.T, dir string, r Run) string {
	t.Helper()
	dir = filepath.Join(dir, r.Dir)
	mkdir(t, dir)
	if r.Gallery != nil {
		r.Report.Gallery = "gallery.json"
		write(t, filepath.Join(dir, "gallery.json"), r.Gallery)
	}
	write(t, filepath.Join(dir, "run.json"), r.Settings)
	write(t, filepath.Join(dir, "report.json"), r.Report)
	return dir
}

func write(t *testing.T, path string, v any) {
	t.Helper()
	if err := schemas.WriteJSON(path, v); err != nil {
		t.Fatal(err)
	}
}

// benchmark has the form of a real comparison; its figures are made up by a formula. Five ways to keep exemplars, two seeds, five phases of four classes,
// and galleries of drawn pictures.
func benchmark(t testing.TB) []Run {
	var runs []Run
	for i, exemplars := range []string{"none", "raw", "mrdc", "cim", "masked"} {
		for seed := uint64(1); seed <= 2; seed++ {
			const phases = 5
			r := schemas.Report{Header: schemas.ReportHeader, Method: "ssf", Exemplars: exemplars, Seed: seed,
				Program: schemas.Program{Name: "mcil", Version: "v0.1.0", Go: "go1.26.8"}}
			lose := []float64{0.30, 0.075, 0.066, 0.06, 0.045}[i]
			for p := range phases {
				var row []float64
				var sum float64
				for q := range p + 1 {
					a := (0.93 - 0.012*float64(p)) * math.Exp(-lose*float64(p-q)*2.2)
					a += 0.03 * math.Sin(float64(7*p+3*q)+float64(i)+5*float64(seed))
					row = append(row, min(max(a, 0.02), 1))
					sum += row[q]
				}
				mean := sum / float64(p+1)
				budget := int64(4*(p+1)) * 5 * 9800
				per := []float64{0, 5, 7.4, 9.2, 13.6}[i]
				frac := []float64{0, 1, 0.68, 0.54, 0.36}[i]
				ph := schemas.Phase{Phase: p, Classes: 4 * (p + 1), Accuracy: mean, Seconds: 61.5 + float64(10*i), MemoryBudgetBytes: budget,
					ExemplarsPerClass: per + 0.2*float64(seed-1)*min(per, 1), MemoryUsedBytes: budget*int64(min(per, 1)) - int64(1300*i)*int64(seed),
					TokenFraction: frac * 0.9, PixelFraction: frac * 0.8, StoredFraction: frac}
				if exemplars == "none" {
					ph.MemoryBudgetBytes, ph.MemoryUsedBytes = 0, 0
				}
				r.Phases = append(r.Phases, ph)
				r.AccuracyMatrix = append(r.AccuracyMatrix, row)
				r.AverageAccuracy += mean / phases
				r.MacroAverageAccuracy += mean / phases
				r.LastAccuracy = mean
			}
			for q := range phases - 1 {
				r.Forgetting += drop(r.AccuracyMatrix, q) / (phases - 1)
			}
			run := Run{
				Dir: fmt.Sprintf("ssf-%s-%d", exemplars, seed),
				Settings: schemas.Run{Header: schemas.RunHeader, Digest: fmt.Sprintf("3f9c%d%d77b1e20a4d5", i, seed),
					Settings: map[string]any{"method": "ssf", "exemplars": exemplars, "seed": float64(seed), "data": "mm-imagenet-r/hf", "classes": "n0*",
						"phases": 5.0, "budget": 5.0, "budget-unit": "stored", "model": "small", "weights": "pretrained/small", "epochs": 20.0,
						"learning-rate": 0.005, "batch": 32.0}},
				Report: r,
			}
			if exemplars == "masked" || exemplars == "cim" {
				g := schemas.Gallery{Header: schemas.GalleryHeader}
				for k := range 3 {
					g.Exemplars = append(g.Exemplars, drawn(t, k, 12, 12+2*k, 16))
				}
				run.Gallery = &g
			}
			runs = append(runs, run)
		}
	}
	return runs
}

// drawn is an exemplar with a gradient and a bright disk, attended to where the disk is.
func drawn(t testing.TB, k, gridH, gridW, patch int) schemas.GalleryExemplar {
	t.Helper()
	w, h := gridW*patch, gridH*patch
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	cx, cy, radius := float64(w)*(0.35+0.1*float64(k)), float64(h)*0.55, float64(h)*0.3
	for y := range h {
		for x := range w {
			c := color.RGBA{uint8(60 + 120*y/h), uint8(120 + 80*x/w), uint8(210 - 90*y/h), 255}
			if d := math.Hypot(float64(x)-cx, float64(y)-cy); d < radius {
				c = color.RGBA{uint8(240 - 60*d/radius), uint8(190 - 90*d/radius), 60, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	e := schemas.GalleryExemplar{
		ID: fmt.Sprintf("n02128757/sculpture_%d.jpg", k), WNID: "n02128757", ClassName: "snow leopard", Phase: k,
		PicturePNG: b.Bytes(), PatchPx: patch, GridH: gridH, GridW: gridW, FullBytes: 14541 + 900*k, StoredBytes: 5120 + 333*k,
	}
	var mean float64
	for gy := range gridH {
		for gx := range gridW {
			x, y := (float64(gx)+0.5)*float64(patch), (float64(gy)+0.5)*float64(patch)
			d := math.Hypot(x-cx, y-cy) / radius
			a := 0.002 + 0.03*math.Exp(-2*d*d)*(1+0.4*math.Sin(float64(gx*3+gy*5)))
			if gx == gridW-1 && gy == 0 {
				a = 0.05
			}
			e.Attention = append(e.Attention, float32(a))
			mean += float64(float32(a))
		}
	}
	mean /= float64(gridH * gridW)
	for _, a := range e.Attention {
		e.KeptPatch = append(e.KeptPatch, float64(a) > mean)
	}
	text := "the image depicts a *white - *haired *snow *leop *##ard sculpture , *its fur gl ##isten ##ing in the *sun ##light . " +
		"the *animal is *standing upon *a ledge ( carved from *stone ) , with *mountains and *a *frozen lake in the background , creating a surreal *##istic scene ."
	for f := range strings.FieldsSeq(text) {
		f, kept := strings.CutPrefix(f, "*")
		e.Tokens = append(e.Tokens, schemas.GalleryToken{Text: f, Kept: kept, Score: 0.01})
	}
	return e
}

// render returns what f writes.
func render(t *testing.T, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
