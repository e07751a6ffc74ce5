package split_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
)

// What earlier releases dealt, and so what datasets that exist were made of.
func TestRatioGoldens(t *testing.T) {
	s := counted(map[string]int{goldfish: 30, shark: 7, leopard: 101})
	for _, c := range []struct {
		options split.Options
		sha256  string
	}{
		{split.Options{}, "05ff8cf6d58ef4334dbc34856674e746df4277b3f11cdb3c24cdc7f2e75f2ee1"},
		{split.Options{Spec: "ratio:0.5", Seed: 7}, "f212fa5c807e77ba309c15d64ca3d8bb41b90ec9bd18278c06fbdc0f6b7706f2"},
		{split.Options{Spec: "ratio:0.64", Seed: 1 << 63}, "0c01e6ee49ef4c7193d2ded1409484fe13807cda6b9dc5f5f63754d8ca7c6913"},
	} {
		var text strings.Builder
		if err := split.Write(&text, newSplit(t, s, c.options)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(text.String()))); got != c.sha256 {
			t.Errorf("%+v: %s, want %s", c.options, got, c.sha256)
		}
	}
	want := []dataset.ID{
		goldfish + "/sketch_11.jpg", goldfish + "/sketch_13.jpg", goldfish + "/sketch_18.jpg", goldfish + "/sketch_2.jpg",
		goldfish + "/sketch_20.jpg", goldfish + "/sketch_27.jpg",
	}
	if got := ofClass(newSplit(t, s, split.Options{})[dataset.Test], goldfish); !slices.Equal(got, want) {
		t.Errorf("test %v, want %v", got, want)
	}
}

// parted is a source with parts of its own.
func parted() *made {
	s := counted(map[string]int{goldfish: 4, shark: 5})
	for i, part := range []string{"train", "Train", "test", "val", "test", "train", "TEST", "dev", ""} {
		s.entries[i].Part = part
	}
	return s
}

func TestOwn(t *testing.T) {
	want := dataset.Split{
		"train":      {goldfish + "/sketch_0.jpg", goldfish + "/sketch_1.jpg", shark + "/sketch_1.jpg"},
		"validation": {goldfish + "/sketch_3.jpg", shark + "/sketch_3.jpg"},
		"test":       {goldfish + "/sketch_2.jpg", shark + "/sketch_0.jpg", shark + "/sketch_2.jpg"},
	}
	for _, spec := range []string{"", "own"} {
		r := dealt(t, parted(), split.Options{Spec: spec, Validation: 0.5})
		sameSplit(t, r.Parts, want)
		rule := "given by the split; the share asked for, 0.5 of train, was ignored"
		if r.Spec != "own" || r.Targets != nil || r.Validation != (schemas.ValidationSummary{Rule: rule, Share: 0.5}) {
			t.Errorf("spec %q: %+v", spec, r)
		}
	}
	if r := dealt(t, parted(), split.Options{Spec: "ratio:0.5"}); r.Spec != "ratio:0.5" || len(r.Parts) != 2 || len(r.Parts[dataset.Test]) != 4 {
		t.Errorf("a ratio asked for by name: %+v", r)
	}
	if r := dealt(t, counted(map[string]int{goldfish: 4, shark: 5}), split.Options{}); r.Spec != "ratio:0.8" {
		t.Errorf("no parts: spec %q, want ratio:0.8", r.Spec)
	}
	_, err := split.New(counted(map[string]int{goldfish: 4, shark: 5}), split.Options{Spec: "own"})
	datasettest.WantError(t, err, dataset.ErrRefused, "made:up has no parts of its own", "ratio:0.8")
	for _, part := range []string{"../test", "extra.part", "all"} {
		odd := parted()
		odd.entries[2].Part = part
		_, err = split.New(odd, split.Options{})
		datasettest.WantError(t, err, dataset.ErrRefused, goldfish+"/sketch_2.jpg", strconv.Quote(part))
	}
}

func TestTextNamesOfParts(t *testing.T) {
	s := counted(map[string]int{goldfish: 4, shark: 4})
	for _, name := range []string{"val", "valid", "validation", "dev", "Val", "VALIDATION"} {
		text := "\ufeffTrain\n" + goldfish + "/sketch_0.jpg\n" + shark + "/sketch_0.jpg\nTEST\n" + goldfish + "/sketch_1.jpg\n" +
			shark + "/sketch_1.jpg\n" + name + "\n" + goldfish + "/sketch_2.jpg\nextra\n" + shark + "/sketch_3.jpg\n"
		r := dealt(t, s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text))})
		if got, want := r.Parts.Names(), []string{"train", "validation", "test", "extra"}; !slices.Equal(got, want) {
			t.Errorf("%s: parts %v, want %v", name, got, want)
		}
		if r.Validation.Rule != "given by the split" {
			t.Errorf("%s: %+v", name, r.Validation)
		}
	}
}

// codaFile is CODA-Prompt's form of a list of pictures.
func codaFile(t *testing.T, name string, ids []dataset.ID, numbers map[string]int) string {
	t.Helper()
	return datasettest.WriteTemp(t, name, []byte(codaText(ids, numbers)))
}

func codaText(ids []dataset.ID, numbers map[string]int) string {
	var data, targets strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&data, "- data/imagenet-r/%s\n", id)
		fmt.Fprintf(&targets, "- %d\n", numbers[id.WNID()])
	}
	return "data:\n" + data.String() + "targets:\n" + targets.String()
}

func TestCODA(t *testing.T) {
	s := counted(map[string]int{goldfish: 9, shark: 8, leopard: 7})
	want := newSplit(t, s, split.Options{Spec: "ratio:0.6", Seed: 3})
	numbers := map[string]int{goldfish: 122, shark: 0, leopard: 7}
	backwards := slices.Clone(want[dataset.Train])
	slices.Reverse(backwards) // the files are in no order
	spec := codaFile(t, "imagenet-r_train.yaml", backwards, numbers) + "," + codaFile(t, "imagenet-r_test.yaml", want[dataset.Test], numbers)
	r := dealt(t, s, split.Options{Spec: spec})
	sameSplit(t, r.Parts, want)
	if !maps.Equal(r.Targets, numbers) || r.Spec != spec {
		t.Errorf("targets %v, spec %s", r.Targets, r.Spec)
	}
	order, err := split.Order("split", s.Classes(), r.Targets)
	if err != nil || !slices.Equal(order, []int{1, 2, 0}) {
		t.Errorf("order %v, %v, want shark, leopard, goldfish", order, err)
	}
}

func TestCODAErrors(t *testing.T) {
	s := counted(map[string]int{goldfish: 4, shark: 4})
	g, k := "- data/imagenet-r/"+goldfish+"/sketch_", "- data/imagenet-r/"+shark+"/sketch_"
	test := "data:\n" + g + "3.jpg\n" + k + "3.jpg\ntargets:\n- 5\n- 6\n"
	for _, c := range []struct {
		name, train string
		words       []string
	}{
		{"empty", "", []string{"no key data"}},
		{"not a mapping", "- 1\n- 2\n", []string{"no key data"}},
		{"no targets", "data:\n" + g + "0.jpg\n", []string{"no key targets"}},
		{"no list", "data: 3\ntargets: []\n", []string{"line 1", "data is not a list"}},
		{"twice", "data: []\ntargets: []\ndata: []\n", []string{"line 3", "data occurs twice"}},
		{"lengths", "data:\n" + g + "0.jpg\n" + k + "0.jpg\ntargets:\n- 5\n", []string{"2 data and 1 targets"}},
		{"a path without class", "data:\n" + g + "0.jpg\n- sketch_1.jpg\ntargets: [5, 6]\n", []string{"data[1]", "line 3", "sketch_1.jpg"}},
		{"a list for a path", "data:\n" + g + "0.jpg\n- [a/b.jpg]\ntargets: [5, 6]\n", []string{"data[1]"}},
		{"an alias for a path", "data:\n- &a a/b.jpg\n- *a\ntargets: [5, 6]\n", []string{"data[1]"}},
		{"a word for a number", "data:\n" + g + "0.jpg\n" + k + "0.jpg\ntargets:\n- 5\n- six\n", []string{"targets[1]", "line 6", `"six"`}},
		{"a negative number", "data:\n" + g + "0.jpg\n" + k + "0.jpg\ntargets: [5, -6]\n", []string{"targets[1]", "-6"}},
		{"two numbers of a class", "data:\n" + g + "0.jpg\n" + g + "1.jpg\ntargets: [5, 6]\n", []string{"targets[1]", "target 6, and 5 before for class " + goldfish}},
		{"two classes of a number", "data:\n" + g + "0.jpg\n" + k + "1.jpg\ntargets: [5, 5]\n", []string{"targets[1]", "target 5 for class " + shark, goldfish}},
		{"no YAML", "data: [\n", []string{"yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := datasettest.WriteTemp(t, "a.yaml", []byte(c.train)) + "," + datasettest.WriteTemp(t, "b.yaml", []byte(test))
			_, err := split.New(s, split.Options{Spec: spec})
			datasettest.WantError(t, err, dataset.ErrRefused, append(c.words, "a.yaml: ")...)
		})
	}
	ids := []dataset.ID{goldfish + "/sketch_0.jpg", shark + "/sketch_0.jpg"}
	train := codaFile(t, "my_train.yaml", ids, map[string]int{goldfish: 6, shark: 5})
	other := datasettest.WriteTemp(t, "my_test.yaml", []byte(test))
	_, err := split.New(s, split.Options{Spec: train + "," + other})
	datasettest.WantError(t, err, dataset.ErrRefused, "my_test.yaml: targets[0]", "target 5", goldfish)
	_, err = split.New(s, split.Options{Spec: other + "," + train})
	datasettest.WantError(t, err, dataset.ErrRefused, "the other way round")
	_, err = split.New(s, split.Options{Spec: train})
	datasettest.WantError(t, err, dataset.ErrRefused, "half of CODA-Prompt's pair", "TRAIN.yaml,TEST.yaml")
	_, err = split.New(s, split.Options{Spec: train + ",absent.yaml"})
	datasettest.WantError(t, err, fs.ErrNotExist, "absent.yaml")
}

// writeFolders lays a split out as LAMDA-PILOT has it, with files that are no pictures among them.
func writeFolders(t *testing.T, p dataset.Split) string {
	t.Helper()
	files := []datasettest.File{{Name: "train/.DS_Store"}, {Name: "train/" + goldfish + "/Thumbs.db"}, {Name: "train/notes.txt"}, {Name: "other/x/y.jpg"}, {Name: "train/" + goldfish + "/._sketch_0.jpg"}}
	for part, ids := range p {
		for _, id := range ids {
			files = append(files, datasettest.File{Name: part + "/" + string(id)})
		}
	}
	return datasettest.WriteFolder(t, files)
}

func TestFolders(t *testing.T) {
	s := counted(map[string]int{goldfish: 9, shark: 8, leopard: 7})
	want := newSplit(t, s, split.Options{Spec: "ratio:0.6", Seed: 3})
	dir := writeFolders(t, want)
	sameSplit(t, newSplit(t, s, split.Options{Spec: dir}), want)

	named := dataset.Split{"train": want["train"], "test": want["test"][:len(want["test"])-1], "val": want["test"][len(want["test"])-1:]}
	r := dealt(t, s, split.Options{Spec: writeFolders(t, named)})
	sameSplit(t, r.Parts, dataset.Split{"train": named["train"], "test": named["test"], "validation": named["val"]})

	linked := t.TempDir() // links to the folders are as good
	for _, part := range []string{"train", "test"} {
		if err := os.Symlink(filepath.Join(dir, part), filepath.Join(linked, part)); err != nil {
			t.Skip(err)
		}
	}
	sameSplit(t, newSplit(t, s, split.Options{Spec: linked}), want)

	_, err := split.New(s, split.Options{Spec: writeFolders(t, dataset.Split{"train": {"a/b\n.jpg"}})})
	datasettest.WantError(t, err, dataset.ErrRefused, `train/"a/b\n.jpg"`)
	_, err = split.New(s, split.Options{Spec: filepath.Join(dir, "train")})
	datasettest.WantError(t, err, dataset.ErrRefused, "no pictures in train/CLASS/")
	if err := os.RemoveAll(filepath.Join(dir, "test", shark)); err != nil {
		t.Fatal(err)
	}
	_, err = split.New(s, split.Options{Spec: dir})
	datasettest.WantError(t, err, dataset.ErrRefused, "class "+shark+" has no row in test")
}

// What the source refused, it has said; what it never had, someone should look for.
func TestAbsentPictures(t *testing.T) {
	s := counted(map[string]int{goldfish: 4, shark: 4})
	s.refused = []schemas.Refusal{
		{Name: goldfish + "/sketch_9.jpg", Reason: "empty file"}, {Name: "train/" + shark + "/sketch_8.jpg", Reason: "empty file"}, {Name: "odd", Reason: "odd"},
	}
	text := "train\n" + goldfish + "/sketch_0.jpg\n" + goldfish + "/sketch_9.jpg\n" + shark + "/sketch_0.jpg\ntest\n" + goldfish + "/sketch_1.jpg\n" + shark + "/sketch_1.jpg\nextra\n" + shark + "/sketch_8.jpg\n"
	want := dataset.Split{
		"train": {goldfish + "/sketch_0.jpg", shark + "/sketch_0.jpg"}, "test": {goldfish + "/sketch_1.jpg", shark + "/sketch_1.jpg"},
	}
	sameSplit(t, newSplit(t, s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text))}), want)
	text += shark + "/sketch_7.jpg\n" + shark + "/sketch_6.jpg\n"
	_, err := split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text))})
	datasettest.WantError(t, err, dataset.ErrRefused, "extra lists "+shark+"/sketch_6.jpg", "made:up", "2 of 8")
	// a class that is left without pictures is still an error
	text = "train\n" + goldfish + "/sketch_9.jpg\n" + shark + "/sketch_0.jpg\ntest\n" + goldfish + "/sketch_1.jpg\n" + shark + "/sketch_1.jpg\n"
	_, err = split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte(text))})
	datasettest.WantError(t, err, dataset.ErrRefused, "class "+goldfish+" has no row in train")
}

// A class that only has a number, as class_idx.json gives one, needs no rows; one with a picture does.
func TestClassWithoutPictures(t *testing.T) {
	s := counted(map[string]int{goldfish: 4, leopard: 0, shark: 4})
	want := newSplit(t, s, split.Options{Spec: "ratio:0.5"})
	if len(s.Classes()) != 3 || len(want[dataset.Train]) != 4 || len(want[dataset.Test]) != 4 {
		t.Fatalf("%d classes, parts %v", len(s.Classes()), want)
	}
	var text strings.Builder
	if err := split.Write(&text, want); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{goldfish: 2, shark: 0}
	for i, e := range s.entries {
		s.entries[i].Part = dataset.Train
		if slices.Contains(want[dataset.Test], e.ID) {
			s.entries[i].Part = dataset.Test
		}
	}
	for _, spec := range []string{
		"own", datasettest.WriteTemp(t, "split.txt", []byte(text.String())), writeFolders(t, want),
		codaFile(t, "train.yaml", want[dataset.Train], numbers) + "," + codaFile(t, "test.yaml", want[dataset.Test], numbers),
	} {
		sameSplit(t, newSplit(t, s, split.Options{Spec: spec}), want)
	}
	one := counted(map[string]int{goldfish: 4, leopard: 1, shark: 4})
	for _, spec := range []string{"ratio:0.5", datasettest.WriteTemp(t, "split.txt", []byte(text.String()))} {
		_, err := split.New(one, split.Options{Spec: spec})
		datasettest.WantError(t, err, dataset.ErrRefused, "class "+leopard+" has no row in")
	}
}

func TestSpecErrors(t *testing.T) {
	s := counted(map[string]int{goldfish: 4, shark: 4})
	for _, spec := range []string{"0.8", "ratio0.8", "random", "a.yaml;b.yaml", "Own"} {
		_, err := split.New(s, split.Options{Spec: spec})
		datasettest.WantError(t, err, dataset.ErrRefused, "split "+spec+":", "own", "ratio:0.8", "FILE", "TRAIN.yaml,TEST.yaml", "DIR")
	}
	for _, share := range []float64{-0.1, 1, 2, math.NaN(), math.Inf(1)} {
		_, err := split.New(s, split.Options{Validation: share})
		datasettest.WantError(t, err, dataset.ErrRefused, "validation", fmt.Sprint(share))
	}
	for _, name := range []string{goldfish + "/sketch\x00.jpg", goldfish + "/\xff.jpg", "a\rb/c.jpg"} {
		_, err := split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte("train\n"+name+"\n"))})
		datasettest.WantError(t, err, dataset.ErrRefused, "line 2", fmt.Sprintf("%q", name))
	}
	_, err := split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.bin", []byte("train\n"+strings.Repeat("x/", 1<<17)))})
	datasettest.WantError(t, err, dataset.ErrRefused, "line 2", "longer")
	_, err = split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte("train\nsketch_0.jpg\n"))})
	datasettest.WantError(t, err, dataset.ErrRefused, "line 2", `"sketch_0.jpg"`)
	_, err = split.New(s, split.Options{Spec: datasettest.WriteTemp(t, "split.txt", []byte("train\n/sketch_0.jpg\n"))})
	datasettest.WantError(t, err, dataset.ErrRefused, "line 2", `"/sketch_0.jpg"`)
}

func TestWriteErrors(t *testing.T) {
	for _, p := range []dataset.Split{
		{"train": {" a/b.jpg"}}, {"train": {"a/b.jpg\nc/d.jpg"}}, {"train": {"b.jpg"}}, {"train": {"a/b.jpg "}}, {"train": {"a/b\r/c.jpg"}}, {"a/b": nil}, {"": nil}, {"x.png": nil}, {"extra.part": nil}, {"all": nil},
	} {
		var text strings.Builder
		datasettest.WantError(t, split.Write(&text, p), dataset.ErrRefused, "write split")
		if text.Len() > 0 {
			t.Errorf("%v: wrote %q", p, text.String())
		}
	}
}
