package schemas

// Embedding is FILE.json beside the features FILE.npy that mcil embed writes, and says that they are whole.
//
// FILE.npy is [rows, width] in numpy's format 1.0, float32, little endian: row i is the pooled feature of the picture and
// text that line i of FILE.jsonl ([EmbeddedRow]) names. An attention file is [rows, attention_length] of the same kind: row
// i begins with the attention that the text's [CLS], which the pooler reads, pays to each token in the last block (softmax
// weights, averaged over heads). It is in the order of the sequence: text_tokens of the text, the image class token, and
// grid_h times grid_w patches in raster order; these sum to 1, and zeros follow.
type Embedding struct {
	Header
	Settings map[string]any `json:"settings"`
	Digest   string         `json:"digest"`  // of settings, pictures' names and sizes, texts and weights
	Source   string         `json:"source"`  // spec of the source, or the dataset and its split
	Weights  string         `json:"weights"` // as given
	// WeightsDigest is of the weights and their vocabulary.
	WeightsDigest string              `json:"weights_digest"`
	WeightsCommit string              `json:"weights_commit,omitempty"` // of weights given as hf:OWNER/NAME: the Hub's, 40 hexadecimal digits
	Captions      EmbeddingCaptions   `json:"captions"`
	Rows          int                 `json:"rows"`
	Width         int                 `json:"width"`
	Attention     *EmbeddingAttention `json:"attention,omitempty"`
	Files         []FileDigest        `json:"files"`   // relative to this file: features, rows, and attention where there is one
	Refused       []Refusal           `json:"refused"` // what has no row, and why; never null
	CPU           string              `json:"cpu"`     // instructions used: avx512, avx2 or portable; openblas: the best of these, and a library for large products
	Program       Program             `json:"program"`
}

// EmbeddingCaptions says where the texts came from.
type EmbeddingCaptions struct {
	From    string `json:"from"`              // store, file, source, dataset, or none: texts are empty
	Model   string `json:"model,omitempty"`   // of a caption store
	Recipe  string `json:"recipe,omitempty"`  // of a caption store, or the digest of a captions file
	Variant string `json:"variant,omitempty"` // of a caption store, where it is not its first
}

// More values of [EmbeddingCaptions.From]; the others are those of [CaptionsSummary.From].
const (
	CaptionsFromDataset = "dataset" // the rows' own
	CaptionsFromNone    = "none"    // no text: [CLS] and [SEP] alone
)

// EmbeddingAttention describes the rows of an attention file.
type EmbeddingAttention struct {
	Block  int `json:"block"`  // of the encoder, from 1: its last
	Length int `json:"length"` // of a row: the most text tokens, the image class token, the most patches
}

// EmbeddedRow is one line of FILE.jsonl. Line i says what row i of FILE.npy is.
type EmbeddedRow struct {
	Version     int    `json:"v"`            // 1
	Index       int    `json:"index"`        // place in the source, from 0; what has no row has a place, too
	ID          string `json:"id"`           // class-relative path of the picture
	Label       int    `json:"label"`        // place in the source's list of classes
	WNID        string `json:"wnid"`         // of the class, or its folder
	ClassName   string `json:"class_name"`   // with underscores
	Caption     string `json:"caption"`      // as it was tokenized; the encoder saw as much of it as text_tokens says
	TextTokens  int    `json:"text_tokens"`  // word pieces, [CLS] and [SEP] included
	GridH       int    `json:"grid_h"`       // patches
	GridW       int    `json:"grid_w"`       // patches
	ImageSHA256 string `json:"image_sha256"` // of the picture's own bytes
}

// EmbeddingHeader is the header of [Embedding].
var EmbeddingHeader = Header{"mcil.embedding", 1}
