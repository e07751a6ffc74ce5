package split_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

// made is a source of names alone.
type made struct {
	classes []dataset.Class
	entries []dataset.Entry
	refused []schemas.Refusal
}

func (m *made) Spec() string               { return "made:up" }
func (m *made) Classes() []dataset.Class   { return m.classes }
func (m *made) Entries() []dataset.Entry   { return m.entries }
func (m *made) Refused() []schemas.Refusal { return m.refused }
func (m *made) Close() error               { return nil }
func (m *made) Read(context.Context, dataset.Entry) ([]byte, error) {
	return nil, errors.New("a split reads no pictures")
}

// counted is a source with the given number of pictures in each class: CLASS/sketch_0.jpg and so on.
func counted(counts map[string]int) *made {
	m := &made{}
	for label, wnid := range slices.Sorted(maps.Keys(counts)) {
		m.classes = append(m.classes, dataset.Class{WNID: wnid, Name: "class_" + wnid})
		for i := range counts[wnid] {
			m.entries = append(m.entries, dataset.Entry{ID: dataset.ID(fmt.Sprintf("%s/sketch_%d.jpg", wnid, i)), Label: label})
		}
	}
	slices.SortFunc(m.entries, func(a, b dataset.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return m
}

func dealt(t testing.TB, s dataset.Source, o split.Options) split.Result {
	t.Helper()
	r, err := split.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newSplit(t testing.TB, s dataset.Source, o split.Options) dataset.Split {
	t.Helper()
	return dealt(t, s, o).Parts
}

func ofClass(ids []dataset.ID, wnid string) []dataset.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id dataset.ID) bool { return id.WNID() != wnid })
}

func sameSplit(t testing.TB, got, want dataset.Split) {
	t.Helper()
	if !slices.Equal(got.Names(), want.Names()) {
		t.Fatalf("parts %v, want %v", got.Names(), want.Names())
	}
	for _, part := range want.Names() {
		if !slices.Equal(got[part], want[part]) {
			t.Errorf("%s: %v, want %v", part, got[part], want[part])
		}
	}
}
