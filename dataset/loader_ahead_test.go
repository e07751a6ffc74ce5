package dataset_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcil/mcil/dataset"
)

// counted says how many samples have been begun. Item slow takes a minute, every other a second.
type counted struct {
	n, slow int
	mu      *sync.Mutex
	begun   map[int]int
}

func newCounted(n, slow int) counted { return counted{n, slow, &sync.Mutex{}, map[int]int{}} }

func (c counted) Len() int { return c.n }

func (c counted) Sample(ctx context.Context, i int, _ *rand.Rand) (dataset.Sample, error) {
	c.mu.Lock()
	c.begun[i]++
	c.mu.Unlock()
	wait := time.Second
	if i == c.slow {
		wait = time.Minute
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return dataset.Sample{}, ctx.Err()
	}
	return dataset.Sample{Label: i, Pixels: make([]uint8, 100)}, nil
}

func (c counted) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.begun {
		n += k
	}
	return n
}

// TestLoaderWorksAhead: workers go on with the batches after the one that a slow sample holds up, and with the next epoch,
// but not further than two batches and AheadBytes allow.
func TestLoaderWorksAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		items := newCounted(100, 0)
		start, n := time.Now(), 0
		for batch, err := range (dataset.Loader{Items: items, BatchSize: 10, Workers: 4, AheadBytes: -1}).Epoch(t.Context(), 0) {
			if err != nil || len(batch) != 10 || batch[0].Label != 10*n {
				t.Fatalf("batch %d: %d samples from %d on, %v", n, len(batch), batch[0].Label, err)
			}
			if n == 0 {
				// Three workers made the rest of two batches while the fourth was at the slow one, and then waited.
				if took := time.Since(start); took != time.Minute || items.total() != 20 {
					t.Errorf("the first batch took %v, and %d samples were begun, want a minute and 20", took, items.total())
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if items.total() != 30 {
					t.Errorf("%d samples were begun while the first batch was in use, want 30", items.total())
				}
				start = time.Now()
			}
			if n <= 2 && time.Since(start) != 0 {
				t.Errorf("batch %d was waited for: %v", n, time.Since(start))
			}
			n++
		}
		if n != 10 || items.total() != 100 {
			t.Errorf("%d batches of %d samples, want 10 of 100", n, items.total())
		}

		for bytes, want := range map[int64]int{-1: 8, 850: 8, 1300: 13, 0: 20} { // of samples of 100 bytes
			items = newCounted(10, -1)
			n = 0
			loader := dataset.Loader{Items: items, BatchSize: 4, Workers: 2, AheadBytes: bytes}
			most := int64(want)
			if bytes == 0 {
				most = 256 // there were no more to begin
			}
			if got := loader.HeldBytes(100); got != 100*(most+4) {
				t.Errorf("%d bytes are said to be held with %d bytes ahead, want %d and a batch", got, bytes, 100*most)
			}
			for range loader.Epochs(t.Context(), 0, 3) {
				if n++; n == 3 { // the first epoch's last batch
					time.Sleep(time.Minute)
					synctest.Wait()
					if items.total() != 10+want {
						t.Errorf("%d samples begun at the end of the first epoch, want %d with %d bytes ahead", items.total(), 10+want, bytes)
					}
				}
			}
			if n != 9 || items.total() != 30 {
				t.Errorf("%d batches of %d samples, want 9 of 30", n, items.total())
			}
		}
	})
}

// TestLoaderEpochs: several epochs in one go are the epochs one by one, however many workers.
func TestLoaderEpochs(t *testing.T) {
	l := dataset.Loader{Items: numbers{n: 23}, BatchSize: 5, Shuffle: true, Seed: 9}
	var want [][]dataset.Sample
	for epoch := 2; epoch < 6; epoch++ {
		want = append(want, collect(t, l, epoch)...)
	}
	for _, workers := range []int{1, 2, 7, 60} {
		l.Workers = workers
		var got [][]dataset.Sample
		for b, err := range l.Epochs(t.Context(), 2, 6) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers: other batches", workers)
		}
	}
	for _, end := range []int{2, 1} {
		l.Items = newCounted(5, -1)
		for range l.Epochs(t.Context(), 2, end) {
			t.Error("a batch of no epoch")
		}
		if n := l.Items.(counted).total(); n > 0 {
			t.Errorf("%d samples of no epoch were made", n)
		}
	}
	l.Items = numbers{}
	for range l.Epochs(t.Context(), 0, 3) {
		t.Error("a batch of nothing")
	}
}
