package caption_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/captiontest"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// listed is a source that only lists: so many pictures of each class.
type listed struct{ entries []dataset.Entry }

func list(perClass ...int) *listed {
	l := &listed{}
	for label, n := range perClass {
		for i := range n {
			l.entries = append(l.entries, dataset.Entry{ID: dataset.ID(fmt.Sprintf("c%03d/%07d.jpg", label, i)), Label: label, SizeBytes: 100})
		}
	}
	return l
}

func (*listed) Spec() string               { return "listed" }
func (*listed) Classes() []dataset.Class   { return nil }
func (l *listed) Entries() []dataset.Entry { return l.entries }
func (*listed) Refused() []schemas.Refusal { return nil }
func (*listed) Close() error               { return nil }
func (*listed) Read(context.Context, dataset.Entry) ([]byte, error) {
	panic("a plan reads no picture")
}

func plan(t *testing.T, o caption.Options) caption.Work {
	t.Helper()
	w, err := caption.Plan(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func perClass(w caption.Work, classes int) []int {
	n := make([]int, classes)
	for _, e := range w.Entries {
		n[e.Label]++
	}
	return n
}

func TestPlanSample(t *testing.T) {
	source := list(50, 2, 30, 0, 8)
	for _, c := range []struct {
		n    int
		want []int // of each class; -1: one of these has one more
	}{
		{8, []int{2, 2, 2, 0, 2}},
		{20, []int{6, 2, 6, 0, 6}},
		{40, []int{15, 2, 15, 0, 8}},
		{90, []int{50, 2, 30, 0, 8}},
		{1000, []int{50, 2, 30, 0, 8}},
	} {
		w := plan(t, caption.Options{Source: source, Sample: c.n, SampleSeed: 5})
		if got := perClass(w, 5); !slices.Equal(got, c.want) {
			t.Errorf("%d: %v of each class, want %v", c.n, got, c.want)
		}
		if !slices.IsSortedFunc(w.Entries, func(a, b dataset.Entry) int { return cmpID(a.ID, b.ID) }) || w.Missing != len(w.Entries) {
			t.Errorf("%d: not sorted", c.n)
		}
		if again := plan(t, caption.Options{Source: source, Sample: c.n, SampleSeed: 5}); !slices.Equal(again.Entries, w.Entries) {
			t.Errorf("%d: drawn otherwise the second time", c.n)
		}
		if other := plan(t, caption.Options{Source: source, Sample: c.n, SampleSeed: 6}); c.n < 90 && slices.Equal(other.Entries, w.Entries) {
			t.Errorf("%d: the seed does not matter", c.n)
		}
	}
	// What cannot be shared out evenly goes to classes by chance, one each.
	gives := make([]int, 5)
	for seed := range uint64(400) {
		for label, n := range perClass(plan(t, caption.Options{Source: source, Sample: 6, SampleSeed: seed}), 5) {
			if n > 2 || n < 1 && label != 3 {
				t.Fatalf("seed %d: class %d gives %d of 6", seed, label, n)
			}
			gives[label] += n - 1
		}
	}
	for label, n := range gives {
		if label != 3 && (n < 150 || n > 250) { // 2 of 4 classes, 400 times
			t.Errorf("class %d gave one more %d times of 400", label, n)
		}
	}
	// Every picture of a class is as likely as any other.
	times := map[dataset.ID]int{}
	for seed := range uint64(500) {
		for _, e := range plan(t, caption.Options{Source: list(10), Sample: 2, SampleSeed: seed}).Entries {
			times[e.ID]++
		}
	}
	for id, n := range times {
		if n < 60 || n > 140 {
			t.Errorf("%s was drawn %d times of 500, want about 100", id, n)
		}
	}
	// Of the selected ones, and the first of these.
	w := plan(t, caption.Options{Source: source, Sample: 12, Limit: 5, Select: func(e dataset.Entry) bool { return e.Label > 1 }})
	if got := perClass(w, 5); !slices.Equal(got, []int{0, 0, 5, 0, 0}) {
		t.Errorf("the first five of six and six: %v", got)
	}
}

func cmpID(a, b dataset.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestPlanSharesTheSourcesEntries(t *testing.T) {
	source := list(100, 100)
	entries := source.Entries()
	for name, c := range map[string]struct {
		o          caption.Options
		from, to   int
		sameMemory bool
	}{
		"all":       {caption.Options{}, 0, 200, true},
		"the first": {caption.Options{Limit: 7}, 0, 7, true},
		"a class":   {caption.Options{Select: func(e dataset.Entry) bool { return e.Label == 1 }}, 100, 200, true},
		"none":      {caption.Options{Select: func(dataset.Entry) bool { return false }}, 0, 0, false},
	} {
		c.o.Source = source
		w := plan(t, c.o)
		if !slices.Equal(w.Entries, entries[c.from:c.to]) {
			t.Errorf("%s: %d entries", name, len(w.Entries))
		}
		if c.sameMemory && &w.Entries[0] != &entries[c.from] {
			t.Errorf("%s: the entries were copied", name)
		}
	}
	w := plan(t, caption.Options{Source: source, Select: func(e dataset.Entry) bool { return e.ID[len(e.ID)-5]%2 == 0 }})
	if len(w.Entries) != 100 || w.Entries[99].ID != "c001/0000098.jpg" || w.MissingBytes != 10000 {
		t.Errorf("every other one: %d, %+v", len(w.Entries), w.MissingBytes)
	}
}

func TestOnlyFailedClass(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	source, store := captiontest.Pictures(t, 9), original(t)
	classOf := map[string]caption.Class{}
	for i, e := range source.Entries() {
		b, err := source.Read(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		classOf[string(b)] = []caption.Class{"", caption.Refused, caption.Malformed}[i%3]
	}
	f := fake{answer: func(_ context.Context, _ int, r caption.Request) (caption.Answer, error) {
		if class := classOf[string(r.Image)]; class != "" && failing.Load() {
			return caption.Answer{}, &caption.Error{Class: class, Status: 400}
		}
		return caption.Answer{Raw: "text"}, nil
	}}
	o := caption.Options{Source: source, Captioner: &f, Store: store, GiveUpAfter: -1}
	if r, err := caption.Run(t.Context(), o); err != nil || r.Failures[caption.Refused] != 3 || r.Failures[caption.Malformed] != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	failing.Store(false)
	o.OnlyFailedClass = caption.Malformed
	if w := plan(t, o); w.Missing != 3 || len(w.Entries) != 3 || w.Entries[1].ID != source.Entries()[5].ID {
		t.Errorf("plan %+v", w)
	}
	if r, err := caption.Run(t.Context(), o); err != nil || r.Total != 3 || r.Asked != 3 || r.Failed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, c := range records(t, store.Failures()) {
		if c.ErrorClass != "refused" {
			t.Errorf("failure %+v", c)
		}
	}
	o.OnlyFailedClass, o.OnlyFailed = "", true
	if w := plan(t, o); w.Missing != 3 {
		t.Errorf("plan for all that failed: %+v", w)
	}
}
