package caption

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
)

// template is a prompt cut at its variables: text, name, text, name, ..., text.
type template []string

// promptVariables are the names that a prompt may hold in double braces. Each tells what the picture is known to show, or
// may: the file name of a picture often holds its style, and in many sets its class.
var promptVariables = []string{"class", "file", "style", "wnid"}

// parsePrompt cuts a prompt at {{name}}. A name that is none of the variables is a slip of the pen, not text.
func parsePrompt(prompt string) (template, error) {
	var t template
	for {
		text, rest, ok := strings.Cut(prompt, "{{")
		name, after, closed := strings.Cut(rest, "}}")
		if !ok {
			return append(t, prompt), nil
		}
		name = strings.TrimSpace(name)
		if !closed || !slices.Contains(promptVariables, name) {
			return nil, fmt.Errorf("prompt: {{%s}} is no variable: it knows {{%s}}: %w",
				Excerpt([]byte(name), 20), strings.Join(promptVariables, "}}, {{"), dataset.ErrRefused)
		}
		t, prompt = append(t, text, name), after
	}
}

// reveals lists the variables, sorted, each once.
func (t template) reveals() []string {
	var names []string
	for i := 1; i < len(t); i += 2 {
		names = append(names, t[i])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// expand puts in what is known of a picture: {{class}} is the class's name with spaces for underscores, {{wnid}} its folder,
// {{file}} the file's name without the folder, and {{style}} the rendition.
func (t template) expand(e dataset.Entry, classes []dataset.Class) string {
	if len(t) == 1 {
		return t[0]
	}
	var b strings.Builder
	for i, s := range t {
		switch {
		case i%2 == 0:
			b.WriteString(s)
		case s == "class" && e.Label >= 0 && e.Label < len(classes):
			b.WriteString(strings.ReplaceAll(classes[e.Label].Name, "_", " "))
		case s == "wnid":
			b.WriteString(e.ID.WNID())
		case s == "file":
			b.WriteString(path.Base(string(e.ID)))
		case s == "style":
			b.WriteString(e.Style)
		}
	}
	return b.String()
}

// Reveals lists the variables of a prompt that tell the model what a picture is known to show, sorted: of class, file, style
// and wnid, written {{class}} and so on. A recipe with any is refused unless it has AllowReveal.
func Reveals(prompt string) []string {
	t, err := parsePrompt(prompt)
	if err != nil {
		return nil
	}
	return t.reveals()
}
