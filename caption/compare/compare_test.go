package compare

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/leakage"
	"github.com/mcil/mcil/schemas"
)

// small is a store of two variants of which every number is known by hand.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	one := func(id, raw string, ms int64) outcome {
		return outcome{id: id, sha256: "of " + id, raw: raw, finish: "stop", attempts: 1, in: 10, out: 5, ms: ms}
	}
	again := one("n1/g.jpg", "a photo of", 600)
	again.attempts = 3
	write(t, dir, "", "large", "", []outcome{
		one("n1/d.jpg", "a dog", 400), // not in order
		one("n1/a.jpg", "a red fish", 100), one("n1/b.jpg", "a small boat on a lake", 200), one("n1/c.jpg", "two cats", 300),
		{id: "n1/e.jpg", sha256: "of e", raw: "a tree stands alone"}, again,
		{id: "n2/h.jpg", errorClass: "timeout", raw: "no answer"}, {id: "n2/i.jpg", errorClass: "timeout", raw: "none either"},
		{id: "n2/j.jpg", errorClass: "server", raw: "500"},
	})
	other := one("n1/d.jpg", "a cat", 1)
	other.sha256 = "of another picture"
	lower := one("n1/g.jpg", "a photo of a bird", 5)
	lower.rung = 2
	write(t, dir, "brief", "small", "", []outcome{
		one("n1/a.jpg", "A red fish.", 1), one("n1/b.jpg", "a lake with a boat", 2), one("n1/c.jpg", "two cats", 3), other,
		one("n1/f.jpg", "three birds on a wire", 4), lower,
	})
	return dir
}

func TestStores(t *testing.T) {
	r, err := Stores(t.Context(), Options{Dir: small(t)})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Variants) != 2 || len(r.Pairs) != 1 || r.Header != Header || r.Source != "imagenet-r:pictures" {
		t.Fatalf("%+v", r)
	}
	v := r.Variants[0]
	if v.Name != "" || v.Model != "large" || v.Prompt != caption.DefaultPrompt || v.Captions != 6 || v.Missing != 0 || v.Leakage != nil {
		t.Errorf("%+v", v)
	}
	if want := []Failure{{"timeout", 2, "n2/h.jpg", "no answer"}, {"server", 1, "n2/j.jpg", "500"}}; v.Failed != 3 || !slices.Equal(v.Failures, want) {
		t.Errorf("%d failed: %v", v.Failed, v.Failures)
	}
	// Of 2, 2, 3, 3, 4 and 6 words: mean 20/6, variance (2*16 + 2*1 + 4 + 64)/9/6 = 102/54.
	if want := (schemas.Lengths{Mean: 3.33, SD: 1.37, Min: 2, P5: 2, P50: 3, P95: 6, Max: 6}); v.Text.Words != want {
		t.Errorf("words %+v, want %+v", v.Text.Words, want)
	}
	if want := []int{0, 0, 2, 2, 1, 0, 1}; !slices.Equal(v.Text.ByWords, want) {
		t.Errorf("by words %v, want %v", v.Text.ByWords, want)
	}
	if want := (Tokens{Counted: 5, Prompt: 50, Completion: 25, Retried: 1, Calls: 7}); v.Tokens != want {
		t.Errorf("%+v, want %+v", v.Tokens, want)
	}
	if want := (Latency{Captions: 5, Mean: 320, P50: 300, P95: 600, Max: 600}); v.Latency != want {
		t.Errorf("%+v, want %+v", v.Latency, want)
	}
	if b := r.Variants[1]; b.Name != "brief" || !slices.Equal(v.Rungs, []int{6}) || !slices.Equal(b.Rungs, []int{5, 0, 1}) {
		t.Errorf("rungs %v and %v", v.Rungs, b.Rungs)
	}
	// "a photo of" ends within a clause, and says nothing.
	var flags []string
	for _, f := range v.Flags {
		if flags = append(flags, f.Name); f.Captions != 1 || f.Share != 0.166667 || len(f.Worst) != 1 || f.Worst[0].Text != "a photo of" {
			t.Errorf("%+v", f)
		}
	}
	if want := []string{caption.FlagCutOff, caption.FlagPrefixOnly}; !slices.Equal(flags, want) || v.Flagged != 1 {
		t.Errorf("flags %v of %d captions", flags, v.Flagged)
	}

	p := r.Pairs[0]
	changed := p.Changed
	p.Changed = nil
	bins := make([]int, 21)
	bins[7], bins[15], bins[20] = 1, 1, 2
	want := Pair{
		A: "", B: "brief", Both: 4, OnlyA: 1, OnlyB: 1, OtherBytes: 1,
		Identical: 0.25, Jaccard: 0.8125, Agreement: 0.778409, ByTwentieth: bins, Words: 0.25, // (1 + 4/11 + 1 + 6/8) / 4; (0 - 1 + 0 + 2) / 4
		Flags: []Moved{{Name: caption.FlagCutOff, OnlyA: 1}, {Name: caption.FlagPrefixOnly, OnlyA: 1}},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("pair\n%+v\nwant\n%+v", p, want)
	}
	var order []string
	for _, c := range changed {
		order = append(order, c.ID)
	}
	if want := []string{"n1/b.jpg", "n1/g.jpg", "n1/a.jpg", "n1/c.jpg"}; !slices.Equal(order, want) {
		t.Errorf("changed most: %v, want %v", order, want)
	}
	if want := (Change{"n1/b.jpg", "", "of n1/b.jpg", 0.363636, 0.5, "a small boat on a lake", "a lake with a boat"}); changed[0] != want {
		t.Errorf("%+v, want %+v", changed[0], want)
	}
	if len(r.Sample) != 7 || r.Sample[0].ID != "n1/a.jpg" || !slices.Equal(r.Sample[4].Texts, []string{"a tree stands alone", ""}) {
		t.Errorf("sample %+v", r.Sample)
	}
}

func TestOptions(t *testing.T) {
	dir := small(t)
	r, err := Stores(t.Context(), Options{Dir: dir, Variants: []string{"brief", ""}, Worst: -1, Changed: 1, Sample: -1,
		Thresholds: caption.Thresholds{ContentWords: 2}})
	if err != nil {
		t.Fatal(err)
	}
	p := r.Pairs[0]
	if r.Variants[0].Name != "brief" || p.A != "brief" || p.B != "" || p.Words != -0.25 || len(p.Changed) != 1 || len(r.Sample) != 0 {
		t.Errorf("%+v", r)
	}
	// With one word of content: a cat and a bird.
	for _, f := range r.Variants[0].Flags {
		if len(f.Worst) != 0 || f.Name == caption.FlagPrefixOnly && f.Captions != 2 {
			t.Errorf("%+v", f)
		}
	}
	if r, err = Stores(t.Context(), Options{Dir: dir, Variants: []string{"brief"}}); err != nil || len(r.Variants) != 1 || len(r.Pairs) != 0 {
		t.Errorf("one variant: %+v, %v", r, err)
	}
}

// The rules of package leakage, which reads all captions at once.
func TestAgainstLeakage(t *testing.T) {
	s := drawnSource(t, 4, 12)
	long, short := describe(t, s)
	dir := t.TempDir()
	write(t, dir, "", "large", "", long)
	write(t, dir, "short", "small", "a photo of", append(short, outcome{id: "n0/gone.jpg", sha256: "x", raw: "a snail"}))
	r, err := Stores(t.Context(), Options{Dir: dir, Source: s})
	if err != nil {
		t.Fatal(err)
	}
	var classes []leakage.Class
	for _, c := range s.Classes() {
		classes = append(classes, leakage.Class{WNID: c.WNID, Name: c.Name})
	}
	labels := map[dataset.ID]int{}
	for _, e := range s.Entries() {
		labels[e.ID] = e.Label
	}
	for i, prompt := range []string{caption.DefaultPrompt, "a photo of"} {
		var texts []string
		var all []leakage.Text
		for _, o := range [][]outcome{long, append(short, outcome{id: "n0/gone.jpg", raw: "a snail"})}[i] {
			if o.errorClass != "" {
				continue
			}
			text := caption.Clean(o.raw, prompt)
			texts = append(texts, text)
			if label, ok := labels[dataset.ID(o.id)]; ok {
				all = append(all, leakage.Text{Label: label, Caption: text})
			}
		}
		v := r.Variants[i]
		if want := leakage.Statistics(slices.Values(texts)); !reflect.DeepEqual(v.Text, want) {
			t.Errorf("statistics of variant %d\n%+v\nwant\n%+v", i, v.Text, want)
		}
		want := leakage.Measure(leakage.NewNames(classes), all, nil, nil)
		if v.Leakage.All != want.All || want.All.Named == 0 {
			t.Errorf("leakage of variant %d: %+v, want %+v", i, v.Leakage.All, want.All)
		}
		for label, c := range v.Leakage.Classes {
			if c.ClassLeakage != want.Classes[label] || c.Name != classes[label].Name {
				t.Errorf("class %d: %+v, want %+v", label, c, want.Classes[label])
			}
		}
	}
	a, b := r.Variants[0], r.Variants[1]
	if a.Captions+a.Failed != 48 || a.Missing != 0 || a.Outside != 0 || b.Captions+b.Failed != 49 || b.Outside != 1 {
		t.Errorf("%d + %d and %d + %d records", a.Captions, a.Failed, b.Captions, b.Failed)
	}
	named := map[string]int{}
	for i, v := range r.Variants {
		for _, f := range v.Flags {
			if f.Name == dataset.FlagNamesClass {
				named[r.Variants[i].Name] = f.Captions
			}
		}
	}
	if m := r.Pairs[0].Named; m == nil || m.OnlyB == 0 || m.Both+m.OnlyA > named[""] || m.Both+m.OnlyB > named["short"] {
		t.Errorf("%+v, of %v", m, named)
	}
}

// Three variants make three pairs, and a store may have no main one.
func TestWithoutMain(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"c", "a", "b"} {
		write(t, dir, name, "model "+name, "", []outcome{{id: "n1/x.jpg", sha256: "x", raw: "a " + name, attempts: 1}})
	}
	r, err := Stores(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, p := range r.Pairs {
		pairs = append(pairs, p.A+p.B)
	}
	if want := []string{"ab", "ac", "bc"}; !slices.Equal(pairs, want) {
		t.Errorf("pairs %v, want %v", pairs, want)
	}
}

func TestRefused(t *testing.T) {
	dir := small(t)
	for name, c := range map[string]struct {
		o    Options
		want error
	}{
		"an empty folder":  {Options{Dir: t.TempDir()}, caption.ErrNoStore},
		"no such variant":  {Options{Dir: dir, Variants: []string{"", "other"}}, caption.ErrNoStore},
		"no name":          {Options{Dir: dir, Variants: []string{"../x"}}, dataset.ErrRefused},
		"the same variant": {Options{Dir: dir, Variants: []string{"brief", "brief"}}, dataset.ErrRefused},
		"no threshold":     {Options{Dir: dir, Thresholds: caption.Thresholds{LoopWords: 1}}, dataset.ErrRefused},
	} {
		if _, err := Stores(t.Context(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Stores(ctx, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestWriteJSON(t *testing.T) {
	dir := small(t)
	var before []byte
	for i := range 3 {
		r, err := Stores(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "captions.json")
		if err := WriteJSON(path, r); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && string(b) != string(before) {
			t.Fatal("the same store gives other bytes")
		}
		before = b
		var again Result
		if err := schemas.ReadJSON(path, Header, &again); err != nil || again.Pairs[0].Agreement != r.Pairs[0].Agreement {
			t.Errorf("%+v, %v", again, err)
		}
	}
	var all map[string]any
	if err := json.Unmarshal(before, &all); err != nil {
		t.Fatal(err)
	}
	want := []string{"classes", "pairs", "pictures", "sample", "schema", "source", "variants", "version"}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) || strings.Contains(string(before), ": null") {
		t.Errorf("fields %v, want %v and no null", got, want)
	}
}
