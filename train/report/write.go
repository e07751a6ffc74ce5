package report

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"

	"github.com/mcil/mcil/schemas"
)

// Options says how the report is made. The zero value is the default.
type Options struct {
	// Title of the page. Empty means "Class-incremental learning with a byte budget".
	Title string
	// Published average accuracies, as fractions, by [Row.Label]. Where it names a row, table.md and the page gain
	// a column "published (arXiv 2412.09549)". Nil means no such column: a figure of the paper is comparable only with
	// a run on its data, and the caller has to know that.
	Published map[string]float64
	// GalleryPerMethod is the number of exemplars shown a method, from its first seed that has any. 0 means 12; a
	// negative value shows none.
	GalleryPerMethod int
}

func (o Options) withDefaults() Options {
	if o.Title == "" {
		o.Title = "Class-incremental learning with a byte budget"
	}
	if o.GalleryPerMethod == 0 {
		o.GalleryPerMethod = 12
	}
	return o
}

//go:embed page.html plot.html page.css plot.css
var files embed.FS

// Write makes dir with report.html, table.md, table.csv, results.json, accuracy.svg and memory.svg. Files of an earlier
// report are replaced one by one; others in dir are left alone. runs are as [Load] returns them, in any order.
func Write(ctx context.Context, dir string, runs []Run, o Options) error {
	if len(runs) == 0 {
		return errors.New("no runs to report on")
	}
	for _, r := range runs {
		if err := checkReport(r.Report); err != nil {
			return fmt.Errorf("%s: %w", r.Dir, err)
		}
	}
	if err := distinct(runs); err != nil {
		return err
	}
	o = o.withDefaults()
	t, err := template.New("").ParseFS(files, "*.html")
	if err != nil {
		return fmt.Errorf("report templates: %w", err)
	}
	rows := Summarise(runs)
	page, err := newPage(ctx, runs, rows, o)
	if err != nil {
		return err
	}
	own := []string{"table.md", "table.csv", "results.json", "accuracy.svg", "memory.svg", "report.html"}
	if err := errors.Join(os.MkdirAll(dir, 0o777), schemas.RemoveTemporary(dir, own...)); err != nil {
		return err
	}
	svg := func(p plot) func(io.Writer) error {
		return func(w io.Writer) error { return t.ExecuteTemplate(w, "file", p.standalone()) }
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"table.md", func(w io.Writer) error { return writeMarkdown(w, rows, o) }},
		{"table.csv", func(w io.Writer) error { return writeCSV(w, rows) }},
		{"accuracy.svg", svg(page.Curves[0])},
		{"memory.svg", svg(page.Memory[0])},
		// The page last: where it is, the rest is.
		{"report.html", func(w io.Writer) error { return t.ExecuteTemplate(w, "page.html", page) }},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := schemas.WriteFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
		if f.name == "table.csv" {
			if err := schemas.WriteJSON(filepath.Join(dir, "results.json"), schemas.Results{Header: schemas.ResultsHeader, Rows: rows}); err != nil {
				return err
			}
		}
	}
	return nil
}
