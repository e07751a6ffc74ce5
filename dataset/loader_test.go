package dataset_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/datasettest"
)

// numbers is n samples; each carries its index and what its generator gave. Item bad is an error.
type numbers struct {
	n   int
	bad int
	err error
}

func (s numbers) Len() int { return s.n }

func (s numbers) Sample(_ context.Context, i int, rng *rand.Rand) (dataset.Sample, error) {
	if s.err != nil && i == s.bad {
		return dataset.Sample{}, s.err
	}
	return dataset.Sample{ID: dataset.ID(fmt.Sprint(i)), Label: int(rng.Uint32()), Tokens: []int32{int32(i)}}, nil
}

func collect(t *testing.T, l dataset.Loader, epoch int) (batches [][]dataset.Sample) {
	t.Helper()
	for b, err := range l.Epoch(t.Context(), epoch) {
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	return batches
}

func indices(batches [][]dataset.Sample) (out []int) {
	for _, s := range slices.Concat(batches...) {
		out = append(out, int(s.Tokens[0]))
	}
	return out
}

func TestLoaderOrder(t *testing.T) {
	plain := collect(t, dataset.Loader{Items: numbers{n: 70}}, 0)
	if len(plain) != 3 || len(plain[0]) != 32 || len(plain[2]) != 6 {
		t.Fatalf("%d batches, want 32, 32 and 6 samples", len(plain))
	}
	want := make([]int, 70)
	for i := range want {
		want[i] = i
	}
	if !slices.Equal(indices(plain), want) {
		t.Error("without shuffling the order is not that of the items")
	}
	l := dataset.Loader{Items: numbers{n: 70}, BatchSize: 7, Shuffle: true, Seed: 5}
	first := collect(t, l, 3)
	if got := indices(first); slices.Equal(got, want) {
		t.Error("not shuffled")
	} else if slices.Sort(got); !slices.Equal(got, want) {
		t.Error("not every item once")
	}
	for _, workers := range []int{1, 2, 8, 100} {
		l.Workers = workers
		if !reflect.DeepEqual(collect(t, l, 3), first) {
			t.Errorf("%d workers give other batches", workers)
		}
	}
	epoch := l.Epoch(t.Context(), 3)
	for range 2 { // the sequence can be ranged over again
		n := 0
		for b, err := range epoch {
			if err != nil || !reflect.DeepEqual(b, first[n]) {
				t.Fatalf("batch %d differs (%v)", n, err)
			}
			n++
		}
	}
	if reflect.DeepEqual(indices(collect(t, l, 4)), indices(first)) {
		t.Error("another epoch has the same order")
	}
	l.Seed = 6
	if reflect.DeepEqual(indices(collect(t, l, 3)), indices(first)) {
		t.Error("another seed has the same order")
	}
	// The generators depend on seed, epoch and item, and not on the order or the batch.
	draws := func(l dataset.Loader, epoch int) map[dataset.ID]int {
		m := map[dataset.ID]int{}
		for _, s := range slices.Concat(collect(t, l, epoch)...) {
			m[s.ID] = s.Label
		}
		return m
	}
	a := draws(dataset.Loader{Items: numbers{n: 20}, Seed: 1, Shuffle: true, BatchSize: 3}, 2)
	if !reflect.DeepEqual(a, draws(dataset.Loader{Items: numbers{n: 20}, Seed: 1, BatchSize: 8}, 2)) {
		t.Error("an item's generator depends on its place in the order")
	}
	if reflect.DeepEqual(a, draws(dataset.Loader{Items: numbers{n: 20}, Seed: 1, BatchSize: 8}, 3)) || a["0"] == a["1"] {
		t.Error("generators repeat")
	}
	if got := collect(t, dataset.Loader{Items: numbers{}}, 0); len(got) != 0 {
		t.Errorf("batches of nothing: %v", got)
	}
}

// A run that goes on gets what an undisturbed one would have got, and the batches before are not made.
func TestLoaderGoesOn(t *testing.T) {
	l := dataset.Loader{Items: numbers{n: 70}, BatchSize: 8, Shuffle: true, Seed: 5, Workers: 3}
	whole := collect(t, l, 2)
	for _, from := range []int{0, 1, 5, 8, 9, 100} {
		var rest [][]dataset.Sample
		for b, err := range l.EpochFrom(t.Context(), 2, from) {
			if err != nil {
				t.Fatal(err)
			}
			rest = append(rest, b)
		}
		if want := whole[min(from, len(whole)):]; len(rest) != len(want) || len(want) > 0 && !reflect.DeepEqual(rest, want) {
			t.Errorf("from batch %d: %d batches, want %d of the whole epoch's", from, len(rest), len(want))
		}
	}
	first := slices.Index(indices(whole), 3) / 8 // the batch with item 3
	l.Items = numbers{n: 70, bad: 3, err: errors.New("broken")}
	for _, err := range l.EpochFrom(t.Context(), 2, first+1) {
		if err != nil {
			t.Errorf("a batch before the first was made: %v", err)
		}
	}
}

func TestLoaderErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, workers := range []int{1, 8} {
		l := dataset.Loader{Items: numbers{n: 50, bad: 23, err: broken}, BatchSize: 10, Workers: workers}
		good, failed := 0, 0
		for b, err := range l.Epoch(t.Context(), 0) {
			if err != nil {
				failed++
				datasettest.WantError(t, err, broken, "item 23")
				continue
			}
			good += len(b)
		}
		if good != 20 || failed != 1 {
			t.Errorf("%d workers: %d samples and %d errors, want 20 and 1", workers, good, failed)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, failed := 0, error(nil)
	for b, err := range (dataset.Loader{Items: numbers{n: 1000}, BatchSize: 1}).Epoch(ctx, 0) {
		if err != nil {
			failed = err
			continue
		}
		if seen += len(b); seen == 5 {
			cancel()
		}
	}
	if seen != 5 || !errors.Is(failed, context.Canceled) {
		t.Errorf("%d samples after a cancellation at 5, error %v", seen, failed)
	}
}

func TestLoaderEarlyBreakStopsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		for range (dataset.Loader{Items: numbers{n: 500}, BatchSize: 4, Workers: 4}).Epoch(t.Context(), 0) {
			break
		}
	}
	for range 100 { // goroutines that have returned may be counted for a moment
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestConcat(t *testing.T) {
	c := dataset.Concat{numbers{n: 3}, numbers{}, numbers{n: 2}}
	var got []string
	for i := range c.Len() {
		s, err := c.Sample(t.Context(), i, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(s.ID))
	}
	if !slices.Equal(got, []string{"0", "1", "2", "0", "1"}) {
		t.Errorf("items %v", got)
	}
}

var tiny = dataset.Processor{Short: 16, Long: 32, Patch: 8}

func TestEncodingSample(t *testing.T) {
	rows := datasettest.SomeRows(t, 5)
	e := &dataset.Encoding{Processor: tiny, Tokenizer: tokenizer(t, smallVocabulary), MaxText: 6}
	s, err := e.Sample(rows, 2)
	if err != nil {
		t.Fatal(err)
	}
	gridH, gridW, pixels, err := tiny.Patches(rows.All[2].Image)
	if err != nil {
		t.Fatal(err)
	}
	want := dataset.Sample{
		ID: rows.ID(2), Label: rows.Label(2), GridH: gridH, GridW: gridW, PatchPos: []int32{0, 1, 2, 3}, Pixels: pixels,
		Tokens: e.Tokenizer.Encode(rows.Caption(2), 6), TokenPos: []int32{0, 1, 2, 3, 4, 5}, TextLen: 6,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("sample %+v, want %+v", s, want)
	}
	sub := dataset.Subset{Encoding: e, Rows: rows, Indices: []int{4, 2}, Relabel: func(l int) int { return 10 + l }}
	got, err := sub.Sample(t.Context(), 1, nil)
	if want.Label += 10; err != nil || sub.Len() != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("subset's sample %+v, %v, want %+v", got, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sub.Sample(ctx, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	rows.All[0].Image = rows.All[0].Image[:700] // breaks off after its header
	_, err = e.Sample(rows, 0)
	datasettest.WantError(t, err, dataset.ErrRefused, string(rows.ID(0)), "the picture is damaged")
}

// The cache changes how often a picture is decoded, and nothing else.
func TestEncodingCache(t *testing.T) {
	rows := datasettest.SomeRows(t, 6)
	tok := tokenizer(t, smallVocabulary)
	encoding := func(bytes int64) *dataset.Encoding {
		return &dataset.Encoding{Processor: tiny, Tokenizer: tok, MaxText: 8, CacheBytes: bytes}
	}
	one, err := encoding(0).Sample(rows, 0)
	if err != nil {
		t.Fatal(err)
	}
	cost := int64(len(one.Pixels) + 4*(len(one.PatchPos)+len(one.Tokens)+len(one.TokenPos)))
	for _, c := range []struct {
		bytes int64
		kept  int
	}{{0, 0}, {cost - 1, 0}, {cost, 1}, {3*cost + 5, 3}, {1 << 20, rows.Len()}} {
		e := encoding(c.bytes)
		kept := 0
		for i := range rows.Len() {
			a, err := e.Sample(rows, i)
			if err != nil {
				t.Fatal(err)
			}
			b, err := e.Sample(rows, i)
			if err != nil {
				t.Fatal(err)
			}
			fresh, err := encoding(0).Sample(rows, i)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(a, fresh) {
				t.Fatalf("row %d differs with a cache of %d bytes", i, c.bytes)
			}
			if &a.Pixels[0] == &b.Pixels[0] {
				kept++
			}
		}
		if kept != c.kept {
			t.Errorf("cache of %d bytes keeps %d samples of %d bytes, want %d", c.bytes, kept, cost, c.kept)
		}
	}
	test := datasettest.SomeRows(t, 2)
	// Two splits do not mix, and many readers at once agree.
	e := encoding(1 << 20)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range rows.Len() {
				if s, err := e.Sample(rows, i); err != nil || s.ID != rows.ID(i) {
					t.Errorf("row %d: %s, %v", i, s.ID, err)
				}
			}
			for i := range test.Len() {
				if s, err := e.Sample(test, i); err != nil || s.ID != test.ID(i) {
					t.Errorf("test row %d: %s, %v", i, s.ID, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestEncodingExtent: what samples take is known before they are made, but for texts, which count as the longest.
func TestEncodingExtent(t *testing.T) {
	rows := datasettest.SomeRows(t, 6)
	wide := rows.All[1]
	rows.All[1].Width, rows.All[1].Height = 0, 0 // another program's: as large as can be, 2 by 4 patches
	e := &dataset.Encoding{Processor: tiny, Tokenizer: tokenizer(t, smallVocabulary), MaxText: 8}
	x, err := e.Extent(rows, []int{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	for _, i := range []int{0, 2} {
		s, err := e.Sample(rows, i)
		if err != nil {
			t.Fatal(err)
		}
		want += int64(len(s.Pixels) + 4*(len(s.PatchPos)+2*e.MaxText))
	}
	const largest = 8*3*8*8 + 4*(8+2*8)
	if x != (dataset.Extent{Samples: 3, Bytes: want + largest, Largest: largest, Patches: 8}) {
		t.Errorf("%+v, want %d bytes, at most %d a sample; row 1 is %d by %d", x, want+largest, largest, wide.Width, wide.Height)
	}
}

func TestLoaderOverADataset(t *testing.T) {
	rows := datasettest.SomeRows(t, 8)
	e := &dataset.Encoding{Processor: tiny, Tokenizer: tokenizer(t, smallVocabulary), MaxText: 8, CacheBytes: 4000}
	items := dataset.Subset{Encoding: e, Rows: rows, Indices: dataset.OfClasses(rows, 0, 2)}
	var first [][]dataset.Sample
	for _, workers := range []int{1, 8} {
		got := collect(t, dataset.Loader{Items: items, BatchSize: 5, Workers: workers, Shuffle: true, Seed: 3}, 1)
		if first == nil {
			first = got
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%d workers: other batches", workers)
		}
	}
	if n := len(slices.Concat(first...)); n != 16 {
		t.Errorf("%d samples, want 16", n)
	}
}
