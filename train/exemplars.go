package train

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// MemoryOptions say which old examples are kept, in which form, and how much of them. Zero means the default; what the kind
// of exemplars does not read is refused. Package memory says what each means.
type MemoryOptions struct {
	Exemplars string // none, raw, masked (the default), mrdc or cim

	// Exactly one of three; default: Budget 5.
	Budget      float64 // for each class, in samples, as memory.Worth counts them
	BudgetTotal float64 // in all, in samples, shared by the classes seen
	BudgetBytes int64   // in all, shared by the classes seen
	BudgetUnit  string  // what the budget counts: stored (the default), pixels or tokens

	Codec       string  // how pixels are stored: raw (the default) or jpeg
	JPEGQuality int     // of codec jpeg, 1 to 100; default 90
	Replay      string  // of masked exemplars: drop (the default) leaves out what was not kept, black replays it as black patches
	Repair      float64 // probability of another text of the class at replay; default 0.5, negative: never

	// Herding says what masked exemplars are herded by: the features of the whole example (whole, the default), or of what would be
	// stored of it, as it is replayed (stored). mrdc and cim always herd by what they store, and of raw exemplars that is the whole.
	Herding string

	Mask memory.MaskOptions // of masked exemplars; layer, heads and token also of cim's map

	MRDCQualities []int   // of JPEG that are tried; default 10, 25, 50, 75, 90, as far as they are not above JPEGQuality
	MRDCEpsilon   float64 // how far from 1 the ratio of volumes may be; default 0.1
	Box           memory.BoxOptions
}

// Ways to replay masked exemplars.
const replayDrop, replayBlack = "drop", "black"

// What masked exemplars are herded by.
const herdWhole, herdStored = "whole", "stored"

// WithDefaults returns o with every zero field that its kind reads at its default. Doing it twice changes nothing.
func (o MemoryOptions) WithDefaults() MemoryOptions {
	o.Exemplars = cmp.Or(o.Exemplars, memory.Masked)
	if !o.keeps() {
		return o
	}
	if o.Budget == 0 && o.BudgetTotal == 0 && o.BudgetBytes == 0 {
		o.Budget = 5
	}
	o.BudgetUnit, o.Codec = cmp.Or(o.BudgetUnit, string(memory.Stored)), cmp.Or(o.Codec, schemas.CodecRaw)
	if o.Codec == schemas.CodecJPEG {
		o.JPEGQuality = cmp.Or(o.JPEGQuality, memory.DefaultQuality)
	}
	if o.Repair == 0 {
		o.Repair = 0.5
	}
	all := o.Mask.WithDefaults()
	switch o.Exemplars {
	case memory.Masked:
		o.Mask.Image, o.Mask.Text, o.Mask.Score = all.Image, all.Text, all.Score
		if all.ReadsAttention() {
			o.Mask.Layer, o.Mask.Heads = all.Layer, all.Heads
		}
		if all.ReadsToken() {
			o.Mask.Token = all.Token
		}
		if o.Herding == herdWhole { // what there was before there was a choice
			o.Herding = ""
		}
		if all.Image != memory.All {
			o.Replay = cmp.Or(o.Replay, replayDrop)
		}
	case memory.MRDC:
		if len(o.MRDCQualities) == 0 {
			o.MRDCQualities = slices.DeleteFunc([]int{10, 25, 50, 75, 90}, func(q int) bool { return q > o.JPEGQuality })
		}
		if o.MRDCEpsilon == 0 && len(o.MRDCQualities) != 1 {
			o.MRDCEpsilon = 0.1
		}
	case memory.CIM:
		o.Mask.Layer, o.Mask.Heads, o.Mask.Token = all.Layer, all.Heads, all.Token
		o.Box = o.Box.WithDefaults()
	}
	return o
}

// keeps says whether any exemplars are kept.
func (o MemoryOptions) keeps() bool {
	return o.Exemplars != memory.None && memory.CheckKind(o.Exemplars) == nil
}

func (o MemoryOptions) codec() memory.Codec {
	return memory.Codec{Name: o.Codec, Quality: o.JPEGQuality}
}

// attention is what the kind of exemplars is made by; nil: none.
func (o MemoryOptions) attention() *method.Attention {
	if o.Exemplars == memory.CIM || o.Exemplars == memory.Masked && o.Mask.ReadsAttention() {
		return &method.Attention{Layer: o.Mask.Layer, Heads: o.Mask.Heads}
	}
	return nil
}

func (o MemoryOptions) replay() memory.ReplayOptions {
	return memory.ReplayOptions{Repair: o.Repair, Black: o.Replay == replayBlack}
}

// setting is one option under its name in run.json.
type setting struct {
	name  string
	value any
	given bool   // not the zero value
	idle  string // why it has no effect; empty: it has
}

// settings lists the options, defaults filled in.
func (o MemoryOptions) settings() []setting {
	is := func(kinds ...string) string {
		if slices.Contains(kinds, o.Exemplars) {
			return ""
		}
		return fmt.Sprintf("with %s exemplars, only with %s", o.Exemplars, strings.Join(kinds, " or "))
	}
	only := func(reads bool, why string) string {
		if reads {
			return ""
		}
		return why
	}
	masked := is(memory.Masked)
	all := o.Mask.WithDefaults()
	looks, token := is(memory.Masked, memory.CIM), is(memory.Masked, memory.CIM)
	if masked == "" {
		const chance = "where a share of a given size is kept at random"
		looks = only(all.ReadsAttention(), chance)
		token = cmp.Or(looks, only(all.ReadsToken(), "where all patches are kept and the text is judged by them"))
	}
	list := []setting{
		{"budget", o.Budget, o.Budget != 0, ""},
		{"budget_total", o.BudgetTotal, o.BudgetTotal != 0, ""},
		{"budget_bytes", o.BudgetBytes, o.BudgetBytes != 0, ""},
		{"budget_unit", o.BudgetUnit, o.BudgetUnit != "", ""},
		{"codec", o.Codec, o.Codec != "", ""},
		{"jpeg_quality", o.JPEGQuality, o.JPEGQuality != 0, only(o.Codec == schemas.CodecJPEG, "with codec raw")},
		{"replay", o.Replay, o.Replay != "", cmp.Or(masked, only(all.Image != memory.All, "where all patches are kept"))},
		{"repair", max(0, o.Repair), o.Repair != 0, ""},
		{"herding", o.Herding, o.Herding != "", masked},
		{"mask_layer", o.Mask.Layer, o.Mask.Layer != "", looks},
		{"mask_heads", o.Mask.Heads, o.Mask.Heads != "", looks},
		{"mask_token", o.Mask.Token, o.Mask.Token != "", token},
		{"mask_image", o.Mask.Image, o.Mask.Image != "", masked},
		{"mask_text", o.Mask.Text, o.Mask.Text != "", masked},
		{"mask_score", o.Mask.Score, o.Mask.Score != "", masked},
		{"mrdc_qualities", o.MRDCQualities, o.MRDCQualities != nil, is(memory.MRDC)},
		{"mrdc_epsilon", o.MRDCEpsilon, o.MRDCEpsilon != 0, cmp.Or(is(memory.MRDC), only(len(o.MRDCQualities) != 1, "where there is one quality to choose from"))},
		{"cim_ratio", o.Box.Ratio, o.Box.Ratio != 0, is(memory.CIM)},
		{"cim_threshold", o.Box.Threshold, o.Box.Threshold != 0, is(memory.CIM)},
	}
	if !o.keeps() {
		for i := range list {
			list[i].idle = "without exemplars"
		}
	}
	return list
}

// words are what messages call a setting.
func (s setting) words() string {
	switch s.name {
	case "budget", "budget_total", "budget_bytes":
		return "a memory budget"
	case "repair":
		return "re-pairing"
	}
	return strings.ReplaceAll(s.name, "_", "-")
}

// validate refuses what cannot be and what would have no effect. Defaults are filled in.
func (o MemoryOptions) validate() error {
	if err := memory.CheckKind(o.Exemplars); err != nil {
		return err
	}
	budgets := 0
	for _, s := range o.settings() {
		switch {
		case s.given && !o.keeps():
			return Idlef("%s has no effect without exemplars: leave it out, or choose raw, masked, mrdc or cim exemplars", s.words())
		case s.given && s.idle != "":
			return Idlef("%s has no effect %s: leave it out", s.words(), s.idle)
		case s.given && strings.HasPrefix(s.name, "budget") && s.name != "budget_unit":
			budgets++
		}
	}
	if !o.keeps() {
		return nil
	}
	switch {
	case budgets > 1 && o.BudgetTotal == 0:
		return Idlef("give the budget in samples a class or in bytes, not both")
	case budgets > 1:
		return Idlef("give one of budget, budget-total and budget-bytes: they take the place of one another")
	}
	if err := o.validateBudget(); err != nil {
		return err
	}
	if !(o.Repair <= 1) {
		return fmt.Errorf("re-pairing probability %g: must be between 0 and 1", o.Repair)
	}
	if o.Replay != "" && o.Replay != replayDrop && o.Replay != replayBlack {
		return fmt.Errorf("replay %q: use %s or %s", o.Replay, replayDrop, replayBlack)
	}
	if o.Herding != "" && o.Herding != herdStored {
		return fmt.Errorf("herding %q: use %s or %s", o.Herding, herdWhole, herdStored)
	}
	if err := o.codec().Check(8); err != nil {
		return err
	}
	if o.Exemplars == memory.MRDC {
		return o.validateMRDC()
	}
	if o.Exemplars == memory.CIM {
		mask := memory.MaskOptions{Layer: o.Mask.Layer, Heads: o.Mask.Heads, Token: o.Mask.Token}
		return cmp.Or(mask.Validate(), o.Box.Validate())
	}
	return o.Mask.Validate()
}

func (o MemoryOptions) validateBudget() error {
	for _, samples := range []float64{o.Budget, o.BudgetTotal} {
		if !(samples >= 0 && samples < 1e9) {
			return fmt.Errorf("the memory budget must be above 0")
		}
	}
	unit := memory.Unit(o.BudgetUnit)
	switch {
	case o.BudgetBytes < 0:
		return fmt.Errorf("the memory budget must be above 0")
	case !slices.Contains(memory.Units(), unit):
		return fmt.Errorf("budget-unit %q: use one of %v", o.BudgetUnit, memory.Units())
	case unit == memory.Tokens && o.BudgetBytes > 0:
		return fmt.Errorf("a budget of bytes does not count tokens: give it in samples")
	case unit != memory.Stored && o.Exemplars == memory.MRDC:
		return fmt.Errorf("mrdc makes stored bytes fewer and nothing else: its budget-unit must be %s", memory.Stored)
	case unit == memory.Tokens && o.Exemplars == memory.CIM:
		return fmt.Errorf("cim keeps every token: its budget-unit must be %s or %s", memory.Stored, memory.Pixels)
	}
	return nil
}

func (o MemoryOptions) validateMRDC() error {
	switch {
	case o.Codec != schemas.CodecJPEG:
		return fmt.Errorf("mrdc stores JPEGs of a lower quality than the run's: give codec jpeg, whose quality is what it is compared with")
	case len(o.MRDCQualities) == 0:
		return fmt.Errorf("mrdc-qualities: none is below the jpeg-quality of %d: give some", o.JPEGQuality)
	case len(o.MRDCQualities) > 1 && !(o.MRDCEpsilon > 0 && o.MRDCEpsilon < 1e9):
		return fmt.Errorf("mrdc-epsilon %g: must be above 0", o.MRDCEpsilon)
	}
	for i, q := range o.MRDCQualities {
		if q < 1 || q > o.JPEGQuality || i > 0 && q <= o.MRDCQualities[i-1] {
			return fmt.Errorf("mrdc-qualities %v: must increase from 1 to the jpeg-quality of %d at most", o.MRDCQualities, o.JPEGQuality)
		}
	}
	return nil
}

// into adds what has an effect to the settings of a run.
func (o MemoryOptions) into(settings map[string]any) {
	settings["exemplars"] = o.Exemplars
	for _, s := range o.settings() {
		if s.idle == "" && (s.given || s.name == "repair") {
			settings[s.name] = s.value
		}
	}
}
