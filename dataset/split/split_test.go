package split_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/split"
)

const (
	goldfish = datasettest.Goldfish
	shark    = datasettest.Shark
	leopard  = datasettest.Leopard
)

func TestSplitRatioCounts(t *testing.T) {
	counts := map[string]int{goldfish: 2, shark: 3, leopard: 7, "n00000001": 100, "n00000002": 13}
	s := counted(counts)
	for _, f := range []float64{0.01, 0.5, 0.8, 0.99} {
		p := newSplit(t, s, split.Options{Spec: fmt.Sprint("ratio:", f)})
		if !slices.IsSorted(p[dataset.Train]) || !slices.IsSorted(p[dataset.Test]) || len(p) != 2 {
			t.Fatalf("parts %v: want train and test, sorted", p.Names())
		}
		for wnid, n := range counts {
			want := min(max(int(math.Round(f*float64(n))), 1), n-1)
			train, test := ofClass(p[dataset.Train], wnid), ofClass(p[dataset.Test], wnid)
			if len(train) != want || len(train)+len(test) != n {
				t.Errorf("ratio %g of %d: %d train, %d test, want %d train", f, n, len(train), len(test), want)
			}
		}
		all := slices.Concat(p[dataset.Train], p[dataset.Test])
		slices.Sort(all)
		if len(slices.Compact(all)) != 125 {
			t.Errorf("ratio %g: a picture is in both parts", f)
		}
	}
	if p := newSplit(t, s, split.Options{}); len(ofClass(p[dataset.Train], "n00000001")) != 80 {
		t.Error("the default is not ratio:0.8")
	}
}

func TestSplitRatioDependsOnClassAndSeedAlone(t *testing.T) {
	a := newSplit(t, counted(map[string]int{goldfish: 30, shark: 30}), split.Options{Seed: 1})
	b := newSplit(t, counted(map[string]int{goldfish: 30, leopard: 9, "n00000001": 5}), split.Options{Seed: 1})
	if !slices.Equal(ofClass(a[dataset.Train], goldfish), ofClass(b[dataset.Train], goldfish)) {
		t.Error("a class splits otherwise in other company")
	}
	c := newSplit(t, counted(map[string]int{goldfish: 30, shark: 30}), split.Options{Seed: 2})
	if slices.Equal(a[dataset.Train], c[dataset.Train]) {
		t.Error("another seed gives the same split")
	}
	strip := func(ids []dataset.ID) (out []string) {
		for _, id := range ids {
			out = append(out, string(id)[len(goldfish):])
		}
		return out
	}
	if slices.Equal(strip(ofClass(a[dataset.Train], goldfish)), strip(ofClass(a[dataset.Train], shark))) {
		t.Error("two classes split by the same draw")
	}
}

func TestSplitTextRoundTrip(t *testing.T) {
	s := counted(map[string]int{goldfish: 9, shark: 5, leopard: 4})
	p := newSplit(t, s, split.Options{Spec: "ratio:0.5"})
	p["extra_1"] = p[dataset.Train][:1]
	p[dataset.Train] = p[dataset.Train][1:]
	var text strings.Builder
	if err := split.Write(&text, p); err != nil {
		t.Fatal(err)
	}
	if got := p.Names(); !slices.Equal(got, []string{"train", "test", "extra_1"}) {
		t.Errorf("names %v", got)
	}
	q := newSplit(t, s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text.String()))})
	for _, part := range p.Names() {
		if !slices.Equal(p[part], q[part]) {
			t.Errorf("%s: %v, want %v", part, q[part], p[part])
		}
	}
	if len(q) != len(p) {
		t.Errorf("parts %v", q.Names())
	}
}

func TestSplitTextForms(t *testing.T) {
	s := counted(map[string]int{goldfish: 2, shark: 2})
	text := "train\r\n\r\n  data/imagenet-r/" + shark + "/sketch_1.jpg  \r\n" + goldfish + "/sketch_0.jpg\n\ntest\n/abs/" + shark + "/sketch_0.jpg\n" + goldfish + "/sketch_1.jpg"
	p := newSplit(t, s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text))})
	if want := []dataset.ID{goldfish + "/sketch_0.jpg", shark + "/sketch_1.jpg"}; !slices.Equal(p[dataset.Train], want) {
		t.Errorf("train %v, want %v", p[dataset.Train], want)
	}
	if want := []dataset.ID{goldfish + "/sketch_1.jpg", shark + "/sketch_0.jpg"}; !slices.Equal(p[dataset.Test], want) {
		t.Errorf("test %v, want %v", p[dataset.Test], want)
	}
}

func TestSplitErrors(t *testing.T) {
	s := counted(map[string]int{goldfish: 2, shark: 2})
	g0, g1, s0, s1 := goldfish+"/sketch_0.jpg\n", goldfish+"/sketch_1.jpg\n", shark+"/sketch_0.jpg\n", shark+"/sketch_1.jpg\n"
	for _, c := range []struct {
		name, text string
		words      []string
	}{
		{"unknown id", "train\n" + g0 + s0 + "n99999999/sketch_0.jpg\ntest\n" + g1 + s1, []string{"train lists n99999999/sketch_0.jpg"}},
		{"in both", "train\n" + g0 + s0 + s1 + "test\n" + g1 + s1, []string{shark + "/sketch_1.jpg is in train and in test"}},
		{"twice", "train\n" + g0 + s0 + s0 + "test\n" + g1 + s1, []string{shark + "/sketch_0.jpg is in train and in train"}},
		{"no test", "train\n" + g0 + s0, []string{"has no test rows"}},
		{"no train", "test\n" + g0 + s0, []string{"has no train rows"}},
		{"nothing", "", []string{"has no train rows"}},
		{"class without test", "train\n" + g0 + s0 + s1 + "test\n" + g1, []string{"class " + shark + " has no row in test"}},
		{"class without train", "train\n" + g0 + "test\n" + g1 + s0, []string{"class " + shark + " has no row in train"}},
		{"no name", g0 + "train\n", []string{"line 1", "before a line that names the split"}},
		{"folder as name", "train\n" + g0 + s0 + "test\n" + g1 + s1 + "..\n" + g1, []string{"line 7", `".."`}},
		{"part with a dot", "train\n" + g0 + s0 + "test\n" + g1 + s1 + "extra.part\n", []string{"line 7", `"extra.part"`}},
		{"part called all", "train\n" + g0 + s0 + "test\n" + g1 + "all\n" + s1, []string{"line 6", `"all"`}},
		{"picture without class", "train\nsketch 0.jpg\n", []string{"line 2", "sketch 0.jpg"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(c.text))})
			datasettest.WantError(t, err, dataset.ErrRefused, append(c.words, "split.txt")...)
		})
	}
	for _, spec := range []string{"ratio:", "ratio:0", "ratio:1", "ratio:-1", "ratio:NaN", "ratio:x"} {
		_, err := split.New(s, split.Options{Spec: spec})
		datasettest.WantError(t, err, dataset.ErrRefused, spec, "ratio:0.8")
	}
	_, err := split.New(s, split.Options{Spec: filepath.Join(t.TempDir(), "absent.txt")})
	datasettest.WantError(t, err, dataset.ErrRefused, "absent.txt", "ratio:0.8")
	_, err = split.New(counted(map[string]int{goldfish: 2, shark: 1}), split.Options{})
	datasettest.WantError(t, err, dataset.ErrRefused, "class "+shark+" has no row in test")
}
