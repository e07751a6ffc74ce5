package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/mcil/mcil/caption/batch"
	"github.com/mcil/mcil/caption/openai"
)

type exportBatchCmd struct {
	Source   string `required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH, food101:PATH, folder:PATH (folder or tar), or a bare path."`
	Captions string `required:"" placeholder:"CAPTIONS" help:"Folder of the caption store that the answers are for: what has a caption there is left out. It may not be there yet."`
	Out      string `required:"" placeholder:"DIR" help:"Empty folder for the requests: batch-0001.jsonl and so on, and what import-batch needs."`
	recipeFlags
	selectionFlags
	MaxBytes    byteSize `default:"190MB" placeholder:"BYTES" help:"Of a file at most; the Batch API takes 200 MB."`
	MaxRequests int      `default:"50000" help:"In a file at most; the Batch API takes 50,000."`
	JSON        bool     `help:"Print export.json."`
}

func (c *exportBatchCmd) Validate() error {
	if c.MaxRequests < 1 {
		return fmt.Errorf("--max-requests=%d: choose 1 or more", c.MaxRequests)
	}
	return cmp.Or(c.recipeFlags.check(), c.selectionFlags.check())
}

func (c *exportBatchCmd) Run(ctx context.Context, e *env) error {
	w, err := openWork(ctx, e, c.Source, c.Captions, &c.recipeFlags, &c.selectionFlags, defaultModel)
	if err != nil {
		return err
	}
	defer w.close()
	wire, err := offline()
	if err != nil {
		return err
	}
	defer wire.Close()
	m, err := batch.Export(ctx, c.Out, batch.Options{
		Source: w.pictures, Entries: w.plan.Entries, Store: w.store, Requeue: w.options.Requeue, Recipe: w.recipe, Wire: wire, Program: e.program,
		MaxBytes: int64(c.MaxBytes), MaxRequests: c.MaxRequests, Progress: e.progress.counter("export"),
	})
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		err = json.NewEncoder(e.stdout).Encode(m)
	} else {
		for _, f := range m.Files {
			if _, err := fmt.Fprintf(e.stdout, "%s: %d requests, %.1f MB\n", filepath.Join(c.Out, f.Name), f.Requests, float64(f.Bytes)/1e6); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(e.stdout, "%s: %d requests about %d pictures in %d files\n", c.Out, m.Requests, m.Pictures, len(m.Files))
	}
	if n := len(m.Refused); err == nil && n > 0 {
		err = failuresError{fmt.Errorf("%d pictures were left out: %s/export.json lists each with its reason, the first is %s: %s", n, c.Out, m.Refused[0].Name, m.Refused[0].Reason)}
	}
	return err
}

// offline is a client that makes requests and reads answers, and asks nobody.
func offline() (*openai.Client, error) {
	return openai.New(openai.Options{BaseURL: "http://batch.invalid/v1"})
}
