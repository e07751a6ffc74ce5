package compare

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// PageOptions say how the page is made. The zero value is the default.
type PageOptions struct {
	Title  string         // default: "Captions compared", or "Captions" where there is one variant
	Source dataset.Source // of the pictures, and of the names that are marked in texts; may be nil: then neither is shown
}

//go:embed page.html page.css
var files embed.FS

// WriteJSON writes r to path. Equal results give equal bytes.
func WriteJSON(path string, r Result) error { return schemas.WriteJSON(path, r) }

// WritePage writes r as one HTML file to path: with its pictures, without scripts, and without a reference to anything
// outside. Equal results and pictures give equal bytes. A picture that cannot be read is told so in its place.
func WritePage(ctx context.Context, path string, r Result, o PageOptions) error {
	t, err := template.New("").Funcs(template.FuncMap{"bars": newBars}).ParseFS(files, "page.html")
	if err != nil {
		return fmt.Errorf("page of captions: template: %w", err)
	}
	p, err := newPage(ctx, r, o)
	if err != nil {
		return err
	}
	return schemas.WriteFile(path, func(w io.Writer) error { return t.ExecuteTemplate(w, "page.html", p) })
}
