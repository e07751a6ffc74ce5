package train

import (
	"bytes"
	"context"
	"image/png"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/method"
)

// drawnAtOnce is how many candidates are made exemplars in one pass of the model: few, for those that do not fit any more
// were made in vain.
const drawnAtOnce = 8

// pool is the train rows of one class as candidates for the memory.
type pool struct {
	r     *run
	label int // of the dataset
	phase int
	place int // in the order learned
	items dataset.Subset
	whole []int // herding's order by the features of the examples as they are; of masked exemplars only where it is theirs
	order []int // the order in which candidates are stored

	worth   memory.Worth // of its examples; none with a budget in bytes
	quality int          // of mrdc
	boxes   []schemas.Box
	maps    [][]float32 // the class token's attention, by row; of cim

	drawn []memory.Exemplar // made so far
	first looked            // at the first of them
	next  func() (memory.Exemplar, error, bool)
	stop  func()
}

// looked is what a mask was made by.
type looked struct {
	mask      memory.Mask
	attention memory.Attention
}

// pool orders the train rows of a class. Of each, an example's features are those of the whole example; where the stored form
// is another picture, herding's order is by the features of that, as CIM and MRDC have it, and with masked exemplars where it is
// asked for.
func (r *run) pool(ctx context.Context, t, label int) (*pool, error) {
	p := &pool{r: r, label: label, phase: t, place: r.position[label], items: r.subset(r.data.Splits[dataset.Train], []int{label})}
	if r.o.Memory.Herding == herdStored {
		return p, p.herdMasked(ctx)
	}
	var features, compressed []float32
	cim := r.o.Memory.Exemplars == memory.CIM
	var attention *method.Attention
	if cim {
		attention = r.o.Memory.attention()
	}
	for batch, err := range r.batches(ctx, p.items, r.learner.BatchSize()) {
		if err != nil {
			return nil, err
		}
		if err := p.appraise(batch); err != nil {
			return nil, err
		}
		out, err := r.learner.Infer(batch, attention)
		if err != nil {
			return nil, err
		}
		features = append(features, out.Features...)
		if !cim {
			continue
		}
		for i, s := range batch {
			a := memory.Attention{Probs: out.Probs[i], Text: len(s.Tokens)}
			p.maps = append(p.maps, slices.Clone(a.Image(r.o.Memory.Mask.Token)))
			p.boxes = append(p.boxes, r.o.Memory.Box.ActivationBox(p.maps[len(p.maps)-1], s.GridH, s.GridW, r.patchPx()))
		}
		boxes := p.boxes[len(p.boxes)-len(batch):]
		f, err := r.featuresOf(batch, func(i int, s dataset.Sample) (memory.Exemplar, error) { return p.inBox(s, boxes[i]) }, nil)
		if err != nil {
			return nil, err
		}
		compressed = append(compressed, f...)
	}
	n := p.items.Len()
	p.whole = memory.Herd(features, len(features)/n)
	p.order = p.whole
	switch {
	case cim:
		p.order = memory.Herd(compressed, len(compressed)/n)
	case r.o.Memory.Exemplars == memory.MRDC:
		budget := p.worth.Of(r.o.Memory.Budget)
		if r.o.Memory.Budget == 0 {
			budget = r.amount(r.total()/float64(r.seen(t)), p.worth)
		}
		if err := p.chooseQuality(ctx, features, budget); err != nil {
			return nil, err
		}
	}
	p.next, p.stop = iter.Pull2(p.candidates(ctx))
	return p, nil
}

// herdMasked orders rows by the features of masked exemplars, as these will be replayed. The masks are those that candidates get.
func (p *pool) herdMasked(ctx context.Context) error {
	r := p.r
	var features []float32
	for batch, err := range r.batches(ctx, p.items, r.learner.BatchSize()) {
		if err != nil {
			return err
		}
		if err := p.appraise(batch); err != nil {
			return err
		}
		form, err := p.masked(batch)
		if err != nil {
			return err
		}
		f, err := r.featuresOf(batch, func(i int, s dataset.Sample) (memory.Exemplar, error) {
			e, _, err := form(i, s)
			return e, err
		}, nil)
		if err != nil {
			return err
		}
		features = append(features, f...)
	}
	p.order = memory.Herd(features, len(features)/p.items.Len())
	p.next, p.stop = iter.Pull2(p.candidates(ctx))
	return nil
}

func (r *run) patchPx() int { return r.encoding.Processor.Patch }

// batches are items in their order.
func (r *run) batches(ctx context.Context, items dataset.Items, size int) iter.Seq2[[]dataset.Sample, error] {
	return dataset.Loader{Items: items, BatchSize: size, Workers: r.o.Schedule.Workers}.Epoch(ctx, 0)
}

// featuresOf are the features of samples as they will be replayed. cost is told each exemplar; nil: nobody is.
func (r *run) featuresOf(batch []dataset.Sample, form func(int, dataset.Sample) (memory.Exemplar, error), cost func(memory.Cost)) ([]float32, error) {
	stored := make([]dataset.Sample, len(batch))
	for i, s := range batch {
		e, err := form(i, s)
		if err != nil {
			return nil, err
		}
		if stored[i], err = r.o.Memory.replay().Sample(e); err != nil {
			return nil, err
		}
		if cost != nil {
			cost(memory.CostOf(e))
		}
	}
	out, err := r.learner.Infer(stored, nil)
	return slices.Clone(out.Features), err
}

// chooseQuality is MRDC's: for each quality the exemplars that the budget holds of it, at the class's average size, are
// herded by their own features, and the volume of these is held to that of as many originals.
func (p *pool) chooseQuality(ctx context.Context, originals []float32, budget memory.Budget) error {
	r := p.r
	n := p.items.Len()
	d := len(originals) / n
	pick := func(features []float32, order []int) (out []float32) {
		for _, i := range order {
			out = append(out, features[i*d:(i+1)*d]...)
		}
		return out
	}
	features, sizes := map[int][]float32{}, map[int]int64{}
	for batch, err := range r.batches(ctx, p.items, r.learner.BatchSize()) {
		if err != nil {
			return err
		}
		for _, q := range r.o.Memory.MRDCQualities {
			f, err := r.featuresOf(batch, func(_ int, s dataset.Sample) (memory.Exemplar, error) { return p.requantised(s, q) },
				func(c memory.Cost) { sizes[q] += c.In(r.store.Unit) })
			if err != nil {
				return err
			}
			features[q] = append(features[q], f...)
		}
	}
	var choices []memory.QualityChoice
	orders := map[int][]int{}
	for _, q := range r.o.Memory.MRDCQualities {
		count := int(float64(budget) / (float64(sizes[q]) / float64(n)))
		count = max(1, min(n, count))
		orders[q] = memory.Herd(features[q], d)
		log := memory.LogVolume(pick(features[q], orders[q][:count]), d) - memory.LogVolume(pick(originals, p.whole[:count]), d)
		ratio := min(math.Exp(log), math.MaxFloat64) // infinite is no number of JSON
		choices = append(choices, memory.QualityChoice{Quality: q, Count: count, Ratio: ratio})
	}
	p.quality = memory.Choose(choices, r.o.Memory.MRDCEpsilon).Quality
	r.chosen[p.place] = schemas.ClassQuality{Quality: p.quality, Tried: choices}
	p.order = orders[p.quality]
	return nil
}

func (p *pool) requantised(s dataset.Sample, quality int) (memory.Exemplar, error) {
	return memory.Requantise(s, quality, p.r.patchPx(), p.r.o.Memory.codec())
}

func (p *pool) inBox(s dataset.Sample, box schemas.Box) (memory.Exemplar, error) {
	e, err := p.r.o.Memory.Box.EncodeBox(s, box, p.r.patchPx(), p.r.o.Memory.codec())
	if err == nil && p.dearer(e) {
		return p.entire(s)
	}
	return e, err
}

// dearer says whether a form takes more than the whole would.
func (p *pool) dearer(e memory.Exemplar) bool {
	return memory.CostOf(e).In(p.r.store.Unit) > memory.FullCost(e).In(p.r.store.Unit)
}

// entire is s stored whole.
func (p *pool) entire(s dataset.Sample) (memory.Exemplar, error) {
	return memory.Encode(s, memory.Mask{}, p.r.patchPx(), p.r.o.Memory.codec())
}

// appraise adds to what samples of the class are worth, where a budget is counted in them.
func (p *pool) appraise(batch []dataset.Sample) error {
	if p.r.o.Memory.BudgetBytes > 0 {
		return nil
	}
	for _, s := range batch {
		c, err := memory.WholeCost(s, p.r.patchPx(), p.r.o.Memory.codec())
		if err != nil {
			return err
		}
		p.worth.Add(c.In(p.r.store.Unit))
	}
	return nil
}

// candidates yields the rows as exemplars, in their order.
func (p *pool) candidates(ctx context.Context) iter.Seq2[memory.Exemplar, error] {
	return func(yield func(memory.Exemplar, error) bool) {
		loader := dataset.Loader{
			Items: subsetOf(p.items, p.order), BatchSize: min(drawnAtOnce, p.r.learner.BatchSize()), Workers: p.r.o.Schedule.Workers,
			AheadBytes: -1, // a phase's classes may be under way together
		}
		at := 0
		for batch, err := range loader.Epoch(ctx, 0) {
			if err != nil {
				yield(memory.Exemplar{}, err)
				return
			}
			form, err := p.forms(batch, at)
			if err != nil {
				yield(memory.Exemplar{}, err)
				return
			}
			for i, s := range batch {
				if !yield(form(i, s)) {
					return
				}
			}
			at += len(batch)
		}
	}
}

// forms is how the samples of a batch are stored, which begins with candidate at.
func (p *pool) forms(batch []dataset.Sample, at int) (func(i int, s dataset.Sample) (memory.Exemplar, error), error) {
	switch p.r.o.Memory.Exemplars {
	case memory.MRDC:
		return func(_ int, s dataset.Sample) (memory.Exemplar, error) { return p.requantised(s, p.quality) }, nil
	case memory.CIM:
		return func(i int, s dataset.Sample) (memory.Exemplar, error) { return p.inBox(s, p.boxes[p.order[at+i]]) }, nil
	case memory.Masked:
		masked, err := p.masked(batch)
		if err != nil {
			return nil, err
		}
		return func(i int, s dataset.Sample) (memory.Exemplar, error) {
			e, by, err := masked(i, s)
			if at+i == 0 {
				p.first = by
			}
			return e, err
		}, nil
	}
	return func(_ int, s dataset.Sample) (memory.Exemplar, error) { return p.entire(s) }, nil
}

// masked is how the samples of a batch are masked, and by what. A sample's mask depends on nothing but itself and the model.
func (p *pool) masked(batch []dataset.Sample) (func(i int, s dataset.Sample) (memory.Exemplar, looked, error), error) {
	o := p.r.o.Memory
	var probs [][]float32
	if a := o.attention(); a != nil {
		out, err := p.r.learner.Infer(batch, a)
		if err != nil {
			return nil, err
		}
		for _, one := range out.Probs { // the gallery's is looked at after the next pass
			probs = append(probs, slices.Clone(one))
		}
	}
	return func(i int, s dataset.Sample) (memory.Exemplar, looked, error) {
		a := memory.Attention{Text: len(s.Tokens)}
		if probs != nil {
			a.Probs = probs[i]
		} else {
			size := len(s.Tokens) + 1 + len(s.PatchPos)
			a.Probs = make([]float32, size*size)
		}
		m := o.Mask.Mask(a, memory.Generator(p.r.o.Seed, string(s.ID)))
		e, err := memory.Encode(s, m, p.r.patchPx(), o.codec())
		if err == nil && p.dearer(e) {
			m = memory.Mask{}
			e, err = p.entire(s)
		}
		return e, looked{m, a}, err
	}, nil
}

// all yields the candidates from the first on, those again that were drawn.
func (p *pool) all() iter.Seq2[memory.Exemplar, error] {
	return func(yield func(memory.Exemplar, error) bool) {
		for i := 0; ; i++ {
			if i == len(p.drawn) {
				e, err, ok := p.next()
				if !ok {
					return
				}
				if err != nil {
					yield(e, err)
					return
				}
				p.drawn = append(p.drawn, e)
			}
			if !yield(p.drawn[i], nil) {
				return
			}
		}
	}
}

// demand is what all candidates would take, in samples or in the unit of the budget; infinite where they take more than bound.
func (p *pool) demand(bound float64) (float64, error) {
	limit, used := int64(p.r.amount(bound, p.worth)), int64(0)
	for e, err := range p.all() {
		if err != nil {
			return 0, err
		}
		if used += memory.CostOf(e).In(p.r.store.Unit); used > limit {
			return math.Inf(1), nil
		}
	}
	if p.r.inSamples() {
		return p.worth.Samples(used), nil
	}
	return float64(used), nil
}

// show describes the class's first exemplar for the gallery.
func (p *pool) show(ctx context.Context, e memory.Exemplar) (schemas.GalleryExemplar, error) {
	r := p.r
	i := p.order[0]
	s, err := p.items.Sample(ctx, i, nil)
	if err != nil {
		return schemas.GalleryExemplar{}, err
	}
	class := r.data.Classes[p.label]
	g := schemas.GalleryExemplar{
		ID: string(s.ID), WNID: class.WNID, ClassName: strings.ReplaceAll(class.Name, "_", " "), Phase: p.phase, Kind: r.o.Memory.Exemplars,
		PatchPx: r.patchPx(), GridH: s.GridH, GridW: s.GridW, Quality: e.Quality,
		Attention: make([]float32, len(s.PatchPos)), KeptPatch: p.first.mask.Patches,
		FullBytes: int(memory.FullCost(e).StoredBytes), StoredBytes: int(memory.CostOf(e).StoredBytes),
	}
	if g.PicturePNG, err = p.png(s); err != nil {
		return g, err
	}
	if e.Box != nil || e.Quality > 0 {
		replayed, err := memory.ReplayOptions{Black: true}.Sample(e)
		if err == nil {
			g.ReplayPNG, err = p.png(replayed)
		}
		if err != nil {
			return g, err
		}
	}
	if e.Box != nil {
		g.Box = &schemas.GalleryBox{X: e.Box.X, Y: e.Box.Y, W: e.Box.W, H: e.Box.H}
	}
	if p.maps != nil {
		g.Attention = p.maps[i]
	}
	if g.KeptPatch == nil {
		g.KeptPatch = slices.Repeat([]bool{true}, len(s.PatchPos))
	}
	var scores []float32
	if a := p.first.attention; a.Probs != nil {
		g.Attention, scores = slices.Clone(a.Image(r.o.Memory.Mask.Token)), a.Context(p.first.mask.Patches)
	}
	for k := 1; k < len(s.Tokens)-1; k++ {
		token := schemas.GalleryToken{Text: r.encoding.Tokenizer.Piece(s.Tokens[k]), Kept: p.first.mask.Tokens == nil || p.first.mask.Tokens[k]}
		if scores != nil {
			token.Score = scores[k]
		}
		g.Tokens = append(g.Tokens, token)
	}
	return g, nil
}

func (p *pool) png(s dataset.Sample) ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, dataset.Picture(s, p.r.patchPx()))
	return b.Bytes(), err
}
