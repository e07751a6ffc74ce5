package main

import (
	"strings"
	"testing"

	"github.com/mcil/mcil/train/report"
)

// A spread over a run and its copy is none.
func TestDistinctSeeds(t *testing.T) {
	if err := distinctSeeds([]report.Row{{Seeds: []uint64{2, 1}}, {Seeds: []uint64{1}}}); err != nil {
		t.Error(err)
	}
	rows := []report.Row{{Method: "ssf", Exemplars: "raw", Seeds: []uint64{2, 1, 2}}}
	if err := distinctSeeds(rows); err == nil || !strings.HasPrefix(err.Error(), "ssf + raw: runs have the same") || rows[0].Seeds[1] != 1 {
		t.Errorf("a seed twice: %v, seeds %v", err, rows[0].Seeds)
	}
}
