package main

import (
	"fmt"
	"strings"

	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/method"
)

// learningFlags say how a phase is learned. The paper says nothing of any of it: choose by --evaluate validation.
type learningFlags struct {
	Head               string   `placeholder:"KIND" help:"Classifier: ${heads}. The first is the default."`
	Distill            *float64 `placeholder:"WEIGHT" help:"Keep what the network said of old classes before the phase, with this weight in the loss. Default: 0, off."`
	DistillTemperature *float64 `placeholder:"T" help:"Temperature at which it is kept. Default: 2."`
	TunePhases         string   `placeholder:"WHICH" help:"Phases in which scale and shift are tuned: all (the default), one set in every phase; first: they stay as they are after the first phase, and the classifier alone goes on learning. Of ssf and finetune."`
	Mixing             string   `placeholder:"KIND" help:"natural (the default): each new example and each exemplar once an epoch; balanced: each class as often as the largest."`
	Augment            string   `placeholder:"NAME,…" help:"Change pictures at random, exemplars' too: flip, jitter. Default: none, as ViLT trains."`
	MaskNew            *float64 `placeholder:"SHARE" help:"Share of patches and tokens that new examples lose at random, so that they are like masked exemplars, of which the report tells the share kept. What these keep whole (--mask-image=all, --mask-text=all) stays whole, and what they replay black is black. Not of the paper. Default: 0, off."`

	AdapterWidth   *int     `placeholder:"N" help:"Width of adapters' narrow rows, of ease. Default: 64."`
	AdapterScale   *float64 `placeholder:"SCALE" help:"Of what adapters add to the stream. Default: 0.1."`
	AdapterDropout *float64 `placeholder:"SHARE" help:"Share of adapters' narrow rows that steps leave out; 0: none. Default: 0.1."`
	EaseAlpha      *float64 `placeholder:"WEIGHT" help:"Weight of the adapters of other phases than a class's own in an answer; 0: none. Default: 0.1."`
}

func (f learningFlags) validate() error {
	for _, p := range []struct {
		name string
		v    *float64
		ok   func(v float64) bool
		hint string
	}{
		{"distill", f.Distill, func(v float64) bool { return v >= 0 && v < 1e6 }, "a weight, such as 1, or 0 for none"},
		{"distill-temperature", f.DistillTemperature, func(v float64) bool { return v > 0 && v < 1e6 }, "a number above 0, such as 2"},
		{"mask-new", f.MaskNew, func(v float64) bool { return v >= 0 && v < 1 }, "a share from 0 to below 1"},
		{"adapter-scale", f.AdapterScale, func(v float64) bool { return v > 0 && v < 1e6 }, "a number above 0, such as 0.1"},
		{"adapter-dropout", f.AdapterDropout, func(v float64) bool { return v >= 0 && v < 1 }, "a share from 0 to below 1"},
		{"ease-alpha", f.EaseAlpha, func(v float64) bool { return v >= 0 && v < 1e6 }, "a weight, such as 0.1, or 0 for none"},
	} {
		if p.v != nil && !p.ok(*p.v) {
			return fmt.Errorf("--%s=%g: choose %s", p.name, *p.v, p.hint)
		}
	}
	if n := f.AdapterWidth; n != nil && *n < 1 {
		return fmt.Errorf("--adapter-width=%d: choose 1 or more", *n)
	}
	return nil
}

func (f learningFlags) learning() train.LearningOptions {
	l := train.LearningOptions{
		Head: f.Head, Distill: value(f.Distill), DistillTemperature: value(f.DistillTemperature), TunePhases: f.TunePhases, Mixing: f.Mixing, Augment: f.Augment, MaskNew: value(f.MaskNew),
		AdapterWidth: value(f.AdapterWidth), AdapterScale: value(f.AdapterScale),
	}
	if f.AdapterDropout != nil {
		l.AdapterDropout = orNone(*f.AdapterDropout)
	}
	if f.EaseAlpha != nil {
		l.EaseAlpha = orNone(*f.EaseAlpha)
	}
	return l
}

// methodHelp says what each method is, in one line.
func methodHelp() string {
	var all []string
	for _, s := range method.Specs() {
		all = append(all, fmt.Sprintf("%s (%s)", s.Name, s.About))
	}
	return strings.Join(all, "; ")
}
