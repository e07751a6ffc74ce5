package report

import (
	"slices"
	"strings"
	"testing"
)

// of gives a run digests of what it read.
func of(r Run, data, weights string) Run {
	r.Settings.DataDigest, r.Settings.WeightsDigest = data, weights
	r.Dir, r.Settings.Digest = r.Dir+data+weights, r.Settings.Digest+data+weights
	return r
}

// TestOtherWeightsAreNoSeeds: folders of one name with other weights in them are other studies, of equal seeds too.
func TestOtherWeightsAreNoSeeds(t *testing.T) {
	runs := []Run{
		of(cell("raw", 10, 5, 1, 0.5, "weights", "a/wd"), "d1", "0123456789"), of(cell("raw", 10, 5, 1, 0.7, "weights", "b/wd"), "d1", "9876543210"),
		of(cell("raw", 10, 5, 2, 0.6, "weights", "/c/wd"), "d1", "0123456789"), // a copy of the first
	}
	if err := distinct(runs); err != nil {
		t.Errorf("distinct: %v", err)
	}
	res := Results(runs, Options{})
	if len(res.Rows) != 2 || len(res.Tables) != 2 {
		t.Fatalf("%d rows, %d tables", len(res.Rows), len(res.Tables))
	}
	if !slices.Equal(res.Rows[0].Seeds, []uint64{1, 2}) || res.Rows[0].Variant != "weights wd 01234567" || res.Rows[1].Variant != "weights wd 98765432" {
		t.Errorf("rows %+v", res.Rows)
	}
	for i, want := range []string{"d/hf, 100 classes, weights wd, weights wd 01234567", "d/hf, 100 classes, weights wd, weights wd 98765432"} {
		if res.Tables[i].Title != want {
			t.Errorf("title %q, want %q", res.Tables[i].Title, want)
		}
	}
}

// TestOtherDataIsNoSeed: every dataset of a layout has a folder of that name, and the rows in it say what it is.
func TestOtherDataIsNoSeed(t *testing.T) {
	runs := []Run{
		of(cell("raw", 10, 5, 1, 0.5, "data", "zebras/hf"), "1111", "w"), of(cell("raw", 10, 5, 2, 0.5, "data", "emoji/hf"), "2222", "w"),
		of(cell("masked", 10, 5, 1, 0.6, "data", "copies/zebras-hf"), "1111", "w"), // the same rows under another name
	}
	res := Results(runs, Options{})
	if len(res.Rows) != 3 || len(res.Tables) != 2 {
		t.Fatalf("%d rows, %d tables", len(res.Rows), len(res.Tables))
	}
	for i, want := range []string{"zebras/hf, 100 classes, weights w", "emoji/hf, 100 classes, weights w"} {
		if j := res.Rows[i].Table; res.Tables[j].Title != want {
			t.Errorf("table %d of row %d: %q, want %q", j, i, res.Tables[j].Title, want)
		}
	}
	if res.Rows[2].Table != res.Rows[0].Table || res.Rows[2].Variant != "" {
		t.Errorf("the same data apart: %+v", res.Rows[2])
	}
	// One path, read before and after its data were made anew.
	again := []Run{of(cell("raw", 10, 5, 1, 0.5), "1111", "w"), of(cell("raw", 10, 5, 2, 0.5), "3333", "w")}
	if rows := Summarise(again); len(rows) != 2 || rows[0].Variant != "data hf 1111" || rows[1].Variant != "data hf 3333" {
		t.Errorf("rows %+v", rows)
	}
}

// TestRandomWeightsAreSeeds: their digest is of the seed.
func TestRandomWeightsAreSeeds(t *testing.T) {
	rows := Summarise([]Run{of(cell("raw", 10, 5, 1, 0.5, "weights", "random"), "1", "x"), of(cell("raw", 10, 5, 2, 0.6, "weights", "random"), "1", "y")})
	if len(rows) != 1 || len(rows[0].Seeds) != 2 {
		t.Errorf("rows %+v", rows)
	}
	// What tells digests and what does not is not averaged, nor refused.
	mixed := []Run{of(cell("raw", 10, 5, 1, 0.5), "1", "x"), cell("raw", 10, 5, 1, 0.5)}
	if err := distinct(mixed); err != nil || len(Summarise(mixed)) != 2 {
		t.Errorf("%v, %d rows", err, len(Summarise(mixed)))
	}
	// The same run in two folders is still told.
	twice := of(cell("raw", 10, 5, 1, 0.5), "1", "x")
	if err := distinct([]Run{twice, twice}); err == nil || !strings.Contains(err.Error(), "are the same run") {
		t.Errorf("error %v", err)
	}
}
