package train

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// TestHerdingByWhatIsStored: where it is asked for, masked exemplars are ordered by the features of their kept patches and word
// pieces alone, or of these on black; otherwise by those of the whole examples. What is kept of a class is then other exemplars,
// each with the mask that it has anyway.
func TestHerdingByWhatIsStored(t *testing.T) {
	kept := func(s dataset.Sample, m memory.Mask, patchPx int, black bool) dataset.Sample {
		out := s
		out.Pixels, out.PatchPos, out.Tokens, out.TokenPos = nil, nil, nil, nil
		size := 3 * patchPx * patchPx
		for k, keep := range m.Patches {
			patch := make([]byte, size)
			if keep {
				copy(patch, s.Pixels[k*size:])
			}
			if keep || black {
				out.Pixels, out.PatchPos = append(out.Pixels, patch...), append(out.PatchPos, s.PatchPos[k])
			}
		}
		for k, keep := range m.Tokens {
			if keep {
				out.Tokens, out.TokenPos = append(out.Tokens, s.Tokens[k]), append(out.TokenPos, s.TokenPos[k])
			}
		}
		return out
	}
	for name, m := range map[string]MemoryOptions{
		"drop": {}, "black": {Replay: replayBlack}, "random": {Mask: memory.MaskOptions{Score: memory.ScoreRandom, Image: "ratio:0.3", Text: "ratio:0.5"}},
	} {
		m.Budget = 1
		stored, whole := m, m
		stored.Herding, whole.Herding = herdStored, herdWhole
		r, plain := prepared(t, stored), prepared(t, whole)
		orders, others := 0, 0
		for _, label := range r.phases[0] {
			p, err := r.pool(t.Context(), 0, label)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			q, err := plain.pool(t.Context(), 0, label)
			if err != nil {
				t.Fatal(err)
			}
			defer q.stop()
			var features, features2 []float32
			for i := range p.items.Len() {
				s, err := p.items.Sample(t.Context(), i, nil)
				if err != nil {
					t.Fatal(err)
				}
				out, err := r.learner.Infer([]dataset.Sample{s}, &method.Attention{Layer: "last", Heads: "mean"})
				if err != nil {
					t.Fatal(err)
				}
				features2 = append(features2, out.Features...)
				mask := r.o.Memory.Mask.Mask(memory.Attention{Probs: out.Probs[0], Text: len(s.Tokens)}, memory.Generator(r.o.Seed, string(s.ID)))
				out, err = r.learner.Infer([]dataset.Sample{kept(s, mask, r.patchPx(), m.Replay == replayBlack)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				features = append(features, out.Features...)
			}
			if want := memory.Herd(features, len(features)/p.items.Len()); !slices.Equal(p.order, want) {
				t.Errorf("%s: class %d is stored in the order %v, not %v", name, label, p.order, want)
			}
			if want := memory.Herd(features2, len(features2)/p.items.Len()); !slices.Equal(q.order, want) {
				t.Errorf("%s: class %d has by whole examples the order %v, not %v", name, label, q.order, want)
			}
			if !slices.Equal(p.order, q.order) {
				orders++
			}
			first, ok := dataset.ID(""), false
			for e, err := range p.all() {
				if err != nil {
					t.Fatal(err)
				}
				first, ok = dataset.ID(e.ID), true
				break
			}
			s, err := p.items.Sample(t.Context(), p.order[0], nil)
			if err != nil || !ok || first != s.ID || p.first.mask.Patches == nil {
				t.Errorf("%s: class %d begins with %s, not %s, and shows %v (%v)", name, label, first, s.ID, p.first.mask.Patches, err)
			}
		}
		byID := map[string]memory.Exemplar{}
		for _, x := range []*run{plain, r} {
			if _, err := x.remember(t.Context(), 0, ""); err != nil {
				t.Fatal(err)
			}
			for _, e := range x.store.All() {
				old, is := byID[e.ID]
				switch {
				case x == plain:
					byID[e.ID] = e
				case !is:
					others++
				case !slices.Equal(old.PatchBits, e.PatchBits) || !slices.Equal(old.TokenBits, e.TokenBits):
					t.Errorf("%s: exemplar %s has another mask", name, e.ID)
				}
			}
		}
		if orders == 0 || others == 0 {
			t.Errorf("%s: %d classes have another order, and %d other exemplars are kept: the test tells nothing", name, orders, others)
		}
	}
}

// TestHerdingRun: run.json says what was asked for alone, and a run that is stopped goes on to the same bytes.
func TestHerdingRun(t *testing.T) {
	options := func() Options {
		o := testRun(t)
		o.Memory.Herding, o.Memory.Budget, o.Memory.BudgetTotal = herdStored, 0, 5
		return o
	}
	whole := options()
	checkReport(t, mustRun(t, whole))
	var written schemas.Run
	if err := schemas.ReadJSON(filepath.Join(whole.Out, "run.json"), schemas.RunHeader, &written); err != nil || written.Settings["herding"] != herdStored {
		t.Errorf("settings %v (%v)", written.Settings, err)
	}
	o := options()
	stopAt(t, o, "phase 2 of 3: remember")
	stopAt(t, o, "phase 3 of 3: test")
	mustRun(t, o)
	sameRun(t, o.Out, whole.Out)

	named := Options{Memory: MemoryOptions{Herding: herdWhole}}
	if v, said := named.Settings()["herding"]; said || named.Validate() != nil {
		t.Errorf("whole is said to be %v (%v)", v, named.Validate())
	}
	for words, m := range map[string]MemoryOptions{
		`herding "masked": use whole or stored`:                                {Herding: "masked"},
		"herding has no effect with raw exemplars, only with masked: leave":    {Exemplars: memory.Raw, Herding: herdWhole},
		"herding has no effect with cim exemplars, only with masked":           {Exemplars: memory.CIM, Herding: herdStored},
		"herding has no effect with mrdc exemplars, only with masked":          {Exemplars: memory.MRDC, Codec: schemas.CodecJPEG, Herding: herdStored},
		"herding has no effect without exemplars: leave it out, or choose raw": {Exemplars: memory.None, Herding: herdStored},
	} {
		if err := (Options{Memory: m}).Validate(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v does not say %q", m, err, words)
		}
	}
}
