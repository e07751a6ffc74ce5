package report

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
)

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
}

func TestLoadFindsRuns(t *testing.T) {
	dir := t.TempDir()
	b := smallRun("ssf", "raw", 1, 0.5, 0.4)
	b.Gallery = &schemas.Gallery{Header: schemas.GalleryHeader, Exemplars: []schemas.GalleryExemplar{drawn(t, 0, 3, 4, 8)}}
	b.Dir = "sweep/b"
	a := smallRun("ssf", "none", 1, 0.5, 0.4)
	a.Dir = "sweep/a"
	save(t, dir, b)
	save(t, dir, a)
	mkdir(t, filepath.Join(dir, "sweep/a/phase-00")) // what is inside a run is not looked at
	hidden := smallRun("ssf", "cim", 1, 0.5, 0.4)
	hidden.Dir = ".trash/c"
	save(t, dir, hidden)

	runs, err := Load(t.Context(), []string{dir, filepath.Join(dir, "sweep/b")})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 2 || runs[0].Report.Exemplars != "none" || runs[1].Report.Exemplars != "raw" {
		t.Fatalf("runs %+v", runs)
	}
	if runs[0].Gallery != nil || runs[1].Gallery == nil || runs[1].Gallery.Exemplars[0].GridW != 4 {
		t.Errorf("galleries %v, %v", runs[0].Gallery, runs[1].Gallery)
	}
	if runs[1].Dir != filepath.Join(dir, "sweep/b") || runs[1].Settings.Settings["model"] != "tiny" {
		t.Errorf("run %+v", runs[1])
	}
}

func TestLoadRefuses(t *testing.T) {
	ok := func() Run { return smallRun("ssf", "raw", 1, 0.5, 0.4) }
	with := func(f func(*Run)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { r := ok(); f(&r); save(t, dir, r) }
	}
	exemplar := func(f func(*schemas.GalleryExemplar)) func(*testing.T, string) {
		return with(func(r *Run) {
			e := drawn(t, 0, 3, 4, 8)
			f(&e)
			r.Gallery = &schemas.Gallery{Header: schemas.GalleryHeader, Exemplars: []schemas.GalleryExemplar{e}}
		})
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string)
		want []string
	}{
		{"no run", func(*testing.T, string) {}, []string{"no run in it", "name a folder"}},
		{"unfinished", func(t *testing.T, dir string) {
			for _, name := range []string{"x", "y"} {
				mkdir(t, filepath.Join(dir, name))
				write(t, filepath.Join(dir, name, "run.json"), ok().Settings)
			}
			save(t, dir, ok())
		}, []string{"/x, ", "/y: not finished", "resumes", "leave it out"}},
		{"no settings", func(t *testing.T, dir string) { os.Remove(filepath.Join(save(t, dir, ok()), "run.json")) }, []string{"no run.json"}},
		{"newer", with(func(r *Run) { r.Report.Version = 9 }), []string{"version 9", "use a newer mcil"}},
		{"newer settings", with(func(r *Run) { r.Settings.Version = 2 }), []string{"run.json", "use a newer mcil"}},
		{"damaged", func(t *testing.T, dir string) {
			os.WriteFile(filepath.Join(save(t, dir, ok()), "report.json"), []byte(`{"schema":`), 0o666)
		}, []string{"report.json: damaged JSON"}},
		{"no phase", with(func(r *Run) { r.Report.Phases = nil }), []string{"holds no phase"}},
		{"matrix", with(func(r *Run) { r.Report.AccuracyMatrix[1] = []float64{1} }), []string{"row 1 has 1 values, want 2"}},
		{"short matrix", with(func(r *Run) { r.Report.AccuracyMatrix = nil }), []string{"0 rows for 2 phases"}},
		{"percent", with(func(r *Run) { r.Report.Phases[1].Accuracy = 40 }), []string{"accuracy of phase 1 is 40"}},
		{"matrix in percent", with(func(r *Run) { r.Report.AccuracyMatrix[0][0] = 70 }), []string{"holds 70"}},
		{"classes", with(func(r *Run) { r.Report.Phases[1].Classes = 1 }), []string{"phase 1 has seen 1 classes"}},
		{"gallery outside", func(t *testing.T, dir string) {
			r := ok()
			r.Report.Gallery = "../gallery.json"
			save(t, dir, r)
		}, []string{"outside the run folder"}},
		{"gallery lost", func(t *testing.T, dir string) {
			r := ok()
			r.Report.Gallery = "gallery.json"
			save(t, dir, r)
		}, []string{"gallery.json"}},
		{"same run twice", func(t *testing.T, dir string) {
			r := ok()
			save(t, dir, r)
			r.Dir = "copy"
			save(t, dir, r)
		}, []string{"are the same run", "seed 1"}},
		{"other data", func(t *testing.T, dir string) {
			r := ok()
			save(t, dir, r)
			r.Dir, r.Settings.Digest = "copy", "other"
			save(t, dir, r)
		}, []string{"other data or weights"}},
		{"attention", exemplar(func(e *schemas.GalleryExemplar) { e.Attention = e.Attention[1:] }), []string{"exemplar 0 (n02128757/sculpture_0.jpg)", "11 attention values"}},
		{"negative attention", exemplar(func(e *schemas.GalleryExemplar) { e.Attention[0] = -1 }), []string{"attention holds -1"}},
		{"grid", exemplar(func(e *schemas.GalleryExemplar) { e.GridW, e.GridH = 1<<40, 1<<40 }), []string{"is not a picture"}},
		{"picture", exemplar(func(e *schemas.GalleryExemplar) { e.PicturePNG = []byte("GIF89a") }), []string{"picture is no readable PNG"}},
		{"picture size", exemplar(func(e *schemas.GalleryExemplar) { e.PatchPx = 9 }), []string{"picture is 32x24 pixels, want 36x27"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.make(t, dir)
			_, err := Load(t.Context(), []string{dir})
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestLoadErrorsCanBeTold(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "run.json"), smallRun("ssf", "raw", 1, 0.5, 0.4).Settings)
	_, err := Load(t.Context(), []string{dir})
	if e, ok := errors.AsType[*UnfinishedError](err); !ok || len(e.Dirs) != 1 || e.Dirs[0] != dir {
		t.Errorf("error %v", err)
	}
	if _, err := Load(t.Context(), []string{filepath.Join(dir, "nowhere")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no run folders given") {
		t.Errorf("error %v", err)
	}
	r := smallRun("ssf", "raw", 1, 0.5, 0.4)
	r.Report.Version = 2
	_, err = Load(t.Context(), []string{save(t, t.TempDir(), r)})
	if _, ok := errors.AsType[*schemas.UnsupportedError](err); !ok {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, []string{dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func FuzzGallery(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "gallery.json")
	e := drawn(f, 0, 2, 2, 4)
	if err := schemas.WriteJSON(path, schemas.Gallery{Header: schemas.GalleryHeader, Exemplars: []schemas.GalleryExemplar{e}}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"schema":"mcil.gallery","version":1,"exemplars":[{"patch_px":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "gallery.json")
		os.WriteFile(path, b, 0o666)
		var g schemas.Gallery
		if schemas.ReadJSON(path, schemas.GalleryHeader, &g) != nil {
			return
		}
		for _, e := range g.Exemplars {
			x, err := newExemplar(e, "x")
			if err == nil && (x.W != e.GridW*e.PatchPx || x.Picture == "") {
				t.Errorf("accepted %+v as %+v", e, x)
			}
		}
	})
}
