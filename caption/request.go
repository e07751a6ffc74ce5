package caption

import (
	"fmt"

	"github.com/mcil/mcil/dataset"
)

// Request is what [Run] asks about a picture of a source with those classes, at a rung of the ladder; 0 is the recipe's own
// decoding. The error is of class [BadImage] where the picture cannot be prepared.
func (r Recipe) Request(e dataset.Entry, classes []dataset.Class, encoded []byte, rung int) (Request, error) {
	if rung < 0 || rung > len(r.Ladder) {
		return Request{}, fmt.Errorf("caption recipe: has no rung %d: its ladder has %d", rung, len(r.Ladder))
	}
	r = r.WithDefaults()
	prompt, err := parsePrompt(r.Prompt)
	if err != nil {
		return Request{}, err
	}
	sent, mediaType, err := r.Picture.Prepare(encoded)
	if err != nil {
		return Request{}, err
	}
	return Request{
		Model: r.Model, Revision: r.Revision, Prompt: prompt.expand(e, classes), Image: sent, MediaType: mediaType, Decoding: r.decoding(rung),
	}, nil
}
