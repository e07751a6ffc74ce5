package method

import (
	"context"
	"fmt"
	"time"

	"github.com/mcil/mcil/dataset"
)

// meansOf are the mean features [n,width] of the n new classes of p, from their examples as they are. features answers for a
// batch, and completes what is told of it. Sums are in float64 and in the items' order, so that batches do not matter.
func meansOf(ctx context.Context, items dataset.Items, s Schedule, p Phase, width int,
	features func(batch []dataset.Sample, s Step) ([]float32, Step, error), progress func(Step),
) ([]float32, error) {
	n := p.Seen - p.Old
	sums, counts := make([]float64, n*width), make([]int, n)
	loader := dataset.Loader{Items: items, BatchSize: s.BatchSize, Workers: s.Workers}
	total, done := (items.Len()+s.BatchSize-1)/s.BatchSize, 0
	asked := time.Now()
	for batch, err := range loader.Epoch(ctx, 0) {
		if err != nil {
			return nil, err
		}
		began := time.Now()
		done++
		fs, step, err := features(batch, Step{Done: done, Total: total, Samples: len(batch), Waited: began.Sub(asked)})
		if err != nil {
			return nil, err
		}
		for i, x := range batch {
			class := x.Label - p.Old
			if class < 0 || class >= n {
				return nil, fmt.Errorf("prototypes: example %s is of class %d, which is none of the new ones, %d to %d", x.ID, x.Label, p.Old, p.Seen-1)
			}
			counts[class]++
			for k, v := range fs[i*width : (i+1)*width] {
				sums[class*width+k] += float64(v)
			}
		}
		if progress != nil {
			step.Took = time.Since(began)
			progress(step)
		}
		asked = time.Now()
	}
	means := make([]float32, len(sums))
	for class, count := range counts {
		if count == 0 {
			return nil, fmt.Errorf("prototypes: class %d has no examples", p.Old+class)
		}
		for k := class * width; k < (class+1)*width; k++ {
			means[k] = float32(sums[k] / float64(count))
		}
	}
	return means, nil
}
