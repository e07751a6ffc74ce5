package train

import (
	"cmp"
	"context"
	"fmt"

	"github.com/mcil/mcil/dataset"
)

// EvaluateOptions say what a model is evaluated on. Zero means the default.
type EvaluateOptions struct {
	Split string // default test
	// DropPatches is the share of patches that each picture loses at random, DropTokens that of the text's tokens ([CLS] and
	// [SEP] stay), both in [0,1); default 0. For the same rows and shares they are the same patches and tokens. What this does
	// to the accuracy tells how much a model reads in either, and whether it takes gaps for a sign of some classes.
	DropPatches, DropTokens float64
}

// Evaluation is how well a model does on a split of a dataset. Accuracies are fractions in [0,1].
type Evaluation struct {
	Run          string               `json:"run"`
	Phase        int                  `json:"phase"` // after which the model is taken, from 1
	Data         string               `json:"data"`
	Split        string               `json:"split"`
	Rows         int                  `json:"rows"`     // of the classes that the model tells apart
	Accuracy     float64              `json:"accuracy"` // pooled over rows
	Top5Accuracy float64              `json:"top5_accuracy"`
	DropPatches  float64              `json:"drop_patches,omitempty"`
	DropTokens   float64              `json:"drop_tokens,omitempty"`
	ByAge        *EvaluationByAge     `json:"by_age,omitempty"` // nil unless there are rows of old classes and of new ones
	Classes      []EvaluationClass    `json:"classes"`          // that the model tells apart, in the order learned
	OtherRows    int                  `json:"other_rows"`       // of classes that it does not know: they do not count
	Confusions   []EvaluationConfused `json:"-"`
}

// EvaluationClass is one class of an [Evaluation].
type EvaluationClass struct {
	WNID     string  `json:"wnid"`
	Name     string  `json:"name"`
	Phase    int     `json:"phase"`    // in which it was learned, from 1
	Rows     int     `json:"rows"`     // 0 where the split has none
	Accuracy float64 `json:"accuracy"` // 0 where there are no rows
}

// EvaluationByAge tells the classes of the model's last phase, the new ones, from those before. Shares of rows, in [0,1].
type EvaluationByAge struct {
	OldAccuracy float64 `json:"old_accuracy"`
	NewAccuracy float64 `json:"new_accuracy"`
	OldAsNew    float64 `json:"old_as_new"` // rows of old classes that are taken for any new one
}

// EvaluationConfused is one row of an [Evaluation] with what the model took it for.
type EvaluationConfused struct {
	ID               dataset.ID
	Class, Predicted int // in Classes
	Probability      float64
}

// topMost is how many guesses top-5 accuracy gives.
const topMost = 5

// Evaluate measures the model on a split of a dataset, whose classes are matched by wnid. On the run's own data the
// accuracy is the one of its report, exactly.
func (m *Model) Evaluate(ctx context.Context, data *dataset.Dataset, o EvaluateOptions) (Evaluation, error) {
	split := cmp.Or(o.Split, dataset.Test)
	e := Evaluation{Run: m.Dir, Phase: m.Phase, Data: data.Dir, Split: split, DropPatches: o.DropPatches, DropTokens: o.DropTokens}
	for _, drop := range []struct {
		what  string
		share float64
	}{{"patches", o.DropPatches}, {"text tokens", o.DropTokens}} {
		if !(drop.share >= 0 && drop.share < 1) {
			return e, fmt.Errorf("share of %s to drop: %g: must be from 0 to below 1: %w", drop.what, drop.share, ErrOptions)
		}
	}
	rows, ok := data.Splits[split]
	if !ok {
		return e, fmt.Errorf("dataset %s: has no %s rows: %w", data.Dir, split, dataset.ErrRefused)
	}
	position := map[string]int{}
	for i, c := range m.Classes {
		position[c.WNID] = i
		e.Classes = append(e.Classes, EvaluationClass{WNID: c.WNID, Name: c.Name, Phase: c.Phase + 1})
	}
	var labels []int
	byLabel := map[int]int{}
	for label, c := range data.Classes {
		if i, known := position[c.WNID]; known {
			labels, byLabel[label] = append(labels, label), i
		}
	}
	items := dataset.Subset{Encoding: m.encoding, Rows: rows, Indices: dataset.OfClasses(rows, labels...), Relabel: func(label int) int { return byLabel[label] }}
	e.Rows, e.OtherRows = items.Len(), rows.Len()-items.Len()
	if e.Rows == 0 {
		return e, fmt.Errorf("dataset %s: none of its %s rows is of the %d classes that run %s has learned: %w", data.Dir, split, len(m.Classes), m.Dir, dataset.ErrRefused)
	}
	if err := checkSizes(data.Dir, data, m.encoding.Processor, labels, split); err != nil {
		return e, err
	}
	hits := make([]int, len(m.Classes))
	right, top := 0, 0
	thin := dataset.Thin{Items: items, Drop: o.DropPatches, KeepText: true}
	for p, err := range m.Predict(ctx, dataset.Thin{Items: thin, Drop: o.DropTokens, KeepImage: true}, false) {
		if err != nil {
			return e, err
		}
		c := p.Sample.Label
		e.Classes[c].Rows++
		if p.Class == c {
			right++
			hits[c]++
		}
		for _, guess := range p.Top(topMost) {
			if guess == c {
				top++
			}
		}
		e.Confusions = append(e.Confusions, EvaluationConfused{ID: p.Sample.ID, Class: c, Predicted: p.Class, Probability: p.Probabilities[p.Class]})
		if m.progress != nil {
			m.progress(Event{Stage: split, Done: len(e.Confusions), Total: e.Rows})
		}
	}
	e.Accuracy, e.Top5Accuracy = float64(right)/float64(e.Rows), float64(top)/float64(e.Rows)
	e.ByAge = e.byAge()
	for i := range e.Classes {
		if c := &e.Classes[i]; c.Rows > 0 {
			c.Accuracy = float64(hits[i]) / float64(c.Rows)
		}
	}
	return e, nil
}

// byAge tells old classes from new ones in what was predicted.
func (e Evaluation) byAge() *EvaluationByAge {
	fresh := func(class int) bool { return e.Classes[class].Phase == e.Phase }
	var oldRows, oldRight, oldAsNew, newRows, newRight float64
	for _, r := range e.Confusions {
		right := r.Predicted == r.Class
		switch {
		case fresh(r.Class) && right:
			newRows, newRight = newRows+1, newRight+1
		case fresh(r.Class):
			newRows++
		case right:
			oldRows, oldRight = oldRows+1, oldRight+1
		case fresh(r.Predicted):
			oldRows, oldAsNew = oldRows+1, oldAsNew+1
		default:
			oldRows++
		}
	}
	if oldRows == 0 || newRows == 0 {
		return nil
	}
	return &EvaluationByAge{OldAccuracy: oldRight / oldRows, NewAccuracy: newRight / newRows, OldAsNew: oldAsNew / oldRows}
}
