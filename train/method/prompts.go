package method

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Prompts say what prompts there are. Zero means the default of the method, which [Spec.Prompts] has.
type Prompts struct {
	Length    int     // rows of a prompt; of prefixes, of keys and values each
	Pool      int     // prompts to choose from, or components; at most [mostPrompts]
	Top       int     // prompts of an example
	KeyWeight float64 // of the pull of chosen keys to queries; negative: none
	Blocks    string  // with prefixes, counted from 0: FIRST-LAST, or one
	Batchwise bool    // all examples of a batch that is learned take the prompts that most would; default false
}

// Bounds of [Prompts].
const (
	mostPrompts      = 4096
	mostPromptLength = 1024
)

// Or returns p with every zero field as other has it.
func (p Prompts) Or(other Prompts) Prompts {
	return Prompts{
		Length: cmp.Or(p.Length, other.Length), Pool: cmp.Or(p.Pool, other.Pool), Top: cmp.Or(p.Top, other.Top),
		KeyWeight: cmp.Or(p.KeyWeight, other.KeyWeight), Blocks: cmp.Or(p.Blocks, other.Blocks), Batchwise: p.Batchwise || other.Batchwise,
	}
}

// Pull is the weight of keys in effect.
func (p Prompts) Pull() float64 { return max(0, p.KeyWeight) }

// Given says which settings differ from zero, by name.
func (p Prompts) Given() map[string]bool {
	return map[string]bool{
		SettingPromptLength: p.Length != 0, SettingPromptPool: p.Pool != 0, SettingPromptTop: p.Top != 0,
		SettingKeyWeight: p.KeyWeight != 0, SettingPromptBlocks: p.Blocks != "", SettingBatchwise: p.Batchwise,
	}
}

// Validate says what about p cannot be, whatever the encoder.
func (p Prompts) Validate() error {
	switch {
	case p.Length < 0 || p.Length > mostPromptLength:
		return fmt.Errorf("prompt length: %d: must be between 1 and %d", p.Length, mostPromptLength)
	case p.Pool < 0 || p.Pool > mostPrompts:
		return fmt.Errorf("prompt pool: %d: must be between 1 and %d", p.Pool, mostPrompts)
	case p.Top < 0 || p.Pool > 0 && p.Top > p.Pool:
		return fmt.Errorf("prompts of an example: %d of a pool of %d", p.Top, p.Pool)
	case !(p.KeyWeight < 1e6):
		return fmt.Errorf("key weight: %g: must be 0 or more", p.KeyWeight)
	case p.Top*p.Length > mostPromptLength:
		return fmt.Errorf("prompts of an example: %d of %d rows: must be %d rows or fewer", p.Top, p.Length, mostPromptLength)
	}
	if p.Blocks == "" {
		return nil
	}
	_, _, err := parseBlocks(p.Blocks)
	return err
}

// parseBlocks reads FIRST-LAST, or one block.
func parseBlocks(s string) (first, last int, err error) {
	a, b, several := strings.Cut(s, "-")
	first, err1 := strconv.Atoi(a)
	if last = first; several {
		last, err = strconv.Atoi(b)
	}
	if errors.Join(err, err1) != nil || first < 0 || last < first {
		return 0, 0, fmt.Errorf("prompt blocks %q: must be FIRST-LAST, such as 2-4, or a single block, counted from 0", s)
	}
	return first, last, nil
}

// blocks are those with prefixes. Published defaults are of an encoder of 12 blocks: what a smaller one has not is left out.
func (p Prompts) blocks(c vilt.Config, byDefault string) (first, last int, err error) {
	if first, last, err = parseBlocks(cmp.Or(p.Blocks, byDefault)); err != nil {
		return 0, 0, err
	}
	if p.Blocks == "" || p.Blocks == byDefault {
		first, last = min(first, c.Depth-1), min(last, c.Depth-1)
	}
	if last >= c.Depth {
		return 0, 0, misfit("prompt blocks %q: the encoder has %d, from 0 to %d", p.Blocks, c.Depth, c.Depth-1)
	}
	return first, last, nil
}

// prompter is a Tuner of prompts, which depend on what the encoder says of an example without them.
type prompter interface {
	Tuner
	// Begin prepares for a phase.
	Begin(phase int) error
	// Trained is how many values the steps of the phase change.
	Trained() int
	// Ask is told the queries [B,D] of the batch that the next run of any graph is of, and whether it is to be learned.
	Ask(queries []float32, learn bool)
	// Loss puts the loss of the graph that Into was last called for behind its logits.
	Loss(p *op.Packing, classes int, logits *gorgonia.Node) (*gorgonia.Node, error)
}

// prompted learns prompts on a frozen encoder, and a linear classifier in which the classes of a phase compete with one another
// alone. Queries are the encoder's own features of an example, for which it is run once more, without prompts.
type prompted struct {
	network  *Network
	tuner    prompter
	schedule Schedule
	seed     uint64
	phase    Phase
}

var _ Learner = (*prompted)(nil)

func newPrompted(w *vilt.Weights, tuner prompter, classes int, schedule Schedule, seed uint64) (Learner, error) {
	n, err := NewNetworkWith(w, tuner, classes, schedule.BatchSize, NetworkOptions{Seed: seed})
	if err != nil {
		return nil, err
	}
	return &prompted{network: n, tuner: tuner, schedule: schedule, seed: seed}, nil
}

func (m *prompted) Begin(p Phase) error {
	m.phase = p
	return m.tuner.Begin(p.Index)
}

func (m *prompted) Fit(ctx context.Context, l Lesson) error {
	return m.network.Fit(ctx, m.schedule, l.Items, FitOptions{
		Active: m.phase.Seen, ActiveFrom: m.phase.Old, Seed: m.seed<<16 + uint64(m.phase.Index), Progress: l.Progress,
		After: l.After, Epochs: l.Epochs, From: l.From,
	})
}

func (m *prompted) Infer(batch []dataset.Sample, attention *Attention) (Output, error) {
	return m.network.Infer(batch, attention)
}

func (m *prompted) BatchSize() int        { return m.schedule.BatchSize }
func (m *prompted) Plan() Plan            { return m.network.Plan() }
func (m *prompted) State() []*vilt.Tensor { return m.network.Trained() }
func (m *prompted) Close() error          { return m.network.Close() }

// Trained counts the rows of the classifier that are the phase's.
func (m *prompted) Trained() int {
	return m.tuner.Trained() + (m.phase.Seen-m.phase.Old)*(m.network.Weights.Config.Width+1)
}

// ask runs the encoder without prompts over the batch that comes next, and lets the prompts be chosen. It comes before the batch
// is loaded: all graphs lie in the same memory.
func (n *Network) ask(batch []dataset.Sample, learn bool) error {
	if n.query == nil {
		return nil
	}
	out, err := n.query.infer(batch, nil)
	if err != nil {
		return fmt.Errorf("query of prompts: %w", err)
	}
	n.Tuner.(prompter).Ask(out.Features, learn)
	return nil
}

// undecayed is how many of Trained, from the first on, weight decay passes by: prompts, for it would change those that were not
// chosen and those that are frozen.
func (n *Network) undecayed() int {
	if n.query == nil {
		return 0
	}
	return len(n.Tuner.Tensors())
}

// compileQuery puts the encoder without prompts into a graph of its own, in the memory of beside.
func compileQuery(w *vilt.Weights, maxBatch int, beside *vilt.Encoder) (*machine, error) {
	building.Lock()
	defer building.Unlock()
	g := gorgonia.NewGraph()
	encoder, err := vilt.Build(g, w, maxBatch, vilt.Options{ForwardOnly: true, Beside: beside})
	if err != nil {
		return nil, err
	}
	return &machine{encoder: encoder, features: encoder.Features, vm: op.NewMachine(g)}, nil
}
