package main

import (
	"fmt"

	"github.com/mcil/mcil/train/method"
)

// promptFlags are settings of methods that learn prompts. Each method has its own defaults, which are published ones.
type promptFlags struct {
	PromptLength *int     `placeholder:"N" help:"Rows of a prompt; of prefixes, of keys and values each; with dualprompt of expert ones, as its general ones have 5. Default: 5 with l2p and dualprompt, 4 with coda-prompt."`
	PromptPool   *int     `placeholder:"N" help:"Prompts to choose from. Default: 10 with l2p, one a phase (and no more) with dualprompt, 100 components with coda-prompt."`
	PromptTop    *int     `placeholder:"N" help:"Prompts that an example takes, with l2p. Default: 5."`
	KeyWeight    *float64 `placeholder:"WEIGHT" help:"Weight in the loss of the pull of chosen keys to queries, with l2p and dualprompt; 0: none. Default: 0.1."`
	PromptBlocks string   `placeholder:"FIRST-LAST" help:"Blocks with prefixes, counted from 0. Default: 2-4 with dualprompt, with general ones in those before, and 0-4 with coda-prompt, as far as there are so many."`
	Batchwise    bool     `help:"Have all examples of a training batch take the prompts that most of them would, with l2p. Test answers never depend on a batch."`
}

func (f promptFlags) validate() error {
	for _, p := range []struct {
		name string
		v    *int
	}{{"prompt-length", f.PromptLength}, {"prompt-pool", f.PromptPool}, {"prompt-top", f.PromptTop}} {
		if p.v != nil && *p.v < 1 {
			return fmt.Errorf("--%s=%d: choose 1 or more", p.name, *p.v)
		}
	}
	if w := f.KeyWeight; w != nil && !(*w >= 0 && *w < 1e6) {
		return fmt.Errorf("--key-weight=%g: choose a weight, such as 0.1, or 0 for none", *w)
	}
	return nil
}

func (f promptFlags) prompts() method.Prompts {
	p := method.Prompts{Length: value(f.PromptLength), Pool: value(f.PromptPool), Top: value(f.PromptTop), Blocks: f.PromptBlocks, Batchwise: f.Batchwise}
	if f.KeyWeight != nil {
		p.KeyWeight = orNone(*f.KeyWeight)
	}
	return p
}
