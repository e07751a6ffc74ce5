package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/method"
)

// TestPlainSettings: what train fills in is what the report takes as plain.
func TestPlainSettings(t *testing.T) {
	got := map[string]string{}
	for _, o := range []train.Options{
		{Memory: train.MemoryOptions{Exemplars: "masked"}}, {Memory: train.MemoryOptions{Exemplars: "cim"}},
		{Memory: train.MemoryOptions{Exemplars: "mrdc", Codec: "jpeg"}}, {Method: "ease"},
	} {
		b, err := json.Marshal(o.Settings())
		if err != nil {
			t.Fatal(err)
		}
		var settings map[string]any
		if err := json.Unmarshal(b, &settings); err != nil {
			t.Fatal(err)
		}
		for _, s := range flatten(settings) {
			if key := normal(s.Key); key != "codec" || o.Memory.Codec == "" {
				got[key] = cmp.Or(got[key], s.Value)
			}
		}
	}
	for key, want := range plain() {
		if v := got[key]; v != want && key != "distill-temperature" { // told only with its weight
			t.Errorf("%s: train has %q, and plain is %q", key, v, want)
		}
	}
	for key := range got { // a setting of the memory or of learning has an entry
		word, _, _ := strings.Cut(key, "-")
		if slices.Contains([]string{"mask", "mrdc", "cim", "codec", "jpeg", "replay", "repair", "head", "mixing", "augment"}, word) && plain()[key] == "" {
			t.Errorf("%s is not among the plain settings", key)
		}
	}
}

// TestPlainPrompts: the plain values of prompts are what each method has in effect on an encoder as they were published for.
func TestPlainPrompts(t *testing.T) {
	const phases = 7
	for _, name := range method.Names() {
		spec, err := method.SpecOf(name)
		if err != nil {
			t.Fatal(err)
		}
		prompts, err := spec.FitPrompts(method.Prompts{}, 12, phases)
		if err != nil {
			t.Fatal(err)
		}
		want, got := prompts.Settings(), plainPrompts(name, phases)
		for key, v := range want {
			if fmt.Sprint(v) != got[normal(key)] {
				t.Errorf("%s: %s is %v, and %q in a report", name, key, v, got[normal(key)])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: a report has %v, the method %v", name, got, want)
		}
	}
}

// TestPromptVariants: of a sweep over a setting of prompts, the run with the published value keeps its plain name.
func TestPromptVariants(t *testing.T) {
	var groups [][]Run
	for _, length := range []float64{5, 10} {
		r := smallRun("l2p", "none", 1, 0.5, 0.4)
		r.Settings.Settings["prompt_length"] = length
		groups = append(groups, []Run{r})
	}
	if got, want := variants(groups), []string{"", "prompt_length 10"}; !slices.Equal(got, want) {
		t.Errorf("variants %q, not %q", got, want)
	}
}
