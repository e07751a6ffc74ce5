package build_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/build"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/schemas"
)

// Naming a class is looked for in the captions as they come, whatever their flags say, and counted by places.
func TestBuildFlagsNames(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 10)))
	id := func(e dataset.Entry, text string, flags ...string) dataset.Caption {
		return dataset.Caption{Text: text, CaptionInfo: dataset.CaptionInfo{Raw: text, Flags: flags, FlagValues: make([]float64, len(flags))}}
	}
	captions := map[dataset.ID]dataset.Caption{}
	for i, e := range s.Entries() {
		own, other := "goldfish", "snow leopard"
		if e.ID.WNID() != datasettest.Goldfish {
			own, other = s.Classes()[e.Label].Name, "goldfish"
		}
		own = strings.ReplaceAll(own, "_", " ")
		captions[e.ID] = []dataset.Caption{
			id(e, "A picture.", dataset.FlagNamesClass, dataset.FlagNamesMasked, dataset.FlagNamesOther),
			id(e, "A "+own+" and a "+own+".", "cut_off", "repetition"),
			id(e, "A "+other+", a "+own+" and a "+other+".", "cut_off"),
			id(e, "A "+other+".", "zzz"),
		}[i%4]
	}
	for _, masked := range []bool{false, true} {
		flag := map[bool]string{false: dataset.FlagNamesClass, true: dataset.FlagNamesMasked}[masked]
		wants := []dataset.CaptionInfo{
			{},
			{Flags: []string{"cut_off", flag, "repetition"}, FlagValues: []float64{0, 2, 0}},
			{Flags: []string{"cut_off", flag, dataset.FlagNamesOther}, FlagValues: []float64{0, 1, 2}},
			{Flags: []string{dataset.FlagNamesOther, "zzz"}, FlagValues: []float64{1, 0}},
		}
		dir := filepath.Join(t.TempDir(), "data")
		m := mustBuild(t, s, dir, build.Options{MaskNames: masked, Captions: func(id dataset.ID) (dataset.Caption, bool) { return captions[id], true }})
		d := open(t, filepath.Join(dir, "hf"))
		n := 0
		for _, rows := range d.Splits {
			for i := range rows.Len() {
				r, err := rows.Row(i)
				if err != nil {
					t.Fatal(err)
				}
				at := slices.IndexFunc(s.Entries(), func(e dataset.Entry) bool { return e.ID == r.ID })
				want := wants[at%4]
				if !slices.Equal(r.Flags, want.Flags) || !slices.Equal(r.FlagValues, want.FlagValues) {
					t.Errorf("%s: %q: %q %v, want %q %v", r.ID, r.Raw, r.Flags, r.FlagValues, want.Flags, want.FlagValues)
				}
				n++
			}
		}
		if n != 30 || m.Captions.Flags[flag] != 15 || m.Captions.Flags[dataset.FlagNamesOther] != 14 {
			t.Errorf("%d rows, flags %v", n, m.Captions.Flags)
		}
	}
}

func TestBuildRefusesFlagsWithoutValues(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 3)))
	for _, info := range []dataset.CaptionInfo{
		{Flags: []string{"a", "b"}, FlagValues: []float64{1}},
		{FlagValues: []float64{1}},
		{Flags: []string{"b", "a"}, FlagValues: []float64{1, 2}},
	} {
		_, err := build.Build(t.Context(), s, filepath.Join(t.TempDir(), "data"), build.Options{Captions: func(dataset.ID) (dataset.Caption, bool) {
			return dataset.Caption{Text: "a fish", CaptionInfo: info}, true
		}})
		datasettest.WantError(t, err, dataset.ErrRefused, "_0.jpg", "want them sorted, with one value each")
	}
}

// Thresholds and duplicates are the caller's to tell; other thresholds are another dataset.
func TestBuildTellsThresholds(t *testing.T) {
	s := openSource(t, datasettest.WriteFolder(t, datasettest.Layout(t, 3)))
	dir := filepath.Join(t.TempDir(), "data")
	about := schemas.CaptionsSummary{Thresholds: map[string]float64{"loop_words": 4}, Duplicates: schemas.DuplicatesSummary{Near: schemas.DuplicateCounts{Captions: 5}}}
	if m := mustBuild(t, s, dir, build.Options{About: about}); !reflect.DeepEqual(m.Captions.Thresholds, about.Thresholds) || m.Captions.Duplicates != about.Duplicates {
		t.Errorf("captions %+v", m.Captions)
	}
	mustBuild(t, s, dir, build.Options{About: about}) // the same
	about.Thresholds = map[string]float64{"loop_words": 5}
	_, err := build.Build(t.Context(), s, dir, build.Options{About: about, Captions: captionsOf(t, s, nil)})
	datasettest.WantError(t, err, dataset.ErrRefused, "--force")
}
