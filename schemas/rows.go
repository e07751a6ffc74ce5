package schemas

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
)

// RowsHeader is in the Arrow schema metadata of every split under the key "mcil".
var RowsHeader = Header{"mcil.rows", 3}

// MetadataKey and HuggingFaceKey are keys of Arrow schema metadata.
const (
	MetadataKey    = "mcil"
	HuggingFaceKey = "huggingface" // read by datasets.load_from_disk
)

// Columns of a split, in order.
const (
	ColImage = iota
	ColLabel
	ColCaption
	ColID
	ColWNID
	ColClassName
	ColStyle
	ColWidth
	ColHeight
	ColOrientation
	ColImageSHA256
	ColCaptionRaw
	ColCaptionModel
	ColCaptionPrompt
	ColFingerprint
	ColFlags
	ColFlagValues

	NumColumns = iota
)

// Rows is the Arrow schema of a split whose labels name the given classes in order. Every field is nullable: datasets
// honours the features of the metadata only where type and nullability match what it would write itself.
func Rows(classNames []string) (*arrow.Schema, error) {
	field := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	text := arrow.BinaryTypes.String
	fields := []arrow.Field{
		field("image", arrow.StructOf(field("bytes", arrow.BinaryTypes.Binary), field("path", text))),
		field("label", arrow.PrimitiveTypes.Int64),
		field("caption", text),
		field("id", text),
		field("wnid", text),
		field("class_name", text),
		field("style", text),
		field("width", arrow.PrimitiveTypes.Int32),
		field("height", arrow.PrimitiveTypes.Int32),
		field("orientation", arrow.PrimitiveTypes.Int32),
		field("image_sha256", text),
		field("caption_raw", text),
		field("caption_model", text),
		field("caption_prompt", text),
		field("request_fingerprint", text),
		field("caption_flags", arrow.ListOf(text)),
		field("flag_values", arrow.ListOf(arrow.PrimitiveTypes.Float64)), // of caption_flags, one each
	}
	features, err := Features(classNames)
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, metadata(features, RowsHeader)), nil
}

// Features is the same schema in the words of Hugging Face datasets. "Sequence" loads in versions 2 to 5, "List" from 4.
func Features(classNames []string) (map[string]any, error) {
	seen := map[string]bool{}
	for _, n := range classNames {
		if seen[n] {
			return nil, fmt.Errorf("two classes are called %q: Hugging Face's ClassLabel needs distinct names", n)
		}
		seen[n] = true
	}
	value := func(dtype string) map[string]any { return map[string]any{"dtype": dtype, "_type": "Value"} }
	return map[string]any{
		"image":               map[string]any{"_type": "Image"},
		"label":               map[string]any{"names": classNames, "_type": "ClassLabel"},
		"caption":             value("string"),
		"id":                  value("string"),
		"wnid":                value("string"),
		"class_name":          value("string"),
		"style":               value("string"),
		"width":               value("int32"),
		"height":              value("int32"),
		"orientation":         value("int32"),
		"image_sha256":        value("string"),
		"caption_raw":         value("string"),
		"caption_model":       value("string"),
		"caption_prompt":      value("string"),
		"request_fingerprint": value("string"),
		"caption_flags":       map[string]any{"feature": value("string"), "_type": "Sequence"},
		"flag_values":         map[string]any{"feature": value("float64"), "_type": "Sequence"},
	}, nil
}

// ClassNames reads the label names from the metadata of a split, our own or another writer's.
func ClassNames(md arrow.Metadata) ([]string, error) {
	i := md.FindKey(HuggingFaceKey)
	if i < 0 {
		return nil, fmt.Errorf("the schema has no %q metadata, so the labels have no names", HuggingFaceKey)
	}
	var info struct {
		Info struct {
			Features map[string]struct {
				Names []string `json:"names"`
			} `json:"features"`
		} `json:"info"`
	}
	if err := json.Unmarshal([]byte(md.Values()[i]), &info); err != nil {
		return nil, fmt.Errorf("the schema's %q metadata: %w", HuggingFaceKey, err)
	}
	names := info.Info.Features["label"].Names
	if len(names) == 0 {
		return nil, fmt.Errorf("the schema's %q metadata has no ClassLabel names for column label", HuggingFaceKey)
	}
	return names, nil
}
