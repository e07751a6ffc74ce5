package main

import (
	"cmp"
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
	"github.com/mcil/mcil/dataset/source"
)

type captionCmd struct {
	Source     string        `required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH, food101:PATH, folder:PATH (folder or tar), or a bare path."`
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

// defaultTimeout is what the flag's default says, for a command that is made without flags.
const defaultTimeout = 120 * time.Second

// defaultModel is asked for where an endpoint is given without a model.
const defaultModel = "Salesforce/instructblip-vicuna-7b"

func (c *captionCmd) Validate() error {
	switch {
	case c.Workers < 1:
		return fmt.Errorf("--workers=%d: choose 1 or more", c.Workers)
	case c.Timeout <= 0:
		return fmt.Errorf("--timeout=%s: choose a time such as 120s", c.Timeout)
	case c.Limit < 0:
		return fmt.Errorf("--limit=%d: choose 1 or more, or leave it out for all", c.Limit)
	case strings.ContainsAny(c.Endpoint, "@?#"): // settings are printed, so what may be secret ends here
		return errors.New("--endpoint: a base URL holds no credentials, query or fragment: give the key by OPENAI_API_KEY instead")
	}
	_, err := c.selection()
	return err
}

func (c *captionCmd) Run(ctx context.Context, e *env) error {
	selected, err := c.selection()
	if err != nil {
		return err
	}
	recipe, err := c.recipe()
	if err != nil {
		return err
	}
	pictures, err := source.Open(ctx, c.Source)
	if err != nil {
		return err
	}
	defer pictures.Close()
	options := caption.Options{
		Source: pictures, Select: selected, OnlyFailed: c.OnlyFailed, Limit: c.Limit,
		Workers: c.Workers, AttemptTimeout: cmp.Or(c.Timeout, defaultTimeout), Seed: 1,
		Progress: func(p caption.Progress) {
			e.progress.update("caption", p.Done, p.Total, fmt.Sprintf("%d asked, %d at hand, %d failed, %d retries", p.Asked, p.Cached, p.Failed, p.Retries))
		},
	}
	plan, err := c.plan(options)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.dryRun(e, pictures, plan)
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
	client, err := openai.New(openai.Options{BaseURL: url, APIKey: os.Getenv("OPENAI_API_KEY"), Connections: c.Workers})
	if err != nil {
		return usageError{err}
	}
	defer client.Close()
	if plan.Missing > 0 { // before a store of this recipe begins; and what is all at hand needs no endpoint
		if err := check(ctx, client, recipe.Model, options.AttemptTimeout); err != nil {
			return err
		}
	}
	store, err := caption.CreateStore(c.Out, recipe, pictures.Spec(), e.program)
	if err != nil {
		return err
	}
	if torn := store.Torn(); len(torn) > 0 {
		e.log.Warn("journals end in a line that a killed run left torn: its picture is asked for again", "journals", torn)
	}
	options.Captioner, options.Store = client, store
	result, err := caption.Run(ctx, options)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		if err := json.NewEncoder(e.stdout).Encode(map[string]any{
			"total": result.Total, "cached": result.Cached, "asked": result.Asked, "failed": result.Failed, "retries": result.Retries,
			"failures": result.Failures, "prompt_tokens": result.PromptTokens, "completion_tokens": result.CompletionTokens,
		}); err != nil {
			return err
		}
	}
	if result.Failed > 0 {
		return failuresError{fmt.Errorf("%d of %d pictures have no caption (%s): %s records why; --only-failed asks again", result.Failed, result.Total, classes(result.Failures), c.Out)}
	}
	return nil
}

// check asks the endpoint what it serves. It may take as long as one call.
func check(ctx context.Context, client *openai.Client, model string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return client.Check(ctx, model)
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
		if r.Prompt = strings.TrimSpace(string(b)); r.Prompt == "" { // an empty one would stand for the default
			return r, usageError{fmt.Errorf("prompt: %s is empty", file)}
		}
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

// plan says what a run of o would do, with the store that is there, if one is.
func (c *captionCmd) plan(o caption.Options) (caption.Work, error) {
	store, err := caption.OpenStore(c.Out)
	if err != nil && !errors.Is(err, caption.ErrNoStore) {
		return caption.Work{}, err
	}
	o.Store = store
	return caption.Plan(o), nil
}

func (c *captionCmd) dryRun(e *env, pictures dataset.Source, w caption.Work) error {
	all := len(w.Entries)
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(map[string]any{"total": all, "cached": all - w.Missing, "to_ask": w.Missing, "bytes": w.MissingBytes})
	}
	_, err := fmt.Fprintf(e.stdout, "%d pictures of %d classes selected, %d have captions, %d to ask (%.1f MB as found)\n",
		all, len(pictures.Classes()), all-w.Missing, w.Missing, float64(w.MissingBytes)/1e6)
	return err
}
