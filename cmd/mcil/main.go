// Command mcil builds multimodal class-incremental benchmarks and trains on them.
//
//	mcil synth     draw pictures in ImageNet-R's layout
//	mcil serve     run the embedded caption endpoint
//	mcil caption   ask an OpenAI-compatible endpoint for captions
//	mcil build     join pictures and captions into an Arrow dataset
//	mcil inspect   say what a path is
//	mcil pretrain  train a small backbone
//	mcil embed     write features of pictures and texts for numpy
//	mcil train     learn class after class
//	mcil sweep     a grid of such runs, and one table
//	mcil eval      the accuracy of a run on any dataset
//	mcil predict   what a run says of a picture with its caption
//	mcil report    tables, plots and a page from finished runs, or from captions
//	mcil demo      all of it
//
//	mcil export-batch  write the requests of mcil caption for the OpenAI Batch API
//	mcil import-batch  read its answers
//
// # Exit codes
//
//	0    done
//	1    the world failed: a full disk, a broken connection
//	2    usage: a flag that is unknown or cannot be
//	3    finished, with failures that are recorded
//	4    refused input
//	130  interrupted; what was finished is saved
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/caption/batch"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/synth"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/report"
	"github.com/mcil/mcil/train/sweep"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFailures    = 3
	exitRefused     = 4
	exitInterrupted = 130
)

// cli is every verb with its flags.
type cli struct {
	Synth       synthCmd       `cmd:"" help:"Draw pictures in ImageNet-R's layout."`
	Serve       serveCmd       `cmd:"" help:"Run the embedded caption endpoint: a stand-in without a language model."`
	Caption     captionCmd     `cmd:"" help:"Ask an OpenAI-compatible endpoint for captions. What is answered is not asked again."`
	ExportBatch exportBatchCmd `cmd:"" help:"Write the requests of mcil caption as files for the OpenAI Batch API."`
	ImportBatch importBatchCmd `cmd:"" help:"Read the Batch API's answers into a caption store."`
	Build       buildCmd       `cmd:"" help:"Join pictures and captions into an Arrow dataset."`
	Inspect     inspectCmd     `cmd:"" help:"Say what a source, caption store, dataset, run or exemplar memory is."`
	Pretrain    pretrainCmd    `cmd:"" help:"Train a small backbone where no published weights are at hand."`
	Embed       embedCmd       `cmd:"" help:"Write the features of pictures with their texts as a file for numpy."`
	Train       trainCmd       `cmd:"" help:"Learn a dataset's classes phase by phase."`
	Sweep       sweepCmd       `cmd:"" help:"Run a grid of mcil train, several at once, and make one table of what came out."`
	Eval        evalCmd        `cmd:"" help:"Measure a run on any dataset with its classes."`
	Predict     predictCmd     `cmd:"" help:"Ask a run what pictures with captions show."`
	Report      reportCmd      `cmd:"" help:"Make tables, plots and a page from finished runs, or compare the variants of a caption store."`
	Demo        demoCmd        `cmd:"" help:"Run all of it on drawn pictures and the embedded endpoint."`

	Config  kong.ConfigFlag  `help:"YAML file with flags of the verb (flag name: value). Flags on the command line win." placeholder:"FILE"`
	Version kong.VersionFlag `help:"Print the version."`
	// Supervised is for a process that another mcil starts: see [supervisedContext] and [sweep.Line].
	Supervised bool `hidden:""`
}

// env is what a verb may touch of the outside.
type env struct {
	stdout   io.Writer
	log      *slog.Logger
	progress *progress
	program  schemas.Program
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without the process: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) (code int) {
	var c cli
	program := programInfo()
	exited := -1
	parser, err := kong.New(&c, kong.Name("mcil"), kong.Description(description), kong.UsageOnError(),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { exited = n }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Configuration(loadConfig), kongVars(program.Version+" "+program.Go))
	if err != nil {
		panic(err) // the flags above are wrong
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err == nil {
		err = checkConfig(parsed, string(c.Config))
	}
	if err != nil {
		return complain(stderr, usageError{err})
	}
	e := &env{
		stdout: stdout, log: slog.New(slog.NewTextHandler(stderr, nil)), progress: newProgress(stderr), program: program,
	}
	var ctx context.Context
	var stop func()
	if c.Supervised {
		ctx, stop = supervisedContext(os.Stdin)
		e.progress.lines = &lineWriter{w: stderr}
		defer func() { e.progress.lines.say(sweep.Line{PeakBytes: peakBytes()}) }()
	} else {
		ctx, stop = interruptible(stderr)
	}
	defer stop()
	e.settings(parsed)
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(e)
	e.progress.done()
	return complain(stderr, err)
}

// kongVars are what the flags' help and choices name in ${}.
func kongVars(version string) kong.Vars {
	return kong.Vars{
		"version": version, "methods": strings.Join(method.Names(), ","), "aboutmethods": methodHelp(), "heads": strings.Join(method.Heads(), ", "), "exemplars": strings.Join(memory.Kinds(), ","),
		"failures": choices(failureClasses()), "flags": choices(flagNames()), "thresholds": thresholdNames(),
	}
}

const description = `Multimodal class-incremental learning: build MM-ImageNet-R, caption it again, train on it within a memory budget.`

// interruptible is a context that the first Ctrl-C ends, so that work in flight drains and is saved; the second aborts.
func interruptible(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		fmt.Fprintln(stderr, "\nmcil: interrupted: stopping where the same command can go on (again to abort)")
		cancel()
		if _, ok := <-signals; ok {
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// usageError is a mistake in flags.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// failuresError says that a verb finished and left failures that are recorded.
type failuresError struct{ error }

// complain prints an error as one line and returns the exit code for it.
func complain(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if code == exitInterrupted {
		fmt.Fprintln(stderr, "mcil: interrupted; run the same command again to go on")
		return code
	}
	fmt.Fprintln(stderr, "mcil:", oneLine(err))
	return code
}

// refusals are what the packages wrap where input is at fault.
var refusals = []error{
	schemas.ErrDamaged, dataset.ErrRefused, dataset.ErrNoSource, synth.ErrFolder, caption.ErrNoStore, caption.ErrOtherRecipe, report.ErrNoRun, batch.ErrNoExport, batch.ErrFolder,
}

// sentinels are what [exitCode] looks for; at the end of a message they only repeat it.
var sentinels = append([]error{caption.ErrEndpoint, train.ErrOptions, sweep.ErrFile}, refusals...)

// oneLine is the error's text in one line, without the sentinels that it may end with.
func oneLine(err error) string {
	s := strings.Join(strings.Fields(err.Error()), " ")
	for {
		i := slices.IndexFunc(sentinels, func(e error) bool { return errors.Is(err, e) && strings.HasSuffix(s, ": "+e.Error()) })
		if i < 0 {
			return s
		}
		s = strings.TrimSuffix(s, ": "+sentinels[i].Error())
	}
}

func exitCode(err error) int {
	var usage usageError
	var failures failuresError
	var unsupported *schemas.UnsupportedError
	var unfinished *report.UnfinishedError
	switch {
	case errors.As(err, &usage), errors.Is(err, train.ErrOptions), errors.Is(err, sweep.ErrFile):
		return exitUsage
	case errors.As(err, &failures):
		return exitFailures
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &unsupported), errors.As(err, &unfinished), errors.Is(err, fs.ErrNotExist),
		slices.ContainsFunc(refusals, func(e error) bool { return errors.Is(err, e) }):
		return exitRefused
	}
	return exitFailed
}

// settings prints what the verb goes by: its effective settings, where it has some that lie deeper than its flags, and the
// flags otherwise.
func (e *env) settings(k *kong.Context) {
	var attrs []any
	if verb, ok := k.Selected().Target.Addr().Interface().(interface{ effective(*env) map[string]any }); ok {
		settings := verb.effective(e)
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			attrs = append(attrs, name, settings[name])
		}
	} else {
		for _, f := range k.Selected().Flags {
			if f.Name != "help" && (f.HasDefault || !f.Target.IsZero()) {
				attrs = append(attrs, f.Name, fmt.Sprint(reflect.Indirect(f.Target).Interface()))
			}
		}
	}
	e.log.Info("mcil "+k.Selected().Name, attrs...)
}

// programInfo reads the version that the toolchain stamped into the binary.
func programInfo() schemas.Program {
	p := schemas.Program{Name: "mcil", Version: "devel", Go: runtime.Version()}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		p.Version = b.Main.Version
	}
	return p
}
