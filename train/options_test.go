package train

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/method"
)

func TestSelectClasses(t *testing.T) {
	classes := []dataset.Class{{WNID: "n01443537", Name: "goldfish"}, {WNID: "n01484850", Name: "great_white_shark"}, {WNID: "n02007558", Name: "flamingo"}, {WNID: "n07753592", Name: "banana"}, {WNID: "n07742313", Name: "Granny_Smith"}}
	for _, c := range []struct {
		spec string
		want []int
	}{
		{"", []int{0, 1, 2, 3, 4}},
		{"n0*", []int{0, 1, 2, 3, 4}},
		{"n07*", []int{3, 4}},
		{"!n07*", []int{0, 1, 2}},
		{"n01*,banana", []int{0, 1, 3}},
		{"n01* banana", []int{0, 1, 3}},
		{"*,!flamingo,!n077*", []int{0, 1}},
		{"!n07*,banana", []int{3}}, // refused below: one class; a glob that puts in starts from none
		{"great_white_shark,gold????", []int{0, 1}},
		{"n0[27]*", []int{2, 3, 4}},
		{"banana,!banana,banana,flamingo", []int{2, 3}}, // the last one that matches decides
	} {
		got, err := SelectClasses(classes, c.spec)
		if len(c.want) < 2 {
			if err == nil {
				t.Errorf("%q selects %v", c.spec, got)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q selects %v, not %v (%v)", c.spec, got, c.want, err)
		}
	}
	for spec, want := range map[string]string{"n0[": "not a glob", "zebra": "0 of 5", "banana": "1 of 5 classes: at least two", "!*": "0 of 5"} {
		if _, err := SelectClasses(classes, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v does not say %q", spec, err, want)
		}
	}
}

func TestPhasesOf(t *testing.T) {
	all := make([]int, 200)
	for i := range all {
		all[i] = i
	}
	ordered, err := inOrder(all, "1993", nil)
	if err != nil {
		t.Fatal(err)
	}
	phases, err := phasesOf(ordered, 10)
	if err != nil {
		t.Fatal(err)
	}
	// the order of PyCIL, PILOT and those that follow them
	if want := []int{168, 136, 51, 9, 183}; len(phases) != 10 || len(phases[0]) != 20 || !slices.Equal(phases[0][:5], want) {
		t.Errorf("the first phase begins with %v, not %v", phases[0][:5], want)
	}
	if want := []int{161, 185, 177}; phases[9][19] != want[0] || phases[9][18] != want[1] || phases[9][17] != want[2] {
		t.Errorf("the last phase is %v, which should end in 177, 185, 161", phases[9])
	}
	for _, c := range []struct{ classes, phases, first, others int }{{200, 20, 10, 10}, {101, 10, 11, 10}, {5, 3, 3, 1}, {7, 7, 1, 1}, {7, 1, 7, 0}} {
		got, err := phasesOf(all[:c.classes], c.phases)
		if err != nil || len(got) != c.phases {
			t.Fatalf("%d classes in %d phases: %v (%v)", c.classes, c.phases, got, err)
		}
		for i, p := range got {
			if want := c.others; i == 0 && len(p) != c.first || i > 0 && len(p) != want {
				t.Errorf("%d classes in %d phases: phase %d has %d", c.classes, c.phases, i, len(p))
			}
		}
		if joined := slices.Concat(got...); !slices.Equal(joined, all[:c.classes]) {
			t.Errorf("%d classes in %d phases: the natural order is %v", c.classes, c.phases, joined)
		}
	}
	// labels are dealt, not positions: selected classes keep theirs
	some, err := phasesOf([]int{4, 9, 11}, 3)
	if err != nil || some[0][0] != 4 || some[1][0] != 9 || some[2][0] != 11 {
		t.Errorf("selected classes: %v (%v)", some, err)
	}
	if _, err := phasesOf([]int{1, 2}, 3); err == nil {
		t.Error("three phases of two classes")
	}
}

func TestInOrder(t *testing.T) {
	dir := t.TempDir()
	data := &dataset.Dataset{Dir: filepath.Join(dir, "hf")}
	for _, wnid := range []string{"n00000001", "n00000002", "n00000003", "n00000004"} {
		data.Classes = append(data.Classes, dataset.Class{WNID: wnid, Name: "class_" + wnid})
	}
	own := "n00000004\nn00000002\nn00000001\nn00000003\n"
	for name, text := range map[string]string{"class-order.txt": own, "other.txt": "2\n3\n0\n1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for spec, want := range map[string][]int{"natural": {0, 2, 3}, "dataset": {3, 0, 2}, filepath.Join(dir, "other.txt"): {2, 3, 0}, "0": {3, 2, 0}} {
		got, err := inOrder([]int{0, 2, 3}, spec, data)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", spec, got, err, want)
		}
	}
	if _, err := inOrder([]int{0, 1}, "alphabetical", data); !errors.Is(err, ErrOptions) {
		t.Errorf("an unknown order: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for want, o := range map[string]Options{
		"use one of none, raw, masked, mrdc, cim": {Memory: MemoryOptions{Exemplars: "some"}},
		"budget has no effect":                    {Memory: MemoryOptions{Exemplars: "none", Budget: 5}},
		"memory budget has no effect":             {Memory: MemoryOptions{Exemplars: "none", BudgetBytes: 5}},
		"re-pairing has no effect":                {Memory: MemoryOptions{Exemplars: "none", Repair: 0.5}},
		"re-pairing has no effect without":        {Memory: MemoryOptions{Exemplars: "none", Repair: -1}},
		"in samples a class or in bytes":          {Memory: MemoryOptions{Budget: 5, BudgetBytes: 5}},
		"the memory budget must be above 0":       {Memory: MemoryOptions{Budget: -1}},
		"budget must be above 0":                  {Memory: MemoryOptions{BudgetBytes: -1}},
		"between 0 and 1":                         {Memory: MemoryOptions{Repair: 1.5}},
		"must be 1 or more":                       {Protocol: Protocol{Phases: -1}},
		"method \"sff\": unknown: use one of ":    {Method: "sff"},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v does not say %q", o, err, want)
		}
	}
	for _, o := range []Options{{}, {Memory: MemoryOptions{Exemplars: "none"}}, {Memory: MemoryOptions{BudgetBytes: 1 << 20}}, {Memory: MemoryOptions{Budget: 0.5, Repair: 1}}, {Memory: MemoryOptions{Exemplars: "raw", Repair: -1}}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for want, s := range map[string]method.Schedule{"epochs": {Epochs: -1}, "batch size": {BatchSize: -1}, "learning rate": {LearningRate: -1}, "warm-up": {WarmupFraction: 1}} {
		if err := s.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v does not say %q", s, err, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	o := Options{}.WithDefaults()
	if o.Memory.Budget != 5 || o.Phases != 10 || o.Memory.Repair != 0.5 || o.Seed != 1 || o.Memory.Exemplars != "masked" || o.ClassOrder != "1993" || o.Weights != "random" || o.Model != "tiny" {
		t.Errorf("the defaults are %+v", o)
	}
	if o := (Options{Memory: MemoryOptions{BudgetBytes: 9, Repair: -1}}).Settings(); o["budget"] != nil || o["repair"] != 0.0 {
		t.Errorf("bytes and no re-pairing: %+v", o)
	}
	if o := (Options{Memory: MemoryOptions{Exemplars: "none"}}).WithDefaults(); o.Memory.Budget != 0 || o.Memory.Repair != 0 {
		t.Errorf("without exemplars: %+v", o)
	}
	// no weight decay stays none, however often defaults are filled in
	s := method.Schedule{WeightDecay: -1}.WithDefaults().WithDefaults()
	if s.Decay() != 0 || (method.Schedule{}).WithDefaults().WithDefaults().Decay() != 0.02 {
		t.Errorf("weight decay %g", s.Decay())
	}
}

func TestDigest(t *testing.T) {
	base := Options{Data: "/a", Weights: "/w"}.WithDefaults()
	digest := func(o Options, contents ...string) string {
		d, err := digestOf(o.Settings(), contents...)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(base, "rows", "weights")
	for name, change := range map[string]func(*Options){
		"data's path": func(o *Options) { o.Data = "/b" }, "weights' path": func(o *Options) { o.Weights = "/v" }, "out": func(o *Options) { o.Out = "/o" },
		"workers": func(o *Options) { o.Schedule.Workers = 8 }, "cache": func(o *Options) { o.CacheBytes = 1 }, "pictures": func(o *Options) { o.Pictures = PictureCache{Dir: "/c", Bytes: 1} }, "force": func(o *Options) { o.Force = true },
	} {
		o := base
		if change(&o); digest(o, "rows", "weights") != want {
			t.Errorf("%s changes the digest", name)
		}
	}
	for name, change := range map[string]func(*Options){
		"exemplars": func(o *Options) { o.Memory.Exemplars = "raw" }, "budget": func(o *Options) { o.Memory.Budget = 6 }, "phases": func(o *Options) { o.Phases = 2 },
		"bytes": func(o *Options) { o.Memory.Budget, o.Memory.BudgetBytes = 0, 5 }, "classes": func(o *Options) { o.Classes = "n*" }, "orientation": func(o *Options) { o.ApplyOrientation = true },
		"text": func(o *Options) { o.MaxText = 80 },
		"seed": func(o *Options) { o.Seed = 2 }, "repair": func(o *Options) { o.Memory.Repair = -1 }, "epochs": func(o *Options) { o.Schedule.Epochs = 3 },
		"batch": func(o *Options) { o.Schedule.BatchSize = 3 }, "rate": func(o *Options) { o.Schedule.LearningRate = 3 },
		"decay": func(o *Options) { o.Schedule.WeightDecay = 3 }, "warm-up": func(o *Options) { o.Schedule.WarmupFraction = 0.3 },
	} {
		o := base
		if change(&o); digest(o, "rows", "weights") == want {
			t.Errorf("%s does not change the digest", name)
		}
	}
	if digest(base, "rows", "other") == want || digest(base, "others", "weights") == want {
		t.Error("content does not change the digest")
	}
}

func TestRunRefusesBeforeItWrites(t *testing.T) {
	out := t.TempDir() + "/run"
	for _, o := range []Options{{Memory: MemoryOptions{Exemplars: "some"}}, {Data: t.TempDir()}, {Memory: MemoryOptions{Budget: math.Inf(-1)}}} {
		o.Out = out
		if _, err := Run(context.Background(), o); err == nil {
			t.Errorf("%+v was run", o)
		}
	}
	if left, _ := os.ReadDir(out); len(left) > 0 {
		t.Errorf("refused runs left %v", left)
	}
}
