package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Arg is a flag with its value.
type Arg struct{ Key, Value string }

// Job is one run of a sweep.
type Job struct {
	Name     string // of its folder
	Args     []Arg  // of mcil train: what the file says and has an effect
	Settings map[string]any

	first *combination // that it is
}

// Plan is the runs of a sweep in order, and what a reader of the file should know about them.
type Plan struct {
	Jobs  []Job
	Notes []string
}

// ErrIdle is what a refusal of [Program.Settings] is where it is of a key that has no effect beside the others, or whose place
// another one takes. Only what is refused so is left out: a value that cannot be is for the file's writer to mend.
var ErrIdle = errors.New("has no effect")

// Program knows the flags.
type Program interface {
	// Known says what a key cannot be that no combination with it can be right; nil where it is a flag to set.
	Known(key string) error
	// Settings are those that arguments lead to, and an error where the program refuses them, which [errors.Is] of
	// [ErrIdle] where that says so.
	Settings(args []Arg) (map[string]any, error)
}

// Bounds of a sweep: beyond them it is a slip of the pen.
const (
	mostJobs  = 10_000
	mostTries = 512 // combinations looked at for one that is refused
)

// Plan makes the runs of a file.
func (f File) Plan(program Program) (Plan, error) {
	p := &planner{
		parser: parser{f.Path}, file: f, program: program, known: map[string]verdict{}, said: map[string]bool{}, by: map[string]*combination{},
		used: map[spot]bool{}, why: map[spot]string{}, count: map[string]int{},
	}
	if err := p.checkKeys(); err != nil {
		return Plan{}, err
	}
	total := max(1, len(f.Rows))
	for _, s := range f.Grid {
		if total *= len(s.Values); total > mostJobs {
			return Plan{}, p.errorf(s.Line, "grid: more than %d combinations", mostJobs)
		}
	}
	for i := range total {
		if err := p.add(p.combination(i)); err != nil {
			return Plan{}, err
		}
	}
	if err := p.checkUsed(); err != nil {
		return Plan{}, err
	}
	p.name()
	return Plan{Jobs: p.jobs, Notes: p.notes()}, nil
}

// spot is a place in the file where a value stands.
type spot struct {
	key  string
	line int
	text string
}

// choice is one value of a combination.
type choice struct {
	Arg
	spot   spot
	others []Value // that the file has for the key, this one included
	fixed  bool    // by a row: it is never left out
	grid   bool
}

// combination is a row with one value of each key.
type combination struct {
	row     *Row // nil: the file has none
	choices []choice
	left    []bool // without effect, so left out
}

type verdict struct {
	settings map[string]any
	err      error
}

type planner struct {
	parser
	file    File
	program Program
	known   map[string]verdict
	jobs    []Job
	said    map[string]bool         // rows with what counts of the rest
	by      map[string]*combination // by settings
	merged  int                     // combinations that another one's run stands for
	lefts   [][]bool                // what was left out of combinations; each is the least, for it is forced
	used    map[spot]bool           // values that count in a run
	why     map[spot]string         // what the program said to a value that was left out
	dropped []string                // keys that were left out, in order
	count   map[string]int          // combinations without the key
}

// combination is the i-th of all.
func (p *planner) combination(i int) *combination {
	c := &combination{}
	var grid []choice
	for _, s := range slices.Backward(p.file.Grid) {
		grid = append(grid, newChoice(s, i%len(s.Values), false, true))
		i /= len(s.Values)
	}
	slices.Reverse(grid)
	if len(p.file.Rows) > 0 {
		c.row = &p.file.Rows[i]
	}
	for _, s := range p.file.Train {
		if c.row == nil || !slices.ContainsFunc(c.row.Settings, func(o Setting) bool { return o.Key == s.Key }) {
			c.choices = append(c.choices, newChoice(s, 0, false, false))
		}
	}
	if c.row != nil {
		for _, s := range c.row.Settings {
			c.choices = append(c.choices, newChoice(s, 0, true, false))
		}
	}
	c.choices = append(c.choices, grid...)
	c.left = make([]bool, len(c.choices))
	return c
}

func newChoice(s Setting, i int, fixed, grid bool) choice {
	v := s.Values[i]
	return choice{Arg: Arg{s.Key, v.Text}, spot: spot{s.Key, v.Line, v.Text}, others: s.Values, fixed: fixed, grid: grid}
}

// args are the choices that are not left out.
func (c *combination) args(left []bool) []Arg {
	var args []Arg
	for i, ch := range c.choices {
		if !left[i] {
			args = append(args, ch.Arg)
		}
	}
	return args
}

// ask is what the program says to arguments. It is asked once.
func (p *planner) ask(args []Arg) verdict {
	var key strings.Builder
	for _, a := range args {
		fmt.Fprintf(&key, "%q=%q ", a.Key, a.Value)
	}
	v, ok := p.known[key.String()]
	if !ok {
		v.settings, v.err = p.program.Settings(args)
		p.known[key.String()] = v
	}
	return v
}

// checkKeys refuses what is no flag to be set.
func (p *planner) checkKeys() error {
	places := [][]Setting{p.file.Train, p.file.Grid}
	for _, r := range p.file.Rows {
		places = append(places, r.Settings)
	}
	for _, settings := range places {
		for _, s := range settings {
			if err := p.program.Known(s.Key); err != nil {
				return p.errorf(s.Line, "%s: %v", s.Key, err)
			}
		}
	}
	return nil
}

// add makes a run of a combination, unless it is one already.
func (p *planner) add(c *combination) error {
	if err := p.leaveOut(c); err != nil {
		return err
	}
	for i, ch := range c.choices {
		if !c.left[i] {
			p.used[ch.spot] = true
		}
	}
	args := c.args(c.left)
	settings := p.ask(args).settings
	said := fmt.Sprintf("%p %q", c.row, args)
	if p.said[said] {
		p.merged++
		return nil
	}
	p.said[said] = true
	what, err := json.Marshal(settings) // sorts keys
	if err != nil {
		return p.errorf(c.line(), "%s: %v", c, err)
	}
	if other := p.by[string(what)]; other != nil {
		return p.errorf(c.line(), "%s and %s have the same settings: a run is run once", other, c)
	}
	p.by[string(what)] = c
	p.jobs = append(p.jobs, Job{Args: args, Settings: settings, first: c})
	return nil
}

// line is where a combination begins to be a different one.
func (c *combination) line() int {
	line := 1
	if c.row != nil {
		line = c.row.Line
	}
	for _, ch := range c.choices {
		if ch.grid {
			line = max(line, ch.spot.line)
		}
	}
	return line
}

// String names a combination by what varies.
func (c *combination) String() string {
	var parts []string
	if c.row != nil {
		parts = append(parts, "row "+c.row.Name)
	}
	for _, ch := range c.choices {
		if ch.grid {
			parts = append(parts, ch.Key+" "+ch.Value)
		}
	}
	if len(parts) == 0 {
		return "the run"
	}
	return strings.Join(parts, ", ")
}

// leaveOut finds the fewest keys that have no effect in a combination that the program refuses.
func (p *planner) leaveOut(c *combination) error {
	none := make([]bool, len(c.choices))
	refusal := p.ask(c.args(none)).err
	if refusal == nil {
		return nil
	}
	for _, left := range p.lefts { // what helped another combination
		if len(left) == len(none) && !c.keeps(left) && p.ask(c.args(left)).err == nil && p.forced(c, left) {
			c.left = left
			p.note(c)
			return nil
		}
	}
	seen := map[string]bool{}
	queue := [][]bool{none}
	tries := 0
	var culprit *choice // without which the program says something else, or nothing
	freed, stuck := false, false
	for len(queue) > 0 && tries < mostTries {
		left := queue[0]
		queue = queue[1:]
		said := p.ask(c.args(left)).err
		blame := culprit == nil
		if !stuck && !errors.Is(said, ErrIdle) && p.forced(c, left) { // leaving out does not mend this one: it is to be told
			refusal, culprit, freed, stuck, blame = said, nil, false, true, true
		}
		for i := range c.choices {
			if left[i] {
				continue
			}
			fewer := slices.Clone(left)
			fewer[i] = true
			tries++
			err := p.ask(c.args(fewer)).err
			if err != nil && err.Error() == said.Error() {
				continue
			}
			if blame && (culprit == nil || err == nil && !freed) {
				culprit, freed = &c.choices[i], err == nil
			}
			if c.choices[i].fixed {
				continue
			}
			if err == nil && p.forced(c, fewer) {
				c.left = fewer
				p.lefts = append(p.lefts, fewer)
				p.note(c)
				return nil
			}
			if key := fmt.Sprint(fewer); err != nil && !seen[key] {
				seen[key] = true
				queue = append(queue, fewer)
			}
		}
	}
	line, what := c.line(), c.String()
	if culprit != nil {
		line, what = culprit.spot.line, culprit.Key+" "+culprit.Value
	}
	return p.errorf(line, "%s: %v", what, refusal)
}

// keeps says that a row wants a key that is left out.
func (c *combination) keeps(left []bool) bool {
	for i, ch := range c.choices {
		if left[i] && ch.fixed {
			return true
		}
	}
	return false
}

// forced says that each key left out has no effect beside those that are not, and could not have another value of the file.
func (p *planner) forced(c *combination, left []bool) bool {
	for i, ch := range c.choices {
		if !left[i] {
			continue
		}
		if !errors.Is(p.with(c, left, i, ch.Value), ErrIdle) {
			return false
		}
		for _, v := range ch.others {
			if p.with(c, left, i, v.Text) == nil {
				return false
			}
		}
	}
	return true
}

// with is what the program says where one of the keys left out is there, with a value.
func (p *planner) with(c *combination, left []bool, i int, value string) error {
	other := &combination{choices: slices.Clone(c.choices)}
	other.choices[i].Value = value
	more := slices.Clone(left)
	more[i] = false
	return p.ask(other.args(more)).err
}

// note keeps what was left out of a combination, and why.
func (p *planner) note(c *combination) {
	for i, ch := range c.choices {
		if !c.left[i] {
			continue
		}
		if p.count[ch.Key]++; p.count[ch.Key] == 1 {
			p.dropped = append(p.dropped, ch.Key)
		}
		if p.why[ch.spot] == "" {
			p.why[ch.spot] = p.with(c, c.left, i, ch.Value).Error()
		}
	}
}

// checkUsed refuses a value that counts in no run.
func (p *planner) checkUsed() error {
	for _, settings := range [][]Setting{p.file.Train, p.file.Grid} {
		for _, s := range settings {
			for _, v := range s.Values {
				at := spot{s.Key, v.Line, v.Text}
				if why := p.why[at]; !p.used[at] && why != "" {
					return p.errorf(v.Line, "%s %s: counts in no run: %s", s.Key, v.Text, why)
				}
			}
		}
	}
	for _, s := range p.file.Train { // and each row says it anew
		if at := (spot{s.Key, s.Values[0].Line, s.Values[0].Text}); !p.used[at] {
			return p.errorf(s.Line, "%s: every row says it anew: leave it out", s.Key)
		}
	}
	return nil
}

// notes tell what was left out.
func (p *planner) notes() []string {
	var notes []string
	for _, key := range p.dropped {
		var why string
		for _, settings := range [][]Setting{p.file.Train, p.file.Grid} {
			for _, s := range settings {
				if s.Key == key && why == "" {
					why = p.why[spot{key, s.Values[0].Line, s.Values[0].Text}]
				}
			}
		}
		why, _, _ = strings.Cut(why, ": leave it out")
		notes = append(notes, fmt.Sprintf("%s has no effect in %d of %d combinations and is left out there (%s)", key, p.count[key], p.merged+len(p.jobs), why))
	}
	if p.merged > 0 {
		notes = append(notes, fmt.Sprintf("%d combinations are %d runs", p.merged+len(p.jobs), len(p.jobs)))
	}
	return notes
}
