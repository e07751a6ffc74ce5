package schemas

import (
	"encoding/json"

	"github.com/apache/arrow/go/v17/arrow"
)

// ViLTHeader is in the Arrow schema metadata of a ViLT file under the key "mcil".
var ViLTHeader = Header{"mcil.vilt", 2}

// ViLTExtras are the columns of [Rows] that follow ViLT's own in a ViLT file, in order.
var ViLTExtras = [...]int{
	ColID, ColWNID, ColClassName, ColStyle, ColWidth, ColHeight, ColOrientation, ColImageSHA256, ColCaptionRaw, ColCaptionModel,
	ColCaptionPrompt, ColFingerprint, ColFlags, ColFlagValues,
}

// ViLT is the Arrow schema of a split as the readers of ViLT and missing_aware_prompts expect it, that of their Food-101
// with more columns behind: image, text (a list of one), label, image_id (the ID) and split (train, val, test). The
// "huggingface" metadata names the classes. It says nothing of the picture, whose bare bytes datasets could not take for
// its Image.
func ViLT(classNames []string) (*arrow.Schema, error) {
	rows, err := Rows(classNames)
	if err != nil {
		return nil, err
	}
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	text := arrow.BinaryTypes.String
	fields := []arrow.Field{
		field("image", arrow.BinaryTypes.Binary), field("text", arrow.ListOf(text)), rows.Field(ColLabel),
		field("image_id", text), field("split", text),
	}
	for _, col := range ViLTExtras {
		fields = append(fields, rows.Field(col))
	}
	features, err := Features(classNames)
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, metadata(map[string]any{"label": features["label"]}, ViLTHeader)), nil
}

// metadata is that of an Arrow schema: features in the words of Hugging Face datasets, and a header of our own.
func metadata(features map[string]any, h Header) *arrow.Metadata {
	hf, _ := json.Marshal(map[string]any{"info": map[string]any{"features": features}}) // strings, in maps and slices
	own, _ := json.Marshal(h)
	md := arrow.NewMetadata([]string{HuggingFaceKey, MetadataKey}, []string{string(hf), string(own)})
	return &md
}
