package schemas

// DatasetManifest is DATASET/manifest.json. Its JSON Schema is dataset.schema.json.
type DatasetManifest struct {
	Header
	Name     string          `json:"name"`   // of the data set, such as mm_imagenet_r: the first part of ViLT's file names
	Inputs   string          `json:"inputs"` // digest of all that decides the bytes below
	Digest   string          `json:"digest"` // of the whole: SHA-256 of the lines "sha256  path" of files, as sha256sum prints them
	Source   SourceSummary   `json:"source"`
	Captions CaptionsSummary `json:"captions"`
	Split    SplitSummary    `json:"split"`
	Order    OrderSummary    `json:"class_order"`
	Classes  []ClassSummary  `json:"classes"` // in label order
	Styles   map[string]int  `json:"styles"`  // rows by style
	Rows     map[string]int  `json:"rows"`    // rows by split
	Pictures PicturesSummary `json:"pictures"`
	Layouts  []string        `json:"layouts"` // hf, vilt, hub
	Files    []FileDigest    `json:"files"`   // sorted by path, relative to the manifest
	Refused  []Refusal       `json:"refused"` // sorted by name; never null
	Leakage  Leakage         `json:"leakage"`
	Program  Program         `json:"program"`
}

// SourceSummary says where the pictures came from.
type SourceSummary struct {
	Spec     string `json:"spec"`     // as given, such as imagenet-r:imagenet-r.tar
	Pictures int    `json:"pictures"` // read, refused ones included
	// Digest is the SHA-256 of the lines "sha256  id" of all pictures read, sorted by id: a folder and an archive of the
	// same pictures have the same.
	Digest string `json:"digest"`
}

// CaptionsSummary says where a dataset's captions came from and what they are like.
type CaptionsSummary struct {
	From     string   `json:"from"`                     // CaptionsFromStore, CaptionsFromFile or CaptionsFromSource
	Model    string   `json:"model"`                    // empty where no model wrote them
	Prompt   string   `json:"prompt"`                   // likewise
	Recipe   string   `json:"recipe"`                   // of a caption store, or the digest of a captions file
	Variant  string   `json:"variant,omitempty"`        // of a caption store, where it is not its first
	Revision string   `json:"revision,omitempty"`       // of the model, where it is known
	Reveals  []string `json:"prompt_reveals,omitempty"` // variables of the prompt that may tell the class
	// Unmatched is the number of captions of pictures that the source does not list.
	Unmatched int `json:"unmatched"`
	// NamesMasked is the number of captions in which the class's name was replaced; -1 where that was not asked for.
	NamesMasked int            `json:"names_masked"`
	Flags       map[string]int `json:"flags"` // captions by flag
	// Thresholds are those in force, from which on a flag was set: see package caption. Empty where nothing checked.
	Thresholds map[string]float64 `json:"thresholds"`
	Duplicates DuplicatesSummary  `json:"duplicates"`
	Statistics CaptionStatistics  `json:"statistics"`
}

// DuplicatesSummary counts captions that say the same as another one's, before names were masked. It is of the captions of
// all pictures that the source lists: those that could not be read are counted, too.
type DuplicatesSummary struct {
	Exact DuplicateCounts `json:"exact"` // letter by letter
	Near  DuplicateCounts `json:"near"`  // mostly the same runs of words, and not the same text
}

// DuplicateCounts are captions that have duplicates.
type DuplicateCounts struct {
	Captions int `json:"captions"` // that have one
	Groups   int `json:"groups"`   // of captions that are duplicates of one another, near ones by way of others
	Largest  int `json:"largest"`  // captions in the largest group
	// Captions whose duplicates are all of their own class, and those with one of another class.
	WithinClass   int `json:"within_class"`
	AcrossClasses int `json:"across_classes"`
}

// The values of [CaptionsSummary.From].
const (
	CaptionsFromStore  = "store"  // answers of an endpoint
	CaptionsFromFile   = "file"   // a CSV or JSON Lines file
	CaptionsFromSource = "source" // the source's own texts
)

// CaptionStatistics describe the captions of all rows. A word is a run of letters, marks and digits, in
// lower case; an apostrophe inside belongs to it.
type CaptionStatistics struct {
	Captions   int         `json:"captions"`
	Words      Lengths     `json:"words"`
	Characters Lengths     `json:"characters"`
	ByWords    []int       `json:"by_words"`   // entry n: captions of n words; the last entry counts those longer, too
	Vocabulary int         `json:"vocabulary"` // different words
	Distinct   int         `json:"distinct"`   // different captions
	Duplicated int         `json:"duplicated"` // captions whose text another row has too
	MostCommon []TextCount `json:"most_common"`
}

// Lengths is a distribution of lengths. Percentiles are by the nearest rank.
type Lengths struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"` // of the population
	Min  int     `json:"min"`
	P5   int     `json:"p5"`
	P50  int     `json:"p50"`
	P95  int     `json:"p95"`
	Max  int     `json:"max"`
}

// TextCount is a text and how often it occurs.
type TextCount struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// SplitSummary says how rows were dealt out. Its spec and the source determine the split.
type SplitSummary struct {
	Spec       string            `json:"spec"` // such as "ratio:0.8"
	Seed       uint64            `json:"seed"` // of ratio splits and of the validation rows
	Validation ValidationSummary `json:"validation"`
	SHA256     string            `json:"sha256"` // of split.txt
}

// ValidationSummary says where the validation rows came from.
type ValidationSummary struct {
	Rule  string  `json:"rule"`  // in words: carved from train, given by the split, or none
	Share float64 `json:"share"` // of train, as asked for
}

// OrderSummary says in which order the classes are to be learned.
type OrderSummary struct {
	Spec   string `json:"spec"`   // natural, a seed, split, or a file
	SHA256 string `json:"sha256"` // of class-order.txt
}

// ClassSummary is one class of a dataset.
type ClassSummary struct {
	Label int            `json:"label"`
	WNID  string         `json:"wnid"`
	Name  string         `json:"name"`
	Rows  map[string]int `json:"rows"` // by split
}

// PicturesSummary describes the pictures of all rows.
type PicturesSummary struct {
	Bytes        int64          `json:"bytes"`
	Formats      map[string]int `json:"formats"`      // jpeg, png, gif, webp, bmp: by content
	Modes        map[string]int `json:"modes"`        // grey, rgb, cmyk, palette, ...
	Orientations map[string]int `json:"orientations"` // EXIF's, 1 to 8
	MinSide      int            `json:"min_side"`     // pixels
	MaxSide      int            `json:"max_side"`
	// Identical pictures: rows whose bytes another row has too, and those of them whose twin is in another split.
	Identical             int `json:"identical"`
	IdenticalAcrossSplits int `json:"identical_across_splits"`
}

// Leakage says how much of the label the captions give away. Shares are fractions in [0,1].
type Leakage struct {
	All     Mentions       `json:"all"`
	Classes []ClassLeakage `json:"classes"` // in label order
	// BagOfWords is absent where there are no validation rows.
	BagOfWords *BagOfWords `json:"bag_of_words,omitempty"`
}

// Mentions counts captions that name a class. A caption that names it in several ways counts once, under the first of
// exact, inflected and synonym.
type Mentions struct {
	Captions  int     `json:"captions"`
	Named     float64 `json:"named"`     // the own class, in any form
	Exact     float64 `json:"exact"`     // by the class name as it is
	Inflected float64 `json:"inflected"` // by its plural or another inflected form
	Synonym   float64 `json:"synonym"`   // by another name of the synset, inflected or not
	Other     float64 `json:"other"`     // another class, and not the own one
}

// ClassLeakage is what the captions of one class say.
type ClassLeakage struct {
	Label int    `json:"label"`
	WNID  string `json:"wnid"`
	Mentions
}

// BagOfWords is how well a classifier tells the class by the words of the caption alone. It learned on train rows and was
// measured on validation rows.
type BagOfWords struct {
	Classifier     string  `json:"classifier"`
	Vocabulary     int     `json:"vocabulary"` // words seen in train
	Train          int     `json:"train"`      // captions
	Validation     int     `json:"validation"` // captions
	Accuracy       float64 `json:"accuracy"`
	AccuracyMasked float64 `json:"accuracy_masked"` // with the own class's names masked in both
	Majority       float64 `json:"majority"`        // accuracy of always saying train's most frequent class
}

// FileDigest names a file's content.
type FileDigest struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Refusal is something that was found and left out.
type Refusal struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
