package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/train/method"
)

// flagValues has, for each flag of mcil train that decides a result, values that are not the default's. What else must be
// said for a value to be allowed stands behind it. Every flag is here or in [flagsWithoutEffect].
func flagValues() map[string][]string {
	return map[string][]string{
		"exemplars": {"raw", "none", "cim", "mrdc --codec jpeg"}, "budget": {"3"}, "budget-total": {"7"}, "budget-bytes": {"1MiB"},
		"budget-unit": {"pixels", "tokens"}, "codec": {"jpeg"}, "jpeg-quality": {"50 --codec jpeg"}, "replay": {"black"}, "repair": {"0", "0.9"},
		"mask-layer": {"0", "mean"}, "mask-heads": {"max", "1"}, "mask-token": {"image"}, "mask-image": {"ratio:0.5", "mass:0.5", "all"},
		"mask-text": {"union", "ratio:0.3", "all"}, "mask-score": {"random", "inverse"}, "herding": {"stored"},
		"mrdc-qualities": {"20 --exemplars mrdc --codec jpeg"}, "mrdc-epsilon": {"0.3 --exemplars mrdc --codec jpeg"},
		"cim-ratio": {"16 --exemplars cim"}, "cim-threshold": {"0.3 --exemplars cim"},
		"phases": {"5"}, "init": {"4 --increment 2"}, "increment": {"3"}, "evaluate": {"validation"}, "seed": {"2"}, "seeds": {"1,2"},
		"classes": {"n01*"}, "order": {"natural", "7"}, "weights": {"w"}, "model": {"small"}, "max-text": {"60"}, "exif-orientation": {""},
		"head": {"cosine", "mlp"}, "distill": {"1"}, "distill-temperature": {"3 --distill 1"}, "mixing": {"balanced"}, "augment": {"flip", "jitter", "flip,jitter"},
		"prompt-length": {"7"}, "prompt-pool": {"30", "7"}, "prompt-top": {"2"}, "key-weight": {"0", "0.5"}, "prompt-blocks": {"1", "0-1"}, "batchwise": {""},
		"adapter-width": {"32"}, "adapter-scale": {"1"}, "adapter-dropout": {"0", "0.5"}, "ease-alpha": {"0", "1"},
		"mask-new": {"0.5"}, "tune-from-block": {"2"}, "tune-phases": {"first"}, "epochs": {"3"}, "learning-rate": {"0.1"}, "batch-size": {"5"}, "weight-decay": {"0", "1"}, "warmup": {"0", "0.5"},
	}
}

// flagsWithoutEffect change where things are, how long they take or what is said, and nothing that comes out. The method and
// the data are what the others are tried on.
var flagsWithoutEffect = []string{"data", "out", "method", "force", "json", "threads", "workers", "cache-dir", "cache-size", "cache-memory", "help", "config", "version"}

// Each flag of mcil train, with each method, changes the settings, which decide the digest of the run, or is refused in one
// line. What a flag changes in what is learned is the business of other tests.
func TestEveryFlagHasAnEffectOrIsRefused(t *testing.T) {
	settings := func(args string) (map[string]any, error) {
		var c cli
		parser, err := kong.New(&c, kongVars(""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields("train --data d --out r " + args)); err != nil {
			return nil, err
		}
		return c.Train.effective(&env{}), nil
	}
	known := map[string]bool{}
	for _, name := range flagsWithoutEffect {
		known[name] = true
	}
	values := flagValues()
	for name := range values {
		if known[name] {
			t.Errorf("--%s is said to have an effect and to have none", name)
		}
		known[name] = true
	}
	var c cli
	parser, err := kong.New(&c, kongVars(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range parser.Model.Children {
		if verb.Name != "train" {
			continue
		}
		for _, f := range verb.Flags {
			if !known[f.Name] {
				t.Errorf("--%s is a flag of mcil train that this test does not know", f.Name)
			}
			delete(known, f.Name)
		}
	}
	for name := range known {
		if name != "help" && name != "config" && name != "version" {
			t.Errorf("--%s is no flag of mcil train", name)
		}
	}
	refused := map[string][]string{}
	for _, m := range method.Names() {
		base, err := settings("--method " + m)
		if err != nil {
			t.Fatalf("%s without flags: %v", m, err)
		}
		for name, all := range values {
			for _, v := range all {
				flag := fmt.Sprintf("--%s=%s", name, v)
				if v == "" {
					flag = "--" + name
				}
				got, err := settings("--method " + m + " " + flag)
				switch {
				case err != nil && strings.Contains(err.Error(), "\n"):
					t.Errorf("%s %s: refused in more than a line: %v", m, flag, err)
				case err != nil:
					refused[m] = append(refused[m], name)
				case reflect.DeepEqual(got, base) && !isDefault(base, name, v):
					t.Errorf("%s %s: no effect, and not refused", m, flag)
				}
			}
		}
	}
	for m, want := range map[string]int{ // of the values above
		"ssf":         15, // it has no adapters and no prompts
		"linear":      17, // nor blocks to tune, nor phases to do so in
		"finetune":    47, // nor a memory, nor what is said of one
		"joint":       50, // nor what it said before, nor what it had tuned
		"simplecil":   63, // nor steps, nor a classifier
		"ease":        47, // adapters, and no memory, classifier or distillation
		"l2p":         46, // prompts instead of adapters, of no block
		"dualprompt":  47, // the same, of blocks, and no more than there are phases
		"coda-prompt": 49, // nor keys that are pulled, and as many as there are phases
	} {
		if len(refused[m]) != want {
			t.Errorf("%s refuses %v, not %d of them", m, refused[m], want)
		}
	}
}

// isDefault says that a flag's value is the method's own.
func isDefault(settings map[string]any, name, value string) bool {
	key := strings.ReplaceAll(name, "-", "_")
	if name == "warmup" {
		key = "warmup_fraction"
	}
	return fmt.Sprint(settings[key]) == value
}
