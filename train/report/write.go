package report

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
)

// Options says how the report is made. The zero value is the default.
type Options struct {
	// Title of the page. Empty means "Class-incremental learning with a byte budget".
	Title string
	// WithoutPublished leaves out the paper's figures, which otherwise stand beside those of methods that it names.
	WithoutPublished bool
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

//go:embed page.html page.css
var files embed.FS

// Write makes dir with report.html, table.md, table.csv, results.json, and every figure as SVG and as PNG. Files of an earlier
// report are replaced one by one, and figures that it had and this one has not are removed; others in dir are left alone. runs
// are as [Load] returns them, in any order.
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
	page, rows, err := newPage(ctx, runs, o)
	if err != nil {
		return err
	}
	figures := page.figures()
	type file struct {
		name  string
		write func(io.Writer) error
	}
	all := []file{
		{"table.md", func(w io.Writer) error { return WriteMarkdown(w, runs, o) }},
		{"table.csv", func(w io.Writer) error { return WriteCSV(w, runs, o) }},
	}
	for _, f := range figures {
		all = append(all, file{f.Name + ".svg", f.wide.WriteSVG}, file{f.Name + ".png", f.wide.WritePNG})
	}
	// The page last: where it is, the rest is.
	all = append(all, file{"report.html", func(w io.Writer) error { return t.ExecuteTemplate(w, "page.html", page) }})
	own := []string{"results.json"}
	for _, f := range all {
		own = append(own, f.name)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o777), schemas.RemoveTemporary(dir, own...), removeStale(dir, own)); err != nil {
		return err
	}
	results := schemas.Results{Header: schemas.ResultsHeader, Rows: rows, Tables: page.tables, Figures: index(figures)}
	if err := schemas.WriteJSON(filepath.Join(dir, "results.json"), results); err != nil {
		return err
	}
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := schemas.WriteFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	return nil
}

// Results is what results.json holds.
func Results(runs []Run, o Options) schemas.Results {
	rows, studies := summarise(group(runs))
	return schemas.Results{Header: schemas.ResultsHeader, Rows: rows, Tables: tablesOf(studies, rows, o)}
}

// removeStale removes the figures that an earlier report in dir lists and that are none of own. A results.json that cannot be
// read lists none.
func removeStale(dir string, own []string) error {
	var old schemas.Results
	if err := schemas.ReadJSON(filepath.Join(dir, "results.json"), schemas.ResultsHeader, &old); err != nil {
		return nil
	}
	var errs []error
	for _, f := range old.Figures {
		for _, name := range []string{f.Name + ".svg", f.Name + ".png"} {
			if !slices.Contains(own, name) && figureName(f.Name) {
				if err := os.Remove(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
					errs = append(errs, err)
				}
			}
		}
	}
	return errors.Join(errs...)
}

// figureName says whether name can be of a figure: nothing in it leads elsewhere.
func figureName(name string) bool {
	kind, _, _ := strings.Cut(name, "-")
	return slices.Contains([]string{"ablation", "accuracy", "bytes", "forgetting", "gallery", "groups", "memory"}, kind) && !strings.ContainsAny(name, "/\\.:")
}
