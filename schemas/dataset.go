package schemas

// DatasetManifest is DATASET/manifest.json.
type DatasetManifest struct {
	Header
	Inputs   string          `json:"inputs"` // digest of all that decides the bytes below
	Source   string          `json:"source"`
	Captions CaptionsSummary `json:"captions"`
	Split    SplitSummary    `json:"split"`
	Classes  []ClassSummary  `json:"classes"` // in label order
	Styles   map[string]int  `json:"styles"`  // rows by style
	Rows     map[string]int  `json:"rows"`    // rows by split
	Files    []FileDigest    `json:"files"`   // sorted by path, relative to the manifest
	Refused  []Refusal       `json:"refused"` // sorted by name; never null
	Program  Program         `json:"program"`
}

// CaptionsSummary says where a dataset's captions came from and what they are like.
type CaptionsSummary struct {
	Model     string         `json:"model"`
	Prompt    string         `json:"prompt"`
	Recipe    string         `json:"recipe"`
	Flags     map[string]int `json:"flags"`      // captions by flag
	MeanWords float64        `json:"mean_words"` // white-space separated
}

// SplitSummary says how rows were dealt out. Its spec and the source determine the split.
type SplitSummary struct {
	Spec   string `json:"spec"`   // such as "ratio:0.8"
	Seed   uint64 `json:"seed"`   // of ratio splits
	SHA256 string `json:"sha256"` // of split.txt
}

// ClassSummary is one class of a dataset.
type ClassSummary struct {
	Label int            `json:"label"`
	WNID  string         `json:"wnid"`
	Name  string         `json:"name"`
	Rows  map[string]int `json:"rows"` // by split
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
