package schemas

// WeightsManifest is WEIGHTS/mcil.json, beside model.safetensors, vocab.txt and config.json.
type WeightsManifest struct {
	Header
	Data         string         `json:"data"`    // the dataset that the backbone was pretrained on
	Classes      []string       `json:"classes"` // wnids seen in pretraining: none of them may be incremental
	Settings     map[string]any `json:"settings"`
	Digest       string         `json:"digest"`              // of settings and data
	Accuracy     float64        `json:"validation_accuracy"` // on held-out rows of those classes, in [0,1]
	Seconds      float64        `json:"seconds"`
	LearnSeconds float64        `json:"learn_seconds,omitempty"` // of Seconds, in steps and in waiting for their batches
	WaitSeconds  float64        `json:"wait_seconds,omitempty"`  // of LearnSeconds, in waiting
	CPU          string         `json:"cpu"`                     // instructions used: avx512, avx2 or portable; openblas: the best of these, and a library for large products
	Program      Program        `json:"program"`
}

// Run is RUN/run.json: the effective settings of a run. A run with other settings is another run.
type Run struct {
	Header
	Settings map[string]any `json:"settings"`
	// Digest of what determines the result: settings, data and weights. A folder with another digest is not resumed.
	Digest        string `json:"digest"`
	WeightsCommit string `json:"weights_commit,omitempty"` // of weights given as hf:OWNER/NAME: the Hub's, 40 hexadecimal digits
	// WeightsDigest is of the encoder alone and its vocabulary: what tuned values of the run are to be used with.
	WeightsDigest string `json:"weights_digest,omitempty"`
	// DataDigest is of the dataset's rows that the run reads. Paths may be written alike and lead to other data.
	DataDigest string     `json:"data_digest,omitempty"`
	Classes    []RunClass `json:"classes,omitempty"` // that the run learns, in the order learned
	CPU        string     `json:"cpu"`               // instructions used: avx512, avx2 or portable; openblas: the best of these, and a library for large products
	Program    Program    `json:"program"`
}

// Report is RUN/report.json: what came out. Accuracies are fractions in [0,1].
type Report struct {
	Header
	Method    string `json:"method"`
	Exemplars string `json:"exemplars"`
	Seed      uint64 `json:"seed"`
	// Row t holds, after phase t, the accuracy on the test rows of the classes of each phase 0..t.
	AccuracyMatrix       [][]float64 `json:"accuracy_matrix"`
	AverageAccuracy      float64     `json:"average_accuracy"`       // mean over phases of pooled accuracy
	MacroAverageAccuracy float64     `json:"macro_average_accuracy"` // mean over phases of the mean of the matrix row
	LastAccuracy         float64     `json:"last_accuracy"`
	Forgetting           float64     `json:"forgetting"`
	CodaForgetting       float64     `json:"coda_forgetting,omitempty"` // CODA-Prompt's: the mean fall of one phase
	Phases               []Phase     `json:"phases"`
	Classes              []RunClass  `json:"classes"`                      // in the order learned
	Split                string      `json:"split,omitempty"`              // that accuracies are of: test (the default) or validation
	TrainedParameters    int64       `json:"trained_parameters,omitempty"` // values that steps change, classifier included
	KeptBytes            int64       `json:"kept_bytes,omitempty"`         // what the last phase keeps for later beside the encoder: exemplars, tuned values; of joint, all rows
	Gallery              string      `json:"gallery,omitempty"`            // file of masked exemplars, relative to the report
	Program              Program     `json:"program"`
}

// Phase is one phase of a [Report].
type Phase struct {
	Phase        int     `json:"phase"` // from 0
	Classes      int     `json:"classes"`
	Accuracy     float64 `json:"accuracy"`     // pooled over the test rows of all classes seen
	NMEAccuracy  float64 `json:"nme_accuracy"` // nearest mean of exemplars; 0 where no exemplars are kept
	Top5Accuracy float64 `json:"top5_accuracy,omitempty"`
	OldAccuracy  float64 `json:"old_accuracy,omitempty"` // pooled over the classes of earlier phases; 0 in the first
	NewAccuracy  float64 `json:"new_accuracy,omitempty"` // pooled over the classes of this phase
	// ClassAccuracy is of each class seen, in the order learned.
	ClassAccuracy     []float64 `json:"class_accuracy,omitempty"`
	ExemplarsPerClass float64   `json:"exemplars_per_class"`
	MemoryBudgetBytes int64     `json:"memory_budget_bytes"`
	MemoryUsedBytes   int64     `json:"memory_used_bytes"`
	// What the budget counts where it is not stored bytes: pixels (bytes) or tokens. MemoryBudgetBytes is 0 then.
	MemoryUnit   string `json:"memory_unit,omitempty"`
	MemoryBudget int64  `json:"memory_budget,omitempty"` // in MemoryUnit
	MemoryUsed   int64  `json:"memory_used,omitempty"`   // in MemoryUnit
	// Mean cost of an exemplar as a fraction of its unmasked form, counted three ways.
	TokenFraction  float64 `json:"token_fraction"`
	PixelFraction  float64 `json:"pixel_fraction"`
	StoredFraction float64 `json:"stored_fraction"`
	// ClassExemplars is how many are held of each class seen, in the order learned.
	ClassExemplars         []int   `json:"class_exemplars,omitempty"`
	Seconds                float64 `json:"seconds"`
	LearnPicturesPerSecond float64 `json:"learn_pictures_per_second,omitempty"` // examples that steps took, in LearnSeconds
	TestPicturesPerSecond  float64 `json:"test_pictures_per_second,omitempty"`  // answers of the learner alone, see train's package comment
	LearnSeconds           float64 `json:"learn_seconds,omitempty"`             // of Seconds, in steps, mean features and waiting for their batches
	WaitSeconds            float64 `json:"wait_seconds,omitempty"`              // of LearnSeconds, in waiting
}

// RunClass is a class of a run.
type RunClass struct {
	WNID  string `json:"wnid"`
	Name  string `json:"name"`
	Phase int    `json:"phase"`
}

// Checkpoint is RUN/phase-NN/phase.json: what the run knows after a phase beside its tensors and its memory.
type Checkpoint struct {
	Header
	Report      Phase         `json:"report"`
	AccuracyRow []float64     `json:"accuracy_row"` // of the matrix
	Budgets     map[int]int64 `json:"budgets"`      // by class, in the order learned, in the budget's unit
	// Worths is what samples of each class are worth, where a budget of samples in all needs it.
	Worths  map[int]Worth     `json:"worths,omitempty"`
	Gallery []GalleryExemplar `json:"gallery"` // of this phase
	// Qualities is how mrdc chose for each class of this phase.
	Qualities map[int]ClassQuality `json:"qualities,omitempty"`
}

// ClassQuality is the quality of JPEG that a class is stored in.
type ClassQuality struct {
	Quality int             `json:"quality"`
	Tried   []QualityChoice `json:"tried"`
}

// QualityChoice is one quality of JPEG that a class could be stored in.
type QualityChoice struct {
	Quality int     `json:"quality"`
	Count   int     `json:"count"` // exemplars of that quality in the budget
	Ratio   float64 `json:"ratio"` // volume of their features to the volume of those of as many originals
}

// Worth is what the train examples of a class take whole, in the budget's unit.
type Worth struct {
	Largest  int64 `json:"largest"`
	Total    int64 `json:"total"`
	Examples int   `json:"examples"`
}
