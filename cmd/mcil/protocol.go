package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/report"
)

// protocolFlags say how classes are dealt into phases, what is measured, and how often all of it is done.
type protocolFlags struct {
	Phases    *int     `placeholder:"N" help:"Number of phases; the first takes the remainder. Default: 10."`
	Init      *int     `placeholder:"N" help:"Classes of the first phase, beside --increment. Default: as many."`
	Increment *int     `placeholder:"N" help:"Classes of each phase after the first, in place of --phases; the last has what is left."`
	Evaluate  string   `placeholder:"SPLIT" help:"Rows that accuracies are of: test (the default) or validation. Learning reads neither. Choose settings by validation rows, and look at test rows once."`
	Seed      *uint64  `placeholder:"N" help:"Of all that is random. It does not change the class order. Default: 1."`
	Seeds     []uint64 `placeholder:"N,…" help:"Several runs one after another, in RUN/seed-N, and their mean and standard deviation, in place of --seed."`
}

func (f protocolFlags) validate() error {
	positive := func(name string, n *int) error {
		if n != nil && *n < 1 {
			return fmt.Errorf("--%s=%d: choose 1 or more", name, *n)
		}
		return nil
	}
	if err := errors.Join(positive("phases", f.Phases), positive("init", f.Init), positive("increment", f.Increment)); err != nil {
		return err
	}
	switch {
	case f.Phases != nil && (f.Init != nil || f.Increment != nil):
		return train.Idlef("--phases: give it or --init and --increment, not both")
	case f.Init != nil && f.Increment == nil:
		return fmt.Errorf("--init=%d needs --increment, the number of classes of the phases after the first", *f.Init)
	case f.Seed != nil && len(f.Seeds) > 0:
		return errors.New("--seed: give it or --seeds, not both")
	case f.Seed != nil && *f.Seed == 0:
		return errors.New("--seed=0: choose 1 or more")
	}
	for i, seed := range f.Seeds {
		if seed == 0 || slices.Contains(f.Seeds[:i], seed) {
			return fmt.Errorf("--seeds=%d: choose 1 or more, each once", seed)
		}
	}
	return nil
}

func (f protocolFlags) protocol() train.Protocol {
	return train.Protocol{Phases: value(f.Phases), Init: value(f.Init), Increment: value(f.Increment), Evaluate: f.Evaluate}
}

// value is what p points to, or zero, which options take for their default.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// several runs o with one seed after another, each in a folder of its own, and says what came out of all.
func (c *trainCmd) several(ctx context.Context, e *env) error {
	if _, err := os.Stat(filepath.Join(c.Out, "run.json")); err == nil {
		return fmt.Errorf("run %s: is a run of one seed: give another --out for --seeds: %w", c.Out, dataset.ErrRefused)
	}
	var reports []schemas.Report
	for _, seed := range c.Seeds {
		o := c.options(e, fmt.Sprintf("seed %d, ", seed))
		o.Seed, o.Out = seed, filepath.Join(c.Out, fmt.Sprintf("seed-%d", seed))
		r, err := train.Run(ctx, o)
		if err != nil {
			return err
		}
		e.progress.done()
		reports = append(reports, r)
		if !c.JSON {
			fmt.Fprintln(e.stdout, runLine(o.Out, r))
		}
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(reports)
	}
	of := func(what func(schemas.Report) float64) string {
		var all []float64
		for _, r := range reports {
			all = append(all, 100*what(r))
		}
		s := report.NewStat(all)
		if s.N < 2 {
			return fmt.Sprintf("%.1f", s.Mean)
		}
		return fmt.Sprintf("%.1f ± %.1f", s.Mean, s.SD)
	}
	_, err := fmt.Fprintf(e.stdout, "%s: average accuracy %s %%, last %s %%, forgetting %s points: mean ± standard deviation of %d seeds\n", c.Out,
		of(func(r schemas.Report) float64 { return r.AverageAccuracy }), of(func(r schemas.Report) float64 { return r.LastAccuracy }),
		of(func(r schemas.Report) float64 { return r.Forgetting }), len(reports))
	return err
}
