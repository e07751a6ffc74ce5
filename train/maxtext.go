package train

import (
	"fmt"

	"github.com/mcil/mcil/train/vilt"
)

// checkMaxText refuses what [backbone.extendText] cannot do.
func checkMaxText(maxText int) error {
	if maxText != 0 && (maxText < vilt.LeastMaxText || maxText > vilt.MostMaxText) {
		return fmt.Errorf("max-text: %d: must be between %d and %d tokens", maxText, vilt.LeastMaxText, vilt.MostMaxText)
	}
	return nil
}

// extendText makes the encoder one of texts of up to maxText tokens, by [vilt.Weights.WithMaxText]; 0 leaves the model's
// own. Random weights are drawn again with more positions: stretched ones would be much like their neighbours, which only
// learned ones should be. Encodings made of b before it do not know.
func (b *backbone) extendText(maxText int) error {
	if maxText == 0 || maxText == b.weights.Config.MaxText {
		return nil
	}
	w, err := b.weights.WithMaxText(maxText)
	if err != nil {
		return err
	}
	if b.random && maxText > b.weights.Config.MaxText {
		if w, err = vilt.Random(w.Config, b.seed); err != nil {
			return err
		}
		b.digest += fmt.Sprintf(", %d text positions", maxText)
	}
	b.weights = w
	return nil
}
