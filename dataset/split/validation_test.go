package split_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

func TestValidationCounts(t *testing.T) {
	s := counted(map[string]int{goldfish: 2, shark: 3, leopard: 7, "n00000001": 100, "n00000002": 13})
	for _, share := range []float64{0, 0.001, 0.1, 0.5, 0.999} {
		plain := newSplit(t, s, split.Options{Spec: "ratio:0.7", Seed: 5})
		r := dealt(t, s, split.Options{Spec: "ratio:0.7", Seed: 5, Validation: share})
		if !slices.Equal(r.Parts[dataset.Test], plain[dataset.Test]) {
			t.Errorf("share %g: test rows changed", share)
		}
		back := slices.Concat(r.Parts[dataset.Train], r.Parts[dataset.Validation])
		slices.Sort(back)
		if !slices.Equal(back, plain[dataset.Train]) || !slices.IsSorted(r.Parts[dataset.Train]) || !slices.IsSorted(r.Parts[dataset.Validation]) {
			t.Errorf("share %g: train and validation are not what train was", share)
		}
		if share == 0 {
			if _, ok := r.Parts[dataset.Validation]; ok || r.Validation != (schemas.ValidationSummary{Rule: "none"}) {
				t.Errorf("no share: %+v", r.Validation)
			}
			continue
		}
		if want := (schemas.ValidationSummary{Rule: fmt.Sprintf("carved from train: %v of each class, stratified, seed 5", share), Share: share}); r.Validation != want {
			t.Errorf("%+v, want %+v", r.Validation, want)
		}
		for _, c := range s.Classes() {
			n := len(ofClass(plain[dataset.Train], c.WNID))
			want := min(max(int(math.Round(share*float64(n))), 1), n-1) // of one row, none
			if got := len(ofClass(r.Parts[dataset.Validation], c.WNID)); got != want {
				t.Errorf("share %g of %d: %d, want %d", share, n, got, want)
			}
		}
	}
}

func TestValidationDependsOnClassAndSeedAlone(t *testing.T) {
	o := split.Options{Spec: "ratio:0.5", Seed: 1, Validation: 0.3}
	a := newSplit(t, counted(map[string]int{goldfish: 60, shark: 60}), o)
	b := newSplit(t, counted(map[string]int{goldfish: 60, leopard: 9, "n00000001": 5}), o)
	if !slices.Equal(ofClass(a[dataset.Validation], goldfish), ofClass(b[dataset.Validation], goldfish)) {
		t.Error("a class's validation rows are others in other company")
	}
	sameSplit(t, newSplit(t, counted(map[string]int{goldfish: 60, shark: 60}), o), a)
	o.Seed = 2
	if c := newSplit(t, counted(map[string]int{goldfish: 60, shark: 60}), o); slices.Equal(a[dataset.Validation], c[dataset.Validation]) {
		t.Error("another seed gives the same validation rows")
	}
}

// Were the ratio's generator used again, the rows carved from train's 40 would be at the places of the first 10 of 40 that the
// ratio would deal to train.
func TestValidationIsNotTheRatiosDraw(t *testing.T) {
	ratio := newSplit(t, counted(map[string]int{goldfish: 40, shark: 40}), split.Options{Spec: "ratio:0.25"})
	s := counted(map[string]int{goldfish: 41, shark: 41})
	for i, e := range s.entries { // one row of each class is for testing, the last by name
		s.entries[i].Part = "train"
		if i == len(s.entries)-1 || s.entries[i+1].Label != e.Label {
			s.entries[i].Part = "test"
		}
	}
	carved := newSplit(t, s, split.Options{Validation: 0.25})
	if len(carved[dataset.Validation]) != 20 || len(ratio[dataset.Train]) != 20 {
		t.Fatalf("%d and %d rows, want 20", len(carved[dataset.Validation]), len(ratio[dataset.Train]))
	}
	if slices.Equal(carved[dataset.Validation], ratio[dataset.Train]) {
		t.Error("the validation rows are the ratio's")
	}
}

// Known once and for all: datasets that exist were made so.
func TestValidationGolden(t *testing.T) {
	s := counted(map[string]int{goldfish: 20, shark: 10})
	got := newSplit(t, s, split.Options{Seed: 1, Validation: 0.25})[dataset.Validation]
	want := []dataset.ID{
		goldfish + "/sketch_0.jpg", goldfish + "/sketch_11.jpg", goldfish + "/sketch_12.jpg", goldfish + "/sketch_4.jpg",
		shark + "/sketch_4.jpg", shark + "/sketch_6.jpg",
	}
	if !slices.Equal(got, want) {
		t.Errorf("validation %q, want %q", got, want)
	}
}

// What is written is a split that brings its validation rows.
func TestValidationIsKeptWhenReadAgain(t *testing.T) {
	s := counted(map[string]int{goldfish: 20, shark: 10})
	p := newSplit(t, s, split.Options{Validation: 0.25})
	var text strings.Builder
	if err := split.Write(&text, p); err != nil {
		t.Fatal(err)
	}
	r := dealt(t, s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text.String())), Seed: 9})
	sameSplit(t, r.Parts, p)
	if r.Validation.Rule != "given by the split" {
		t.Errorf("%+v", r.Validation)
	}
}
