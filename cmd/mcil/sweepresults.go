package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/report"
	"github.com/mcil/mcil/train/sweep"
)

// resultsFolder is in the sweep's folder while results are written.
const resultsFolder = ".results"

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
	rows := report.Summarise(runs)
	for i := range rows {
		rows[i].Seconds = schemas.Stat{}
	}
	at := filepath.Join(dir, resultsFolder)
	defer os.RemoveAll(at)
	if err := report.Write(ctx, at, runs, report.Options{}); err != nil {
		return nil, err
	}
	table, err1 := os.ReadFile(filepath.Join(at, "table.md"))
	cells, err2 := os.ReadFile(filepath.Join(at, "table.csv"))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	cells, err = withoutTimes(cells)
	if err != nil {
		return nil, err
	}
	put := func(name string, b []byte) error {
		return schemas.WriteFile(filepath.Join(dir, name), func(w io.Writer) error { _, err := w.Write(b); return err })
	}
	return rows, errors.Join(put("results.md", table), put("results.csv", cells),
		schemas.WriteJSON(filepath.Join(dir, "results.json"), schemas.Results{Header: schemas.ResultsHeader, Rows: rows}))
}

// withoutTimes takes out of a table the columns that tell how long something took.
func withoutTimes(table []byte) ([]byte, error) {
	lines, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, line := range lines {
		var kept []string
		for i, head := range lines[0] {
			if !strings.Contains(head, "second") {
				kept = append(kept, line[i])
			}
		}
		w.Write(kept)
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// printResults prints the table of what is done.
func printResults(w io.Writer, rows []report.Row) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no run is done")
		return err
	}
	return report.WriteTable(w, rows)
}
