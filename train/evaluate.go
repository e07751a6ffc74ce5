package train

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// evaluation is what was answered after a phase, by class in the order learned.
type evaluation struct {
	rows        []int
	right       []int // by the classifier
	rightInFive []int // the class is among the classifier's first five
	nearest     []int // right by the nearest mean of exemplars
	byPhase     []float64
	perSecond   float64 // of [run.answerRate]
}

// evaluate answers for the rows of all classes seen, of the split that accuracies are of.
func (r *run) evaluate(ctx context.Context, t int, stage string) (evaluation, error) {
	means, err := r.classMeans(ctx, t)
	if err != nil {
		return evaluation{}, err
	}
	rows, seen := r.data.Splits[r.o.Evaluate], r.seen(t)
	e := evaluation{rows: make([]int, seen), right: make([]int, seen), rightInFive: make([]int, seen), nearest: make([]int, seen)}
	done, total := 0, 0
	for _, labels := range r.phases[:t+1] {
		total += len(dataset.OfClasses(rows, labels...))
	}
	var w work
	first := 0
	for _, labels := range r.phases[:t+1] {
		end := first + len(labels)
		loader := dataset.Loader{Items: r.subset(rows, labels), BatchSize: r.learner.BatchSize(), Workers: r.o.Schedule.Workers}
		for batch, err := range watched(loader.Epoch(ctx, 0), &w) {
			if err != nil {
				return e, err
			}
			out, err := r.learner.Infer(batch, nil)
			if err != nil {
				return e, err
			}
			e.count(batch, out, means)
			done += len(batch)
			r.tell(stage+": test", done, total, w.waits())
		}
		if n := sum(e.rows[first:end]); n == 0 {
			return e, fmt.Errorf("no %s rows of classes %v", r.o.Evaluate, labels)
		}
		e.byPhase = append(e.byPhase, share(e.right[first:end], e.rows[first:end]))
		first = end
	}
	e.perSecond, err = r.answerRate(ctx, r.subset(rows, r.phases[t]))
	return e, err
}

// ratedRows is how many rows an answer's rate is measured on, with methods of smaller batches a batch: enough to fill the kernels.
const ratedRows = 32

// answerRate is how many of some items are answered in a second by the learner alone: no picture is prepared meanwhile, and
// nothing kept of them before counts, so that the cost of queries and of frozen blocks is in it. It is the median of three.
func (r *run) answerRate(ctx context.Context, items dataset.Subset) (float64, error) {
	first := make([]int, min(ratedRows, r.learner.BatchSize(), items.Len()))
	for i := range first {
		first[i] = i
	}
	var took []time.Duration
	loader := dataset.Loader{Items: subsetOf(items, first), BatchSize: len(first), Workers: r.o.Schedule.Workers}
	for batch, err := range loader.Epoch(ctx, 0) { // it is one
		if err != nil {
			return 0, err
		}
		for i := range batch {
			batch[i].Passing, batch[i].Kept = true, nil
		}
		before := r.computed()
		for range 3 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			began := time.Now()
			if _, err := r.learner.Infer(batch, nil); err != nil {
				return 0, err
			}
			took = append(took, time.Since(began))
		}
		r.computedForRate += r.computed() - before
	}
	slices.Sort(took)
	return float64(len(first)) / took[1].Seconds(), nil
}

// count adds a batch's answers. means may be nil.
func (e *evaluation) count(batch []dataset.Sample, out method.Output, means [][]float32) {
	seen, k, d := len(e.rows), len(out.Logits)/len(batch), len(out.Features)/len(batch)
	for i, s := range batch {
		e.rows[s.Label]++
		logits := out.Logits[i*k : i*k+seen]
		if argmax(logits) == s.Label {
			e.right[s.Label]++
		}
		if placeOf(logits, s.Label) < 5 {
			e.rightInFive[s.Label]++
		}
		if means != nil && memory.NearestMean(out.Features[i*d:(i+1)*d], means) == s.Label {
			e.nearest[s.Label]++
		}
	}
}

// share is how much of the rows is right, of all classes together.
func share(right, rows []int) float64 {
	n := sum(rows)
	if n == 0 {
		return 0
	}
	return float64(sum(right)) / float64(n)
}

func sum(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
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

// placeOf is how many entries come before v[label] when the largest come first and equal ones in their order. What is no
// number comes last.
func placeOf(v []float32, label int) (place int) {
	if v[label] != v[label] {
		return len(v)
	}
	for i, x := range v {
		if x > v[label] || x == v[label] && i < label {
			place++
		}
	}
	return place
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
