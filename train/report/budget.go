package report

import (
	"cmp"
	"strconv"
)

// budget is how much memory there is, as it was set. Budgets are the same one where they are equal.
type budget struct {
	key   string // budget, budget-total, budget-bytes; empty where there is none
	value float64
	// What a sample of it, or a byte, is counted in, where that is not stored bytes of raw pixels: pixels, tokens, or the codec
	// that a whole sample is stored with, such as "JPEG 90". Five samples of one are not as much memory as five of another.
	counts string
}

func (b budget) String() string {
	v := strconv.FormatFloat(b.value, 'f', -1, 64)
	switch b.key {
	case "":
		return ""
	case "budget":
		v += " a class"
	case "budget-total":
		v += " in all"
	default:
		v = byteText(b.value)
	}
	if b.counts != "" {
		v += ", " + b.counts
	}
	return v
}

// order puts budgets of a kind together, and the plain kinds first.
func (b budget) order(o budget) int {
	return cmp.Or(cmp.Compare(b.key, o.key), cmp.Compare(b.counts, o.counts), cmp.Compare(b.value, o.value))
}

// budgetOf reads the budget from settings.
func budgetOf(settings []setting) budget {
	for _, key := range []string{"budget-bytes", "budget-total", "budget"} {
		if v, err := strconv.ParseFloat(lookup(settings, key), 64); err == nil && v > 0 {
			return budget{key, v, countsOf(settings, key)}
		}
	}
	return budget{}
}

// countsOf is what a budget set by key is counted in.
func countsOf(settings []setting, key string) string {
	if unit := lookup(settings, "budget-unit"); unit != "" && unit != plain()["budget-unit"] {
		return unit
	}
	codec := lookup(settings, "codec")
	if !codecCounts(settings, key) || codec == "" || codec == plain()["codec"] {
		return ""
	}
	if codec == "jpeg" {
		return "JPEG " + cmp.Or(lookup(settings, "jpeg-quality"), plain()["jpeg-quality"])
	}
	return codec
}

// codecCounts says whether the codec decides how much memory a budget set by key is: where it is a number of samples that are
// counted by what they take when stored. A byte is a byte, and pixels and tokens are the same with every codec.
func codecCounts(settings []setting, key string) bool {
	unit := lookup(settings, "budget-unit")
	return key != "budget-bytes" && (unit == "" || unit == plain()["budget-unit"])
}

// setsApart says which keys of a run with these settings make it a variant. Without a budget the codec has nothing to store.
func setsApart(settings []setting) func(key string) bool {
	under := budgetOf(settings).key
	codec := under != "" && !codecCounts(settings, under)
	return func(key string) bool {
		return partOf(key) == ofVariant || codec && (key == "codec" || key == "jpeg-quality")
	}
}
