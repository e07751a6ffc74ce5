package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/sweep"
)

type sweepCmd struct {
	File   string   `arg:"" name:"file.yaml" help:"Which runs: train: flags of every run; grid: flags with the values that they take in turn; rows: named settings, crossed with the grid. Paths are relative to the file."`
	Out    string   `required:"" placeholder:"DIR" help:"Folder of the sweep: a run folder for each run, results.md, results.csv and results.json. What is done is not run again."`
	Cores  *int     `placeholder:"N" help:"Cores that the runs under way share. Results do not depend on it. Default: all."`
	Memory byteSize `placeholder:"SIZE" help:"Memory that the runs under way may take together, such as 16GiB. Default: what is free now, where the system tells."`
	Jobs   *int     `placeholder:"N" help:"Runs at once, at most. Default: as many as cores."`
	DryRun bool     `help:"Print the runs and start none."`
	Force  bool     `help:"Start every run afresh."`
	JSON   bool     `help:"Print how each run ended, and the table's rows, as JSON."`
}

func (c *sweepCmd) Validate() error {
	switch {
	case c.Cores != nil && (*c.Cores < 1 || *c.Cores > mostThreads):
		return fmt.Errorf("--cores=%d: choose 1 or more, such as %d, the number there is", *c.Cores, runtime.NumCPU())
	case c.Jobs != nil && *c.Jobs < 1:
		return fmt.Errorf("--jobs=%d: choose 1 or more", *c.Jobs)
	case c.DryRun && c.Force:
		return errors.New("--force has no effect with --dry-run: leave one out")
	}
	return nil
}

// sweepFile is the copy of the file in the sweep's folder, which tells whose the folder is.
const sweepFile = "sweep.yaml"

func (c *sweepCmd) Run(ctx context.Context, e *env) error {
	content, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	file, err := sweep.Parse(c.File, content)
	if err != nil {
		return err
	}
	flags := newTrainProgram(filepath.Dir(c.File))
	plan, err := file.Plan(flags)
	if err != nil {
		return err
	}
	for i := range plan.Jobs {
		plan.Jobs[i].Args = flags.placed(plan.Jobs[i].Args)
	}
	for _, note := range plan.Notes {
		e.log.Info(note)
	}
	if c.DryRun {
		return c.show(e.stdout, plan)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	release, err := claimSweep(c.Out, content)
	if err != nil {
		return err
	}
	defer release()
	o := sweep.Options{Program: program, Dir: c.Out, Cores: runtime.GOMAXPROCS(0), Memory: int64(c.Memory), Force: c.Force, Need: flags.need()}
	if c.Cores != nil {
		o.Cores = *c.Cores
	}
	if c.Jobs != nil {
		o.Most = *c.Jobs
	}
	if o.Memory == 0 {
		o.Memory = freeBytes()
	}
	e.log.Info("sweep", "runs", len(plan.Jobs), "cores", o.Cores, "memory", o.Memory)
	view := newSweepView(e.progress)
	o.Progress = view.update
	outcomes, err := sweep.Run(ctx, plan.Jobs, o)
	view.done()
	if err != nil {
		return err
	}
	return c.finish(ctx, e, outcomes)
}

// finish writes the results of the runs that are done, and tells of the others.
func (c *sweepCmd) finish(ctx context.Context, e *env, outcomes []sweep.Outcome) error {
	rows, err := writeResults(ctx, c.Out, outcomes)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(e.stdout).Encode(struct {
			Runs []sweep.Outcome      `json:"runs"`
			Rows []schemas.ResultsRow `json:"rows"`
		}{outcomes, rows})
	} else {
		err = printResults(e.stdout, rows)
	}
	if err != nil {
		return err
	}
	failed := 0
	for _, o := range outcomes {
		if o.State != sweep.Done {
			failed++
			e.log.Error("run failed", "run", o.Name, "error", o.Error)
		}
	}
	if failed > 0 {
		return failuresError{fmt.Errorf("%d of %d runs failed: the same command tries them again", failed, len(outcomes))}
	}
	return nil
}

// show prints the runs of a plan.
func (c *sweepCmd) show(w io.Writer, p sweep.Plan) error {
	if c.JSON {
		type run struct {
			Name     string         `json:"name"`
			Settings map[string]any `json:"settings"`
		}
		runs := []run{}
		for _, j := range p.Jobs {
			runs = append(runs, run{j.Name, j.Settings})
		}
		return json.NewEncoder(w).Encode(runs)
	}
	for _, j := range p.Jobs {
		line := j.Name + ":"
		for _, a := range j.Args {
			line += fmt.Sprintf(" --%s=%s", a.Key, a.Value)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// claimSweep makes dir the folder of a sweep, or finds that it is one, and keeps other sweeps out until release is called.
func claimSweep(dir string, content []byte) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err = schemas.Lock(f, dir); errors.Is(err, schemas.ErrLocked) {
		err = fmt.Errorf("%s: another mcil sweep is at work on it: wait for it, or give another --out: %w", dir, dataset.ErrRefused)
	}
	if err == nil {
		err = takeFolder(dir)
	}
	if err == nil {
		err = schemas.WriteFile(filepath.Join(dir, sweepFile), func(w io.Writer) error { _, err := w.Write(content); return err })
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// takeFolder refuses a folder with other things, and clears away what a killed sweep left.
func takeFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(dir, sweepFile))
	if err != nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !schemas.IsTemporary(e.Name()) }) {
		return fmt.Errorf("%s: the folder holds other things than a sweep: give another --out: %w", dir, dataset.ErrRefused)
	}
	return schemas.RemoveTemporary(dir)
}

// trainProgram is mcil train as [sweep.Program] asks for it.
type trainProgram struct {
	dir   string          // that paths are relative to
	flags map[string]bool // of mcil train
}

func newTrainProgram(dir string) trainProgram {
	p := trainProgram{dir, map[string]bool{}}
	for _, f := range trainParser(&trainOnly{}).Model.Children[0].Flags {
		p.flags[f.Name] = true
	}
	return p
}

// trainOnly is [cli] with one verb: it is asked often, and a parser of all verbs takes much longer to make.
type trainOnly struct {
	Train trainCmd `cmd:""`
}

// trainParser reads flags as the program does, and prints nothing.
func trainParser(c *trainOnly) *kong.Kong {
	parser, err := kong.New(c, kong.Name("mcil"), kongVars(""), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		panic(err) // the flags are wrong
	}
	return parser
}

func (p trainProgram) Known(key string) error {
	switch {
	case key == "seeds":
		return errors.New("each seed is a run: say grid: {seed: [1, 2, 3]}")
	case slices.Contains([]string{"out", "force", "json", "help", "threads", "workers", "config", "version", "supervised"}, key):
		return errors.New("the sweep says that to each run: leave it out")
	case !p.flags[key] && p.flags[strings.ReplaceAll(key, "_", "-")]:
		return fmt.Errorf("mcil train has no flag of that name: say %s", strings.ReplaceAll(key, "_", "-"))
	case !p.flags[key]:
		return errors.New("mcil train has no flag of that name")
	}
	return nil
}

func (p trainProgram) Settings(args []sweep.Arg) (map[string]any, error) {
	c, err := p.parse(p.placed(args))
	if err != nil {
		return nil, flagError{strings.TrimPrefix(oneLine(err), "train: "), errors.Is(err, train.ErrIdle)}
	}
	return c.effective(&env{progress: &progress{}}), nil
}

// flagError is what mcil train says to flags.
type flagError struct {
	text string
	idle bool // of one that has no effect
}

func (e flagError) Error() string        { return e.text }
func (e flagError) Is(target error) bool { return e.idle && target == sweep.ErrIdle }

func (p trainProgram) parse(args []sweep.Arg) (*trainCmd, error) {
	words := []string{"train", "--out=run"}
	for _, a := range args {
		words = append(words, "--"+a.Key+"="+a.Value)
	}
	var c trainOnly
	_, err := trainParser(&c).Parse(words)
	return &c.Train, err
}

// placed are arguments with their paths from here.
func (p trainProgram) placed(args []sweep.Arg) []sweep.Arg {
	placed := slices.Clone(args)
	for i, a := range placed {
		placed[i].Value = p.place(a)
	}
	return placed
}

// place makes a path in the file one from here. What is no path stays as it is.
func (p trainProgram) place(a sweep.Arg) string {
	path := false
	switch a.Key {
	case "data", "cache-dir":
		path = true
	case "weights":
		path = a.Value != "random" && !strings.HasPrefix(a.Value, "hf:")
	case "order":
		_, err := strconv.ParseUint(a.Value, 10, 64)
		path = err != nil && a.Value != "natural" && a.Value != "dataset"
	}
	if !path || a.Value == "" || filepath.IsAbs(a.Value) {
		return a.Value
	}
	return filepath.Join(p.dir, a.Value)
}

// need estimates the memory of runs. It asks once for those whose networks and data are alike.
func (p trainProgram) need() func(context.Context, sweep.Job) (int64, error) {
	type answer struct {
		bytes int64
		err   error
	}
	known := map[string]answer{}
	return func(ctx context.Context, j sweep.Job) (int64, error) {
		alike := map[string]any{}
		for key, v := range j.Settings {
			if !slices.Contains([]string{"seed", "epochs", "learning_rate", "weight_decay", "warmup_fraction", "class_order", "repair"}, key) {
				alike[key] = v
			}
		}
		b, err := json.Marshal(alike)
		if err != nil {
			return 0, err
		}
		a, ok := known[string(b)]
		if !ok {
			c, err := p.parse(j.Args)
			if err == nil {
				a.bytes, err = train.Need(ctx, c.options(&env{progress: &progress{w: io.Discard}}, ""))
			}
			a.err = err
			known[string(b)] = a
		}
		return a.bytes, a.err
	}
}
