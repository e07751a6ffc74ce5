package train

import (
	"cmp"
	"context"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// Need estimates the memory in bytes that a process takes for a run: the network's plan with full batches, processed
// pictures that are kept and made ahead, whole exemplars where some are kept, and what a Go process takes beside. It opens
// data and weights and learns nothing. It is meant to be too much rather than too little.
func Need(ctx context.Context, o Options) (int64, error) {
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return 0, err
	}
	data, err := layout.Open(o.Data)
	if err != nil {
		return 0, err
	}
	defer data.Close()
	labels, err := SelectClasses(data.Classes, o.Classes)
	if err != nil {
		return 0, err
	}
	b, err := loadBackbone(ctx, o.Weights, o.Model, o.Seed, data, labels, o.Getenv, o.Progress)
	if err != nil {
		return 0, err
	}
	if err := b.extendText(o.MaxText); err != nil {
		return 0, err
	}
	l, err := method.New(o.Method, b.weights, len(labels), o.Schedule, o.Seed)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	p := b.encoding(0, false).Processor
	example := int64(3*p.Short*p.Long + 12*b.weights.Config.MaxText) // the largest
	rows := 0
	for _, split := range []string{dataset.Train, dataset.Test} {
		if r := data.Splits[split]; r != nil {
			rows += len(dataset.OfClasses(r, labels...))
		}
	}
	kept := int64(0)
	if kind, err := memory.KindOf(o.Exemplars); err == nil && kind.Keeps {
		kept = cmp.Or(o.BudgetBytes, int64(o.Budget*float64(int64(len(labels))*example)))
	}
	batches := 2*int64(l.BatchSize())*example + dataset.DefaultAheadBytes
	return l.Plan().Total() + min(o.CacheBytes, int64(rows)*example) + kept + batches + processBytes, nil
}

// processBytes is what a process takes beside what [Need] counts: the program, its runtime, and garbage of decoding. With it
// the estimate is 1.4 to 2.7 times the peak of short runs of the tiny and the small shape.
const processBytes = 128 << 20
