package schemas

import "encoding/json"

// Results is REPORT/results.json: what a report says of runs, in full.
type Results struct {
	Header
	Rows []ResultsRow `json:"rows"`
}

// Stat is a mean over seeds.
type Stat struct {
	Mean float64
	SD   float64 // sample standard deviation (n-1); 0 and without meaning where N is 1
	N    int     // seeds
}

// MarshalJSON leaves the standard deviation of a single value out.
func (s Stat) MarshalJSON() ([]byte, error) {
	v := struct {
		Mean float64  `json:"mean"`
		SD   *float64 `json:"sd,omitempty"`
		N    int      `json:"n"`
	}{Mean: s.Mean, N: s.N}
	if s.N > 1 {
		v.SD = &s.SD
	}
	return json.Marshal(v)
}

// ResultsPoint is one phase of a row's accuracy curve.
type ResultsPoint struct {
	Classes  int       `json:"classes"` // seen so far
	Accuracy Stat      `json:"accuracy"`
	BySeed   []float64 `json:"by_seed"` // parallel to the row's seeds
}

// ResultsRow sums up the runs that differ only in the seed. Accuracies, forgetting and the three costs are fractions.
type ResultsRow struct {
	Method    string   `json:"method"`
	Exemplars string   `json:"exemplars"`
	Variant   string   `json:"variant,omitempty"` // the settings that set it apart from rows of the same name
	Phases    int      `json:"phases"`
	Classes   int      `json:"classes"` // after the last phase
	Seeds     []uint64 `json:"seeds"`   // ascending

	Average      Stat `json:"average_accuracy"`
	MacroAverage Stat `json:"macro_average_accuracy"`
	Last         Stat `json:"last_accuracy"`
	Forgetting   Stat `json:"forgetting"`

	// After the last phase.
	ExemplarsPerClass Stat `json:"exemplars_per_class"`
	BudgetBytes       Stat `json:"memory_budget_bytes"`
	UsedBytes         Stat `json:"memory_used_bytes"`
	// Mean cost of an exemplar as a fraction of its unmasked form, after the last phase.
	TokenFraction  Stat `json:"token_fraction"`
	PixelFraction  Stat `json:"pixel_fraction"`
	StoredFraction Stat `json:"stored_fraction"`

	Seconds Stat `json:"seconds"` // all phases together

	Curve  []ResultsPoint `json:"curve"`           // one point a phase
	Matrix [][]float64    `json:"accuracy_matrix"` // lower triangular, mean over seeds
	Drop   []float64      `json:"drop"`            // of each phase but the last: best minus final accuracy, mean over seeds
}

// Label is how the row is called in tables and plots, such as "ssf + masked".
func (r ResultsRow) Label() string {
	l := r.Method
	if r.Exemplars != "" {
		l += " + " + r.Exemplars
	}
	if r.Variant != "" {
		l += " (" + r.Variant + ")"
	}
	return l
}
