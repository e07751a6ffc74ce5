package caption

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
)

// Digests of stores that version 1 wrote: they must stay, or every caption is asked for again.
func TestRecipeDigestStays(t *testing.T) {
	original := Picture{Original: true} // whose version names no Go release
	for _, c := range []struct {
		name   string
		recipe Recipe
		want   string // of the JSON that version 1 digested
	}{
		{"defaults", Recipe{Model: "m", Picture: original},
			`{"decoding":{"length_penalty":1,"max_tokens":256,"num_beams":5,"repetition_penalty":1.5,"temperature":0},"model":"m","picture":"original","prompt":"Write a detailed description."}`},
		{"all that version 1 had", Recipe{Model: "m", Prompt: "Describe.", Picture: original,
			Decoding: Decoding{Beams: 1, MaxTokens: 30, Temperature: 0.7, RepetitionPenalty: 1.2, LengthPenalty: -1}},
			`{"decoding":{"length_penalty":-1,"max_tokens":30,"num_beams":1,"repetition_penalty":1.2,"temperature":0.7},"model":"m","picture":"original","prompt":"Describe."}`},
		{"a revision", Recipe{Model: "m", Revision: "4d1b", Picture: original},
			`{"decoding":{"length_penalty":1,"max_tokens":256,"num_beams":5,"repetition_penalty":1.5,"temperature":0},"model":"m","picture":"original","prompt":"Write a detailed description.","revision":"4d1b"}`},
		{"sampling", Recipe{Model: "m", Picture: original, Decoding: Decoding{TopP: 0.9, MinP: 0.05, TopK: 50}},
			`{"decoding":{"length_penalty":1,"max_tokens":256,"min_p":0.05,"num_beams":5,"repetition_penalty":1.5,"temperature":0,"top_k":50,"top_p":0.9},"model":"m","picture":"original","prompt":"Write a detailed description."}`},
	} {
		if got, want := c.recipe.Digest(), dataset.Digest([]byte(c.want)); got != want {
			t.Errorf("%s: %s, want the digest of %s", c.name, got, c.want)
		}
	}
	if got := (Recipe{Model: "m", Picture: original}).Digest(); got != "45eba35e1df6d46c0535672cc1704f266b597f0c5d54b417ae984b5189582121" {
		t.Errorf("the recipe of all defaults: %s", got)
	}
}

func TestRecipeDigestLeavesOut(t *testing.T) {
	base := Recipe{Model: "m"}
	for name, r := range map[string]Recipe{
		"ladder":       {Model: "m", Ladder: DefaultLadder()},
		"variant":      {Model: "m", Variant: "short"},
		"allow reveal": {Model: "m", AllowReveal: true},
	} {
		if r.Digest() != base.Digest() {
			t.Errorf("%s is in the digest", name)
		}
	}
}

func TestRecipeManifest(t *testing.T) {
	r := Recipe{
		Model: "m", Revision: "4d1b", Variant: "styles", AllowReveal: true, Prompt: "This is a {{style}} of a {{ class }}, a {{style}}.",
		Decoding: Decoding{MaxTokens: 64}, Ladder: DefaultLadder(),
	}
	m := r.manifest()
	if m.Variant != "styles" || m.Revision != "4d1b" || m.Prompt != r.Prompt || !reflect.DeepEqual(m.Reveals, []string{"class", "style"}) {
		t.Errorf("%+v", m)
	}
	// A rung changes what it names: the limit of tokens stays the recipe's.
	b, err := json.Marshal(m.Ladder)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"length_penalty":1,"max_tokens":64,"num_beams":5,"repetition_penalty":2,"temperature":0},` +
		`{"length_penalty":1,"max_tokens":64,"num_beams":1,"repetition_penalty":1.5,"temperature":0.7,"top_p":0.9}]`
	if string(b) != want {
		t.Errorf("ladder %s\nwant   %s", b, want)
	}
	if m := (Recipe{Model: "m"}).manifest(); m.Ladder != nil || m.Reveals != nil || m.Variant != "" || m.Revision != "" {
		t.Errorf("a plain recipe: %+v", m)
	}
}

func TestRecipeValidate(t *testing.T) {
	for prompt, want := range map[string]string{
		"":                               "",
		"What is in this picture?":       "",
		"A set {1, 2} and } } and {.":    "",
		"Describe this {{class}}.":       "{{class}} would tell",
		"{{ file }} {{wnid}} {{style}}.": "{{file}}, {{style}}, {{wnid}} would tell",
		"Describe this {{clas}}.":        "{{clas}} is no variable",
		"Describe this {{class.":         "is no variable",
	} {
		for _, allow := range []bool{false, true} {
			err := Recipe{Model: "m", Prompt: prompt, AllowReveal: allow}.Validate()
			switch {
			case want == "" || allow && strings.Contains(want, "would tell"):
				if err != nil {
					t.Errorf("%q, allowed %v: %v", prompt, allow, err)
				}
			case err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, dataset.ErrRefused):
				t.Errorf("%q, allowed %v: %v, want %q", prompt, allow, err, want)
			}
		}
	}
	if err := (Recipe{}).Validate(); err == nil || !strings.Contains(err.Error(), "no model") {
		t.Errorf("without a model: %v", err)
	}
}

func TestRecipeDifference(t *testing.T) {
	a, b := Recipe{Model: "m", Revision: "1"}.manifest(), Recipe{Model: "m", Revision: "2", Decoding: Decoding{TopP: 0.9}}.manifest()
	got := recipeDifference(a, b)
	if !strings.Contains(got, `revision "1", not "2"`) || !strings.Contains(got, `"top_p":0.9`) {
		t.Errorf("%s", got)
	}
}
