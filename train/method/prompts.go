package method

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/train/op"
	"github.com/mcil/mcil/train/vilt"
)

// Prompts say what prompts there are. Zero means the default of the method, which [Spec.Prompts] has. Names are those of
// run.json.
type Prompts struct {
	Length    int     `json:"prompt_length,omitempty"` // rows of a prompt; of prefixes, of keys and values each
	Pool      int     `json:"prompt_pool,omitempty"`   // prompts to choose from, or components; at most [mostPrompts]
	Top       int     `json:"prompt_top,omitempty"`    // prompts of an example
	KeyWeight float64 `json:"key_weight,omitempty"`    // of the pull of chosen keys to queries; negative: none
	Blocks    string  `json:"prompt_blocks,omitempty"` // with prefixes, counted from 0: FIRST-LAST, or one
	Batchwise bool    `json:"batchwise,omitempty"`     // all examples of a batch that is learned take the prompts that most would
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

// Settings are those that differ from zero, by name and as they take effect.
func (p Prompts) Settings() map[string]any {
	s := map[string]any{
		SettingPromptLength: p.Length, SettingPromptPool: p.Pool, SettingPromptTop: p.Top,
		SettingKeyWeight: p.KeyWeight, SettingPromptBlocks: p.Blocks, SettingBatchwise: p.Batchwise,
	}
	maps.DeleteFunc(s, func(_ string, v any) bool { return reflect.ValueOf(v).IsZero() })
	if p.KeyWeight < 0 {
		s[SettingKeyWeight] = 0.0
	}
	return s
}

// Validate says what about p cannot be, whatever the encoder.
func (p Prompts) Validate() error {
	switch {
	case p.Length < 0 || p.Length > mostPromptLength:
		return fmt.Errorf("prompt-length: %d: must be between 1 and %d", p.Length, mostPromptLength)
	case p.Pool < 0 || p.Pool > mostPrompts:
		return fmt.Errorf("prompt-pool: %d: must be between 1 and %d", p.Pool, mostPrompts)
	case p.Top < 0 || p.Pool > 0 && p.Top > p.Pool:
		return fmt.Errorf("prompt-top: %d prompts of an example, of a prompt-pool of %d: must be as many or fewer", p.Top, p.Pool)
	case !(p.KeyWeight < 1e6):
		return fmt.Errorf("key-weight: %g: must be 0 or more", p.KeyWeight)
	case p.Top*p.Length > mostPromptLength:
		return fmt.Errorf("prompt-top: %d prompts of %d rows (prompt-length): must be %d rows or fewer", p.Top, p.Length, mostPromptLength)
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
		return 0, 0, fmt.Errorf("prompt-blocks %q: must be FIRST-LAST, such as 2-4, or a single block, counted from 0", s)
	}
	return first, last, nil
}

// FitPrompts is p as it takes effect with the method, on an encoder of so many blocks and in so many phases. Defaults are
// published ones, of an encoder of 12 blocks: what a smaller one has not is left out of them, and nothing of what is given. What
// depends on blocks or phases stays as it is where those are 0, for not known yet.
func (m Spec) FitPrompts(p Prompts, blocks, phases int) (Prompts, error) {
	given := p.Blocks
	p = p.Or(m.Prompts)
	if p.Blocks != "" {
		first, last, err := parseBlocks(p.Blocks)
		switch {
		case err != nil:
			return p, err
		case blocks == 0:
			p.Blocks = given
		case given != "" && last >= blocks:
			return p, misfit("prompt-blocks %q: the encoder has %d, from 0 to %d", given, blocks, blocks-1)
		default:
			p.Blocks = fmt.Sprintf("%d-%d", min(first, blocks-1), min(last, blocks-1))
		}
	}
	if m.fit != nil && phases > 0 {
		var err error
		if p, err = m.fit(p, phases); err != nil {
			return p, err
		}
	}
	return p, p.Validate()
}

// prompts are those of o as they take effect, and the blocks that have prefixes.
func (m Spec) prompts(c vilt.Config, o Options) (p Prompts, first, last int, err error) {
	if p, err = m.FitPrompts(o.Prompts, c.Depth, o.phases()); err != nil {
		return p, 0, 0, err
	}
	first, last, err = parseBlocks(p.Blocks)
	return p, first, last, err
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
// alone. Queries are the encoder's own features of an example, for which it is run once, without prompts: see [queries].
type prompted struct {
	tuned
	tuner prompter
}

var _ Learner = (*prompted)(nil)

func newPrompted(w *vilt.Weights, tuner prompter, classes int, schedule Schedule, seed uint64) (Learner, error) {
	n, err := NewNetworkWith(w, tuner, classes, schedule.BatchSize, NetworkOptions{Seed: seed})
	if err != nil {
		return nil, err
	}
	return &prompted{tuned{network: n, schedule: schedule, seed: seed}, tuner}, nil
}

func (m *prompted) Begin(p Phase) error {
	m.phase = p
	return m.tuner.Begin(p.Index)
}

func (m *prompted) Fit(ctx context.Context, l Lesson) error {
	o := m.fit(l)
	o.ActiveFrom = m.phase.Old
	return m.network.Fit(ctx, m.schedule, l.Items, o)
}

// Unused is how many values of the state no phase has: where a pool is dealt out, what is left over.
func (m *prompted) Unused() int {
	if t, is := m.tuner.(interface{ Unused() int }); is {
		return t.Unused()
	}
	return 0
}

// Trained counts the rows of the classifier that are the phase's.
func (m *prompted) Trained() int {
	return m.tuner.Trained() + (m.phase.Seen-m.phase.Old)*(m.network.Weights.Config.Width+1)
}

// ask finds the queries of the batch that comes next, and lets the prompts be chosen. It comes before the batch is loaded: all
// graphs lie in the same memory.
func (n *Network) ask(batch []dataset.Sample, learn bool) error {
	if n.queries == nil {
		return nil
	}
	queries, err := n.queries.of(batch)
	if err != nil {
		return err
	}
	n.Tuner.(prompter).Ask(queries, learn)
	return nil
}

// undecayed is how many of Trained, from the first on, weight decay passes by: prompts, for it would change those that were not
// chosen and those that are frozen.
func (n *Network) undecayed() int {
	if n.queries == nil {
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
