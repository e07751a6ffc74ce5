package dataset

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
)

// Loader gathers samples into batches. Samples are made by several goroutines ahead of the consumer, across the ends of
// batches and of epochs; neither their order nor their content depends on how many.
type Loader struct {
	Items     Items
	BatchSize int    // default 32
	Workers   int    // default 1
	Shuffle   bool   // otherwise in the order of Items
	Seed      uint64 // of the order and of every item's generator
	// AheadBytes is how much memory samples may take that are made ahead, beyond two batches: the more, the longer a sample
	// may take without making the consumer wait. Default [DefaultAheadBytes], negative: none.
	AheadBytes int64
}

// DefaultAheadBytes is the AheadBytes of the zero [Loader]: some 100 pictures as ViLT takes them.
const DefaultAheadBytes = 64 << 20

const (
	leastAhead = 2   // batches made ahead, however large
	mostAhead  = 256 // samples made ahead, however small, where that is not less than leastAhead
)

// HeldBytes is the most memory that samples of so many bytes each take in a loader and, as a batch, in its consumer's hands.
// Those that share memory with a cache take none of their own.
func (l Loader) HeldBytes(sampleBytes int64) int64 {
	size := l.batchSize()
	n := int64(max(leastAhead*size, 2*max(1, l.Workers)))
	if sampleBytes > 0 {
		n = max(n, min(mostAhead, l.aheadBytes()/sampleBytes))
	}
	return (n + int64(size)) * sampleBytes
}

func (l Loader) batchSize() int {
	if l.BatchSize <= 0 {
		return 32
	}
	return l.BatchSize
}

func (l Loader) aheadBytes() int64 {
	if l.AheadBytes == 0 {
		return DefaultAheadBytes
	}
	return l.AheadBytes
}

// Epoch yields the batches of one pass; the last may be smaller. The same loader and epoch give the same batches. After an
// error it stops. Samples may share memory with a cache: they must not be modified.
func (l Loader) Epoch(ctx context.Context, epoch int) iter.Seq2[[]Sample, error] {
	return l.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without its first batches: what a run that stopped after that many goes on with. They are not made.
func (l Loader) EpochFrom(ctx context.Context, epoch, batch int) iter.Seq2[[]Sample, error] {
	return l.batches(ctx, epoch, epoch+1, batch)
}

// Epochs yields the batches of the epochs from first to before end, one after another: those that an epoch begins with are
// made while the consumer is at the end of the one before.
func (l Loader) Epochs(ctx context.Context, first, end int) iter.Seq2[[]Sample, error] {
	return l.batches(ctx, first, end, 0)
}

func (l Loader) batches(ctx context.Context, first, end, batch int) iter.Seq2[[]Sample, error] {
	return func(yield func([]Sample, error) bool) {
		if first >= end {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		size, workers, n := l.batchSize(), max(1, l.Workers), l.Items.Len()
		skip := min(batch*size, n)
		q := newQueue(l, first, end, skip, size, workers)
		defer context.AfterFunc(ctx, q.wake)()
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel() // before wg.Wait: a consumer that stops early stops the workers
		for range workers {
			wg.Go(func() { q.work(ctx) })
		}
		for range end - first {
			for at := skip; at < n; at += size {
				samples, err := q.take(ctx, min(size, n-at))
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(samples, nil) {
					return
				}
			}
			skip = 0
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
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

// queue is samples under way: begun and not taken. The k-th of all has the place k modulo the number of places; a worker
// begins with it when the one that had the place before has been taken.
type queue struct {
	loader Loader
	end    int   // epoch
	least  int   // samples that may be under way however large they are
	bytes  int64 // that more of them may take
	places []chan made

	mu      sync.Mutex
	changed *sync.Cond // taken has, or the context is done
	begun   int
	taken   int
	largest int64 // bytes of a sample, of those made so far
	epoch   int   // of order
	order   []int
	at      int // in order, of what is begun next
}

type made struct {
	sample Sample
	err    error
}

func newQueue(l Loader, first, end, skip, size, workers int) *queue {
	q := &queue{loader: l, end: end, least: max(leastAhead*size, 2*workers), bytes: l.aheadBytes(), epoch: first, order: l.order(first), at: skip}
	q.changed = sync.NewCond(&q.mu)
	q.places = make([]chan made, min(max(q.least, mostAhead), (end-first)*len(q.order)))
	for i := range q.places {
		q.places[i] = make(chan made, 1)
	}
	return q
}

// work makes samples until there are no more.
func (q *queue) work(ctx context.Context) {
	for {
		place, epoch, item, ok := q.begin(ctx)
		if !ok {
			return
		}
		rng := rand.New(rand.NewPCG(q.loader.Seed^uint64(epoch)<<32, uint64(item)+1))
		s, err := q.loader.Items.Sample(ctx, item, rng)
		if err != nil {
			err = fmt.Errorf("item %d: %w", item, err)
		}
		q.mu.Lock()
		q.largest = max(q.largest, s.cacheBytes())
		q.mu.Unlock()
		q.places[place] <- made{s, err}
	}
}

// begin waits for room and says which sample comes next.
func (q *queue) begin(ctx context.Context) (place, epoch, item int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.full() && ctx.Err() == nil {
		q.changed.Wait()
	}
	if ctx.Err() != nil {
		return 0, 0, 0, false
	}
	if q.at == len(q.order) {
		if q.epoch+1 >= q.end || len(q.order) == 0 {
			return 0, 0, 0, false
		}
		q.epoch++
		q.order, q.at = q.loader.order(q.epoch), 0
	}
	place, item = q.begun%len(q.places), q.order[q.at]
	q.begun++
	q.at++
	return place, q.epoch, item, true
}

// full says that no further sample may be begun.
func (q *queue) full() bool {
	n := q.begun - q.taken
	return n >= len(q.places) || n >= q.least && int64(n+1)*q.largest > q.bytes
}

// wake lets workers see that the context is done.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changed.Broadcast()
}

// take waits for the next n samples. The error is that of the first that has one.
func (q *queue) take(ctx context.Context, n int) ([]Sample, error) {
	samples := make([]Sample, n)
	for i := range samples {
		var m made
		select {
		case m = <-q.places[(q.taken+i)%len(q.places)]:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if m.err != nil {
			return nil, m.err
		}
		samples[i] = m.sample
	}
	q.mu.Lock()
	q.taken += n
	q.mu.Unlock()
	q.changed.Broadcast()
	return samples, ctx.Err()
}
