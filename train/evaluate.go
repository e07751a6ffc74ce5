package train

import (
	"context"
	"fmt"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/memory"
)

// evaluation is the accuracy after a phase, in [0,1].
type evaluation struct {
	pooled  float64
	byPhase []float64
	nme     float64
}

// evaluate measures the accuracy on the test rows of all classes seen, by the classifier and by the nearest mean of
// exemplars.
func (r *run) evaluate(ctx context.Context, t int, stage string) (evaluation, error) {
	means, err := r.classMeans(ctx, t)
	if err != nil {
		return evaluation{}, err
	}
	var e evaluation
	var right, nearest, all, total int
	test := r.data.Splits[dataset.Test]
	for _, labels := range r.phases[:t+1] {
		total += len(dataset.OfClasses(test, labels...))
	}
	seen := r.seen(t)
	var w work
	for _, labels := range r.phases[:t+1] {
		hits, n := 0, 0
		loader := dataset.Loader{Items: r.subset(test, labels), BatchSize: r.learner.BatchSize(), Workers: r.o.Schedule.Workers}
		for batch, err := range watched(loader.Epoch(ctx, 0), &w) {
			if err != nil {
				return e, err
			}
			out, err := r.learner.Infer(batch, nil)
			if err != nil {
				return e, err
			}
			k, d := len(out.Logits)/len(batch), len(out.Features)/len(batch)
			for i, s := range batch {
				if argmax(out.Logits[i*k:i*k+seen]) == s.Label {
					hits++
				}
				if means != nil && memory.NearestMean(out.Features[i*d:(i+1)*d], means) == s.Label {
					nearest++
				}
			}
			n += len(batch)
			r.tell(stage+": test", all+n, total, w.waits())
		}
		if n == 0 {
			return e, fmt.Errorf("no test rows of classes %v", labels)
		}
		e.byPhase = append(e.byPhase, float64(hits)/float64(n))
		right += hits
		all += n
	}
	e.pooled = float64(right) / float64(all)
	e.nme = float64(nearest) / float64(all)
	return e, nil
}

// classMeans are the means of the exemplars' features under the present model; nil where a class has none.
func (r *run) classMeans(ctx context.Context, t int) ([][]float32, error) {
	var means [][]float32
	for _, labels := range r.phases[:t+1] {
		for _, label := range labels {
			exemplars := r.store.OfClass(r.position[label])
			if len(exemplars) == 0 {
				return nil, nil
			}
			var features []float32
			for chunk := range slices.Chunk(exemplars, r.learner.BatchSize()) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				var err error
				batch := make([]dataset.Sample, len(chunk))
				for i, e := range chunk {
					if batch[i], err = r.o.Memory.replay().Sample(e); err != nil {
						return nil, err
					}
				}
				out, err := r.learner.Infer(batch, nil)
				if err != nil {
					return nil, err
				}
				features = append(features, out.Features...)
			}
			means = append(means, memory.ClassMean(features, len(features)/len(exemplars)))
		}
	}
	return means, nil
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
