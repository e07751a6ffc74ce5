package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/builtin"
	"github.com/mcil/mcil/caption/openai"
	"github.com/mcil/mcil/dataset"
)

type captionCmd struct {
	Source     string        `required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH (folder or tar), or a bare path."`
	Out        string        `required:"" placeholder:"CAPTIONS" help:"Folder of the caption store."`
	Endpoint   string        `default:"builtin" placeholder:"URL" help:"Base URL of an OpenAI-compatible API, such as http://host:8000/v1, or builtin: the embedded stand-in. The key, if one is needed, is read from OPENAI_API_KEY."`
	Model      string        `placeholder:"NAME" help:"Model to ask for. Default: Salesforce/instructblip-vicuna-7b, or the embedded endpoint's own."`
	Prompt     string        `placeholder:"TEXT" help:"What to ask, or @FILE with it. It may not tell the class."`
	Workers    int           `default:"8" help:"Calls at a time."`
	Timeout    time.Duration `default:"120s" help:"For one call."`
	Limit      int           `help:"Ask for the first N pictures only."`
	Shard      string        `placeholder:"i/n" help:"Ask for the i-th of n shares (from 0), dealt by a hash of the ID."`
	OnlyFailed bool          `help:"Ask for those only that failed before."`
	DryRun     bool          `help:"Say how many pictures would be asked for, and ask nothing."`
	JSON       bool          `help:"Print the result as JSON."`
}

// defaultModel is asked for where an endpoint is given without a model.
const defaultModel = "Salesforce/instructblip-vicuna-7b"

func (c *captionCmd) Run(ctx context.Context, e *env) error {
	selected, err := c.selection()
	if err != nil {
		return usageError{err}
	}
	recipe, err := c.recipe()
	if err != nil {
		return err
	}
	source, err := dataset.OpenSource(ctx, c.Source)
	if err != nil {
		return err
	}
	defer source.Close()
	if c.DryRun {
		return c.dryRun(e, source, selected)
	}
	url := c.Endpoint
	if url == "builtin" {
		server, err := builtin.Listen("127.0.0.1:0", builtin.Options{})
		if err != nil {
			return err
		}
		defer server.Close(context.WithoutCancel(ctx))
		url = server.URL()
	}
	client, err := openai.New(openai.Options{BaseURL: url, Model: recipe.Model, APIKey: os.Getenv("OPENAI_API_KEY"), Connections: c.Workers})
	if err != nil {
		return err
	}
	store, err := caption.CreateStore(c.Out, recipe, source.Spec(), e.program)
	if err != nil {
		return err
	}
	result, err := caption.Run(ctx, caption.Options{
		Source: source, Captioner: client, Store: store, Select: selected, OnlyFailed: c.OnlyFailed, Limit: c.Limit,
		Workers: c.Workers, AttemptTimeout: c.Timeout, Seed: 1,
		Progress: func(p caption.Progress) {
			e.progress.update("caption", p.Done, p.Total, fmt.Sprintf("%d asked, %d at hand, %d failed, %d retries", p.Asked, p.Cached, p.Failed, p.Retries))
		},
	})
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		if err := json.NewEncoder(e.stdout).Encode(result); err != nil {
			return err
		}
	}
	if result.Failed > 0 {
		return failuresError{fmt.Errorf("%d of %d pictures have no caption (%s): %s records why; --only-failed asks again", result.Failed, result.Total, classes(result.Failures), c.Out)}
	}
	return nil
}

func classes(failures map[caption.Class]int) string {
	var parts []string
	for _, class := range []caption.Class{caption.Network, caption.Timeout, caption.Rate, caption.Server, caption.Refused, caption.Malformed, caption.Empty, caption.BadImage} {
		if n := failures[class]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", class, n))
		}
	}
	return strings.Join(parts, ", ")
}

func (c *captionCmd) recipe() (caption.Recipe, error) {
	r := caption.Recipe{Model: c.Model, Prompt: c.Prompt}
	if r.Model == "" {
		r.Model = defaultModel
		if c.Endpoint == "builtin" {
			r.Model = builtin.Model
		}
	}
	if file, ok := strings.CutPrefix(c.Prompt, "@"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return r, fmt.Errorf("prompt: %w", err)
		}
		r.Prompt = strings.TrimSpace(string(b))
	}
	return r.WithDefaults(), nil
}

// selection is the share of --shard; nil is all.
func (c *captionCmd) selection() (func(dataset.Entry) bool, error) {
	if c.Shard == "" {
		return nil, nil
	}
	var i, n uint32
	if _, err := fmt.Sscanf(c.Shard, "%d/%d", &i, &n); err != nil || i >= n || fmt.Sprintf("%d/%d", i, n) != c.Shard {
		return nil, fmt.Errorf("--shard %s: must be i/n with i from 0 to n-1, such as 0/4", c.Shard)
	}
	return func(e dataset.Entry) bool {
		h := fnv.New32a()
		h.Write([]byte(e.ID))
		return h.Sum32()%n == i
	}, nil
}

func (c *captionCmd) dryRun(e *env, source dataset.Source, selected func(dataset.Entry) bool) error {
	have := map[dataset.ID]bool{}
	if store, err := caption.OpenStore(c.Out); err == nil {
		for id := range store.Captions() {
			have[id] = true
		}
	}
	var asked, all int
	var bytes int64
	for _, entry := range source.Entries() {
		if selected != nil && !selected(entry) || c.Limit > 0 && all == c.Limit {
			continue
		}
		all++
		if !have[entry.ID] {
			asked++
			bytes += entry.SizeBytes
		}
	}
	_, err := fmt.Fprintf(e.stdout, "%d pictures of %d classes selected, %d have captions, %d to ask (%.1f MB as found)\n",
		all, len(source.Classes()), all-asked, asked, float64(bytes)/1e6)
	return err
}
