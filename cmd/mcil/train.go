package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/vilt"
)

// scheduleFlags are flags of both verbs that learn, each of which sets the words in which they differ. What is left out is the
// method's own default: see method.Schedule.
type scheduleFlags struct {
	BatchSize   *int     `placeholder:"N" help:"Examples a step. Default: 32${batches}."`
	WeightDecay *float64 `placeholder:"DECAY" help:"Decoupled weight decay of matrices${decaying}; 0: none. Default: 0.02${decays}."`
	Warmup      *float64 `placeholder:"SHARE" help:"Share of the steps in which the rate rises; it then falls linearly${course}; 0: none. Default: 0.1${warmups}."`
}

// schedule says 0 in the way of method.Schedule, whose zero is the default.
func (f scheduleFlags) schedule(epochs *int, learningRate *float64, workers int) method.Schedule {
	s := method.Schedule{Epochs: value(epochs), BatchSize: value(f.BatchSize), LearningRate: value(learningRate), Workers: workers}
	if f.WeightDecay != nil {
		s.WeightDecay = orNone(*f.WeightDecay)
	}
	if f.Warmup != nil {
		s.WarmupFraction = orNone(*f.Warmup)
	}
	return s
}

// orNone is v, with the negative number that options have for none in the place of 0.
func orNone(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

// validate refuses what options would take for a default or for none.
func (f scheduleFlags) validate(epochs *int, learningRate *float64) error {
	switch {
	case epochs != nil && *epochs < 1:
		return fmt.Errorf("--epochs=%d: choose 1 or more", *epochs)
	case f.BatchSize != nil && (*f.BatchSize < 1 || *f.BatchSize > method.MostBatch):
		return fmt.Errorf("--batch-size=%d: choose 1 to %d", *f.BatchSize, method.MostBatch)
	case learningRate != nil && !(*learningRate > 0 && *learningRate < 100):
		return fmt.Errorf("--learning-rate=%g: choose a small number above 0, such as 0.001", *learningRate)
	case f.WeightDecay != nil && !(*f.WeightDecay >= 0 && *f.WeightDecay < 100):
		return fmt.Errorf("--weight-decay=%g: choose a small number, such as 0.02, or 0 for none", *f.WeightDecay)
	case f.Warmup != nil && !(*f.Warmup >= 0 && *f.Warmup < 1):
		return fmt.Errorf("--warmup=%g: choose a share of the steps from 0 to below 1", *f.Warmup)
	}
	return nil
}

type pretrainCmd struct {
	Data          string   `required:"" placeholder:"DATASET" help:"Dataset made by mcil build."`
	Out           string   `required:"" placeholder:"WEIGHTS" help:"Folder of weights to make."`
	Classes       string   `placeholder:"GLOB,…" help:"Base classes by wnid or name, such as 'n9*'; !GLOB takes out. Default: all."`
	Model         string   `default:"tiny" enum:"tiny,small,vilt-b32" help:"Shape: tiny, small or vilt-b32."`
	Epochs        *int     `placeholder:"N" help:"Passes over the data. Default: 20."`
	LearningRate  *float64 `placeholder:"RATE" help:"Peak learning rate of AdamW. Default: 0.001."`
	Drop          float64  `default:"0.4" help:"Share of patches and tokens left out of each example at random; 0: none."`
	MaxText       int      `placeholder:"N" help:"Tokens that captions are cut to, and text positions of the model. Default: as many as the shape has."`
	Orient        bool     `name:"exif-orientation" help:"Turn pictures as their EXIF orientation says. ViLT's own reader does not."`
	Seed          uint64   `default:"1" help:"Of all that is random."`
	Force         bool     `help:"Start afresh where weights exist."`
	JSON          bool     `help:"Print the result as JSON."`
	scheduleFlags `kong:"embed,set='batches=',set='decaying=',set='decays=',set='course=',set='warmups='"`
	resourceFlags
	cacheMemory
}

func (c *pretrainCmd) Validate() error {
	if err := shareBelowOne("drop", c.Drop); err != nil {
		return err
	}
	if c.Seed == 0 {
		return errors.New("--seed=0: choose 1 or more")
	}
	if err := c.scheduleFlags.validate(c.Epochs, c.LearningRate); err != nil {
		return err
	}
	if err := c.resourceFlags.validate(); err != nil {
		return err
	}
	return c.options(&env{}).Validate()
}

func (c *pretrainCmd) options(e *env) train.PretrainOptions {
	return train.PretrainOptions{
		Data: c.Data, Out: c.Out, Model: c.Model, Classes: c.Classes, Drop: orNone(c.Drop), ApplyOrientation: c.Orient, MaxText: c.MaxText, Seed: c.Seed, Force: c.Force,
		Schedule: c.schedule(c.Epochs, c.LearningRate, c.workers()), CacheBytes: int64(c.CacheMemory), Pictures: c.pictures(), Program: e.program, Progress: e.progress.events(""),
	}
}

func (c *pretrainCmd) effective(e *env) map[string]any { return c.options(e).Settings() }

func (c *pretrainCmd) Run(ctx context.Context, e *env) error {
	defer c.use()()
	m, err := train.Pretrain(ctx, c.options(e))
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
	Data         string   `required:"" placeholder:"DATASET" help:"Dataset made by mcil build."`
	Out          string   `required:"" placeholder:"RUN" help:"Run folder. A run that exists is resumed, or left alone where it is done."`
	Method       string   `default:"ssf" enum:"${methods}" help:"How to learn: ${aboutmethods}."`
	Classes      string   `placeholder:"GLOB,…" help:"Classes to learn by wnid or name; !GLOB takes out. Default: all."`
	Order        string   `default:"1993" help:"Class order: natural (by label), a seed of numpy's RandomState permutation of the classes learned, dataset (its class-order.txt), or a file of wnids."`
	Weights      string   `default:"random" placeholder:"DIR|FILE|hf:OWNER/NAME" help:"Published or own weights: hf:dandelin/vilt-b32-mlm, downloaded once into the Hugging Face cache (HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE count); a folder with config.json, model.safetensors or pytorch_model.bin, and vocab.txt; a file of weights (safetensors, .bin, or .ckpt of the original release) beside the other two; or random."`
	Model        string   `placeholder:"NAME" help:"Shape of random weights: tiny (the default), small or vilt-b32."`
	Epochs       *int     `placeholder:"N" help:"Passes over the data of a phase. Default: 10; 50 with coda-prompt."`
	LearningRate *float64 `placeholder:"RATE" help:"Peak learning rate of AdamW. Choose by --evaluate validation. Default: 0.01; 0.001875 with l2p and 0.001 with dualprompt, both constant, and 0.001 with coda-prompt, on a cosine."`
	FromBlock    *int     `name:"tune-from-block" placeholder:"K" help:"Tune block K and those behind it only, counted from 0 (so 1 to the number of blocks - 1), and the final norm. What comes out of the blocks below is computed once a sample and kept in half precision: in --cache-dir, or else in RUN until it is done, within --cache-size. What --augment or --mask-new changed is computed at each step, and not kept; an exemplar with another text (--repair) is a sample of its own. Default: every block and the patch embedding are tuned."`
	MaxText      int      `placeholder:"N" help:"Tokens that captions are cut to. Beyond the model's own, its text positions are interpolated. Default: the model's own, 40 as published."`
	Orient       bool     `name:"exif-orientation" help:"Turn pictures as their EXIF orientation says. ViLT's own reader does not."`
	Force        bool     `help:"Start afresh where a run exists."`
	JSON         bool     `help:"Print the report as JSON."`
	exemplarFlags
	protocolFlags
	learningFlags
	promptFlags
	scheduleFlags `kong:"embed,set='batches=; 24 with dualprompt and 128 with coda-prompt',set='decaying=, with l2p, dualprompt and coda-prompt of the classifier alone, for prompts never decay',set='decays=; none with l2p, dualprompt and coda-prompt',set='course=, but stays with l2p and dualprompt, and falls on a cosine with coda-prompt',set='warmups=; none with l2p, dualprompt and coda-prompt'"`
	resourceFlags
	cacheMemory
}

// Validate refuses what the flags alone show to be wrong; what needs the data is left to the run.
func (c *trainCmd) Validate() error {
	switch {
	case c.FromBlock != nil && *c.FromBlock < 1:
		return fmt.Errorf("--tune-from-block=%d: choose 1 or more, or leave it out to tune all blocks", *c.FromBlock)
	case c.Model != "" && c.Weights != "random":
		return train.Idlef("--model=%s has no effect beside --weights=%s, which has a shape of its own: leave it out", c.Model, c.Weights)
	case c.Model != "":
		if _, err := vilt.Preset(c.Model); err != nil {
			return fmt.Errorf("--model: %w", err)
		}
	}
	resources := c.resourceFlags
	if c.FromBlock != nil && resources.CacheDir == "" {
		resources.CacheSize = 0 // it is of the cache in the run folder
	}
	if err := errors.Join(c.exemplarFlags.validate(), c.scheduleFlags.validate(c.Epochs, c.LearningRate), c.protocolFlags.validate(), c.learningFlags.validate(), c.promptFlags.validate(), resources.validate()); err != nil {
		return err
	}
	return c.options(&env{}, "").Validate()
}

func (c *trainCmd) options(e *env, name string) train.Options {
	o := train.Options{
		Data: c.Data, Out: c.Out, Weights: c.Weights, Model: c.Model, Method: c.Method, Memory: c.memory(), Protocol: c.protocol(), Learning: c.learning(),
		Classes: c.Classes, ClassOrder: c.Order, ApplyOrientation: c.Orient, MaxText: c.MaxText, Seed: value(c.Seed),
		Force: c.Force, Schedule: c.schedule(c.Epochs, c.LearningRate, c.workers()), CacheBytes: int64(c.CacheMemory), Pictures: c.pictures(), Program: e.program, Getenv: os.Getenv, Progress: e.progress.events(name),
	}
	o.Learning.Prompts = c.prompts()
	if c.FromBlock != nil {
		o.TuneFromBlock = *c.FromBlock
	}
	return o
}

func (c *trainCmd) effective(e *env) map[string]any {
	s := c.options(e, "").Settings()
	if len(c.Seeds) > 0 {
		delete(s, "seed")
		s["seeds"] = c.Seeds
	}
	return s
}

func (c *trainCmd) Run(ctx context.Context, e *env) error {
	defer c.use()()
	if len(c.Seeds) > 0 {
		return c.several(ctx, e)
	}
	r, err := train.Run(ctx, c.options(e, ""))
	if err != nil {
		return err
	}
	e.progress.done()
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(r)
	}
	_, err = fmt.Fprintln(e.stdout, runLine(c.Out, r))
	return err
}

// runLine is what came out of a run.
func runLine(out string, r schemas.Report) string {
	last := r.Phases[len(r.Phases)-1]
	return fmt.Sprintf("%s: average accuracy %.1f %%, last %.1f %%, forgetting %.1f points, %.1f exemplars a class in %s",
		out, 100*r.AverageAccuracy, 100*r.LastAccuracy, 100*r.Forgetting, last.ExemplarsPerClass, memoryText(last))
}

// byteSize is a size on the command line: a number with an optional B, kB, MB, GB, KiB, MiB or GiB.
type byteSize int64

func (b *byteSize) UnmarshalText(text []byte) error {
	units := []struct {
		suffix string
		size   float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !(v > 0 && v*u.size <= 1<<62) {
			break
		}
		*b = byteSize(v * u.size)
		return nil
	}
	return fmt.Errorf("%q is not a size such as 64MiB", text)
}
