package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/memory"
)

type demoCmd struct {
	Out       string   `default:"mcil-demo" placeholder:"DIR" help:"Folder for all that the demo makes."`
	Classes   int      `default:"40" help:"Drawn classes: one half is learned in pretraining, the other phase by phase."`
	PerClass  int      `default:"50" help:"Drawn pictures a class."`
	Phases    int      `default:"5" help:"Phases."`
	Budget    float64  `default:"2" help:"Memory, in unmasked examples a class."`
	Exemplars []string `default:"none,raw,masked" help:"Kinds of exemplars to compare."`
	Seeds     []uint64 `default:"1,2" help:"Seeds of the runs."`
	Base      int      `default:"40" placeholder:"EPOCHS" help:"Epochs of pretraining."`
	Epochs    int      `default:"6" help:"Epochs of each phase."`
	threadFlag
	Force bool `help:"Replace a dataset, weights and runs that an earlier demo made in another way."`
}

// Validate refuses at once what a later stage would refuse after minutes.
func (c *demoCmd) Validate() error {
	known := slices.DeleteFunc(memory.Kinds(), func(kind string) bool { return kind == memory.MRDC }) // which needs JPEG
	switch most := len(synth.Catalogue()); {
	case c.Classes < 4 || c.Classes > most:
		return fmt.Errorf("--classes=%d: choose 4 to %d", c.Classes, most)
	case c.PerClass < 2:
		return fmt.Errorf("--per-class=%d: choose 2 or more", c.PerClass)
	case c.Phases < 1 || c.Phases > c.Classes/2:
		return fmt.Errorf("--phases=%d: choose 1 to %d, for each phase needs a class of the %d that are learned in phases", c.Phases, c.Classes/2, c.Classes/2)
	case c.Base < 1 || c.Epochs < 1:
		return fmt.Errorf("--base=%d --epochs=%d: choose 1 or more", c.Base, c.Epochs)
	case !(c.Budget > 0 && c.Budget < 1e9):
		return fmt.Errorf("--budget=%g: choose a number of examples above 0", c.Budget)
	case len(c.Seeds) == 0 || len(c.Exemplars) == 0:
		return errors.New("--seeds and --exemplars: give at least one each")
	}
	for i, x := range c.Exemplars {
		if !slices.Contains(known, x) || slices.Contains(c.Exemplars[:i], x) {
			return fmt.Errorf("--exemplars=%s: choose from %s, each once", x, strings.Join(known, ","))
		}
	}
	for i, seed := range c.Seeds {
		if seed == 0 || slices.Contains(c.Seeds[:i], seed) {
			return fmt.Errorf("--seeds=%d: choose 1 or more, each once", seed)
		}
	}
	return c.threadFlag.validate()
}

// Run goes through every stage in turn. Each finds what an earlier, killed demo left and goes on from there.
func (c *demoCmd) Run(ctx context.Context, e *env) error {
	defer c.use()()
	at := func(name ...string) string { return filepath.Join(append([]string{c.Out}, name...)...) }
	pictures, captions, data, weights := at("pictures"), at("captions"), at("dataset"), at("backbone")
	for _, stage := range []interface {
		Run(context.Context, *env) error
	}{
		&synthCmd{Out: pictures, Classes: c.Classes, PerClass: c.PerClass, Seed: 1},
		&captionCmd{Source: pictures, Out: captions, endpointFlags: endpointFlags{Endpoint: "builtin", Workers: 4}},
		&buildCmd{Source: pictures, Captions: captions, Out: data, Split: "ratio:0.8", Val: 0.1, Order: "1993", Seed: 1, Layout: layout.Kinds(), Force: c.Force},
	} {
		if err := stage.Run(ctx, e); err != nil {
			return err
		}
	}
	base, fresh, err := halves(data)
	if err != nil {
		return err
	}
	batch, rate, baseRate := 8, 1e-2, 3e-3
	batches := scheduleFlags{BatchSize: &batch}
	pretrain := pretrainCmd{
		Data: data, Out: weights, Classes: base, Model: "tiny", Epochs: &c.Base, LearningRate: &baseRate, Drop: 0.4, Seed: 1, Force: c.Force, scheduleFlags: batches,
	}
	if err := pretrain.Run(ctx, e); err != nil {
		return err
	}
	var runs []string
	for _, seed := range c.Seeds {
		for _, exemplars := range c.Exemplars {
			name := fmt.Sprintf("%s-%d", exemplars, seed)
			t := trainCmd{
				Data: data, Out: at("runs", name), Method: "ssf", exemplarFlags: exemplarFlags{Exemplars: exemplars}, Classes: fresh, Order: "1993",
				Weights: weights, Epochs: &c.Epochs, LearningRate: &rate, Force: c.Force, scheduleFlags: batches, protocolFlags: protocolFlags{Phases: &c.Phases, Seed: &seed},
			}
			if exemplars != "none" {
				t.Budget = &c.Budget
			}
			if _, err := train.Run(ctx, t.options(e, name+", ")); err != nil {
				return fmt.Errorf("run %s: %w", name, err)
			}
			runs = append(runs, t.Out)
		}
	}
	e.progress.done()
	return (&reportCmd{Runs: runs, Out: at("report"), Title: "mcil demo: drawn pictures, measured captions"}).Run(ctx, e)
}

// halves deals a dataset's classes alternately into base classes and incremental ones, as selections for --classes.
func halves(dir string) (base, fresh string, err error) {
	d, err := layout.Open(dir)
	if err != nil {
		return "", "", err
	}
	defer d.Close()
	var parts [2][]string
	for i, c := range d.Classes {
		parts[i%2] = append(parts[i%2], c.WNID)
	}
	return strings.Join(parts[0], ","), strings.Join(parts[1], ","), nil
}
