package caption

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
)

func TestPromptExpand(t *testing.T) {
	classes := []dataset.Class{{WNID: "n01443537", Name: "goldfish"}, {WNID: "n01484850", Name: "great_white_shark"}}
	e := dataset.Entry{ID: "n01484850/sketch_3.jpg", Label: 1, Style: "sketch"}
	for prompt, want := range map[string]string{
		"Describe.":                         "Describe.",
		"A {{class}}.":                      "A great white shark.",
		"{{wnid}}/{{file}}: a {{ style }}!": "n01484850/sketch_3.jpg: a sketch!",
		"{{style}}{{style}}":                "sketchsketch",
	} {
		p, err := parsePrompt(prompt)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.expand(e, classes); got != want {
			t.Errorf("%q: %q, want %q", prompt, got, want)
		}
	}
}

func TestReveals(t *testing.T) {
	for prompt, want := range map[string][]string{
		"Describe.": nil,
		"{{wnid}} {{class}} {{file}} {{class}} {{style}}": {"class", "file", "style", "wnid"},
		"{{nothing}}": nil,
	} {
		if got := Reveals(prompt); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", prompt, got, want)
		}
	}
}

// A prompt comes from a file or a command line: whatever it is, it is text and known variables, or an error.
func FuzzPrompt(f *testing.F) {
	for _, s := range []string{"", "{{class}}", "a {{ wnid }} b {{file}}", "{{", "}}", "{{{{class}}}}", "{{\x00}}"} {
		f.Add(s)
	}
	e := dataset.Entry{ID: "n1/x.jpg"}
	f.Fuzz(func(t *testing.T, prompt string) {
		p, err := parsePrompt(prompt)
		if err != nil {
			if !strings.Contains(prompt, "{{") || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q: %v", prompt, err)
			}
			return
		}
		if len(p)%2 != 1 {
			t.Errorf("%q: %d pieces", prompt, len(p))
		}
		if got := p.expand(e, nil); !strings.Contains(prompt, "{{") && got != prompt {
			t.Errorf("%q became %q", prompt, got)
		}
	})
}
