package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/train"
)

// TestPlainSettings: what train fills in is what the report takes as plain.
func TestPlainSettings(t *testing.T) {
	got := map[string]string{}
	for _, o := range []train.Options{
		{Memory: train.MemoryOptions{Exemplars: "masked"}}, {Memory: train.MemoryOptions{Exemplars: "cim"}},
		{Memory: train.MemoryOptions{Exemplars: "mrdc", Codec: "jpeg"}}, {Method: "ease"}, {Method: "l2p"},
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
