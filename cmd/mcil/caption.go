package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/source"
	"github.com/mcil/mcil/schemas"
)

type captionCmd struct {
	Source string `required:"" placeholder:"SPEC" help:"Pictures: imagenet-r:PATH, food101:PATH, folder:PATH (folder or tar), or a bare path."`
	Out    string `required:"" placeholder:"CAPTIONS" help:"Folder of the caption store."`
	endpointFlags
	recipeFlags
	selectionFlags
	DryRun bool `help:"Say what would be asked, with bytes, tokens, time and price, and ask nothing."`
	priceFlags
	JSON bool `help:"Print the result as JSON."`
}

// defaultTimeout is what the flag's default says, for a command that is made without flags.
const defaultTimeout = 120 * time.Second

func (c *captionCmd) Validate() error {
	return cmp.Or(c.endpointFlags.check(), c.recipeFlags.check(), c.selectionFlags.check(), c.priceFlags.check(c.DryRun))
}

func (c *captionCmd) Run(ctx context.Context, e *env) error {
	endpoints, err := c.endpoints()
	if err != nil {
		return usageError{err}
	}
	asked, err := c.connect() // asks nothing yet: a URL that cannot be is told before anything is read
	if err != nil {
		return err
	}
	defer asked.close()
	w, err := openWork(ctx, e, c.Source, c.Out, &c.recipeFlags, &c.selectionFlags, modelOf(endpoints[0].url))
	if err != nil {
		return err
	}
	defer w.close()
	options := w.options
	options.Workers, options.Attempts, options.RetryBudget = c.Workers, c.Attempts, c.RetryBudget
	options.AttemptTimeout, options.Seed = cmp.Or(c.Timeout, defaultTimeout), 1
	if c.DryRun {
		return c.dryRun(ctx, e, w)
	}
	if len(w.plan.Entries) == 0 {
		e.log.Warn("no picture is selected: nothing is asked")
	}
	if w.plan.Missing+w.plan.Requeued > 0 { // before a store of this recipe begins; and what is all at hand needs no endpoint
		revision, err := asked.check(ctx, e, w.recipe.Model, options.AttemptTimeout)
		if err != nil {
			return err
		}
		if err := w.settle(e, revision); err != nil {
			return err
		}
	}
	if err := w.begin(e); err != nil {
		return err
	}
	options.Captioner, options.Store = asked, w.store
	options.Progress = func(p caption.Progress) {
		calls, tokens := asked.inFlight()
		e.progress.update("caption", p.Done, p.Total, note(p, calls, tokens))
	}
	result, err := caption.Run(ctx, options)
	if errors.Is(err, caption.ErrEndpoint) {
		asked.unavailable(e)
	}
	if err != nil {
		return errors.Join(err, w.store.Close())
	}
	e.progress.done()
	left, err := w.failures()
	if err := errors.Join(err, w.store.Close()); err != nil {
		return err
	}
	if result.BudgetSpent {
		e.log.Warn("the retry budget is spent: failures were recorded without asking again", "retries", result.Retries)
	}
	if result.LastRung > 0 {
		e.log.Warn("flagged captions are at the end of the ladder and stay", "captions", result.LastRung)
	}
	if c.JSON {
		if err := json.NewEncoder(e.stdout).Encode(map[string]any{
			"total": result.Total, "cached": result.Cached, "asked": result.Asked, "failed": result.Failed, "retries": result.Retries,
			"laddered": result.Laddered, "last_rung": result.LastRung, "failures": result.Failures, "failures_left": left,
			"prompt_tokens": result.PromptTokens, "completion_tokens": result.CompletionTokens,
		}); err != nil {
			return err
		}
	}
	return w.complain(left)
}

// note is what a progress line says beside its numbers.
func note(p caption.Progress, calls int, tokens int64) string {
	return fmt.Sprintf("%d asked, %d at hand (%.0f %%), %d failed, %d retries, %d in flight, %d tokens",
		p.Asked, p.Cached, 100*float64(p.Cached)/float64(max(1, p.Total)), p.Failed, p.Retries, calls, tokens)
}

// classes lists failures by class.
func classes(failures map[caption.Class]int) string {
	var parts []string
	for _, class := range failureClasses() {
		if n := failures[class]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", class, n))
		}
	}
	return strings.Join(parts, ", ")
}

// work is what a verb that asks for captions works on: pictures, a recipe and the store that holds its answers.
type work struct {
	pictures dataset.Source
	out      string // the store's folder as the user named it
	dir      string // that of the variant
	recipe   caption.Recipe
	store    *caption.Store // nil: there is none yet
	options  caption.Options
	plan     caption.Work
	told     bool // the user told the model's revision
}

// memoryLimitBytes makes the garbage collector work harder above it, so that a million pictures are captioned within 300 MB:
// what lives is about 130 bytes a picture listed and 75 a picture in the store, and what is in flight.
const memoryLimitBytes = 256 << 20

// openWork opens what is there, and makes nothing.
func openWork(ctx context.Context, e *env, spec, out string, recipe *recipeFlags, selected *selectionFlags, model string) (w *work, err error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimitBytes)
	}
	w = &work{out: out, told: recipe.ModelRevision != ""}
	if w.recipe, err = recipe.recipe(model); err != nil {
		return nil, err
	}
	if w.dir, err = caption.VariantDir(out, recipe.Variant); err != nil {
		return nil, err
	}
	if info, err := os.Stat(out); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("caption store %s: is a file: choose a folder: %w", out, dataset.ErrRefused)
	}
	if w.pictures, err = source.Open(ctx, spec); err != nil {
		return nil, err
	}
	if inside(w.pictures.Spec(), out) {
		_ = w.pictures.Close()
		return nil, usageError{fmt.Errorf("the caption store %s is inside the source, whose listing it would change: choose another folder", out)}
	}
	opened := w
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	if err = selected.apply(&w.options, w.pictures, w.recipe.Prompt); err != nil {
		return nil, err
	}
	var there schemas.CaptionsManifest
	switch err := schemas.ReadJSON(filepath.Join(w.dir, "manifest.json"), schemas.CaptionsHeader, &there); {
	case err == nil:
		w.recipe.Revision = cmp.Or(w.recipe.Revision, there.Revision)
		if err := w.begin(e); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case selected.OnlyFailed.given:
		return nil, fmt.Errorf("%s: there are no captions, and so no failures: leave --only-failed out, or correct the folder or --variant: %w", w.dir, caption.ErrNoStore)
	}
	w.options.Source, w.options.Store = w.pictures, w.store
	w.plan, err = caption.Plan(w.options)
	return w, err
}

// settle takes the revision that the endpoint tells, where the user gave none and no store began without it.
func (w *work) settle(e *env, revision string) error {
	switch {
	case revision == "" || revision == w.recipe.Revision:
	case w.told:
		e.log.Warn("the endpoint tells another revision than --model-revision, which is what is recorded", "endpoint", revision, "recorded", w.recipe.Revision)
	case w.recipe.Revision != "":
		return fmt.Errorf("the endpoint serves %s at revision %s, and %s holds captions of revision %s: use another --variant or --out: %w",
			w.recipe.Model, revision, w.dir, w.recipe.Revision, caption.ErrOtherRecipe)
	case w.store == nil:
		w.recipe.Revision = revision
	default:
		e.log.Warn("the endpoint tells a revision, and the store began without one: it is not recorded", "endpoint", revision)
	}
	return nil
}

// begin opens the store for more, or begins one.
func (w *work) begin(e *env) (err error) {
	if w.store != nil {
		return nil
	}
	if w.store, err = caption.CreateStore(w.dir, w.recipe, w.pictures.Spec(), e.program); err != nil {
		return err
	}
	if torn := w.store.Torn(); len(torn) > 0 {
		e.log.Warn("journals end in a line that a killed run left torn: its picture is asked for again", "journals", torn)
	}
	return nil
}

// failures counts, by class, the selected pictures whose last outcome is a failure, be it of this run or an earlier one.
func (w *work) failures() (map[caption.Class]int, error) {
	left := map[caption.Class]int{}
	if w.store == nil {
		return left, nil
	}
	if w.options.OnlyFailed { // what was not asked again failed, too
		o := w.options
		o.OnlyFailed, o.OnlyFailedClass, o.Requeue, o.Sample, o.Limit = false, "", nil, 0, 0
		whole, err := caption.Plan(o)
		if err != nil {
			return nil, err
		}
		w.plan.Entries = whole.Entries
	}
	selected := w.plan.Entries
	for c, err := range w.store.Failures() {
		if err != nil {
			return nil, err
		}
		for len(selected) > 0 && string(selected[0].ID) < c.ID { // both are sorted
			selected = selected[1:]
		}
		if len(selected) > 0 && string(selected[0].ID) == c.ID {
			left[caption.Class(c.ErrorClass)]++
		}
	}
	return left, nil
}

// complain is the error of a store that has failures left.
func (w *work) complain(left map[caption.Class]int) error {
	n := count(left)
	if n == 0 {
		return nil
	}
	return failuresError{fmt.Errorf("%d of %d pictures have no caption (%s): %s records why; --only-failed asks again", n, len(w.plan.Entries), classes(left), w.dir)}
}

func (w *work) close() {
	if w.store != nil {
		_ = w.store.Close() // what was written is closed already
	}
	if w.pictures != nil {
		_ = w.pictures.Close()
	}
}
