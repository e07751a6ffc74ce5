package compare

import (
	"github.com/mcil/mcil/schemas"
)

// Header is the kind and version of the JSON that [WriteJSON] writes.
var Header = schemas.Header{Schema: "mcil.comparison", Version: 1}

// Result is what is known of a store's variants. Shares and agreements are fractions in [0,1], rounded to 6 decimals.
type Result struct {
	schemas.Header
	Source   string    `json:"source"`   // spec of the pictures, as the manifest of the first variant has it
	Pictures int       `json:"pictures"` // of the source; 0 where none was given
	Classes  int       `json:"classes"`  // of the source; 0 where none was given
	Variants []Variant `json:"variants"` // as asked for; else by name, the main one first
	Pairs    []Pair    `json:"pairs"`    // each variant with those after it
	Sample   []Sample  `json:"sample"`   // pictures drawn by the digest of their IDs, the same in every comparison; sorted by ID
}

// Variant is one variant by itself.
type Variant struct {
	Name     string           `json:"name"` // empty: the main one
	Model    string           `json:"model"`
	Revision string           `json:"revision,omitempty"`
	Prompt   string           `json:"prompt"`
	Decoding map[string]any   `json:"decoding"`
	Picture  string           `json:"picture"` // how the pictures were prepared
	Ladder   []map[string]any `json:"ladder,omitempty"`
	Reveals  []string         `json:"prompt_reveals,omitempty"` // variables of the prompt that may tell the class

	Captions   int                       `json:"captions"`
	Missing    int                       `json:"missing"`  // pictures of the source without a record
	Outside    int                       `json:"outside"`  // captions of pictures that the source does not list; 0 without a source
	Failed     int                       `json:"failed"`   // pictures whose last outcome is a failure
	Failures   []Failure                 `json:"failures"` // by class, most first
	Rungs      []int                     `json:"rungs"`    // entry n: captions of rung n of the ladder
	Text       schemas.CaptionStatistics `json:"text"`
	Duplicates schemas.DuplicatesSummary `json:"duplicates"`
	Flagged    int                       `json:"flagged"` // captions with a flag at least
	Flags      []Flag                    `json:"flags"`   // by name
	Leakage    *Leakage                  `json:"leakage,omitempty"`
	Tokens     Tokens                    `json:"tokens"`
	Latency    Latency                   `json:"latency_ms"`
}

// Failure counts the failures of a class.
type Failure struct {
	Class   string `json:"class"`
	Count   int    `json:"count"`
	ID      string `json:"id"`      // of the first one by ID
	Message string `json:"message"` // its error
}

// Flag counts the captions with a flag.
type Flag struct {
	Name     string    `json:"name"`
	Captions int       `json:"captions"`
	Share    float64   `json:"share"`
	Worst    []Example `json:"worst"` // by value, the worst first; ties by ID; of equal answers the first
}

// Example is one caption.
type Example struct {
	ID          string  `json:"id"`
	ClassName   string  `json:"class_name,omitempty"` // where a source was given
	ImageSHA256 string  `json:"image_sha256"`
	Value       float64 `json:"value"` // measured, of the flag that it is an example of
	Text        string  `json:"text"`  // cleaned
	Raw         string  `json:"raw"`
}

// Leakage says how many captions name a class. It is known where a source names the classes, and is measured over the
// captions of its pictures by the rules of [leakage.Measure].
type Leakage struct {
	All     schemas.Mentions `json:"all"`
	Classes []ClassLeakage   `json:"classes"` // in label order
}

// ClassLeakage is what the captions of one class say.
type ClassLeakage struct {
	Name string `json:"name"`
	schemas.ClassLeakage
}

// Tokens are sums over captions, as the endpoint counted. Captions that were taken over from a picture of the same bytes
// cost none.
type Tokens struct {
	Counted    int `json:"counted"` // captions whose tokens the endpoint told
	Prompt     int `json:"prompt"`
	Completion int `json:"completion"`
	Retried    int `json:"retried"` // captions that took more than one call
	Calls      int `json:"calls"`
}

// Latency is of the last call for each caption that was asked for, in milliseconds. Percentiles are by the nearest rank.
type Latency struct {
	Captions int     `json:"captions"`
	Mean     float64 `json:"mean"`
	P50      int64   `json:"p50"`
	P95      int64   `json:"p95"`
	Max      int64   `json:"max"`
}

// Pair is how two variants compare, over the pictures that have a caption in both.
type Pair struct {
	A           string   `json:"a"`
	B           string   `json:"b"`
	Both        int      `json:"both"` // pictures compared
	OnlyA       int      `json:"only_a"`
	OnlyB       int      `json:"only_b"`
	OtherBytes  int      `json:"other_bytes"`     // captioned in both under one ID, and with other bytes
	Identical   float64  `json:"identical"`       // share with the same cleaned text
	Jaccard     float64  `json:"jaccard"`         // mean
	Agreement   float64  `json:"agreement"`       // mean F1 of ROUGE-L
	ByTwentieth []int    `json:"by_twentieth"`    // entry n: pictures whose agreement is in [n/20, (n+1)/20); the last one is those of 1
	Words       float64  `json:"words"`           // mean of words in B less words in A
	Flags       []Moved  `json:"flags"`           // by name
	Named       *Moved   `json:"named,omitempty"` // captions that name their own class
	Changed     []Change `json:"changed"`         // of lowest agreement first; ties by ID
}

// Moved counts the captions that have something in both variants, or in one of them.
type Moved struct {
	Name  string `json:"name"`
	Both  int    `json:"both"`
	OnlyA int    `json:"only_a"`
	OnlyB int    `json:"only_b"`
}

// Change is a picture with both its captions, cleaned.
type Change struct {
	ID          string  `json:"id"`
	ClassName   string  `json:"class_name,omitempty"`
	ImageSHA256 string  `json:"image_sha256"`
	Agreement   float64 `json:"agreement"`
	Jaccard     float64 `json:"jaccard"`
	TextA       string  `json:"text_a"`
	TextB       string  `json:"text_b"`
}

// Sample is a picture with its cleaned captions, one for each variant.
type Sample struct {
	ID          string   `json:"id"`
	ClassName   string   `json:"class_name,omitempty"`
	ImageSHA256 string   `json:"image_sha256"`
	Texts       []string `json:"texts"` // in the order of Variants; empty also where there is none
}
