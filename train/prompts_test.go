package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/method"
)

// TestPromptRuns: runs of prompts report what they keep, go on to the same bytes, and can be opened as they were after any
// phase.
func TestPromptRuns(t *testing.T) {
	prompts := func(name string) Options {
		o := methodRun(t, name)
		o.Learning.Prompts = map[string]method.Prompts{
			"l2p": {Length: 2, Pool: 6, Top: 2, KeyWeight: 1, Batchwise: true}, "dualprompt": {Length: 3, KeyWeight: -1, Blocks: "1"},
			"coda-prompt": {Length: 2, Pool: 7}, // of which no phase has the last
		}[name]
		return o
	}
	const head = 24*testClasses + testClasses
	for name, want := range map[string]struct {
		prompts, trained int
		written          string // in run.json
	}{
		"l2p":         {6 * (2*24 + 24), 6 * (2*24 + 24), "<nil> 6"},
		"dualprompt":  {2*5*24 + 3*(2*3*24+24), 2*5*24 + 2*3*24 + 24, "1-1 3"},         // general ones in block 0, and one for each phase with its key
		"coda-prompt": {6 * (2*2*2*24 + 2*2*24), 6 / 3 * (2*2*2*24 + 2*2*24), "0-1 7"}, // in two blocks, with a key and an attention each
	} {
		whole := prompts(name)
		var said []string
		whole.Progress = func(e Event) { said = append(said, e.Stage) }
		r := mustRun(t, whole)
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "memory: ") && strings.Contains(s, ", queries 0 MB") }) {
			t.Errorf("%s: the plan has no queries: %q", name, said)
		}
		checkReport(t, r)
		if got := 4 * int64(want.prompts+head); r.KeptBytes != got {
			t.Errorf("%s: %d bytes are kept, not %d", name, r.KeptBytes, got)
		}
		var written schemas.Run
		if err := schemas.ReadJSON(filepath.Join(whole.Out, "run.json"), schemas.RunHeader, &written); err != nil {
			t.Fatal(err)
		}
		if s := written.Settings; fmt.Sprintf("%v %v", s["prompt_blocks"], s["prompt_pool"]) != want.written {
			t.Errorf("%s: it wrote blocks %v and a pool of %v, not %s", name, s["prompt_blocks"], s["prompt_pool"], want.written)
		}
		if got := int64(want.trained + 24 + 1); r.TrainedParameters != got { // the last phase has one class
			t.Errorf("%s: %d values are trained, not %d", name, r.TrainedParameters, got)
		}
		o := prompts(name)
		stopAt(t, o, "phase 2 of 3: learn")
		stopAt(t, o, "phase 2 of 3: test")
		stopAt(t, o, "phase 3 of 3: learn")
		mustRun(t, o)
		sameRun(t, o.Out, whole.Out, "flop") // which a run that goes on has more of: it computes queries again
		opens(t, whole.Out, r.Phases[0].Accuracy, r.Phases[1].Accuracy, r.Phases[2].Accuracy)
	}
	for _, c := range []struct {
		name    string
		prompts method.Prompts
		flag    string
	}{
		{"dualprompt", method.Prompts{Blocks: "1-2"}, "prompt-blocks"}, {"dualprompt", method.Prompts{Blocks: "2-4"}, "prompt-blocks"},
		{"dualprompt", method.Prompts{Pool: 4}, "prompt-pool"}, {"coda-prompt", method.Prompts{Pool: 2}, "prompt-pool"}, {"l2p", method.Prompts{Pool: 3}, "prompt-top"},
	} {
		for _, p := range []Protocol{{Phases: 3}, {Init: 3, Increment: 1}} { // of the second it takes the classes to know
			o := methodRun(t, c.name)
			o.Learning.Prompts, o.Protocol = c.prompts, p
			if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), c.flag+":") && !strings.Contains(err.Error(), c.flag+" \"") {
				t.Errorf("%s with %+v: %v", c.name, c.prompts, err)
			}
		}
	}
	for _, name := range []string{"ssf", "ease", "simplecil"} {
		o := methodRun(t, name)
		for _, p := range []method.Prompts{{Length: 5}, {Pool: 10}, {Top: 5}, {KeyWeight: 0.1}, {Blocks: "0"}, {Batchwise: true}} {
			if o.Learning.Prompts = p; !errors.Is(o.Validate(), ErrIdle) {
				t.Errorf("%s reads %+v", name, p)
			}
		}
	}
}
