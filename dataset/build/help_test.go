package build_test

import (
	"fmt"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

func newSplit(t testing.TB, s dataset.Source, o split.Options) dataset.Split {
	t.Helper()
	r, err := split.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Parts
}

func openSource(t testing.TB, spec string) dataset.Source {
	t.Helper()
	s, err := source.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// captionsOf captions every picture of s, except those for which without is true.
func captionsOf(t testing.TB, s dataset.Source, without func(dataset.ID) bool) build.CaptionOf {
	t.Helper()
	captions := map[dataset.ID]dataset.Caption{}
	for i, e := range s.Entries() {
		if without != nil && without(e.ID) {
			continue
		}
		b, err := s.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		c := dataset.Caption{Text: fmt.Sprintf("picture number %d, café", i), ImageSHA256: dataset.Digest(b)}
		c.CaptionInfo = dataset.CaptionInfo{Raw: " " + c.Text + " ", Model: "painter", Fingerprint: fmt.Sprint("f", i)}
		if i%4 == 0 {
			c.Flags = []string{"cut_off", "repeating"}[:1+i%8/4]
			c.FlagValues = []float64{float64(i), 0.5}[:len(c.Flags)]
		}
		captions[e.ID] = c
	}
	return func(id dataset.ID) (dataset.Caption, bool) {
		c, ok := captions[id]
		return c, ok
	}
}

var program = schemas.Program{Name: "mcil", Version: "test", Go: "go"}

func mustBuild(t testing.TB, s dataset.Source, dir string, o build.Options) schemas.DatasetManifest {
	t.Helper()
	if o.Captions == nil {
		o.Captions = captionsOf(t, s, nil)
	}
	o.Program = program
	m, err := build.Build(t.Context(), s, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, dir string) *dataset.Dataset {
	t.Helper()
	d, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
