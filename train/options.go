package train

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/split"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/hub"
	"github.com/mcil/mcil/train/kernel"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// ErrOptions is what Run and Pretrain wrap where options are at fault: alone, together, or for the data that they name.
var ErrOptions = errors.New("options that cannot be")

// Options say what to run. Zero means the default.
type Options struct {
	Data    string // folder of a prepared dataset
	Out     string // run folder
	Weights string // folder or file of weights, hf:OWNER/NAME[@REVISION] such as hf:dandelin/vilt-b32-mlm, or "random"
	Model   string // preset, for random weights: vilt-b32, small or tiny (the default)
	Method  string // default "ssf"
	Memory  MemoryOptions
	Classes string // which classes: see SelectClasses; default all
	// ClassOrder is natural, a seed of numpy's permutation of the classes selected, dataset (its class-order.txt), or a file
	// that split.Order reads; default 1993.
	ClassOrder string
	// ApplyOrientation turns pictures as their EXIF orientation says. ViLT's own reader does not.
	ApplyOrientation bool
	// MaxText is the number of tokens, [CLS] and [SEP] included, that longer captions are cut to; 0: as many as the model has
	// positions for. For more than that, its positions are stretched: see vilt.Weights.WithMaxText; random ones are drawn.
	MaxText int
	// TuneFromBlock is the first block, from 1 on and counted from 0, that is tuned: the outputs of those below are computed
	// once for a sample, and kept in Pictures, or in the run folder until the run is done, within Pictures.Bytes. 0: off.
	TuneFromBlock int
	Seed          uint64 // of initialisation, order and augmentation; default 1
	CacheBytes    int64  // memory for processed pictures; default 1 GiB
	Pictures      PictureCache
	Force         bool // start afresh where a run exists
	Schedule      method.Schedule
	Learning      LearningOptions
	Protocol

	Program  schemas.Program
	Getenv   func(string) string // reads the Hub's variables: see hub.Environment; default: none is set
	Progress func(Event)         // may be nil
}

// cpuPath names the instructions that the arithmetic uses. They are recorded because another processor rounds otherwise: a
// run that goes on there ends with figures that differ in the last digits.
func cpuPath() (string, error) {
	path, err := kernel.Path()
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, ErrOptions)
	}
	return path, nil
}

// Event is progress of a stage.
type Event struct {
	Stage       string // such as "phase 2 of 5: learn"; with a Total of 0 a remark, which is no stage
	Done, Total int
	Note        string // such as a loss
}

// WithDefaults returns o with every zero field at its default. Doing it twice changes nothing.
func (o Options) WithDefaults() Options {
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Model, "tiny"}, {&o.Method, "ssf"}, {&o.ClassOrder, "1993"}, {&o.Weights, "random"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	spec, _ := method.SpecOf(o.Method)
	if !spec.Replays {
		o.Memory.Exemplars = cmp.Or(o.Memory.Exemplars, memory.None)
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 30
	}
	o.Schedule = spec.ScheduleOf(o.Schedule)
	o.Protocol = o.Protocol.withDefaults()
	o.Memory = o.Memory.WithDefaults()
	o.Learning = o.Learning.withDefaults(spec, o.Memory.keeps(), o.Phases)
	return o
}

// Validate refuses what cannot be and what would have no effect. The error wraps [ErrOptions]. It takes options as they were
// given: with [Options.WithDefaults] filled in, what nobody asked for may be refused as of no effect.
func (o Options) Validate() error {
	err := cmp.Or(o.WithDefaults().validate(), o.checkGiven())
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrOptions)
	}
	return nil
}

// checkGiven refuses what was asked for, and is so by default too, but has no effect beside the rest.
func (o Options) checkGiven() error {
	if what := o.acrossPhases(); what != "" && o.WithDefaults().Phases == 1 {
		return Idlef("%s has no effect in a single phase: leave it out, or choose more phases", what)
	}
	if p := o.WithDefaults().Learning.Prompts; o.Learning.Prompts.KeyWeight != 0 && p.Pool > 0 && p.Pool == max(p.Top, 1) {
		return Idlef("key weight has no effect where every example takes all prompts of the pool: leave it out, or choose more")
	}
	return nil
}

// acrossPhases is what was asked for, of options as they were given, that is between phases; empty: nothing.
func (o Options) acrossPhases() string {
	l := o.Learning
	switch {
	case l.Distill != 0:
		return "distillation"
	case l.EaseAlpha != 0:
		return "ease alpha"
	case l.TunePhases == method.TuneFirst:
		return "tuning in the first phase alone"
	case o.Memory.Repair != 0:
		return "re-pairing"
	case l.Prompts.KeyWeight != 0 && o.Method == "dualprompt": // which has a prompt for each phase to choose from, and l2p more
		return "key weight"
	}
	return ""
}

// methodOptions are what the method is told, but for how many phases there will be.
func (o Options) methodOptions() method.Options {
	m := o.Learning.options()
	m.Schedule, m.TuneFromBlock, m.Seed = o.Schedule, o.TuneFromBlock, o.Seed
	return m
}

func (o Options) validate() error {
	spec, err := method.SpecOf(o.Method)
	if err != nil {
		return err
	}
	if err := spec.CheckSchedule(o.Schedule); err != nil {
		if spec.Still && o.Schedule.Validate() == nil { // it would be right with another method
			return Idlef("%w", err)
		}
		return err
	}
	if err := o.Memory.validate(); err != nil {
		return err
	}
	if o.Memory.keeps() && !spec.Replays {
		return Idlef("exemplars have no effect with method %s, which keeps no memory: leave them out", spec.Name)
	}
	if strings.HasPrefix(o.Weights, hub.Scheme) {
		if _, err := hub.Parse(o.Weights); err != nil {
			return err
		}
	}
	switch {
	case o.TuneFromBlock < 0:
		return fmt.Errorf("tune-from-block: %d: must be 1 or more, or 0 for all blocks", o.TuneFromBlock)
	case o.TuneFromBlock > 0 && !slices.Contains(spec.Reads, method.SettingTuneFromBlock):
		return Idlef("tune-from-block has no effect on method %s: leave it out", o.Method)
	}
	pictures := o.Pictures
	if o.TuneFromBlock > 0 && pictures.Dir == "" {
		pictures.Dir = filepath.Join(o.Out, prefixFolder) // which the size is of
	}
	for _, err := range []error{o.Protocol.validate(), o.Learning.validate(spec, o.Memory.keeps(), o.Phases), checkMaxText(o.MaxText), pictures.validate()} {
		if err != nil {
			return err
		}
	}
	return nil
}

// Settings is what run.json shows: everything that the user can set and that decides the result, as it takes effect.
func (o Options) Settings() map[string]any {
	o = o.WithDefaults()
	s := map[string]any{
		"data": o.Data, "weights": o.Weights, "method": o.Method, "classes": o.Classes,
		"class_order": o.ClassOrder, "seed": o.Seed, "batch_size": o.Schedule.BatchSize,
	}
	if spec, _ := method.SpecOf(o.Method); !spec.Still {
		s["epochs"], s["learning_rate"] = o.Schedule.Epochs, o.Schedule.LearningRate
		s["weight_decay"], s["warmup_fraction"] = o.Schedule.Decay(), o.Schedule.Warmup()
	}
	o.Protocol.settings(s)
	o.Learning.settings(s)
	if o.Weights == "random" {
		s["model"] = o.Model
	}
	if o.ApplyOrientation {
		s["exif_orientation"] = true
	}
	if o.MaxText != 0 {
		s["max_text"] = o.MaxText
	}
	if o.TuneFromBlock != 0 {
		s["tune_from_block"] = o.TuneFromBlock
	}
	o.Memory.into(s)
	return s
}

// digestOf is a digest of settings and of the content of data and weights; paths do not enter, so a moved folder resumes.
func digestOf(settings map[string]any, contents ...string) (string, error) {
	s := map[string]any{}
	for k, v := range settings {
		if k != "data" && k != "weights" && k != "class_order" { // the order itself is among the contents
			s[k] = v
		}
	}
	b, err := json.Marshal(s) // sorts keys
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, schemas.RunHeader, string(b), contents)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// SelectClasses returns the labels whose wnid or name matches one of the comma-separated globs of spec; "!glob" takes out.
// An empty spec selects all. The labels are increasing.
func SelectClasses(classes []dataset.Class, spec string) ([]int, error) {
	var selected []int
	globs := strings.FieldsFunc(spec, func(r rune) bool { return r == ',' || r == ' ' })
	onlyOut := true
	for _, g := range globs {
		onlyOut = onlyOut && strings.HasPrefix(g, "!")
	}
	for label, c := range classes {
		in := onlyOut
		for _, g := range globs {
			g, out := strings.CutPrefix(g, "!")
			for _, name := range []string{c.WNID, c.Name} {
				match, err := path.Match(g, name)
				if err != nil {
					return nil, fmt.Errorf("classes %q: %q is not a glob: %w: %w", spec, g, err, ErrOptions)
				}
				if match {
					in = !out
				}
			}
		}
		if in {
			selected = append(selected, label)
		}
	}
	if len(selected) < 2 {
		return nil, fmt.Errorf("classes %q select %d of %d classes: at least two are needed: %w", spec, len(selected), len(classes), ErrOptions)
	}
	return selected, nil
}

// inOrder puts labels into the order in which they are learned. A permutation is of the labels themselves; a file orders all
// classes of the dataset.
func inOrder(labels []int, spec string, data *dataset.Dataset) ([]int, error) {
	permutation, err := split.ClassOrder(spec, len(labels))
	if err == nil {
		ordered := make([]int, len(labels))
		for k, i := range permutation {
			ordered[k] = labels[i]
		}
		return ordered, nil
	}
	if spec == "dataset" {
		spec = filepath.Join(filepath.Dir(filepath.Clean(data.Dir)), "class-order.txt")
	}
	order, err := split.Order(spec, data.Classes, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrOptions)
	}
	return slices.DeleteFunc(order, func(label int) bool { return !slices.Contains(labels, label) }), nil
}
