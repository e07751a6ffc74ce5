//go:build bench

package peers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// row is one line of the table: pairs of ours and the peer's, measured in turns.
type row struct {
	Name   string       `json:"name"`
	Unit   string       `json:"unit"`
	Ours   float64      `json:"ours"`  // median
	Peer   float64      `json:"peer"`  // median
	Ratio  float64      `json:"ratio"` // median of the rounds' ratios ours/peer
	Lowest float64      `json:"ratio_lowest"`
	Most   float64      `json:"ratio_highest"`
	Target float64      `json:"target,omitempty"` // 0: none
	AtMost bool         `json:"at_most,omitempty"`
	Met    *bool        `json:"met,omitempty"`    // where there is a target and a measurement
	Reason string       `json:"reason,omitempty"` // why it was not measured
	Pairs  [][2]float64 `json:"pairs"`            // ours, peer, by round
}

func (r *row) add(ours, peer float64) { r.Pairs = append(r.Pairs, [2]float64{ours, peer}) }

// finish computes the medians.
func (r *row) finish() {
	if len(r.Pairs) == 0 {
		if r.Reason == "" {
			r.Reason = "no round has measured it"
		}
		return
	}
	var ours, peer, ratio []float64
	for _, p := range r.Pairs {
		ours, peer, ratio = append(ours, p[0]), append(peer, p[1]), append(ratio, p[0]/p[1])
	}
	r.Ours, r.Peer, r.Ratio, r.Lowest, r.Most = median(ours), median(peer), median(ratio), slices.Min(ratio), slices.Max(ratio)
	if r.Target != 0 {
		met := r.Ratio >= r.Target
		if r.AtMost {
			met = r.Ratio <= r.Target
		}
		r.Met = &met
	}
}

func (r *row) String() string {
	if r.Reason != "" {
		return fmt.Sprintf("%-62s NOT MEASURED: %s", r.Name, r.Reason)
	}
	target := ""
	if r.Met != nil {
		bound, word := "at least", "met"
		if r.AtMost {
			bound = "at most"
		}
		if !*r.Met {
			word = "MISSED"
		}
		target = fmt.Sprintf("  %s %.2f: %s", bound, r.Target, word)
	}
	return fmt.Sprintf("%-62s %8.2f %8.2f %-10s %6.3f (%.3f to %.3f)%s", r.Name, r.Ours, r.Peer, r.Unit, r.Ratio, r.Lowest, r.Most, target)
}

// median is the middle value, or the mean of the middle two.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// table is what is printed and written.
type table struct {
	Version   int               `json:"version"`
	Processor string            `json:"processor"`
	Cores     int               `json:"cores"`
	Load      string            `json:"load_before"` // processes that ran in the last 1, 5 and 15 minutes: 0 on a quiet machine
	Threads   int               `json:"threads"`
	Rounds    int               `json:"rounds"`
	Steps     int               `json:"steps"` // of a turn
	Ours      map[string]string `json:"ours"`
	Peer      map[string]string `json:"peer"`
	OpenBLAS  string            `json:"openblas"`
	Rows      []*row            `json:"rows"`
}

// row adds one to the table.
func (b *table) row(name, unit string, target float64) *row {
	r := &row{Name: name, Unit: unit, Target: target, Pairs: [][2]float64{}}
	b.Rows = append(b.Rows, r)
	return r
}

// print logs the table, and fails for rows that were not measured: a table with holes is none.
func (b *table) print(t *testing.T) {
	t.Logf("medians of %d rounds: ours, the peer's, ours/peer (lowest to highest)", b.Rounds)
	for _, r := range b.Rows {
		r.finish()
		if r.Reason != "" {
			t.Error(r)
		} else {
			t.Log(r)
		}
	}
}

func (b *table) write(t *testing.T, name string) {
	t.Helper()
	out, err := json.MarshalIndent(b, "", "  ")
	if err == nil {
		err = os.WriteFile(name, append(out, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("written to %s", name)
}

// load is how busy the machine was before, as Linux counts it.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	words := strings.Fields(string(b))
	return strings.Join(words[:min(3, len(words))], " ")
}

// processor names the CPU, as Linux does.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
