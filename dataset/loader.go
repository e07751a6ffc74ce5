package dataset

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
)

// Loader gathers samples into batches. Samples are made by several goroutines ahead of the consumer; neither their order
// nor their content depends on how many.
type Loader struct {
	Items     Items
	BatchSize int    // default 32
	Workers   int    // default 1
	Shuffle   bool   // otherwise in the order of Items
	Seed      uint64 // of the order and of every item's generator
}

// Epoch yields the batches of one pass; the last may be smaller. The same loader and epoch give the same batches. After an
// error it stops. Samples may share memory with a cache: they must not be modified.
func (l Loader) Epoch(ctx context.Context, epoch int) iter.Seq2[[]Sample, error] {
	return l.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without its first batches: what a run that stopped after that many goes on with. They are not made.
func (l Loader) EpochFrom(ctx context.Context, epoch, batch int) iter.Seq2[[]Sample, error] {
	return func(yield func([]Sample, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		order := l.order(epoch)
		size, workers := max(l.BatchSize, 0), max(1, l.Workers)
		if size == 0 {
			size = 32
		}
		batches := make(chan chan made, 2) // how many batches are made ahead
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			defer close(batches)
			for at := batch * size; at < len(order); at += size {
				next := make(chan made, 1)
				select {
				case batches <- next:
				case <-ctx.Done():
					return
				}
				next <- l.make(ctx, epoch, order[at:min(at+size, len(order))], workers)
			}
		})
		defer cancel() // before wg.Wait: a consumer that stops early stops the producer
		for next := range batches {
			b := <-next
			if b.err == nil {
				b.err = ctx.Err()
			}
			if b.err != nil {
				yield(nil, b.err)
				return
			}
			if !yield(b.samples, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

type made struct {
	samples []Sample
	err     error
}

func (l Loader) order(epoch int) []int {
	if l.Shuffle {
		return rand.New(rand.NewPCG(l.Seed, uint64(epoch))).Perm(l.Items.Len())
	}
	order := make([]int, l.Items.Len())
	for i := range order {
		order[i] = i
	}
	return order
}

func (l Loader) make(ctx context.Context, epoch int, indices []int, workers int) made {
	samples, errs := make([]Sample, len(indices)), make([]error, len(indices))
	var wg sync.WaitGroup
	for w := range min(workers, len(indices)) {
		wg.Go(func() {
			for k := w; k < len(indices); k += workers {
				rng := rand.New(rand.NewPCG(l.Seed^uint64(epoch)<<32, uint64(indices[k])+1))
				samples[k], errs[k] = l.Items.Sample(ctx, indices[k], rng)
			}
		})
	}
	wg.Wait()
	for k, err := range errs {
		if err != nil {
			return made{err: fmt.Errorf("item %d: %w", indices[k], err)}
		}
	}
	return made{samples: samples}
}
