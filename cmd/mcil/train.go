package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// scheduleFlags are the flags of both verbs that learn.
type scheduleFlags struct {
	Epochs       int     `placeholder:"N" help:"Passes over the data. Default: 10, in pretraining 20."`
	BatchSize    int     `placeholder:"N" help:"Examples a step. Default: 32."`
	LearningRate float64 `placeholder:"R" help:"Peak learning rate of AdamW. Default: 0.01, in pretraining 0.001."`
	WeightDecay  float64 `placeholder:"D" help:"Decoupled weight decay of matrices; negative: none. Default: 0.02."`
	Warmup       float64 `placeholder:"F" help:"Share of the steps in which the rate rises; it then falls linearly. Default: 0.1."`
}

func (f scheduleFlags) schedule() method.Schedule {
	return method.Schedule{
		Epochs: f.Epochs, BatchSize: f.BatchSize, LearningRate: f.LearningRate, WeightDecay: f.WeightDecay, WarmupFraction: f.Warmup,
		Workers: runtime.GOMAXPROCS(0),
	}
}

// validate refuses what could not be or would be taken for the default.
func (f scheduleFlags) validate() error {
	switch {
	case f.Epochs < 0:
		return fmt.Errorf("--epochs=%d: choose 1 or more", f.Epochs)
	case f.BatchSize < 0:
		return fmt.Errorf("--batch-size=%d: choose 1 or more", f.BatchSize)
	case !(f.LearningRate >= 0 && f.LearningRate < 100):
		return fmt.Errorf("--learning-rate=%g: choose a small number above 0, such as 0.001", f.LearningRate)
	case !(f.WeightDecay < 100):
		return fmt.Errorf("--weight-decay=%g: choose a small number, such as 0.02", f.WeightDecay)
	case !(f.Warmup >= 0 && f.Warmup <= 1):
		return fmt.Errorf("--warmup=%g: choose a share of the steps between 0 and 1", f.Warmup)
	}
	return nil
}

type pretrainCmd struct {
	Data    string  `required:"" placeholder:"DATASET" help:"Dataset made by mcil build."`
	Out     string  `required:"" placeholder:"WEIGHTS" help:"Folder of weights to make."`
	Classes string  `placeholder:"GLOB,…" help:"Base classes by wnid or name, such as 'n9*'; !GLOB takes out. Default: all."`
	Model   string  `default:"tiny" enum:"tiny,small,vilt-b32" help:"Shape: tiny, small or vilt-b32."`
	Drop    float64 `placeholder:"F" help:"Share of patches and tokens left out of each example at random; negative: none. Default: 0.4."`
	Seed    uint64  `default:"1" help:"Of all that is random."`
	Force   bool    `help:"Start afresh where weights exist."`
	JSON    bool    `help:"Print the result as JSON."`
	scheduleFlags
}

func (c *pretrainCmd) Validate() error {
	if !(c.Drop < 1) {
		return fmt.Errorf("--drop=%g: choose a share below 1, or a negative number for none", c.Drop)
	}
	return c.scheduleFlags.validate()
}

func (c *pretrainCmd) Run(ctx context.Context, e *env) error {
	m, err := train.Pretrain(ctx, train.PretrainOptions{
		Data: c.Data, Out: c.Out, Model: c.Model, Classes: c.Classes, Drop: c.Drop, Seed: c.Seed, Force: c.Force, Schedule: c.schedule(),
		Program: e.program, Progress: e.progress.events(""),
	})
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(m)
	}
	fmt.Fprintf(e.stdout, "%s: %s on %d base classes, accuracy %.1f %% on held-out train rows\n", c.Out, c.Model, len(m.Classes), 100*m.Accuracy)
	return nil
}

type trainCmd struct {
	Data        string   `required:"" placeholder:"DATASET" help:"Dataset made by mcil build."`
	Out         string   `required:"" placeholder:"RUN" help:"Run folder. A run that exists is resumed, or left alone where it is done."`
	Method      string   `default:"ssf" enum:"${methods}" help:"How to learn: ${methods}."`
	Exemplars   string   `default:"masked" enum:"none,raw,masked" help:"Old examples in memory: none, raw (whole) or masked (arXiv 2412.09549)."`
	Budget      float64  `placeholder:"N" help:"Memory: as many bytes a class as N of its unmasked examples take. Default: 5."`
	BudgetBytes byteSize `placeholder:"SIZE" help:"Memory in all, such as 64MiB, shared alike by the classes seen, in place of --budget."`
	Phases      int      `default:"10" help:"Number of phases; the first takes the remainder."`
	Classes     string   `placeholder:"GLOB,…" help:"Classes to learn by wnid or name; !GLOB takes out. Default: all."`
	Order       string   `default:"1993" help:"Class order: natural (sorted wnids), or a seed of numpy's RandomState permutation."`
	Repair      float64  `placeholder:"P" help:"Probability that an exemplar is replayed with the text of another of its class; negative: never. Default: 0.5."`
	Weights     string   `default:"random" placeholder:"DIR" help:"Folder of weights (config.json, model.safetensors, vocab.txt), or random."`
	Model       string   `placeholder:"NAME" help:"Shape of random weights: tiny (the default), small or vilt-b32."`
	Seed        uint64   `default:"1" help:"Of all that is random. It does not change the class order."`
	Force       bool     `help:"Start afresh where a run exists."`
	JSON        bool     `help:"Print the report as JSON."`
	scheduleFlags
}

// Validate refuses what the flags alone show to be wrong; what needs the data is left to the run.
func (c *trainCmd) Validate() error {
	switch {
	case c.Exemplars == train.NoExemplars && (c.Budget != 0 || c.BudgetBytes != 0):
		return errors.New("--budget has no effect with --exemplars=none: leave it out, or choose raw or masked exemplars")
	case c.Exemplars == train.NoExemplars && c.Repair != 0:
		return errors.New("--repair has no effect with --exemplars=none: leave it out, or choose raw or masked exemplars")
	case c.Budget != 0 && c.BudgetBytes != 0:
		return errors.New("--budget and --budget-bytes: give one of them")
	case !(c.Budget >= 0 && c.Budget < 1e9):
		return fmt.Errorf("--budget=%g: choose a number of examples above 0", c.Budget)
	case !(c.Repair <= 1):
		return fmt.Errorf("--repair=%g: choose a probability between 0 and 1, or a negative number for never", c.Repair)
	case c.Phases < 1:
		return fmt.Errorf("--phases=%d: choose 1 or more", c.Phases)
	case c.Model != "" && c.Weights != "random":
		return fmt.Errorf("--model=%s has no effect beside --weights=%s, which has a shape of its own: leave it out", c.Model, c.Weights)
	case c.Model != "":
		if _, err := vilt.Preset(c.Model); err != nil {
			return fmt.Errorf("--model: %w", err)
		}
	}
	return c.scheduleFlags.validate()
}

func (c *trainCmd) options(e *env, name string) train.Options {
	return train.Options{
		Data: c.Data, Out: c.Out, Weights: c.Weights, Model: c.Model, Method: c.Method, Exemplars: c.Exemplars, Budget: c.Budget,
		BudgetBytes: int64(c.BudgetBytes), Phases: c.Phases, Classes: c.Classes, ClassOrder: c.Order, Repair: c.Repair, Seed: c.Seed,
		Force: c.Force, Schedule: c.schedule(), Program: e.program, Progress: e.progress.events(name),
	}
}

func (c *trainCmd) Run(ctx context.Context, e *env) error {
	r, err := train.Run(ctx, c.options(e, ""))
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	last := r.Phases[len(r.Phases)-1]
	_, err = fmt.Fprintf(e.stdout, "%s: average accuracy %.1f %%, last %.1f %%, forgetting %.1f points, %.1f exemplars a class in %d of %d bytes\n",
		c.Out, 100*r.AverageAccuracy, 100*r.LastAccuracy, 100*r.Forgetting, last.ExemplarsPerClass, last.MemoryUsedBytes, last.MemoryBudgetBytes)
	return err
}

// byteSize is a size on the command line: a number with an optional B, kB, MB, GB, KiB, MiB or GiB.
type byteSize int64

func (b *byteSize) UnmarshalText(text []byte) error {
	s := string(text)
	units := []struct {
		suffix string
		size   float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		var v float64
		if n, err := fmt.Sscanf(number+" ", "%g", &v); err != nil || n != 1 || !(v >= 0) || v*u.size > 1<<62 || fmt.Sprint(v) != number {
			return fmt.Errorf("%q is not a size such as 64MiB", s)
		}
		*b = byteSize(v * u.size)
		return nil
	}
	return nil
}
