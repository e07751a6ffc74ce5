package split_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/split"
)

// put writes body to a file that all runs of one fuzzing process share.
func put(t *testing.T, file, body string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(body), 0o666); err != nil {
		t.Fatal(err)
	}
}

// refused asserts that an error is about the input, in one line.
func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, dataset.ErrRefused) || strings.ContainsAny(err.Error(), "\r\n") {
		t.Errorf("error %q", err)
	}
}

// again writes what was dealt, reads it again and wants the same.
func again(t *testing.T, s dataset.Source, p dataset.Split, file string) {
	t.Helper()
	var text strings.Builder
	if err := split.Write(&text, p); err != nil {
		t.Fatal(err)
	}
	put(t, file, text.String())
	r, err := split.New(s, split.Options{Spec: file})
	if err != nil {
		t.Fatalf("written as %q, which is not read: %v", text.String(), err)
	}
	sameSplit(t, r.Parts, p)
}

func FuzzSplitText(f *testing.F) {
	s := counted(map[string]int{goldfish: 3, shark: 3})
	pair := "train\n" + goldfish + "/sketch_0.jpg\n" + shark + "/sketch_1.jpg\ntest\n" + goldfish + "/sketch_1.jpg\n" + shark + "/sketch_0.jpg\n"
	f.Add(pair, 0.0)
	f.Add("\ufeff"+pair+"dev\n"+goldfish+"/sketch_2.jpg\n", 0.5)
	f.Add(pair+"train\r\n/data/"+goldfish+"/sketch_2.jpg\n", 0.5)
	f.Add("train\ntrain\n/\n//\n../..\n\x00", 0.1)
	f.Add("", -1.0)
	f.Add("i\n\xb6\r\x00/\xd8", 0.0)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, validation float64) {
		spec := filepath.Join(dir, "split.txt")
		put(t, spec, text)
		r, err := split.New(s, split.Options{Spec: spec, Validation: validation})
		if err != nil {
			refused(t, err)
			return
		}
		again(t, s, r.Parts, spec)
	})
}

func FuzzSplitYAML(f *testing.F) {
	s := counted(map[string]int{goldfish: 2, shark: 2})
	numbers := map[string]int{goldfish: 122, shark: 0}
	test := codaText([]dataset.ID{goldfish + "/sketch_1.jpg", shark + "/sketch_0.jpg"}, numbers)
	f.Add(codaText([]dataset.ID{goldfish + "/sketch_0.jpg", shark + "/sketch_1.jpg"}, numbers), test)
	f.Add("{data: [a/"+goldfish+"/sketch_0.jpg, "+shark+`/sketch_1.jpg], "targets": [122, 0]}`, test)
	f.Add("data: &a [x/y.jpg]\ntargets: *a\n", "? [data]\n: <<: x\n")
	f.Add("", "- \t!!binary |\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, a, b string) {
		train, test := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
		put(t, train, a)
		put(t, test, b)
		r, err := split.New(s, split.Options{Spec: train + "," + test})
		if err != nil {
			refused(t, err)
			return
		}
		if _, err := split.Order("split", s.Classes(), r.Targets); err != nil {
			t.Error(err)
		}
		again(t, s, r.Parts, filepath.Join(dir, "split.txt"))
	})
}

func FuzzOrderFile(f *testing.F) {
	f.Add("3\n1\n0 # goldfish\n2\n", goldfish, "1", uint8(0))
	f.Add("class_order: [3, 1, 0, 2]", "a b", "#", uint8(1))
	f.Add("[\n\t\"great_white_shark\", 3, "+`"x", 2]`, "[", "\ufeff", uint8(2))
	f.Add("- *a\n", "", "class_order:", uint8(0))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, a, b string, kind uint8) {
		if strings.ContainsFunc(a+b, unicode.IsControl) || !utf8.ValidString(a) || !utf8.ValidString(b) { // sources refuse such folders
			t.Skip()
		}
		if a == b || a == shark || b == shark || a == "n02012849" || b == "n02012849" {
			t.Skip()
		}
		classes := []dataset.Class{{WNID: a, Name: "goldfish"}, {WNID: shark, Name: "great_white_shark"}, {WNID: "n02012849", Name: "crane"}, {WNID: b, Name: "crane"}}
		file := filepath.Join(dir, []string{"order.txt", "order.yaml", "order.json"}[kind%3])
		put(t, file, text)
		order, err := split.Order(file, classes, nil)
		if err != nil {
			refused(t, err)
			order = []int{3, 0, 2, 1}
		}
		sorted := slices.Sorted(slices.Values(order))
		if !slices.Equal(sorted, []int{0, 1, 2, 3}) {
			t.Fatalf("order %v is no permutation", order)
		}
		var written strings.Builder
		if err := split.WriteOrder(&written, classes, order); err != nil {
			t.Fatal(err)
		}
		file = filepath.Join(dir, "written.txt")
		put(t, file, written.String())
		if got, err := split.Order(file, classes, nil); err != nil || !slices.Equal(got, order) {
			t.Errorf("%q: %v, %v, want %v", written.String(), got, err, order)
		}
	})
}
