package train

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
)

// memoryKeys are the settings of the memory: how to give one a value that is not its default, and which kinds read it.
var memoryKeys = []struct {
	name  string
	set   func(*MemoryOptions)
	kinds string
}{
	{"budget", func(o *MemoryOptions) { o.Budget = 1 }, "raw masked mrdc cim"},
	{"budget_total", func(o *MemoryOptions) { o.BudgetTotal = 7 }, "raw masked mrdc cim"},
	{"budget_bytes", func(o *MemoryOptions) { o.BudgetBytes = 12_345 }, "raw masked mrdc cim"},
	{"budget_unit", func(o *MemoryOptions) { o.BudgetUnit = "pixels" }, "raw masked cim"},
	{"codec", func(o *MemoryOptions) { o.Codec = "jpeg" }, "raw masked cim"},
	{"jpeg_quality", func(o *MemoryOptions) { o.Codec, o.JPEGQuality = "jpeg", 80 }, "raw masked mrdc cim"},
	{"replay", func(o *MemoryOptions) { o.Replay = "black" }, "masked"},
	{"repair", func(o *MemoryOptions) { o.Repair = 1 }, "raw masked mrdc cim"},
	{"herding", func(o *MemoryOptions) { o.Herding = "stored" }, "masked"},
	{"mask_layer", func(o *MemoryOptions) { o.Mask.Layer = "0" }, "masked cim"},
	{"mask_heads", func(o *MemoryOptions) { o.Mask.Heads = "1" }, "masked cim"},
	{"mask_token", func(o *MemoryOptions) { o.Mask.Token = "image" }, "masked cim"},
	{"mask_image", func(o *MemoryOptions) { o.Mask.Image = "ratio:0.2" }, "masked"},
	{"mask_text", func(o *MemoryOptions) { o.Mask.Text = "all" }, "masked"},
	{"mask_score", func(o *MemoryOptions) { o.Mask.Score = "inverse" }, "masked"},
	{"mrdc_qualities", func(o *MemoryOptions) { o.MRDCQualities = []int{33} }, "mrdc"},
	{"mrdc_epsilon", func(o *MemoryOptions) { o.MRDCEpsilon = 1e6 }, "mrdc"},
	{"cim_ratio", func(o *MemoryOptions) { o.Box.Ratio = 16 }, "cim"},
	{"cim_threshold", func(o *MemoryOptions) { o.Box.Threshold = 0.95 }, "cim"},
}

// baseOf is a kind with as little as it needs.
func baseOf(kind string) MemoryOptions {
	o := MemoryOptions{Exemplars: kind}
	if kind == memory.MRDC {
		o.Codec = schemas.CodecJPEG
	}
	return o
}

// remembered is what a run that has learned nothing remembers of its classes, how much room it gave them, and what it would
// replay.
func remembered(t *testing.T, m MemoryOptions) (exemplars []memory.Exemplar, budgets map[int]memory.Budget, replayed []dataset.Sample) {
	t.Helper()
	r := prepared(t, m)
	if _, err := r.remember(t.Context(), 0, ""); err != nil {
		t.Fatal(err)
	}
	replay := r.store.Replay(r.o.Memory.replay())
	for i := range replay.Len() {
		s, err := replay.Sample(t.Context(), i, rand.New(rand.NewPCG(uint64(i), 8)))
		if err != nil {
			t.Fatal(err)
		}
		replayed = append(replayed, s)
	}
	return r.store.All(), r.store.Budgets(), replayed
}

// TestEveryKeyHasAnEffectOrIsRefused is the table of every key and every kind: what a kind reads is in run.json and changes
// what is remembered or replayed, and what it does not read is refused by its name.
func TestEveryKeyHasAnEffectOrIsRefused(t *testing.T) {
	for _, kind := range memory.Kinds() {
		base := baseOf(kind)
		plain := Options{Memory: base}.Settings()
		var exemplars []memory.Exemplar
		var budgets map[int]memory.Budget
		var replayed []dataset.Sample
		if kind != memory.None {
			exemplars, budgets, replayed = remembered(t, base)
		}
		for _, key := range memoryKeys {
			o := base
			key.set(&o)
			err := Options{Memory: o}.Validate()
			if !slices.Contains(strings.Fields(key.kinds), kind) {
				if key.name == "codec" || key.name == "budget_unit" && kind != memory.None { // mrdc has no other
					continue
				}
				words := setting{name: key.name}.words()
				if err == nil || !strings.Contains(err.Error(), words+" has no effect") && !strings.Contains(err.Error(), "codec has no effect") {
					t.Errorf("%s with %s exemplars: %v", key.name, kind, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s with %s exemplars: %v", key.name, kind, err)
				continue
			}
			settings := Options{Memory: o}.Settings()
			if settings[key.name] == nil || reflect.DeepEqual(settings[key.name], plain[key.name]) {
				t.Errorf("%s with %s exemplars: run.json has %v, and %v without", key.name, kind, settings[key.name], plain[key.name])
			}
			e, b, s := remembered(t, o)
			if reflect.DeepEqual(e, exemplars) && reflect.DeepEqual(b, budgets) && reflect.DeepEqual(s, replayed) {
				t.Errorf("%s with %s exemplars changes neither what is remembered nor what is replayed", key.name, kind)
			}
		}
	}
	known := map[string]bool{}
	for _, key := range memoryKeys {
		known[key.name] = true
	}
	for _, s := range (MemoryOptions{}).settings() {
		if !known[s.name] {
			t.Errorf("%s is not in the table", s.name)
		}
	}
}

func TestMemoryOptionsRefuse(t *testing.T) {
	masked := func(m memory.MaskOptions) MemoryOptions { return MemoryOptions{Mask: m} }
	for words, o := range map[string]MemoryOptions{
		"give one of budget, budget-total":               {Budget: 5, BudgetTotal: 5},
		"they take the place of one another":             {BudgetTotal: 5, BudgetBytes: 5},
		"must be above 0":                                {BudgetTotal: -1},
		`budget-unit "grams"`:                            {BudgetUnit: "grams"},
		"does not count tokens":                          {BudgetUnit: "tokens", BudgetBytes: 5},
		"mrdc stores JPEGs of a lower quality":           {Exemplars: "mrdc"},
		"its budget-unit must be stored":                 {Exemplars: "mrdc", Codec: "jpeg", BudgetUnit: "pixels"},
		"must increase from 1 to the jpeg-quality of 90": {Exemplars: "mrdc", Codec: "jpeg", MRDCQualities: []int{50, 95}},
		"must increase":                                  {Exemplars: "mrdc", Codec: "jpeg", MRDCQualities: []int{50, 50}},
		"none is below the jpeg-quality of 5":            {Exemplars: "mrdc", Codec: "jpeg", JPEGQuality: 5},
		"mrdc-epsilon has no effect where there is one":  {Exemplars: "mrdc", Codec: "jpeg", MRDCQualities: []int{50}, MRDCEpsilon: 0.3},
		"mrdc-epsilon has no effect where":               {Exemplars: "mrdc", Codec: "jpeg", JPEGQuality: 20, MRDCEpsilon: 0.3}, // of the defaults 10 is left
		"mrdc-epsilon -1":                                {Exemplars: "mrdc", Codec: "jpeg", MRDCEpsilon: -1},
		"cim keeps every token":                          {Exemplars: "cim", BudgetUnit: "tokens"},
		"ratio 5":                                        {Exemplars: "cim", Box: memory.BoxOptions{Ratio: 5}},
		"threshold 2":                                    {Exemplars: "cim", Box: memory.BoxOptions{Threshold: 2}},
		`mask layer "x"`:                                 {Exemplars: "cim", Mask: memory.MaskOptions{Layer: "x"}},
		`"gif": only raw and jpeg`:                       {Codec: "gif"},
		"jpeg-quality has no effect with codec raw":      {JPEGQuality: 80},
		"quality 101":                                    {Codec: "jpeg", JPEGQuality: 101},
		`replay "grey"`:                                  {Replay: "grey"},
		"where all patches are kept: leave it out":       {Replay: "black", Mask: memory.MaskOptions{Image: "all"}},
		"the text is judged by them":                     masked(memory.MaskOptions{Image: "all", Token: "image"}),
		"mask-layer has no effect where a share":         masked(memory.MaskOptions{Image: "ratio:0.3", Text: "all", Score: "random", Layer: "0"}),
		"mask-heads has no effect where a share":         masked(memory.MaskOptions{Image: "ratio:0.3", Text: "ratio:0.3", Score: "random", Heads: "0"}),
		"choose raw exemplars":                           masked(memory.MaskOptions{Image: "all", Text: "all"}),
	} {
		if err := (Options{Memory: o}).Validate(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v does not say %q", o, err, words)
		}
	}
	for _, o := range []MemoryOptions{
		{BudgetTotal: 100, BudgetUnit: "tokens"}, {Exemplars: "mrdc", Codec: "jpeg", JPEGQuality: 50}, {Exemplars: "cim", BudgetUnit: "pixels", Mask: memory.MaskOptions{Layer: "mean"}},
		masked(memory.MaskOptions{Image: "ratio:0.3", Text: "ratio:0.3", Score: "random"}), masked(memory.MaskOptions{Image: "all", Text: "union", Token: "image"}),
	} {
		if err := (Options{Memory: o}).Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
		once := o.WithDefaults()
		if twice := once.WithDefaults(); !reflect.DeepEqual(once, twice) {
			t.Errorf("defaults filled in twice: %+v, not %+v", twice, once)
		}
	}
	// what only data and model show
	single := testRun(t)
	single.Protocol, single.Learning.Distill = Protocol{Init: testClasses, Increment: 2}, 1
	if _, err := Run(t.Context(), single); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "distillation has no effect in a single phase, which these 5 classes are") {
		t.Errorf("distillation in one phase of all classes: %v", err)
	}
	for words, o := range map[string]MemoryOptions{"attention of block \"2\": the model has 2": masked(memory.MaskOptions{Layer: "2"}), "attention of head \"3\"": {Exemplars: "cim", Mask: memory.MaskOptions{Heads: "3"}}} {
		run := testRun(t)
		run.Memory = o
		if _, err := Run(t.Context(), run); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v does not say %q", o, err, words)
		}
	}
	if o := (MemoryOptions{Exemplars: "mrdc", Codec: "jpeg", JPEGQuality: 50}).WithDefaults(); !slices.Equal(o.MRDCQualities, []int{10, 25, 50}) {
		t.Errorf("qualities up to 50: %v", o.MRDCQualities)
	}
}

// TestRivals: under one codec the same budget is as many bytes for every kind, which holds what it says and shows it.
func TestRivals(t *testing.T) {
	reports := map[string]schemas.Report{}
	for _, kind := range []string{"raw", "masked", "mrdc", "cim"} {
		o := testRun(t)
		o.Memory = MemoryOptions{Exemplars: kind, Codec: "jpeg", JPEGQuality: 80, Budget: 2}
		r := mustRun(t, o)
		checkReport(t, r)
		reports[kind] = r
		for i, p := range r.Phases {
			exemplars, err := schemas.ReadExemplars(filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "memory.arrow"))
			if err != nil {
				t.Fatal(err)
			}
			var c schemas.Checkpoint
			if err := schemas.ReadJSON(filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "phase.json"), schemas.PhaseHeader, &c); err != nil {
				t.Fatal(err)
			}
			if fresh := p.Classes - []int{0, 3, 4}[i]; kind != "mrdc" && c.Qualities != nil || kind == "mrdc" && len(c.Qualities) != fresh {
				t.Errorf("%s: phase %d chose %v", kind, i, c.Qualities)
			}
			for label, q := range c.Qualities {
				if len(q.Tried) != 4 || q.Quality != memory.Choose(q.Tried, 0.1).Quality {
					t.Errorf("class %d: quality %d of %+v", label, q.Quality, q.Tried)
				}
			}
			held := make([]int, p.Classes)
			for _, e := range exemplars {
				if q, fresh := c.Qualities[e.Label]; fresh && e.Quality != q.Quality {
					t.Errorf("exemplar %s is of quality %d, the class's is %d", e.ID, e.Quality, q.Quality)
				}
				held[e.Label]++
				whole := int(memory.CostOf(e).StoredBytes) == e.FullBytes // where a box spares nothing
				if e.Codec != "jpeg" || (e.Box != nil) != (kind == "cim" && !whole) || (len(e.PatchBits) > 0) != (kind == "masked") || kind != "mrdc" && e.Quality != 80 || e.Quality > 80 || e.FullBytes == 0 {
					t.Errorf("%s: exemplar %s is stored as %s of quality %d, box %v, %d of %d bytes", kind, e.ID, e.Codec, e.Quality, e.Box, len(e.Pixels), e.FullBytes)
				}
			}
			if !slices.Equal(held, p.ClassExemplars) {
				t.Errorf("%s: %v exemplars of the classes, the report says %v", kind, held, p.ClassExemplars)
			}
		}
		if kind == "raw" {
			continue
		}
		var g schemas.Gallery
		if err := schemas.ReadJSON(filepath.Join(o.Out, "gallery.json"), schemas.GalleryHeader, &g); err != nil {
			t.Fatal(err)
		}
		if len(g.Exemplars) != testClasses {
			t.Errorf("%s: %d exemplars to look at", kind, len(g.Exemplars))
		}
		for _, e := range g.Exemplars {
			img, err := png.Decode(bytes.NewReader(e.ReplayPNG))
			if err != nil || img.Bounds().Dx() != e.GridW*e.PatchPx || img.Bounds().Dy() != e.GridH*e.PatchPx || bytes.Equal(e.ReplayPNG, e.PicturePNG) {
				t.Errorf("%s: what is replayed of %s cannot be seen (%v)", kind, e.ID, err)
			}
			all := !slices.Contains(e.KeptPatch, false)
			if e.Kind != kind || e.Quality == 0 || (e.Box != nil) != (kind == "cim" && e.StoredBytes < e.FullBytes) || all != (kind != "masked") || len(e.Attention) != e.GridH*e.GridW || len(e.Tokens) == 0 {
				t.Errorf("%s: shown as %s of quality %d, box %v, kept %v", kind, e.Kind, e.Quality, e.Box, e.KeptPatch)
			}
			if slices.ContainsFunc(e.Tokens, func(k schemas.GalleryToken) bool { return !k.Kept }) != (kind == "masked") {
				t.Errorf("%s: word pieces kept: %+v", kind, e.Tokens)
			}
		}
	}
	for kind, r := range reports {
		for i, p := range r.Phases { // whatever the kind has learned
			if raw := reports["raw"].Phases[i]; p.MemoryBudgetBytes != raw.MemoryBudgetBytes {
				t.Errorf("phase %d: the budget of %s exemplars is %d, of raw ones %d", i, kind, p.MemoryBudgetBytes, raw.MemoryBudgetBytes)
			}
			if kind == "raw" && (p.ExemplarsPerClass < 1.5 || p.ExemplarsPerClass > 3 || p.MemoryUsedBytes < p.MemoryBudgetBytes/2) {
				t.Errorf("phase %d: 2 samples a class are worth %g raw exemplars", i, p.ExemplarsPerClass)
			}
		}
		p := r.Phases[0]
		if (p.TokenFraction < 1) != (kind == "masked") || (p.PixelFraction < 1) != (kind == "masked" || kind == "cim") {
			t.Errorf("%s: %g of the tokens, %g of the pixels", kind, p.TokenFraction, p.PixelFraction)
		}
	}
}

// TestOneSampleLeavesNoClassEmpty: whatever the kind, the codec and the unit, an exemplar takes no more than the whole does, and
// one sample a class is room for one.
func TestOneSampleLeavesNoClassEmpty(t *testing.T) {
	parts := map[string]memory.MaskOptions{memory.Masked: {Image: "ratio:1", Text: "ratio:1"}} // bitmaps that spare nothing
	for _, kind := range []string{memory.Raw, memory.Masked, memory.MRDC, memory.CIM} {
		for _, codec := range []string{schemas.CodecRaw, schemas.CodecJPEG} {
			for _, unit := range memory.Units() {
				for _, mask := range []memory.MaskOptions{{}, parts[kind]} {
					o := MemoryOptions{Exemplars: kind, Codec: codec, BudgetUnit: string(unit), Budget: 1, Mask: mask}
					if kind == memory.CIM {
						o.Box.Threshold = 0.05 // nearly all is in the box
					}
					if (Options{Memory: o}).Validate() != nil { // not of this kind
						continue
					}
					r := prepared(t, o)
					if _, err := r.remember(t.Context(), 0, ""); err != nil {
						t.Fatal(err)
					}
					for label := range testClasses {
						held := r.store.OfClass(label)
						if len(held) == 0 {
							t.Errorf("%s, %s, %s: class %d is empty with a budget of %d", kind, codec, unit, label, r.store.Budgets()[label])
						}
						for _, e := range held {
							if is, whole := memory.CostOf(e).In(unit), memory.FullCost(e).In(unit); is > whole {
								t.Errorf("%s, %s, %s: exemplar %s takes %d, whole %d", kind, codec, unit, e.ID, is, whole)
							}
						}
					}
				}
			}
		}
	}
}

// TestBudgetInAll: samples in all are shared by the classes seen, in any unit; a run that was stopped goes on to the same
// bytes, for what old classes' samples are worth is in the checkpoint.
func TestBudgetInAll(t *testing.T) {
	options := func() Options {
		o := testRun(t)
		o.Memory = MemoryOptions{BudgetTotal: 7, BudgetUnit: "tokens", Mask: memory.MaskOptions{Layer: "mean", Text: "union"}}
		return o
	}
	o := options()
	r := mustRun(t, o)
	held := map[int]int{}
	for i, p := range r.Phases {
		var checkpoint schemas.Checkpoint
		if err := schemas.ReadJSON(filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "phase.json"), schemas.PhaseHeader, &checkpoint); err != nil {
			t.Fatal(err)
		}
		exemplars, err := schemas.ReadExemplars(filepath.Join(o.Out, fmt.Sprintf("phase-%02d", i), "memory.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		used := map[int]int64{}
		for _, e := range exemplars {
			used[e.Label] += int64(memory.CostOf(e).Tokens)
		}
		for label, n := range p.ClassExemplars {
			if before, old := held[label]; old && n == before && used[label] != checkpoint.Budgets[label] {
				t.Errorf("phase %d: class %d keeps its %d exemplars, and more room than their %d tokens: %d", i, label, n, used[label], checkpoint.Budgets[label])
			}
			held[label] = n
		}
		if p.MemoryUnit != "tokens" || p.MemoryBudgetBytes != 0 || p.MemoryUsed > p.MemoryBudget || p.MemoryUsed < p.MemoryBudget/2 {
			t.Errorf("phase %d: %d of %d %s", i, p.MemoryUsed, p.MemoryBudget, p.MemoryUnit)
		}
	}
	if a, b := r.Phases[0].ClassExemplars[0], r.Phases[2].ClassExemplars[0]; b >= a || b == 0 {
		t.Errorf("the first class holds %d, then %d", a, b)
	}
	again := options()
	stopAt(t, again, "phase 3 of 3: remember")
	mustRun(t, again)
	sameRun(t, again.Out, o.Out)

	// room for everything: every class takes what it has
	o = options()
	o.Memory = MemoryOptions{Exemplars: "raw", BudgetTotal: 1000}
	for i, p := range mustRun(t, o).Phases {
		if p.ExemplarsPerClass != testTrain || p.MemoryUsedBytes != p.MemoryBudgetBytes {
			t.Errorf("phase %d: with room for all %g exemplars a class, %d of %d bytes", i, p.ExemplarsPerClass, p.MemoryUsedBytes, p.MemoryBudgetBytes)
		}
	}
}

// prepared is a run that has learned nothing yet.
func prepared(t *testing.T, m MemoryOptions) *run {
	t.Helper()
	o := testRun(t)
	o.Memory, o.Phases = m, 1
	r := &run{o: o.WithDefaults()}
	t.Cleanup(r.close)
	if _, err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSharesAreDrawnAsFarAsNeeded: of 300 bytes the first class needs 40 of its even 100. Of the 130 that leaves each of the
// others, the second needs 110, which shows only when it is drawn beyond 100; so the third gets 150.
func TestSharesAreDrawnAsFarAsNeeded(t *testing.T) {
	r := &run{o: Options{Memory: MemoryOptions{BudgetBytes: 300}}, phases: [][]int{{0, 1, 2}}}
	var pools []*pool
	for place, c := range []struct{ n, bytes int }{{8, 5}, {10, 11}, {100, 5}} {
		drawn := 0
		pools = append(pools, &pool{r: r, place: place, next: func() (memory.Exemplar, error, bool) {
			drawn++
			return memory.Exemplar{Pixels: make([]byte, c.bytes)}, nil, drawn <= c.n
		}})
	}
	shares, err := r.shares(0, pools)
	if err != nil || !slices.Equal(shares, []float64{40, 110, 150}) {
		t.Errorf("shares %v (%v)", shares, err)
	}
	if n := len(pools[2].drawn); n > 31 {
		t.Errorf("%d candidates of the third class were drawn to know that it needs more than 150", n)
	}
}

// TestRivalsHerdByWhatTheyStore: the order of mrdc and cim is herding's by the features of the stored pictures, which need not
// be that of the whole ones.
func TestRivalsHerdByWhatTheyStore(t *testing.T) {
	for kind, m := range map[string]MemoryOptions{
		"mrdc": {Exemplars: "mrdc", Codec: "jpeg", MRDCQualities: []int{1}}, "cim": {Exemplars: "cim", Box: memory.BoxOptions{Ratio: 256}},
	} {
		r := prepared(t, m)
		others := 0
		for _, label := range r.phases[0] {
			p, err := r.pool(t.Context(), 0, label)
			if err != nil {
				t.Fatal(err)
			}
			order := func(stored bool) []int {
				var features []float32
				for i := range p.items.Len() {
					s, err := p.items.Sample(t.Context(), i, nil)
					if err != nil {
						t.Fatal(err)
					}
					if stored {
						form, err := p.forms([]dataset.Sample{s}, slices.Index(p.order, i))
						if err != nil {
							t.Fatal(err)
						}
						e, err := form(0, s)
						if err != nil {
							t.Fatal(err)
						}
						if s, err = memory.Decode(e); err != nil {
							t.Fatal(err)
						}
					}
					out, err := r.learner.Infer([]dataset.Sample{s}, nil)
					if err != nil {
						t.Fatal(err)
					}
					features = append(features, out.Features...)
				}
				return memory.Herd(features, len(features)/p.items.Len())
			}
			if got, want := p.order, order(true); !slices.Equal(got, want) {
				t.Errorf("%s: class %d is stored in the order %v, not %v", kind, label, got, want)
			}
			if got, want := p.whole, order(false); !slices.Equal(got, want) {
				t.Errorf("%s: class %d as it is has the order %v, not %v", kind, label, got, want)
			}
			if !slices.Equal(p.order, p.whole) {
				others++
			}
			p.stop()
		}
		if others == 0 {
			t.Errorf("%s: what is stored is herded as the whole examples in every class: the test tells nothing", kind)
		}
	}
}

// TestRandomMasksFollowSeedAndName: what is random is drawn for each example by itself.
func TestRandomMasksFollowSeedAndName(t *testing.T) {
	m := MemoryOptions{Budget: 5, Mask: memory.MaskOptions{Score: "random", Image: "ratio:0.4", Text: "all"}}
	held := func(seed uint64) (exemplars []memory.Exemplar) {
		r := prepared(t, m)
		r.o.Seed = seed // of the masks alone: the model is there
		if _, err := r.remember(t.Context(), 0, ""); err != nil {
			t.Fatal(err)
		}
		return r.store.All()
	}
	first, again, other := held(1), held(1), held(2)
	differ, alike := 0, 0
	for i, e := range first {
		if e.ID != other[i].ID || !slices.Equal(e.PatchBits, again[i].PatchBits) {
			t.Fatalf("exemplar %d is %s or %s, or has another mask of the same seed", i, e.ID, other[i].ID)
		}
		if !slices.Equal(e.PatchBits, other[i].PatchBits) {
			differ++
		}
		if i > 0 && slices.Equal(e.PatchBits, first[0].PatchBits) {
			alike++
		}
	}
	if n := len(first); differ < n/2 || alike > n/4 {
		t.Errorf("of %d masks %d change with the seed, and %d are the first one's", n, differ, alike)
	}
}
