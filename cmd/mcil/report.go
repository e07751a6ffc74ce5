package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/mcil/mcil/train/report"
)

type reportCmd struct {
	Runs  []string `arg:"" name:"run" help:"Run folders, or folders that hold them."`
	Out   string   `required:"" placeholder:"DIR" help:"Folder of the report."`
	Title string   `help:"Title of the page."`
	JSON  bool     `help:"Print the table's rows as JSON."`
}

func (c *reportCmd) Run(ctx context.Context, e *env) error {
	runs, err := report.Load(ctx, c.Runs)
	if err != nil {
		return err
	}
	if err := report.Write(ctx, c.Out, runs, report.Options{Title: c.Title}); err != nil {
		return err
	}
	rows := report.Summarise(runs)
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(rows)
	}
	if err := report.WriteTable(e.stdout, rows); err != nil {
		return err
	}
	page, err := filepath.Abs(filepath.Join(c.Out, "report.html"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, page)
	return err
}
