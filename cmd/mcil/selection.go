package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mcil/mcil/caption"
	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// selectionFlags choose pictures: first the share, then by what is stored, then the sample, then the limit.
type selectionFlags struct {
	shardFlags
	OnlyFailed failureChoice `placeholder:"CLASS" help:"Only those that failed before; =CLASS: only with that class of failure: ${failures}."`
	Requeue    flagChoice    `name:"requeue-flagged" placeholder:"FLAG,..." help:"Ask again, from the next rung of the ladder on, for captions that carry a flag; =FLAG,...: one of these: ${flags}."`
	Sample     int           `placeholder:"N" help:"Only N pictures, drawn at random, as many of each class."`
	Seed       uint64        `default:"1" help:"Of the sample."`
	Limit      int           `placeholder:"N" help:"Only the first N pictures."`
	thresholdFlags
}

func (f *selectionFlags) check() error {
	switch {
	case f.Limit < 0:
		return fmt.Errorf("--limit=%d: choose 1 or more, or leave it out for all", f.Limit)
	case f.Sample < 0:
		return fmt.Errorf("--sample=%d: choose 1 or more, or leave it out for all", f.Sample)
	case len(f.Threshold) > 0 && !f.Requeue.given:
		return errors.New("--threshold has no effect without --requeue-flagged")
	}
	if _, err := f.share(os.Getenv); err != nil {
		return err
	}
	_, err := f.thresholds()
	return err
}

// apply puts the choice into the options of a run over the pictures. prompt is the recipe's.
func (f *selectionFlags) apply(o *caption.Options, pictures dataset.Source, prompt string) error {
	s, err := f.share(os.Getenv)
	if err != nil {
		return usageError{err}
	}
	t, err := f.thresholds()
	if err != nil {
		return err
	}
	o.Select, o.OnlyFailed, o.OnlyFailedClass = s.selects(), f.OnlyFailed.given, f.OnlyFailed.class
	o.Sample, o.SampleSeed, o.Limit = f.Sample, f.Seed, f.Limit
	if f.Requeue.given {
		names := f.Requeue.flags
		if len(names) == 0 {
			names = flagNames()
		}
		entries := pictures.Entries()
		o.Requeue = func(c schemas.Caption) bool {
			prompt := prompt // with what the picture's own had in place of variables
			if i, ok := slices.BinarySearchFunc(entries, dataset.ID(c.ID), func(e dataset.Entry, id dataset.ID) int { return cmp.Compare(e.ID, id) }); ok {
				prompt = caption.PromptFor(prompt, entries[i], pictures.Classes())
			}
			return caption.Has(t.Check(caption.Clean(c.Raw, prompt), c.Raw, c.FinishReason, prompt), names...)
		}
	}
	return nil
}

// failureClasses are the classes in the order in which they are shown.
func failureClasses() []caption.Class {
	return []caption.Class{caption.Network, caption.Timeout, caption.Rate, caption.Server, caption.Refused, caption.Malformed, caption.Empty, caption.BadImage}
}

// flagNames are the flags that one caption has by itself.
func flagNames() []string {
	return []string{
		caption.FlagCharacterRun, caption.FlagCutOff, caption.FlagEmpty, caption.FlagMixedScripts, caption.FlagPrefixOnly, caption.FlagEcho, caption.FlagRepetition,
	}
}

// choices lists values for help and errors.
func choices[T ~string](all []T) string {
	var names []string
	for _, x := range all {
		names = append(names, string(x))
	}
	return strings.Join(names, ", ")
}

// failureChoice is a flag with or without a class of failures.
type failureChoice struct {
	given bool
	class caption.Class
}

var _ kong.BoolMapperValue = (*failureChoice)(nil)

// IsBool lets the flag stand without a value.
func (*failureChoice) IsBool() bool { return true }

// Decode implements [kong.MapperValue].
func (f *failureChoice) Decode(ctx *kong.DecodeContext) error {
	value, err := optional(ctx)
	if err != nil || value == "false" {
		return err
	}
	f.given = true
	if value == "" || value == "true" {
		return nil
	}
	f.class = caption.Class(value)
	if !slices.Contains(failureClasses(), f.class) {
		return fmt.Errorf("%q is no class of failures: choose one of %s", value, choices(failureClasses()))
	}
	return nil
}

func (f failureChoice) String() string {
	if f.class != "" {
		return string(f.class)
	}
	return fmt.Sprint(f.given)
}

// flagChoice is a flag with or without names of flags on captions.
type flagChoice struct {
	given bool
	flags []string
}

var _ kong.BoolMapperValue = (*flagChoice)(nil)

// IsBool lets the flag stand without a value.
func (*flagChoice) IsBool() bool { return true }

// Decode implements [kong.MapperValue].
func (f *flagChoice) Decode(ctx *kong.DecodeContext) error {
	value, err := optional(ctx)
	if err != nil || value == "false" {
		return err
	}
	f.given = true
	if value == "" || value == "true" {
		return nil
	}
	for name := range strings.SplitSeq(value, ",") {
		if !slices.Contains(flagNames(), name) {
			return fmt.Errorf("%q is no flag of a caption by itself: choose from %s", name, choices(flagNames()))
		}
		f.flags = append(f.flags, name)
	}
	return nil
}

func (f flagChoice) String() string {
	if len(f.flags) > 0 {
		return strings.Join(f.flags, ",")
	}
	return fmt.Sprint(f.given)
}

// optional is the value behind a flag's =, or "".
func optional(ctx *kong.DecodeContext) (string, error) {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return "", nil
	}
	switch v := ctx.Scan.Pop().Value.(type) {
	case string:
		return v, nil
	case bool:
		return fmt.Sprint(v), nil
	default:
		return "", fmt.Errorf("%v is not a value", v)
	}
}
