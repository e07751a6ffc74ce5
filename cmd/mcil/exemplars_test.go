package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
)

// Every flag of exemplars reaches run.json under its own name where its kind reads it, and is refused where it does not.
func TestExemplarFlags(t *testing.T) {
	parse := func(args string) (map[string]any, error) {
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
	kinds := map[string]string{"raw": "--exemplars raw", "masked": "--exemplars masked", "mrdc": "--exemplars mrdc --codec jpeg", "cim": "--exemplars cim", "none": "--exemplars none"}
	for _, c := range []struct {
		flag, value string
		want        any
		kinds       string
	}{
		{"budget", "3", 3.0, "raw masked mrdc cim"},
		{"budget-total", "30", 30.0, "raw masked mrdc cim"},
		{"budget-bytes", "2kB", int64(2000), "raw masked mrdc cim"},
		{"budget-unit", "pixels", "pixels", "raw masked cim"},
		{"repair", "0.25", 0.25, "raw masked mrdc cim"},
		{"replay", "black", "black", "masked"},
		{"mask-layer", "3", "3", "masked cim"},
		{"mask-heads", "max", "max", "masked cim"},
		{"mask-token", "image", "image", "masked cim"},
		{"mask-image", "mass:0.8", "mass:0.8", "masked"},
		{"mask-text", "union", "union", "masked"},
		{"mask-score", "random", "random", "masked"},
		{"mrdc-qualities", "10,40", []int{10, 40}, "mrdc"},
		{"mrdc-epsilon", "0.3", 0.3, "mrdc"},
		{"cim-ratio", "9", 9, "cim"},
		{"cim-threshold", "0.4", 0.4, "cim"},
	} {
		for kind, args := range kinds {
			got, err := parse(args + " --" + c.flag + " " + c.value)
			if !slices.Contains(strings.Fields(c.kinds), kind) {
				if err == nil {
					t.Errorf("--%s with %s exemplars: taken", c.flag, kind)
				}
				continue
			}
			if key := strings.ReplaceAll(c.flag, "-", "_"); err != nil || !reflect.DeepEqual(got[key], c.want) {
				t.Errorf("--%s=%s with %s exemplars: %s is %v (%v)", c.flag, c.value, kind, key, got[key], err)
			}
		}
	}
	got, err := parse("--codec jpeg --jpeg-quality 77")
	if err != nil || got["codec"] != schemas.CodecJPEG || got["jpeg_quality"] != 77 {
		t.Errorf("as JPEG of quality 77: %v (%v)", got, err)
	}
}

func TestMemoryText(t *testing.T) {
	p := schemas.Phase{MemoryUsedBytes: 7, MemoryBudgetBytes: 9}
	q := schemas.Phase{MemoryUsedBytes: 7, MemoryUnit: string(memory.Tokens), MemoryUsed: 3, MemoryBudget: 4}
	r := q
	r.MemoryUnit = string(memory.Pixels)
	for want, p := range map[string]schemas.Phase{"7 of 9 bytes": p, "3 of 4 tokens, 7 bytes stored": q, "3 of 4 bytes of pixels, 7 bytes stored": r} {
		if got := memoryText(p); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
