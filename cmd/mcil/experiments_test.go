package main

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestExperiments: the program takes every run of the sweeps that are kept for others to repeat.
func TestExperiments(t *testing.T) {
	files, err := filepath.Glob("../../train/experiments/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d sweeps, %v", len(files), err)
	}
	for _, f := range files {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"sweep", f, "--out", t.TempDir(), "--dry-run"}, &stdout, &stderr); code != exitDone || stdout.Len() == 0 {
			t.Errorf("%s: exit code %d\n%s", f, code, stderr.String())
		}
	}
}
