package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

type buildCmd struct {
	Source   string `required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH (folder or tar), or a bare path."`
	Captions string `required:"" placeholder:"CAPTIONS" help:"Caption store made by mcil caption."`
	Out      string `required:"" placeholder:"DATASET" help:"Folder of the dataset; it appears whole."`
	Split    string `default:"ratio:0.8" placeholder:"SPEC" help:"ratio:F, stratified and seeded, or a text file with the lines train, wnid/file.jpg ..., test, ..."`
	Seed     uint64 `default:"1" help:"Of a ratio split."`
	Layout   string `default:"hf" enum:"hf" help:"hf: Hugging Face's load_from_disk."`
	Force    bool   `help:"Replace a dataset made from other input."`
	JSON     bool   `help:"Print the manifest as JSON."`
}

func (c *buildCmd) Run(ctx context.Context, e *env) error {
	source, err := dataset.OpenSource(ctx, c.Source)
	if err != nil {
		return err
	}
	defer source.Close()
	store, err := caption.OpenStore(c.Captions)
	if err != nil {
		return err
	}
	defer store.Close()
	m := store.Manifest()
	classNames := map[string]string{}
	for _, class := range source.Classes() {
		classNames[class.WNID] = class.Name
	}
	if torn := store.Torn(); len(torn) > 0 {
		e.log.Warn("journals end in a line that a killed run left torn: mcil caption asks for its picture again", "journals", torn)
	}
	captions := map[dataset.ID]dataset.Caption{}
	for id, r := range store.Captions() {
		text := caption.Clean(r.Raw, m.Prompt)
		captions[id] = dataset.Caption{Text: text, ImageSHA256: r.ImageSHA256, CaptionInfo: dataset.CaptionInfo{
			Raw: r.Raw, Model: r.Model, Fingerprint: r.Fingerprint,
			Flags: caption.Check(text, r.Raw, r.FinishReason, m.Prompt, classNames[id.WNID()]),
		}}
	}
	manifest, err := dataset.Build(ctx, source, c.Out, dataset.BuildOptions{
		Split: dataset.SplitOptions{Spec: c.Split, Seed: c.Seed}, Program: e.program, Workers: runtime.GOMAXPROCS(0), Force: c.Force,
		About:    schemas.CaptionsSummary{Model: m.Model, Prompt: m.Prompt, Recipe: m.Recipe},
		Progress: e.progress.counter("build"),
		Captions: func(id dataset.ID) (dataset.Caption, bool) {
			c, ok := captions[id]
			return c, ok
		},
	})
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(manifest)
	}
	var rows []string
	for _, split := range []string{dataset.Train, dataset.Test} {
		rows = append(rows, fmt.Sprintf("%d %s", manifest.Rows[split], split))
	}
	fmt.Fprintf(e.stdout, "%s: %s rows of %d classes, captions of %.0f words on average by %s\n",
		c.Out, strings.Join(rows, " and "), len(manifest.Classes), manifest.Captions.MeanWords, manifest.Captions.Model)
	if n := len(manifest.Refused); n > 0 {
		return failuresError{fmt.Errorf("%d entries were left out: %s/manifest.json lists each with its reason, the first is %s: %s", n, c.Out, manifest.Refused[0].Name, manifest.Refused[0].Reason)}
	}
	return nil
}
