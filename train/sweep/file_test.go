package sweep

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const example = `# a comment
train: {data: D/hf, epochs: 8, classes: ["!n9*", n01], exif-orientation: true}
grid:
  exemplars: [none, masked]
  classes-of: [[a, b], c]
  budget: [1, 2.5]
rows:
  - {name: last, mask-layer: last}
  - name: "random mask"
    mask-score: random
`

func TestParse(t *testing.T) {
	f, err := Parse("x.yaml", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	value := func(line int, texts ...string) (v []Value) {
		for _, s := range texts {
			v = append(v, Value{s, line})
		}
		return v
	}
	want := File{
		Path:  "x.yaml",
		Train: []Setting{{"data", 2, value(2, "D/hf")}, {"epochs", 2, value(2, "8")}, {"classes", 2, value(2, "!n9*,n01")}, {"exif-orientation", 2, value(2, "true")}},
		Grid:  []Setting{{"exemplars", 4, value(4, "none", "masked")}, {"classes-of", 5, value(5, "a,b", "c")}, {"budget", 6, value(6, "1", "2.5")}},
		Rows: []Row{
			{"last", 8, []Setting{{"mask-layer", 8, value(8, "last")}}},
			{"random mask", 9, []Setting{{"mask-score", 10, value(10, "random")}}},
		},
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"", "x.yaml:1: is empty: "},
		{"# nothing", "x.yaml:1: is empty: "},
		{"[]", "x.yaml:1: the file: must be a map"},
		{"train:\n  data: d\ngird: {seed: [1]}", "x.yaml:3: gird: unknown: use train, grid and rows"},
		{"train: {data: d}\ntrain: {data: e}", "x.yaml:2: train: stands twice in the file"},
		{"train:\n  epochs: 1\n  epochs: 2", "x.yaml:3: epochs: stands twice in train"},
		{"train:\n  data: {a: b}", "x.yaml:2: train: data: must be a value"},
		{"train:\n  data:", "x.yaml:2: train: data: must be a value"},
		{"train:\n  data: [[a]]", "x.yaml:2: train: data: must be a value"},
		{"train:\n  data: []", "x.yaml:2: train: data: an empty list"},
		{"train: d", "x.yaml:1: train: must be a map"},
		{"train:\n  data: &d x", "x.yaml:2: train: data: must be a value"},
		{"train: {data: &d x}\ngrid:\n  seed: [*d]", "x.yaml:1: "},
		{"train:\n  data: !!binary aGk=", "x.yaml:2: train: data: must be a value"},
		{"train:\n  data: \"a\\0b\"", "x.yaml:2: train: data: has control characters"},
		{"grid:\n  seed: 1", "x.yaml:2: grid: seed: must be a list of the values"},
		{"grid:\n  seed: []", "x.yaml:2: grid: seed: must be a list"},
		{"grid:\n  seed:\n  - 1\n  - 2\n  - 1", "x.yaml:5: grid: seed: 1 stands twice"},
		{"train: {seed: 1}\ngrid: {seed: [1]}", "x.yaml:2: seed: stands in train and in grid"},
		{"grid: {seed: [1]}\nrows:\n- {name: a, seed: 2}", "x.yaml:3: seed: stands in row a and in grid"},
		{"rows: {name: a}", "x.yaml:1: rows: must be a list of maps"},
		{"rows:\n- {seed: 1}", "x.yaml:2: rows: a row without a name"},
		{"rows:\n- {name: a}\n- {name: a}", "x.yaml:3: rows: a stands twice"},
		{"rows:\n- {name: a, seed: [1, [2]]}", "x.yaml:2: a row: seed: must be a value"},
		{"train: {\n", "x.yaml:"},
		{"train: {data: d}\n---\ntrain: {}", "x.yaml:2: a second document"},
		{"<<: {train: {}}", "x.yaml:1: "},
	} {
		_, err := Parse("x.yaml", []byte(c.content))
		if !errors.Is(err, ErrFile) || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want one line %q ...", c.content, err, c.want)
		}
	}
}

// What is read is made of scalars, and planning it ends: with runs of distinct names, or with an error in one line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("grid: {a: [1, 2], b: [none, x]}\nrows: [{name: con}, {name: ../x}]"))
	f.Add([]byte("train: {a: &a [1], b: *a}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := Parse("x.yaml", content)
		if err == nil {
			var plan Plan
			if plan, err = file.Plan(pickyProgram{}); err == nil {
				checkNames(t, plan.Jobs)
				return
			}
		}
		if !errors.Is(err, ErrFile) || strings.ContainsAny(strings.TrimSuffix(err.Error(), ": "+ErrFile.Error()), "\n\x00") {
			t.Errorf("%q: error %q is no single line about the file", content, err)
		}
	})
}
