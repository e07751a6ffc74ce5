package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/report"
	"github.com/mcil/mcil/train/sweep"
)

// writeResults makes results.md, results.csv and results.json of the runs that are done. What depends on time is left out,
// so that the same runs give the same bytes; mcil report has it.
func writeResults(ctx context.Context, dir string, outcomes []sweep.Outcome) ([]report.Row, error) {
	var folders []string
	for _, o := range outcomes {
		if o.State == sweep.Done {
			folders = append(folders, filepath.Join(dir, o.Name))
		}
	}
	if len(folders) == 0 {
		return nil, nil
	}
	runs, err := report.Load(ctx, folders)
	if err != nil {
		return nil, err
	}
	for i := range runs {
		for t := range runs[i].Report.Phases {
			p := &runs[i].Report.Phases[t]
			p.Seconds, p.LearnSeconds, p.WaitSeconds, p.LearnPicturesPerSecond, p.TestPicturesPerSecond = 0, 0, 0, 0, 0
		}
		runs[i].Gallery = nil
	}
	results := report.Results(runs, report.Options{})
	if err := distinctSeeds(results.Rows); err != nil {
		return nil, err
	}
	put := func(name string, write func(io.Writer) error) error {
		return schemas.WriteFile(filepath.Join(dir, name), write)
	}
	return results.Rows, errors.Join(
		put("results.md", func(w io.Writer) error { return report.WriteMarkdown(w, runs, report.Options{}) }),
		put("results.csv", func(w io.Writer) error { return writeTimeless(w, runs) }),
		schemas.WriteJSON(filepath.Join(dir, "results.json"), results))
}

// distinctSeeds refuses a row that has a seed twice, as copies of one weights file under two names make it: its spread would be
// none of seeds.
func distinctSeeds(rows []report.Row) error {
	for _, r := range rows {
		if seeds := slices.Sorted(slices.Values(r.Seeds)); len(slices.Compact(seeds)) < len(r.Seeds) {
			return fmt.Errorf("%s: runs have the same settings, data, weights and seed: take what they have in common out of the grid", r.Label())
		}
	}
	return nil
}

// writeTimeless is [report.WriteCSV] without the columns that tell how long something took.
func writeTimeless(w io.Writer, runs []report.Run) error {
	var table bytes.Buffer
	if err := report.WriteCSV(&table, runs, report.Options{}); err != nil {
		return err
	}
	lines, err := csv.NewReader(&table).ReadAll()
	if err != nil {
		return err
	}
	timed := make([]bool, len(lines[0]))
	for i, head := range lines[0] {
		timed[i] = strings.Contains(head, "second")
	}
	out := csv.NewWriter(w)
	for _, line := range lines {
		var kept []string
		for i, cell := range line {
			if !timed[i] {
				kept = append(kept, cell)
			}
		}
		out.Write(kept)
	}
	out.Flush()
	return out.Error()
}

// printResults prints the table of what is done.
func printResults(w io.Writer, rows []report.Row) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no run is done")
		return err
	}
	return report.WriteTable(w, rows)
}
