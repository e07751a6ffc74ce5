package split_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/split"
)

var four = []dataset.Class{{WNID: goldfish, Name: "goldfish"}, {WNID: shark, Name: "great_white_shark"}, {WNID: "n02012849", Name: "crane"}, {WNID: "n03126707", Name: "crane"}}

func TestOrderKeywords(t *testing.T) {
	classes := make([]dataset.Class, 200)
	for i := range classes {
		classes[i].WNID = fmt.Sprintf("n%08d", i)
	}
	for spec, want := range map[string][]int{"1993": order200, "natural": nil, "": nil} {
		got, err := split.Order(spec, classes, nil)
		if want == nil {
			want, _ = split.ClassOrder("natural", 200)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", spec, got, err, want)
		}
	}
	_, err := split.Order("split", four, nil)
	datasettest.WantError(t, err, dataset.ErrRefused, "CODA-Prompt")
	_, err = split.Order("split", four, map[string]int{goldfish: 1, "n02012849": 2, "n03126707": 0})
	datasettest.WantError(t, err, dataset.ErrRefused, "class "+shark)
	for _, spec := range []string{"random", "-1", "4294967296", filepath.Join(t.TempDir(), "absent.txt")} {
		_, err := split.Order(spec, four, nil)
		datasettest.WantError(t, err, dataset.ErrRefused, spec, "natural", "1993", "split", "FILE")
	}
	_, err = split.Order(t.TempDir(), four, nil)
	datasettest.WantError(t, err, dataset.ErrRefused, "folder")
}

func TestOrderFiles(t *testing.T) {
	want := []int{3, 1, 0, 2}
	for name, text := range map[string]string{
		"folders.txt":    "n03126707\n" + shark + "\n" + goldfish + "\nn02012849\n",
		"names.txt":      "# an order\n\nn03126707 crane\r\ngreat_white_shark   # the great one\n  goldfish\tand more\nn02012849#crane",
		"labels.txt":     "3\n1 " + goldfish + "\n0\n2",
		"more.txt":       "\ufeff3\nn99999999\n7\n1\n0\nwhale\n2\n200\nn99999999\n",
		"list.json":      "[3, 1, 0, 2]",
		"tabs.json":      "{\n\t\"class_order\": [\n\t\t3,\n\t\t\"great_white_shark\",\n\t\t\"goldfish\", \"n02012849\"\n\t]\n}\n",
		"rapf.yaml":      "# @package _global_\nclass_order: [3, 1, 0, 2]\n",
		"block.yml":      "- n03126707\n- great_white_shark\n- " + goldfish + "\n- 2\n",
		"without ending": "# comment\nclass_order:\n- 3\n- 1\n- 0\n- 2\n",
		"list.txt":       "[3,\n1, 0, 2]\n",
		"dashes.txt":     "---\n- 3\n- 1\n- 0\n- 2\n",
	} {
		got, err := split.Order(datasettest.WriteTemp(t, name, []byte(text)), four, nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}

func TestOrderFileErrors(t *testing.T) {
	for _, c := range []struct {
		name, text string
		words      []string
	}{
		{"missing.txt", "3\n1\n0\n", []string{"names 3 of 4", "class n02012849 (label 2)"}},
		{"empty.txt", "", []string{"names 0 of 4", "class " + goldfish}},
		{"twice.txt", "3\n1\n0\n" + shark + "\n2\n", []string{"line 4", "class " + shark + " is named before, in line 2"}},
		{"ambiguous.txt", goldfish + "\ncrane\n", []string{"line 2", "several classes are called crane"}},
		{"negative.txt", "0\n-1\n", []string{"line 2", "-1 is not a label"}},
		{"strings.json", `["3", "1", "0", "2"]`, []string{"names 0 of 4"}},
		{"nested.json", `[[3, 1], [0, 2]]`, []string{"item 0 is not a class"}},
		{"other.json", `{"order": [3, 1, 0, 2]}`, []string{"class_order"}},
		{"scalar.yaml", "class_order: orders/x.yaml\n", []string{"class_order is not a list"}},
		{"empty.yaml", "", []string{"class_order"}},
		{"broken.json", "[3, 1\n", []string{"yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := split.Order(datasettest.WriteTemp(t, c.name, []byte(c.text)), four, nil)
			datasettest.WantError(t, err, dataset.ErrRefused, append(c.words, c.name)...)
		})
	}
}

func TestWriteOrder(t *testing.T) {
	var text strings.Builder
	if err := split.WriteOrder(&text, four, []int{3, 1, 0, 2}); err != nil {
		t.Fatal(err)
	}
	if want := "n03126707\n" + shark + "\n" + goldfish + "\nn02012849\n"; text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
	// folders that the text would not give back as they are
	odd := []dataset.Class{{WNID: "1"}, {WNID: "0"}, {WNID: "#1"}, {WNID: "a b"}, {WNID: "["}, {WNID: "-"}, {WNID: "\ufeffx"}, {WNID: "+3"}, {WNID: "a"}, {WNID: "class_order:"}}
	for _, seed := range []string{"natural", "1", "2", "3", "4", "5"} {
		order, _ := split.ClassOrder(seed, len(odd))
		text.Reset()
		if err := split.WriteOrder(&text, odd, order); err != nil {
			t.Fatal(err)
		}
		if got, err := split.Order(datasettest.WriteTemp(t, "order.txt", []byte(text.String())), odd, nil); err != nil || !slices.Equal(got, order) {
			t.Errorf("%q: %v, %v, want %v", text.String(), got, err, order)
		}
	}
	for _, label := range []int{-1, 4} {
		datasettest.WantError(t, split.WriteOrder(&text, four, []int{0, label}), dataset.ErrRefused, fmt.Sprint(label))
	}
}
