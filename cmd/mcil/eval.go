package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mcil/mcil/dataset/layout"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
)

// useFlags are flags of the verbs that use a run.
type useFlags struct {
	Phase   int    `placeholder:"T" help:"Use what was learned after phase T, from 1. Default: the last phase that is finished."`
	Weights string `placeholder:"DIR|FILE|hf:OWNER/NAME" help:"Where the weights are that the run was trained on. Default: where they were then."`
}

func (f useFlags) open(ctx context.Context, e *env, run string, workers int, pictures train.PictureCache) (*train.Model, error) {
	return train.Open(ctx, run, train.OpenOptions{
		Phase: f.Phase, Weights: f.Weights, Workers: workers, Pictures: pictures, Getenv: os.Getenv, Progress: e.progress.events(""),
	})
}

func (f useFlags) validate() error {
	if f.Phase < 0 {
		return fmt.Errorf("--phase=%d: choose 1 or more, or leave it out for the last one", f.Phase)
	}
	return nil
}

type evalCmd struct {
	Run_        string  `arg:"" name:"run" help:"Run folder, finished or not."`
	Data        string  `required:"" placeholder:"DATASET" help:"Dataset made by mcil build, with classes of the run; others do not count."`
	Evaluate    string  `default:"test" enum:"test,validation" help:"Rows to evaluate on: test or validation."`
	DropPatches float64 `placeholder:"SHARE" help:"Leave this share of each picture's patches out, at random and the same for the same rows: how much is read in pictures, and whether gaps are taken for a sign of some classes. Default: 0."`
	DropTokens  float64 `placeholder:"SHARE" help:"The same of each caption's tokens. Default: 0."`
	Predictions string  `placeholder:"FILE.csv" help:"Write for each row its ID, class, the class predicted, and its probability."`
	JSON        bool    `help:"Print the accuracies as JSON."`
	useFlags
	resourceFlags
}

func (c *evalCmd) Validate() error {
	return errors.Join(shareBelowOne("drop-patches", c.DropPatches), shareBelowOne("drop-tokens", c.DropTokens), c.useFlags.validate(), c.resourceFlags.validate())
}

// shareBelowOne refuses what is no share in [0,1).
func shareBelowOne(flag string, share float64) error {
	if !(share >= 0 && share < 1) {
		return fmt.Errorf("--%s=%g: choose a share from 0 to below 1", flag, share)
	}
	return nil
}

func (c *evalCmd) Run(ctx context.Context, e *env) error {
	defer c.use()()
	data, err := layout.Open(c.Data)
	if err != nil {
		return err
	}
	defer data.Close()
	m, err := c.open(ctx, e, c.Run_, c.workers(), c.pictures())
	if err != nil {
		return err
	}
	defer m.Close()
	result, err := m.Evaluate(ctx, data, train.EvaluateOptions{Split: c.Evaluate, DropPatches: c.DropPatches, DropTokens: c.DropTokens})
	if err != nil {
		return err
	}
	e.progress.done()
	if c.Predictions != "" {
		if err := schemas.WriteFile(c.Predictions, func(w io.Writer) error { return writePredictions(w, result) }); err != nil {
			return err
		}
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(result)
	}
	return printEvaluation(e.stdout, result, m.Phases)
}

// printEvaluation prints the accuracy of each class and of all.
func printEvaluation(w io.Writer, r train.Evaluation, phases int) error {
	absent := 0
	for _, c := range r.Classes {
		if c.Rows == 0 {
			absent++
			continue
		}
		if _, err := fmt.Fprintf(w, "%5.1f %%  %4d rows  phase %d  %s %s\n", 100*c.Accuracy, c.Rows, c.Phase, c.WNID, c.Name); err != nil {
			return err
		}
	}
	var gaps []string
	if r.DropPatches > 0 {
		gaps = append(gaps, fmt.Sprintf("%.4g %% of patches", 100*r.DropPatches))
	}
	if r.DropTokens > 0 {
		gaps = append(gaps, fmt.Sprintf("%.4g %% of text tokens", 100*r.DropTokens))
	}
	without := ""
	if len(gaps) > 0 {
		without = ", without " + strings.Join(gaps, " and ")
	}
	_, err := fmt.Fprintf(w, "%s after phase %d of %d%s: accuracy %.2f %%, top-5 %.2f %% on %d %s rows of %d classes\n",
		r.Run, r.Phase, phases, without, 100*r.Accuracy, 100*r.Top5Accuracy, r.Rows, r.Split, len(r.Classes)-absent)
	if a := r.ByAge; err == nil && a != nil {
		_, err = fmt.Fprintf(w, "of earlier classes: accuracy %.2f %%, taken for one of phase %d's %.2f %%; of phase %d's classes: accuracy %.2f %%\n",
			100*a.OldAccuracy, r.Phase, 100*a.OldAsNew, r.Phase, 100*a.NewAccuracy)
	}
	if err == nil && absent > 0 {
		_, err = fmt.Fprintf(w, "%d classes of the run have no rows there\n", absent)
	}
	if err == nil && r.OtherRows > 0 {
		_, err = fmt.Fprintf(w, "%d rows of classes that it has not learned do not count\n", r.OtherRows)
	}
	return err
}

func writePredictions(w io.Writer, r train.Evaluation) error {
	c := csv.NewWriter(w)
	c.Write([]string{"id", "class", "predicted", "probability"})
	for _, p := range r.Confusions {
		c.Write([]string{string(p.ID), r.Classes[p.Class].WNID, r.Classes[p.Predicted].WNID, strconv.FormatFloat(p.Probability, 'f', 6, 64)})
	}
	c.Flush()
	return c.Error()
}
