package schemas

import "encoding/json"

// Results is REPORT/results.json: what a report says of runs, in full.
type Results struct {
	Header
	Rows    []ResultsRow    `json:"rows"`
	Tables  []ResultsTable  `json:"tables,omitempty"`
	Figures []ResultsFigure `json:"figures,omitempty"`
}

// Stat is a mean over seeds.
type Stat struct {
	Mean float64
	SD   float64 // sample standard deviation (n-1); 0 and without meaning where N is 1
	N    int     // seeds; 0 where no run has the value
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

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Stat) UnmarshalJSON(b []byte) error {
	var v struct {
		Mean float64 `json:"mean"`
		SD   float64 `json:"sd"`
		N    int     `json:"n"`
	}
	err := json.Unmarshal(b, &v)
	*s = Stat{v.Mean, v.SD, v.N}
	return err
}

// ResultsPoint is one phase of a row's accuracy curve.
type ResultsPoint struct {
	Classes  int       `json:"classes"` // seen so far
	Accuracy Stat      `json:"accuracy"`
	BySeed   []float64 `json:"by_seed"` // parallel to the row's seeds
	// Of classes of earlier phases and of this one; n is 0 where it was not measured, or where there are none yet.
	Old Stat `json:"old_accuracy"`
	New Stat `json:"new_accuracy"`
}

// ResultsClass is a class of a row: what was forgotten of it.
type ResultsClass struct {
	WNID       string `json:"wnid,omitempty"`
	Name       string `json:"name,omitempty"`
	Phase      int    `json:"phase"` // from 0
	Last       Stat   `json:"last_accuracy"`
	Forgetting Stat   `json:"forgetting"` // best accuracy after any phase minus the last
}

// ResultsRow sums up the runs that differ only in the seed. Accuracies, forgetting and the three costs are fractions.
// A value that no run has, such as one that an older program did not measure, has an n of 0.
type ResultsRow struct {
	Method    string   `json:"method"`
	Exemplars string   `json:"exemplars"`
	Variant   string   `json:"variant,omitempty"` // the settings that set it apart from rows of the same name
	Phases    int      `json:"phases"`
	Classes   int      `json:"classes"` // after the last phase
	Seeds     []uint64 `json:"seeds"`   // ascending
	Table     int      `json:"table"`   // of the tables, from 0, that it is part of

	Average      Stat `json:"average_accuracy"`
	MacroAverage Stat `json:"macro_average_accuracy"`
	Last         Stat `json:"last_accuracy"`
	Forgetting   Stat `json:"forgetting"`
	// Parallel to the seeds.
	AverageBySeed    []float64 `json:"average_accuracy_by_seed,omitempty"`
	LastBySeed       []float64 `json:"last_accuracy_by_seed,omitempty"`
	ForgettingBySeed []float64 `json:"forgetting_by_seed,omitempty"`

	// After the last phase.
	NME               Stat `json:"nme_accuracy"`
	Top5              Stat `json:"top5_accuracy"`
	Old               Stat `json:"old_accuracy"`
	New               Stat `json:"new_accuracy"`
	ExemplarsPerClass Stat `json:"exemplars_per_class"`
	BudgetBytes       Stat `json:"memory_budget_bytes"`
	UsedBytes         Stat `json:"memory_used_bytes"`
	// Mean cost of an exemplar as a fraction of its unmasked form, after the last phase.
	TokenFraction  Stat `json:"token_fraction"`
	PixelFraction  Stat `json:"pixel_fraction"`
	StoredFraction Stat `json:"stored_fraction"`

	Seconds           Stat `json:"seconds"` // all phases together
	TrainedParameters Stat `json:"trained_parameters"`
	KeptBytes         Stat `json:"kept_bytes"`
	// Pictures in all phases, over the seconds that they took.
	LearnPicturesPerSecond Stat `json:"learn_pictures_per_second"`
	TestPicturesPerSecond  Stat `json:"test_pictures_per_second"` // after the last phase

	Curve  []ResultsPoint `json:"curve"`           // one point a phase
	Matrix [][]float64    `json:"accuracy_matrix"` // lower triangular, mean over seeds
	Drop   []float64      `json:"drop"`            // of each phase but the last: best minus final accuracy, mean over seeds
	// PerClass is each class in the order learned; empty where it was not measured, or where seeds differ in the order.
	PerClass []ResultsClass `json:"per_class,omitempty"`
}

// ResultsTable is average accuracy, method by number of phases, of runs on the same classes of the same data.
type ResultsTable struct {
	Title   string         `json:"title"` // data, classes and encoder, as the settings name them
	Columns []string       `json:"columns"`
	Lines   []ResultsCells `json:"lines"`
}

// ResultsCells is a line of a [ResultsTable].
type ResultsCells struct {
	Name      string `json:"name"` // the paper's where it has one, such as SSF+Ours
	Method    string `json:"method"`
	Exemplars string `json:"exemplars"`
	Variant   string `json:"variant,omitempty"`
	Budget    string `json:"budget,omitempty"` // as set, such as "5 a class"
	// Cells are parallel to the columns; n is 0 where there is no run. Best says which are bold: the highest mean of those
	// with the same budget and of those without one.
	Cells []Stat `json:"cells"`
	Best  []bool `json:"best"`
	// Published, parallel to the columns, are the paper's average accuracies (arXiv 2412.09549) under the same budget, on
	// MM-ImageNet-R with ViLT, whatever the data here; n is 0 where it has none.
	Published []Stat `json:"published"`
}

// ResultsFigure is a figure beside the page, once as SVG and once as PNG.
type ResultsFigure struct {
	Name  string `json:"name"` // of the files, without .svg and .png
	Title string `json:"title"`
	Text  string `json:"text"` // what there is to see, in words
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
