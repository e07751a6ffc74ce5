package train

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
	"github.com/mcil/mcil/train/tune"
)

// LearningOptions say how the examples of a phase are learned. Zero means the default. A method that does not read one of
// them refuses it.
type LearningOptions struct {
	Head               string  // kind of classifier: see method.Heads; default linear
	Distill            float64 // weight of what the network said before the phase; default 0: none
	DistillTemperature float64 // default 2
	TunePhases         string  // in which phases the encoder is tuned: see method.TunePhases; default all
	// Mixing is natural (the default: every new example and every exemplar once an epoch) or balanced (every class equally
	// often, for which exemplars are repeated).
	Mixing  string
	Augment string // see dataset.ParseAugment; default none, as ViLT trains
	// MaskNew is the share of patches and tokens that new examples lose at random, each time others, so that they look more
	// like masked exemplars, in [0,1); default 0. What masked exemplars keep whole, the picture or the text, new examples keep
	// too, and what they replay black is black. Beside whole exemplars it is the new ones alone that have gaps. The paper has
	// no such thing; CIM compresses new examples likewise.
	MaskNew float64

	AdapterWidth   int     // of adapters' narrow rows; default 64
	AdapterScale   float64 // of what adapters add; default 0.1
	AdapterDropout float64 // of adapters' narrow rows, in steps; default 0.1, negative: none
	EaseAlpha      float64 // weight of the subspaces that are not of a class's own phase; default 0.1, negative: none

	Prompts method.Prompts // see there
}

// Mixings.
const (
	mixingNatural  = "natural"
	mixingBalanced = "balanced"
)

// Mixings lists the words of LearningOptions.Mixing, the default first.
func Mixings() []string { return []string{mixingNatural, mixingBalanced} }

// withDefaults fills in what the method reads. phases is 0 where their number shows with the classes only.
func (l LearningOptions) withDefaults(spec method.Spec, keeps bool, phases int) LearningOptions {
	if l.Head == "" && slices.Contains(spec.Reads, method.SettingHead) {
		l.Head = method.Heads()[0]
	}
	if slices.Contains(spec.Reads, method.SettingAdapterWidth) {
		a := l.adapter().WithDefaults()
		l.AdapterWidth, l.AdapterScale, l.AdapterDropout = a.Width, a.Scale, a.Dropout
	}
	if slices.Contains(spec.Reads, method.SettingEaseAlpha) && phases > 1 {
		l.EaseAlpha = method.EaseOptions{Alpha: l.EaseAlpha}.WithDefaults().Alpha
	}
	if p, err := spec.FitPrompts(l.Prompts, 0, 0); err == nil {
		l.Prompts = p
	}
	d := l.distill().WithDefaults()
	l.DistillTemperature = d.Temperature
	if l.Mixing == "" && keeps {
		l.Mixing = mixingNatural
	}
	if a, err := dataset.ParseAugment(l.Augment); err == nil {
		l.Augment = a.String()
	}
	return l
}

func (l LearningOptions) distill() method.Distill {
	return method.Distill{Weight: l.Distill, Temperature: l.DistillTemperature}
}

func (l LearningOptions) adapter() tune.AdapterOptions {
	return tune.AdapterOptions{Width: l.AdapterWidth, Scale: l.AdapterScale, Dropout: l.AdapterDropout}
}

// copies says whether examples are changed for each step, which takes memory of its own.
func (l LearningOptions) copies() bool {
	return l.MaskNew > 0 || l.Augment != "" && l.Augment != "none"
}

// validate refuses what cannot be, and what would have no effect, of options with their defaults.
func (l LearningOptions) validate(spec method.Spec, keeps bool, phases int) error {
	type setting struct {
		name  string
		given bool
	}
	settings := []setting{
		{method.SettingHead, l.Head != ""},
		{method.SettingDistill, l.Distill != 0},
		{method.SettingDistillTemperature, l.DistillTemperature != 0},
		{method.SettingTunePhases, l.TunePhases != ""},
		{method.SettingAdapterWidth, l.AdapterWidth != 0},
		{method.SettingAdapterScale, l.AdapterScale != 0},
		{method.SettingAdapterDropout, l.AdapterDropout != 0},
		{method.SettingEaseAlpha, l.EaseAlpha != 0},
	}
	for _, name := range slices.Sorted(maps.Keys(l.Prompts.Settings())) {
		settings = append(settings, setting{name, true})
	}
	for _, s := range settings {
		if s.given && !slices.Contains(spec.Reads, s.name) {
			return Idlef("%s has no effect with method %s: leave it out", strings.ReplaceAll(s.name, "_", " "), spec.Name)
		}
	}
	if _, err := dataset.ParseAugment(l.Augment); err != nil {
		return err
	}
	switch {
	case spec.Still && l.copies():
		return Idlef("changing examples at random has no effect with method %s, which takes no steps: leave it out", spec.Name)
	case l.DistillTemperature != 0 && l.Distill == 0:
		return Idlef("a temperature of distillation has no effect without its weight: leave it out, or give a weight")
	case l.Mixing != "" && !slices.Contains(Mixings(), l.Mixing):
		return fmt.Errorf("mixing %q: use one of %v", l.Mixing, Mixings())
	case l.Mixing != "" && !keeps:
		return Idlef("mixing has no effect without exemplars: leave it out, or choose raw, masked, mrdc or cim exemplars")
	case !(l.MaskNew >= 0 && l.MaskNew < 1):
		return fmt.Errorf("share of new examples that is masked: %g: must be from 0 to below 1", l.MaskNew)
	}
	if _, err := spec.FitPrompts(l.Prompts, 0, phases); err != nil {
		return err
	}
	return l.options().Validate()
}

// options are what the method is told of these.
func (l LearningOptions) options() method.Options {
	return method.Options{
		Head: l.Head, Distill: l.distill(), TunePhases: l.TunePhases, Adapter: l.adapter(), Ease: method.EaseOptions{Alpha: l.EaseAlpha}, Prompts: l.Prompts,
	}
}

// settings adds what applies, of options with their defaults.
func (l LearningOptions) settings(s map[string]any) {
	if l.Head != "" {
		s[method.SettingHead] = l.Head
	}
	if l.Distill != 0 {
		s[method.SettingDistill], s[method.SettingDistillTemperature] = l.Distill, l.DistillTemperature
	}
	if l.TunePhases == method.TuneFirst { // all is what there was before there was a choice
		s[method.SettingTunePhases] = l.TunePhases
	}
	if l.Mixing != "" {
		s["mixing"] = l.Mixing
	}
	if l.AdapterWidth != 0 {
		s[method.SettingAdapterWidth], s[method.SettingAdapterScale], s[method.SettingAdapterDropout] = l.AdapterWidth, l.AdapterScale, max(0, l.AdapterDropout)
	}
	if l.EaseAlpha != 0 {
		s[method.SettingEaseAlpha] = max(0, l.EaseAlpha)
	}
	s["augment"] = l.Augment
	if l.MaskNew != 0 {
		s["mask_new"] = l.MaskNew
	}
	maps.Copy(s, l.Prompts.Settings())
}

// lesson is what there is to learn in phase t: the new classes' examples, and what the memory replays.
func (r *run) lesson(t int) (method.Lesson, error) {
	l := r.o.Learning
	augment, err := dataset.ParseAugment(l.Augment)
	if err != nil {
		return method.Lesson{}, err
	}
	fresh := r.subset(r.data.Splits[dataset.Train], r.phases[t])
	learned := fresh
	if spec, _ := method.SpecOf(r.o.Method); spec.Joint {
		learned = r.subset(r.data.Splits[dataset.Train], slices.Concat(r.phases[:t+1]...))
	}
	replay := r.o.Memory.replay()
	black := replay.Black
	replay.Black = false // black is put in last: brightness and contrast are of what was kept, and leave black as it is
	augment.Items = dataset.Concat{r.thinned(learned), r.store.Replay(replay)}
	var items dataset.Items = augment
	if black {
		items = blackened{augment, r.patchPx()}
	}
	if l.Mixing != mixingBalanced {
		return method.Lesson{Items: items, Fresh: fresh}, nil
	}
	groups := make([][]int, r.seen(t))
	for i, row := range fresh.Indices {
		label := r.position[fresh.Rows.Label(row)]
		groups[label] = append(groups[label], i)
	}
	for i, e := range r.store.All() {
		groups[e.Label] = append(groups[e.Label], fresh.Len()+i)
	}
	return method.Lesson{Items: dataset.Balance(items, groups), Fresh: fresh}, nil
}

// thinned takes from new examples at random what masked exemplars lack: else a whole picture is a sign of a new class. Beside
// other exemplars it takes from both modalities.
func (r *run) thinned(items dataset.Items) dataset.Items {
	t := dataset.Thin{Items: items, Drop: r.o.Learning.MaskNew}
	m := r.o.Memory
	if m.Exemplars == memory.Masked {
		t.KeepImage, t.KeepText = m.Mask.Image == memory.All, m.Mask.Text == memory.All
	}
	return t
}

// blackened is items whose missing patches are black.
type blackened struct {
	dataset.Items
	patchPx int
}

func (b blackened) Sample(ctx context.Context, i int, rng *rand.Rand) (dataset.Sample, error) {
	s, err := b.Items.Sample(ctx, i, rng)
	if err != nil || len(s.PatchPos) == s.GridH*s.GridW {
		return s, err
	}
	return memory.Blacken(s, b.patchPx), nil
}
