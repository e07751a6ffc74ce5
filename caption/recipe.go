package caption

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Recipe is everything in a request but the picture. Equal digests mean that answers may stand for one another.
type Recipe struct {
	Model    string // as asked of the endpoint; has no default
	Prompt   string // default DefaultPrompt
	Decoding Decoding
	Picture  Picture
}

// WithDefaults fills the zero fields.
func (r Recipe) WithDefaults() Recipe {
	if r.Prompt == "" {
		r.Prompt = DefaultPrompt
	}
	r.Decoding = r.Decoding.WithDefaults()
	return r
}

// manifest is the recipe as a store keeps it.
func (r Recipe) manifest() schemas.CaptionsManifest {
	r = r.WithDefaults()
	return schemas.CaptionsManifest{
		Header:   schemas.CaptionsHeader,
		Model:    r.Model,
		Prompt:   r.Prompt,
		Decoding: r.Decoding.Parameters(),
		Picture:  r.Picture.Version(),
		Recipe:   r.Digest(),
	}
}

// Digest is the hexadecimal SHA-256 of the recipe's canonical JSON.
func (r Recipe) Digest() string {
	r = r.WithDefaults()
	b, err := json.Marshal(map[string]any{ // maps are encoded with sorted keys
		"model":    r.Model,
		"prompt":   r.Prompt,
		"decoding": r.Decoding.Parameters(),
		"picture":  r.Picture.Version(),
	})
	if err != nil { // a NaN penalty: the caller's flags were not checked
		return "unusable: " + err.Error()
	}
	return dataset.Digest(b)
}

// recipeDifference says in one line how two manifests' recipes differ.
func recipeDifference(stored, asked schemas.CaptionsManifest) string {
	var d []string
	if stored.Model != asked.Model {
		d = append(d, fmt.Sprintf("model %q, not %q", stored.Model, asked.Model))
	}
	if stored.Prompt != asked.Prompt {
		d = append(d, fmt.Sprintf("prompt %q, not %q", stored.Prompt, asked.Prompt))
	}
	if a, b := canonical(stored.Decoding), canonical(asked.Decoding); a != b {
		d = append(d, fmt.Sprintf("decoding %s, not %s", a, b))
	}
	if stored.Picture != asked.Picture {
		d = append(d, fmt.Sprintf("pictures %q, not %q", stored.Picture, asked.Picture))
	}
	if len(d) == 0 {
		return "another version of this program"
	}
	return strings.Join(d, "; ")
}

func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
