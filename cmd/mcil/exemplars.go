package main

import (
	"fmt"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train"
	"github.com/mcil/mcil/train/memory"
)

// exemplarFlags say which old examples a run keeps. A flag that is left out is the library's default, which is filled in only
// where it is read: what is given and has no effect is refused.
type exemplarFlags struct {
	Exemplars   string   `placeholder:"KIND" help:"Old examples in memory: none, raw (whole), masked (arXiv 2412.09549), mrdc (JPEG of a quality chosen for the class) or cim (the activation's box, the rest down-sampled). Default: masked, and none for a method that replays nothing."`
	Budget      *float64 `placeholder:"N" help:"Memory for each class: what its largest train example takes whole, and N-1 times the mean one. Default: 5."`
	BudgetTotal *float64 `placeholder:"N" help:"Memory in all, in samples, shared by the classes seen, in place of --budget."`
	BudgetBytes byteSize `placeholder:"SIZE" help:"Memory in all, such as 64MiB, shared by the classes seen, in place of --budget."`
	BudgetUnit  string   `placeholder:"UNIT" help:"What the budget counts: stored (bytes, the default), pixels (bytes, uncompressed) or tokens."`
	Codec       string   `placeholder:"CODEC" help:"How pixels are stored: raw (the default) or jpeg."`
	JPEGQuality *int     `placeholder:"Q" help:"Of --codec jpeg, 1 to 100. Default: 90."`
	Replay      string   `placeholder:"HOW" help:"Of masked exemplars: drop (the default) replays what was kept alone, black the whole picture with black patches."`
	Repair      *float64 `placeholder:"P" help:"Probability that an exemplar is replayed with the text of another of its class. Default: 0.5."`
	Herding     string   `placeholder:"BY" help:"What orders the candidates for masked exemplars: the features of the example (whole, the default), or of what would be stored of it (stored). raw herds by the first, mrdc and cim by the second."`

	MaskLayer string `placeholder:"L" help:"Block whose attention makes the mask: last (the default), a number from 0, or mean."`
	MaskHeads string `placeholder:"H" help:"Of that block: mean (the default), max, or a head's number from 0."`
	MaskToken string `placeholder:"TOKEN" help:"Class token that looks: text (the default) or image."`
	MaskImage string `placeholder:"RULE" help:"Patches kept: mean (above it; the default), ratio:R, mass:M or all."`
	MaskText  string `placeholder:"RULE" help:"Word pieces kept, by the discarded patches' attention: mean (the default), union (also what the class token looks at), ratio:R or all."`
	MaskScore string `placeholder:"SCORE" help:"attention (the default), or as many at random or of the lowest attention: random, inverse."`

	MRDCQualities []int    `name:"mrdc-qualities" placeholder:"Q,…" help:"Qualities that mrdc chooses from. Default: 10,25,50,75,90, as far as --jpeg-quality allows."`
	MRDCEpsilon   *float64 `name:"mrdc-epsilon" placeholder:"E" help:"How far from 1 mrdc's ratio of volumes may be. Default: 0.1."`
	CIMRatio      *int     `name:"cim-ratio" placeholder:"R" help:"Pixels of cim's rest for one that is kept, a square. Default: 4."`
	CIMThreshold  *float64 `name:"cim-threshold" placeholder:"T" help:"Of cim's map, 0 to 1. Default: 0.6."`
}

// validate refuses zeros, which options would take for a default.
func (f exemplarFlags) validate() error {
	switch {
	case f.Budget != nil && !(*f.Budget > 0):
		return fmt.Errorf("--budget=%g: choose a number of examples above 0, or --exemplars=none", *f.Budget)
	case f.BudgetTotal != nil && !(*f.BudgetTotal > 0):
		return fmt.Errorf("--budget-total=%g: choose a number of examples above 0, or --exemplars=none", *f.BudgetTotal)
	case f.JPEGQuality != nil && *f.JPEGQuality < 1:
		return fmt.Errorf("--jpeg-quality=%d: choose 1 to 100", *f.JPEGQuality)
	case f.Repair != nil && !(*f.Repair >= 0):
		return fmt.Errorf("--repair=%g: choose a probability between 0 and 1", *f.Repair)
	case f.MRDCEpsilon != nil && !(*f.MRDCEpsilon > 0):
		return fmt.Errorf("--mrdc-epsilon=%g: choose a number above 0", *f.MRDCEpsilon)
	case f.CIMRatio != nil && *f.CIMRatio < 1:
		return fmt.Errorf("--cim-ratio=%d: choose a square from 4", *f.CIMRatio)
	case f.CIMThreshold != nil && !(*f.CIMThreshold > 0):
		return fmt.Errorf("--cim-threshold=%g: choose a number between 0 and 1", *f.CIMThreshold)
	}
	return nil
}

// memory is what the library takes.
func (f exemplarFlags) memory() train.MemoryOptions {
	o := train.MemoryOptions{
		Exemplars: f.Exemplars, Budget: value(f.Budget), BudgetTotal: value(f.BudgetTotal), BudgetBytes: int64(f.BudgetBytes), BudgetUnit: f.BudgetUnit,
		Codec: f.Codec, JPEGQuality: value(f.JPEGQuality), Replay: f.Replay, Herding: f.Herding,
		Mask:          memory.MaskOptions{Layer: f.MaskLayer, Heads: f.MaskHeads, Token: f.MaskToken, Image: f.MaskImage, Text: f.MaskText, Score: f.MaskScore},
		MRDCQualities: f.MRDCQualities, MRDCEpsilon: value(f.MRDCEpsilon), Box: memory.BoxOptions{Ratio: value(f.CIMRatio), Threshold: value(f.CIMThreshold)},
	}
	if f.Repair != nil {
		o.Repair = orNone(*f.Repair)
	}
	return o
}

// memoryText says how full a memory is, in what its budget counts.
func memoryText(p schemas.Phase) string {
	switch p.MemoryUnit {
	case "":
		return fmt.Sprintf("%d of %d bytes", p.MemoryUsedBytes, p.MemoryBudgetBytes)
	case string(memory.Pixels):
		return fmt.Sprintf("%d of %d bytes of pixels, %d bytes stored", p.MemoryUsed, p.MemoryBudget, p.MemoryUsedBytes)
	}
	return fmt.Sprintf("%d of %d %s, %d bytes stored", p.MemoryUsed, p.MemoryBudget, p.MemoryUnit, p.MemoryUsedBytes)
}
