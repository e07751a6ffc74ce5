package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mcil/mcil/caption"
)

// thresholdFlags move the thresholds of the flags that captions carry.
type thresholdFlags struct {
	Threshold thresholdValues `mapsep:"," placeholder:"NAME=VALUE,..." help:"Move thresholds of the flags on captions: ${thresholds}."`
}

// thresholdValues are thresholds by name.
type thresholdValues map[string]float64

func (v thresholdValues) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, fmt.Sprintf("%s=%g", name, v[name]))
	}
	return strings.Join(parts, ",")
}

// thresholds are the defaults with what the flags change.
func (f thresholdFlags) thresholds() (caption.Thresholds, error) {
	t := caption.Thresholds{}
	for _, name := range slices.Sorted(maps.Keys(f.Threshold)) {
		if err := t.Set(name, f.Threshold[name]); err != nil {
			return t, usageError{fmt.Errorf("--threshold: %w", err)}
		}
	}
	return t, nil
}

// thresholdNames lists the thresholds with their defaults.
func thresholdNames() string {
	return strings.ReplaceAll(thresholdValues(caption.DefaultThresholds().Named()).String(), ",", ", ")
}
