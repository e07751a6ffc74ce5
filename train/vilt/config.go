// Package vilt is the vision-and-language transformer ViLT (Kim et al., ICML 2021) as a gorgonia graph, and its weights.
//
// One stream: text tokens, an image class token and image patches pass through the same pre-norm blocks; the pooler reads
// the text's [CLS]. There is no separate vision network: a patch is embedded by one linear map.
//
// # Shapes
//
// B sequences, N rows in all, D width, H heads, M hidden width, P patches, L text tokens, V words, K classes. Batches are
// packed without padding ([op.Packing]), so the result of a sequence does not depend on what else is in the batch.
//
// # Names
//
// Weights carry the names of transformers' ViltModel, so that files are exchanged with it; only the query, key and value
// maps are joined in memory, because one product is faster than three.
//
// # What can be read out
//
// After a run [Encoder.Features] is the pooler's output, [Encoder.Hidden] the stream at any layer, [Encoder.LastHidden] all
// rows after the final norm, and [Encoder.Attentions] any block's probabilities by head. They are transformers'
// pooler_output, hidden_states, last_hidden_state and attentions without the rows of padding, and with patches in raster
// order: transformers shuffles the patches of the largest picture of a batch.
//
// # Parts
//
// An encoder may be built in two parts, the first forward-only: [Options.ToBlock] and [Options.FromBlock]. The stream between
// them is all that the second one reads of a sequence, and both together are the whole, bit for bit.
//
// # What is not made
//
// The pooler reads the first row of each sequence of the last block. Of its other rows nothing is made but the norm before
// attention: with one query a sequence the maps of key and value are as well done after attention as before
// ([op.FirstAttention]), so that no map of the block takes more than B rows. Backward it is the same: all that is trained gets
// the gradients that it would get, as rows which nothing reads have none. This is a block less to compute, for float32's
// rounding. [Options.KeepLayers] makes all rows.
//
// # Texts and pictures of other sizes
//
// Image positions are interpolated to each picture's own grid, as they are read, up to [Config.MaxPatches].
// [Weights.WithMaxText] makes room for longer texts. [FromPixelMask] turns the pixel mask of a padded batch into the grid of
// the picture alone, as padding has no rows here.
//
// # The original release
//
// It computes the same but for LayerNorm's epsilon: 1e-6 in its blocks and final norm, 1e-12 in its text embeddings, where
// transformers has layer_norm_eps, 1e-12, everywhere. [Config.Eps] is for all of them, so its weights give what transformers
// makes of them.
package vilt

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mcil/mcil/schemas"
)

// Config is the shape of an encoder, with the keys of transformers' ViltConfig.
type Config struct {
	ModelType  string  `json:"model_type"` // "vilt"
	Vocab      int     `json:"vocab_size"`
	MaxText    int     `json:"max_position_embeddings"` // text positions, [CLS] and [SEP] included
	Width      int     `json:"hidden_size"`
	Depth      int     `json:"num_hidden_layers"`
	Heads      int     `json:"num_attention_heads"`
	Hidden     int     `json:"intermediate_size"`
	ImageSize  int     `json:"image_size"` // pixels of the shorter side
	Patch      int     `json:"patch_size"` // pixels a side
	Channels   int     `json:"num_channels"`
	Eps        float32 `json:"layer_norm_eps"`
	TypeVocab  int     `json:"type_vocab_size"`
	Modalities int     `json:"modality_type_vocab_size"`
}

// Preset returns a named shape; the vocabulary's size is left to the caller.
//
//	vilt-b32  the published one: 112 million parameters, 384 px, patches of 32
//	small     6 blocks of width 192, 128 px, patches of 16
//	tiny      3 blocks of width 64, 96 px, patches of 16: seconds on a laptop
func Preset(name string) (Config, error) {
	c := Config{ModelType: "vilt", Channels: 3, Eps: 1e-12, TypeVocab: 2, Modalities: 2}
	switch name {
	case "vilt-b32":
		c.MaxText, c.Width, c.Depth, c.Heads, c.Hidden, c.ImageSize, c.Patch = 40, 768, 12, 12, 3072, 384, 32
	case "small":
		c.MaxText, c.Width, c.Depth, c.Heads, c.Hidden, c.ImageSize, c.Patch = 64, 192, 6, 6, 768, 128, 16
	case "tiny":
		c.MaxText, c.Width, c.Depth, c.Heads, c.Hidden, c.ImageSize, c.Patch = 64, 64, 3, 4, 256, 96, 16
	default:
		return Config{}, fmt.Errorf("model %q: unknown: use vilt-b32, small or tiny", name)
	}
	return c, nil
}

// Grid is the side of the learned grid of image positions, in patches.
func (c Config) Grid() int { return c.ImageSize / c.Patch }

// PatchSize is the number of values of one patch.
func (c Config) PatchSize() int { return c.Channels * c.Patch * c.Patch }

// MaxPatches is the most patches that a picture has: the shorter side is Grid patches, the longer one at most
// int(1333/800 · ImageSize) pixels, floored to whole patches.
func (c Config) MaxPatches() int { return c.Grid() * (LongSide(c.ImageSize) / c.Patch) }

// LongSide is ViLT's cap on the longer side of a picture whose shorter side is short: int(1333/800 · short).
func LongSide(short int) int { return int(1333.0 / 800.0 * float64(short)) }

// Validate says what about c cannot be.
func (c Config) Validate() error {
	for _, f := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.Vocab}, {"max_position_embeddings", c.MaxText}, {"hidden_size", c.Width}, {"num_hidden_layers", c.Depth},
		{"num_attention_heads", c.Heads}, {"intermediate_size", c.Hidden}, {"image_size", c.ImageSize}, {"patch_size", c.Patch},
		{"num_channels", c.Channels}, {"type_vocab_size", c.TypeVocab}, {"modality_type_vocab_size", c.Modalities},
	} {
		if f.value <= 0 || f.value > 1<<20 {
			return fmt.Errorf("vilt config: %s is %d: it must be between 1 and %d", f.key, f.value, 1<<20)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return fmt.Errorf("vilt config: hidden_size %d is not a multiple of num_attention_heads %d", c.Width, c.Heads)
	case c.ImageSize%c.Patch != 0:
		return fmt.Errorf("vilt config: image_size %d is not a multiple of patch_size %d", c.ImageSize, c.Patch)
	case c.Depth > 1000:
		return fmt.Errorf("vilt config: num_hidden_layers is %d: it must be at most 1000", c.Depth)
	case c.Channels != 3:
		return fmt.Errorf("vilt config: num_channels is %d: pictures have 3", c.Channels)
	case !(c.Eps > 0):
		return fmt.Errorf("vilt config: layer_norm_eps is %g: it must be above 0", c.Eps)
	case c.Modalities < 2:
		return fmt.Errorf("vilt config: modality_type_vocab_size is %d: text and image need 2", c.Modalities)
	}
	return nil
}

// ReadConfig reads a config.json. What it asks for beyond a [Config] must be as it is built here: transformers' defaults.
// Dropout is the exception: whatever its share, there is none in training here; the published configs have 0.
func ReadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c := struct {
		Config
		Act      string `json:"hidden_act"`
		QKVBias  bool   `json:"qkv_bias"`
		MaxImage int    `json:"max_image_length"` // patches; below 0: all
	}{Config{Channels: 3, Eps: 1e-12, TypeVocab: 2, Modalities: 2}, "gelu", true, -1}
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w: %w", path, err, schemas.ErrDamaged)
	}
	switch {
	case c.ModelType != "vilt":
		return Config{}, fmt.Errorf("%s: model_type is %q, not vilt: %w", path, c.ModelType, ErrUnsupported)
	case c.Act != "gelu":
		return Config{}, fmt.Errorf("%s: hidden_act is %q, and only gelu is built: %w", path, c.Act, ErrUnsupported)
	case !c.QKVBias:
		return Config{}, fmt.Errorf("%s: qkv_bias is false, and only maps with a bias are built: %w", path, ErrUnsupported)
	case c.MaxImage >= 0:
		return Config{}, fmt.Errorf("%s: max_image_length is %d, and here no patches of a picture are drawn at random: set it to -1 to have all: %w", path, c.MaxImage, ErrUnsupported)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w: %w", path, err, schemas.ErrDamaged)
	}
	return c.Config, nil
}

// WriteConfig writes c as a config.json.
func WriteConfig(path string, c Config) error {
	return schemas.WriteFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c)
	})
}
