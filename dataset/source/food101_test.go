package source_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
)

func text(name, body string) datasettest.File {
	return datasettest.File{Name: name, Body: []byte(body)}
}

// asJSON is v as a file.
func asJSON(t *testing.T, name string, v any) datasettest.File {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return datasettest.File{Name: name, Body: b}
}

// food is three classes, not numbered by name, of which the split deals the pictures out.
func food(t *testing.T) []datasettest.File {
	return append(named(
		"images/train/tacos/tacos_0.jpg", "images/train/tacos/tacos_1.jpg", "images/test/tacos/tacos_2.jpg", "images/train/apple_pie/apple_pie_0.jpg",
		"images/test/apple_pie/apple_pie_5.jpg", "images/train/sushi/sushi_3.jpg", "images/train/sushi/sushi_4.jpg"),
		asJSON(t, "class_idx.json", map[string]int{"tacos": 0, "sushi": 1, "apple_pie": 2}),
		asJSON(t, "split.json", map[string][]string{
			"train": {"tacos_0.jpg", "apple_pie_0.jpg", "sushi_3.jpg", "tacos_0.jpg", "gone_9.jpg"}, "val": {"tacos_1.jpg"},
			"test": {"tacos_2.jpg", "apple_pie_5.jpg", "sushi_3.jpg"},
		}),
		asJSON(t, "text.json", map[string]string{"tacos_0.jpg": "  From JSON \n", "apple_pie_0.jpg": " \t", "elsewhere_1.jpg": "x"}),
		text("texts/train_titles.csv", "\ufefftacos_0.jpg,From CSV,tacos\ntacos_1.jpg,\"Tacos, \"\"al pastor\"\"\nof two lines\",tacos\napple_pie_0.jpg,Pie & cream,apple_pie\nsushi_3.jpg,first,sushi\nsushi_3.jpg,second,sushi\n"),
		text("texts/test_titles.csv", "tacos_2.jpg,食べ物 ,tacos\nsushi_3.jpg,third,sushi\n"),
		text("texts/notes.md", "x"), text("README.md", "x"),
	)
}

func TestFood101(t *testing.T) {
	everywhere(t, "food101", food(t), func(t *testing.T, s dataset.Source) {
		wantClasses := []dataset.Class{{WNID: "tacos", Name: "tacos"}, {WNID: "sushi", Name: "sushi"}, {WNID: "apple_pie", Name: "apple_pie"}}
		if !slices.Equal(s.Classes(), wantClasses) {
			t.Errorf("classes %v, want %v", s.Classes(), wantClasses)
		}
		want := []row{
			{"apple_pie/apple_pie_0.jpg", 2, "train"}, {"apple_pie/apple_pie_5.jpg", 2, "test"}, {"sushi/sushi_3.jpg", 1, "train"}, {"sushi/sushi_4.jpg", 1, ""},
			{"tacos/tacos_0.jpg", 0, "train"}, {"tacos/tacos_1.jpg", 0, "validation"}, {"tacos/tacos_2.jpg", 0, "test"},
		}
		if got := rowsOf(s); !slices.Equal(got, want) {
			t.Errorf("entries %v, want %v", got, want)
		}
		texts := map[dataset.ID]string{
			"tacos/tacos_0.jpg": "From JSON", "tacos/tacos_1.jpg": "Tacos, \"al pastor\"\nof two lines", "tacos/tacos_2.jpg": "食べ物",
			"apple_pie/apple_pie_0.jpg": "Pie & cream", "sushi/sushi_3.jpg": "first",
		}
		for _, e := range s.Entries() {
			got, ok := s.(dataset.Captioned).Text(e.ID)
			if want, has := texts[e.ID]; got != want || ok != has {
				t.Errorf("text of %s: %q, %v, want %q", e.ID, got, ok, want)
			}
			if e.Style != "unknown" {
				t.Errorf("style %q", e.Style)
			}
		}
		wantRefused(t, s,
			schemas.Refusal{Name: "gone_9.jpg", Reason: "split.json lists it in train, and there is no such picture"},
			schemas.Refusal{Name: "sushi_3.jpg", Reason: "split.json lists it in train and in test; the first is kept"},
		)
	})
}

// Without the JSON files the folders say all, and titles are the CSV's.
func TestFood101WithoutJSON(t *testing.T) {
	files := slices.DeleteFunc(food(t), func(f datasettest.File) bool { return strings.HasSuffix(f.Name, ".json") })
	files = append(files, named("images/test/tacos/tacos_0.jpg", "images/train/loose_0.jpg", "images/train/tacos/list.txt", "other/x/1.jpg")...)
	everywhere(t, "food101", files, func(t *testing.T, s dataset.Source) {
		want := []row{
			{"apple_pie/apple_pie_0.jpg", 0, "train"}, {"apple_pie/apple_pie_5.jpg", 0, "test"}, {"sushi/sushi_3.jpg", 1, "train"}, {"sushi/sushi_4.jpg", 1, "train"},
			{"tacos/tacos_0.jpg", 2, "train"}, {"tacos/tacos_1.jpg", 2, "train"}, {"tacos/tacos_2.jpg", 2, "test"},
		}
		if got := rowsOf(s); !slices.Equal(got, want) {
			t.Errorf("entries %v, want %v", got, want)
		}
		if got, _ := s.(dataset.Captioned).Text("tacos/tacos_0.jpg"); got != "From CSV" {
			t.Errorf("text %q", got)
		}
		const misplaced = "not in a class folder below images/train or images/test"
		wantRefused(t, s,
			schemas.Refusal{Name: "images/test/tacos/tacos_0.jpg", Reason: "the same class and name as images/train/tacos/tacos_0.jpg, which is kept"},
			schemas.Refusal{Name: "images/train/loose_0.jpg", Reason: misplaced},
			schemas.Refusal{Name: "images/train/tacos/list.txt", Reason: "not named as a picture"},
			schemas.Refusal{Name: "other/x/1.jpg", Reason: misplaced},
		)
	})
}

// Where several classes have a file of one name, the name's beginning or the CSV's class tells which is meant.
func TestFood101SameNames(t *testing.T) {
	files := append(named("images/train/a/a_1.jpg", "images/train/b/a_1.jpg", "images/train/a/x.jpg", "images/train/b/x.jpg"),
		asJSON(t, "split.json", map[string][]string{"train": {"a_1.jpg"}, "test": {"x.jpg"}}),
		text("texts/train_titles.csv", "x.jpg,of b,b\nx.jpg,of nobody,c\na_1.jpg,of a\n"))
	s := openSource(t, "food101:"+datasettest.WriteFolder(t, files))
	want := []row{{"a/a_1.jpg", 0, "train"}, {"a/x.jpg", 0, ""}, {"b/a_1.jpg", 1, ""}, {"b/x.jpg", 1, ""}}
	if got := rowsOf(s); !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
	for id, want := range map[dataset.ID]string{"a/a_1.jpg": "of a", "b/a_1.jpg": "", "a/x.jpg": "", "b/x.jpg": "of b"} {
		if got, _ := s.(dataset.Captioned).Text(id); got != want {
			t.Errorf("text of %s: %q, want %q", id, got, want)
		}
	}
	wantRefused(t, s, schemas.Refusal{Name: "x.jpg", Reason: "split.json lists it in test, and several classes have a picture of that name"})
}

// A class with a number and no picture keeps its number; a class without a number has no pictures.
func TestFood101Classes(t *testing.T) {
	files := append(named("images/train/a/a_1.jpg", "images/train/b/b_1.jpg", "images/train/c/c_1.jpg"), asJSON(t, "class_idx.json", map[string]int{"c": 0, "empty": 1, "a": 2}))
	s := openSource(t, datasettest.WriteFolder(t, files))
	if got := rowsOf(s); !slices.Equal(got, []row{{"a/a_1.jpg", 2, "train"}, {"c/c_1.jpg", 0, "train"}}) {
		t.Errorf("entries %v", got)
	}
	if got := s.Classes(); len(got) != 3 || got[1].WNID != "empty" {
		t.Errorf("classes %v", got)
	}
	wantRefused(t, s, schemas.Refusal{Name: "images/train/b/b_1.jpg", Reason: "class_idx.json has no number for its class"})
}

// Titles were gathered from the web: a quote in one need not be CSV's.
func TestFood101BareQuotes(t *testing.T) {
	files := append(named("images/train/tacos/a.jpg", "images/train/tacos/b.jpg", "images/test/sushi/c.jpg"),
		text("texts/train_titles.csv", "elsewhere.jpg,\"of\ntwo lines\",12\" tacos\na.jpg,caf \"au\" lait,tacos\nb.jpg,\"a \"\"quoted\"\", one\",tacos\n"), text("texts/test_titles.csv", "c.jpg,12\" roll,sushi\n"))
	s := openSource(t, "food101:"+datasettest.WriteFolder(t, files))
	for id, want := range map[dataset.ID]string{"tacos/a.jpg": `caf "au" lait`, "tacos/b.jpg": `a "quoted", one`, "sushi/c.jpg": `12" roll`} {
		if got, _ := s.(dataset.Captioned).Text(id); got != want {
			t.Errorf("text of %s: %q, want %q", id, got, want)
		}
	}
}

func TestFood101Damaged(t *testing.T) {
	for _, c := range []struct {
		name, body string
		words      []string
	}{
		{"class_idx.json", `{"tacos": 0, "sushi": 1, "apple_pie": 3}`, []string{`class "apple_pie" has the number 3`, "0 to 2"}},
		{"class_idx.json", `{"tacos": 0, "sushi": 0, "apple_pie": 1}`, []string{`"sushi" and "tacos" both have the number 0`}},
		{"class_idx.json", `{"tacos": 0, "tacos": 1}`, []string{`"tacos" has the numbers 0 and 1`}},
		{"class_idx.json", `{"tacos": "0"}`, []string{"byte 1", "cannot unmarshal string"}},
		{"class_idx.json", `[]`, []string{"not a JSON object"}},
		{"class_idx.json", ``, []string{"byte 0", "unexpected EOF"}},
		{"split.json", `{"train": ["tacos_0.jpg"`, []string{"byte", "unexpected EOF"}},
		{"split.json", `{"trian": []}`, []string{`unknown part "trian"`}},
		{"text.json", `{"tacos_0.jpg": 7}`, []string{`the text of "tacos_0.jpg"`}},
		{"text.json", `{} {}`, []string{"more follows"}},
		{"texts/train_titles.csv", "tacos_0.jpg,a,tacos\ntacos_1.jpg,\"b,tacos\n", []string{"line 2"}},
		{"texts/train_titles.csv", "tacos_0.jpg,a 12\" one,tacos\ntacos_1.jpg,\"b,tacos\n", []string{"line 2"}},
		{"texts/test_titles.csv", "tacos_0.jpg,a,tacos\n\nalone\n", []string{"line 3: 1 fields, want file name, title and class"}},
	} {
		t.Run(c.name+" "+c.body, func(t *testing.T) {
			files := slices.DeleteFunc(food(t), func(f datasettest.File) bool { return f.Name == c.name })
			spec := datasettest.WriteFolder(t, append(files, text(c.name, c.body)))
			s, err := source.Open(t.Context(), spec)
			if err == nil {
				s.Close()
			}
			datasettest.WantError(t, err, dataset.ErrRefused, append(c.words, "food101:"+spec, c.name)...)
		})
	}
}

// The fixture that other packages build on.
func TestFood101Fixture(t *testing.T) {
	s := openSource(t, datasettest.WriteTar(t, "UPMC_Food101/", 0, datasettest.Food101(t, 20)))
	parts := map[string]int{}
	for _, e := range s.Entries() {
		parts[e.Part]++
		if _, ok := s.(dataset.Captioned).Text(e.ID); !ok {
			t.Errorf("%s has no text", e.ID)
		}
	}
	if len(s.Entries()) != 60 || parts["train"] != 36 || parts["test"] != 15 || parts["validation"] != 9 || len(s.Refused()) != 0 {
		t.Errorf("%d entries, parts %v, refused %v", len(s.Entries()), parts, s.Refused())
	}
}
