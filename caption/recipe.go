package caption

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Recipe is everything in a request but the picture, and what to ask next where an answer is of no use.
type Recipe struct {
	Model    string // as asked of the endpoint; has no default
	Revision string // of the model, as the user or the endpoint tells it; never sent; empty: not known
	Prompt   string // default DefaultPrompt; see [Reveals] for its variables
	Decoding Decoding
	Picture  Picture

	// Ladder holds the decodings to ask with, rung after rung, for a picture whose answer is empty or loops; a zero field
	// of a rung is the recipe's own. Nil: such an answer is final. [DefaultLadder] is a good one.
	Ladder []Decoding
	// AllowReveal allows variables in the prompt that tell the model what the picture is known to show.
	AllowReveal bool
	// Variant names the captions among others of the same pictures; empty for the first. It decides nothing in a request.
	Variant string
}

// WithDefaults fills the zero fields.
func (r Recipe) WithDefaults() Recipe {
	r.Prompt = cmp.Or(r.Prompt, DefaultPrompt)
	r.Decoding = r.Decoding.WithDefaults()
	return r
}

// Validate says, before anything is asked, what would make every request wrong: no model, or a prompt that tells the class
// without leave to do so ([dataset.ErrRefused]).
func (r Recipe) Validate() error {
	if r.Model == "" {
		return errors.New("caption recipe: names no model")
	}
	t, err := parsePrompt(r.WithDefaults().Prompt)
	if err != nil {
		return err
	}
	if reveals := t.reveals(); len(reveals) > 0 && !r.AllowReveal {
		return fmt.Errorf("prompt: {{%s}} would tell the model what the picture is known to show: leave it out, or allow it expressly: %w",
			strings.Join(reveals, "}}, {{"), dataset.ErrRefused)
	}
	return nil
}

// decoding is what to ask with at a rung; 0 is the recipe's own.
func (r Recipe) decoding(rung int) Decoding {
	d := r.Decoding.WithDefaults()
	if rung == 0 {
		return d
	}
	return r.Ladder[rung-1].over(d)
}

// manifest is the recipe as a store keeps it.
func (r Recipe) manifest() schemas.CaptionsManifest {
	r = r.WithDefaults()
	m := schemas.CaptionsManifest{
		Header:   schemas.CaptionsHeader,
		Variant:  r.Variant,
		Model:    r.Model,
		Revision: r.Revision,
		Prompt:   r.Prompt,
		Decoding: r.Decoding.Parameters(),
		Picture:  r.Picture.Version(),
		Reveals:  Reveals(r.Prompt),
		Recipe:   r.Digest(),
	}
	for rung := range r.Ladder {
		m.Ladder = append(m.Ladder, r.decoding(rung+1).Parameters())
	}
	return m
}

// Digest is the hexadecimal SHA-256 of the recipe's canonical JSON: of the model and its revision, the prompt as a template,
// the decoding and the picture's preparation. Equal digests mean that answers may stand for one another. What is not set is
// not in it, so that stores from before a field came to be keep their digest. The ladder is not in it either: it decides
// nothing for a picture whose first answer is of use, each record names its rung and has the fingerprint of what was sent,
// and so a store can be gone over again with a longer ladder. The manifest has the ladder that the store began with.
func (r Recipe) Digest() string {
	r = r.WithDefaults()
	fields := map[string]any{ // maps are encoded with sorted keys
		"model":    r.Model,
		"prompt":   r.Prompt,
		"decoding": r.Decoding.Parameters(),
		"picture":  r.Picture.Version(),
	}
	if r.Revision != "" {
		fields["revision"] = r.Revision
	}
	b, err := json.Marshal(fields)
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
	if stored.Revision != asked.Revision {
		d = append(d, fmt.Sprintf("revision %q, not %q", stored.Revision, asked.Revision))
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
