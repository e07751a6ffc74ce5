package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcil/mcil/caption/compare"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/train/report"
)

type reportCmd struct {
	Runs   []string `arg:"" name:"run" help:"Run folders, or folders that hold them; or one caption store, whose variants are compared."`
	Out    string   `required:"" placeholder:"DIR" help:"Folder of the report."`
	Title  string   `help:"Title of the page."`
	Source string   `placeholder:"SPEC" help:"Of a caption store: its pictures, to be shown, and to tell which captions name a class."`
	thresholdFlags
	Finished    bool `help:"Report on the runs that are finished, and name the others: for a sweep under way."`
	NoPublished bool `help:"Leave out the paper's figures."`
	JSON        bool `help:"Print the table's rows as JSON; of a caption store, the comparison."`
}

func (c *reportCmd) Validate() error {
	_, err := c.thresholds()
	return err
}

func (c *reportCmd) Run(ctx context.Context, e *env) error {
	if i := slices.IndexFunc(c.Runs, isCaptions); i >= 0 {
		if len(c.Runs) > 1 {
			return usageError{fmt.Errorf("%s is a caption store: report on it alone", c.Runs[i])}
		}
		if c.Finished || c.NoPublished {
			return usageError{errors.New("--finished and --no-published are for runs: leave them out for a caption store")}
		}
		return c.captions(ctx, e)
	}
	if c.Source != "" || len(c.Threshold) > 0 {
		return usageError{errors.New("--source and --threshold are for a caption store: leave them out for runs")}
	}
	runs, err := c.load(ctx, e)
	if err != nil {
		return err
	}
	if err := report.Write(ctx, c.Out, runs, report.Options{Title: c.Title, WithoutPublished: c.NoPublished}); err != nil {
		return err
	}
	rows := report.Summarise(runs)
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(rows)
	}
	if err := report.WriteTable(e.stdout, rows); err != nil {
		return err
	}
	return c.page(e)
}

// load reads the runs. Without --finished, an unfinished one is an error.
func (c *reportCmd) load(ctx context.Context, e *env) ([]report.Run, error) {
	if !c.Finished {
		return report.Load(ctx, c.Runs)
	}
	runs, unfinished, err := report.LoadFinished(ctx, c.Runs)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		return nil, &report.UnfinishedError{Dirs: unfinished}
	}
	for _, dir := range unfinished {
		e.log.Warn("run is not finished: left out", "run", dir)
	}
	return runs, nil
}

// captions reports on a caption store and its variants.
func (c *reportCmd) captions(ctx context.Context, e *env) error {
	thresholds, err := c.thresholds()
	if err != nil {
		return err
	}
	var pictures dataset.Source
	if c.Source != "" {
		if pictures, err = source.Open(ctx, c.Source); err != nil {
			return err
		}
		defer pictures.Close()
	}
	r, err := compare.Stores(ctx, compare.Options{Dir: c.Runs[0], Source: pictures, Thresholds: thresholds})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	if err := compare.WriteJSON(filepath.Join(c.Out, "captions.json"), r); err != nil {
		return err
	}
	if err := compare.WritePage(ctx, filepath.Join(c.Out, "report.html"), r, compare.PageOptions{Title: c.Title, Source: pictures}); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	for _, v := range r.Variants {
		name := "the first captions"
		if v.Name != "" {
			name = v.Name
		}
		if _, err := fmt.Fprintf(e.stdout, "%s: %d captions by %s, %.0f words on average, %d flagged, %d failed\n", name, v.Captions, v.Model, v.Text.Words.Mean, v.Flagged, v.Failed); err != nil {
			return err
		}
	}
	return c.page(e)
}

// page prints where the page is.
func (c *reportCmd) page(e *env) error {
	page, err := filepath.Abs(filepath.Join(c.Out, "report.html"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, page)
	return err
}
