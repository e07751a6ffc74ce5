package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/batch"
)

type importBatchCmd struct {
	Files    []string `arg:"" name:"file" help:"Output and error files of the Batch API, in any order. One that was imported before adds nothing."`
	Batch    string   `required:"" placeholder:"DIR" help:"Folder that export-batch made."`
	Captions string   `required:"" placeholder:"CAPTIONS" help:"Folder of the caption store; made where it is not there. The variant is that of the export."`
	JSON     bool     `help:"Print the result as JSON."`
}

func (c *importBatchCmd) Run(ctx context.Context, e *env) (err error) {
	m, err := batch.Open(c.Batch)
	if err != nil {
		return err
	}
	dir, err := caption.VariantDir(c.Captions, m.Asked.Variant)
	if err != nil {
		return err
	}
	for _, name := range c.Files { // before a store begins
		if _, err := os.Stat(name); err != nil {
			return fmt.Errorf("batch answers: %w", err)
		}
	}
	wire, err := offline()
	if err != nil {
		return err
	}
	defer wire.Close()
	store, err := caption.CreateStore(dir, m.Asked, m.Source, e.program)
	if err != nil {
		return err
	}
	r, err := batch.Import(ctx, c.Batch, c.Files, batch.ImportOptions{Store: store, Wire: wire, Progress: func(lines int) {
		e.progress.update("import", lines, m.Requests, "")
	}})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	e.progress.done()
	for _, p := range r.Problems {
		e.log.Warn("a line is of no use", "file", p.File, "line", p.Line, "reason", p.Reason)
	}
	if err := store.Close(); err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(e.stdout).Encode(r)
	} else {
		_, err = fmt.Fprintf(e.stdout, "%s: %d captions from %d lines, %d known before; %d of %d pictures have no caption yet\n",
			dir, r.Captions, r.Lines, r.Known, r.Missing, m.Pictures)
	}
	switch unusable := r.Unknown + r.Damaged; {
	case err != nil:
		return err
	case unusable > 0:
		first := r.Problems[0]
		return failuresError{fmt.Errorf("%d of %d lines are of no use (%d of unknown custom_id, %d damaged), the first: %s", unusable, r.Lines, r.Unknown, r.Damaged, first)}
	case len(r.Left) > 0:
		return failuresError{fmt.Errorf("%d pictures failed (%s): %s records why; export-batch --only-failed asks again", count(r.Left), classes(r.Left), dir)}
	}
	return nil
}

func count(failures map[caption.Class]int) (n int) {
	for _, k := range failures {
		n += k
	}
	return n
}
