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

// TestAltered: settings that make another method of a name take the paper's name and figure from it, also where nothing in the
// report differs in them; those of learning do not.
func TestAltered(t *testing.T) {
	for _, c := range []struct {
		method, exemplars string
		phases            int
		more              []any
		name              string
		published         bool
	}{
		{"ssf", "masked", 10, []any{"mask_text", "mean", "mask_layer", "last", "repair", 0.5, "replay", "drop"}, "SSF+Ours", true},
		{"ssf", "masked", 10, []any{"head", "cosine", "epochs", 6.0, "learning_rate", 0.01, "mixing", "balanced", "augment", "flip"}, "SSF+Ours", true},
		{"ssf", "masked", 10, []any{"mask_text", "all"}, "SSF + masked", false},
		{"ssf", "masked", 10, []any{"mask_layer", "0"}, "SSF + masked", false},
		{"ssf", "masked", 10, []any{"mask_new", 0.75}, "SSF + masked", false},
		{"ssf", "masked", 10, []any{"replay", "black"}, "SSF + masked", false},
		{"ssf", "masked", 10, []any{"repair", 0.0}, "SSF + masked", false},
		{"ssf", "raw", 10, []any{"repair", 0.0}, "SSF", true},
		{"ssf", "raw", 10, []any{"mask_new", 0.5}, "SSF + raw", false},
		{"ssf", "masked", 10, []any{"herding", "stored"}, "SSF + masked", false},
		{"ssf", "masked", 10, []any{"tune_phases", "first"}, "SSF + masked", false},
		{"ssf", "raw", 10, []any{"tune_from_block", 6.0}, "SSF + raw", false},
		{"l2p", "none", 5, []any{"batchwise", true}, "L2P", true},
		{"ssf", "raw", 10, []any{"distill", 1.0, "distill_temperature", 2.0}, "SSF + raw", false},
		{"ssf", "cim", 10, []any{"cim_ratio", 4.0, "cim_threshold", 0.6}, "SSF+CIM", true},
		{"ssf", "cim", 10, []any{"cim_ratio", 2.0}, "SSF + cim", false},
		{"ssf", "mrdc", 10, []any{"codec", "jpeg", "jpeg_quality", 90.0, "mrdc_qualities", []any{10.0, 25.0, 50.0, 75.0, 90.0}}, "SSF+MRDC", true},
		{"ssf", "mrdc", 10, []any{"codec", "jpeg", "jpeg_quality", 90.0, "mrdc_qualities", []any{10.0, 90.0}}, "SSF + mrdc", false},
		{"ssf", "mrdc", 10, []any{"codec", "jpeg", "jpeg_quality", 60.0, "mrdc_qualities", []any{10.0, 25.0, 50.0}}, "SSF+MRDC", false},
		{"ease", "none", 10, []any{"ease_alpha", 0.1, "adapter_width", 64.0}, "EASE", true},
		{"ease", "none", 10, []any{"ease_alpha", 0.3}, "EASE", false},
		{"dualprompt", "none", 5, []any{"prompt_pool", 5.0, "prompt_blocks", "2-4"}, "DualPrompt", true},
		{"dualprompt", "none", 5, []any{"prompt_blocks", "2-2"}, "DualPrompt", true}, // of an encoder of three blocks
		{"dualprompt", "none", 5, []any{"prompt_blocks", "0-1"}, "DualPrompt", false},
		{"l2p", "none", 5, []any{"key_weight", 0.0}, "L2P", false},
	} {
		var runs []Run
		for seed := range uint64(2) {
			r := cell(c.exemplars, c.phases, 5, seed+1, 0.5, c.more...)
			r.Report.Method, r.Settings.Settings["method"] = c.method, c.method
			runs = append(runs, r)
		}
		table := Results(runs, Options{}).Tables[0]
		l := table.Lines[0]
		if len(table.Lines) != 1 || l.Name != c.name || l.Variant != "" || (l.Published[0].N == 1) != c.published {
			t.Errorf("%s + %s, %v: %+v", c.method, c.exemplars, c.more, table.Lines)
		}
		if named := namesPublished(table); named != (paperName(c.method, c.exemplars) == c.name) {
			t.Errorf("%s + %s, %v: the paper's table: %v", c.method, c.exemplars, c.more, named)
		}
		_, studies := summarise(group(runs))
		if got := studies[0].series[0].name(); got != c.name {
			t.Errorf("%s + %s, %v: in figures %q", c.method, c.exemplars, c.more, got)
		}
	}
	// A variant of them has the colour of its kind, and the name that they have.
	_, studies := summarise(group([]Run{cell("masked", 10, 5, 1, 0.7, "mask_text", "all"), cell("masked", 10, 5, 1, 0.6, "mask_text", "all", "mask_new", 0.5)}))
	var names []string
	for _, s := range studies[0].series {
		names = append(names, s.name())
		if s.colour != rank("masked") {
			t.Errorf("%s has colour %d", s.name(), s.colour)
		}
	}
	if want := []string{"SSF + masked", "SSF + masked (mask_new 0.5)"}; !slices.Equal(names, want) {
		t.Errorf("series %q, want %q", names, want)
	}
}

// TestPlainQualitiesAreUntold: what MRDC may choose from goes no higher than the run's own JPEGs, and that is no setting to tell.
func TestPlainQualitiesAreUntold(t *testing.T) {
	mrdc := func(most float64, qualities ...any) []Run {
		return []Run{cell("mrdc", 10, 5, 1, 0.5, "codec", "jpeg", "jpeg_quality", most, "mrdc_qualities", qualities)}
	}
	got := variants([][]Run{mrdc(90, 10.0, 25.0, 50.0, 75.0, 90.0), mrdc(60, 10.0, 25.0, 50.0), mrdc(60, 10.0, 50.0)})
	if want := []string{"", "jpeg_quality 60", "jpeg_quality 60, mrdc_qualities [10,50]"}; !slices.Equal(got, want) {
		t.Errorf("variants %q, want %q", got, want)
	}
}
