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
)

// galleryPerPhase is how many masked exemplars of a phase are kept to look at.
const galleryPerPhase = 6

// remember gives the classes of phase t their place in the memory. Features and attention come from the model at the end
// of the classes' own phase, in one pass over their train rows without gradients.
func (r *run) remember(ctx context.Context, t int, stage string) ([]schemas.GalleryExemplar, error) {
	if !r.kind.Keeps {
		return nil, nil
	}
	classes := r.seen(t)
	share := memory.Budget(r.o.BudgetBytes / int64(classes))
	if r.o.BudgetBytes > 0 {
		for label := range classes - len(r.phases[t]) {
			r.store.Shrink(label, share)
		}
	}
	var gallery []schemas.GalleryExemplar
	for i, label := range r.phases[t] {
		c, err := r.candidates(ctx, label)
		if err != nil {
			return nil, err
		}
		budget := share
		if r.o.BudgetBytes == 0 {
			budget = c.fullBytes(r.o.Budget)
		}
		if err := r.store.Put(r.position[label], budget, c.exemplars(r.patchPx())); err != nil {
			return nil, err
		}
		if r.kind.Mask != nil && len(gallery) < galleryPerPhase && len(r.store.OfClass(r.position[label])) > 0 {
			g, err := r.show(c, t, label)
			if err != nil {
				return nil, err
			}
			gallery = append(gallery, g)
		}
		r.tell(stage+": remember", i+1, len(r.phases[t]), r.data.Classes[label].Name)
	}
	return gallery, nil
}

func (r *run) patchPx() int { return r.encoding.Processor.Patch }

// candidates are the train rows of one class in herding's order, with their masks.
type candidates struct {
	samples []dataset.Sample
	masks   []memory.Mask      // zero where exemplars are not masked
	maps    []memory.Attention // empty where exemplars are not masked
}

func (r *run) candidates(ctx context.Context, label int) (candidates, error) {
	var c candidates
	var features []float32
	loader := dataset.Loader{Items: r.subset(r.data.Splits[dataset.Train], []int{label}), BatchSize: r.learner.BatchSize(), Workers: r.o.Schedule.Workers}
	for batch, err := range loader.Epoch(ctx, 0) {
		if err != nil {
			return c, err
		}
		out, err := r.learner.Infer(batch, r.kind.Mask != nil)
		if err != nil {
			return c, err
		}
		features = append(features, out.Features...)
		c.samples = append(c.samples, batch...)
		for i := range batch {
			if r.kind.Mask == nil {
				c.masks = append(c.masks, memory.Mask{})
				continue
			}
			a := memory.Attention{Probs: slices.Clone(out.Probs[i]), Text: len(batch[i].Tokens)}
			c.maps = append(c.maps, a)
			c.masks = append(c.masks, r.kind.Mask(a))
		}
	}
	order := memory.Herd(features, len(features)/len(c.samples))
	return c.ordered(order), nil
}

func (c candidates) ordered(order []int) (out candidates) {
	for _, i := range order {
		out.samples = append(out.samples, c.samples[i])
		out.masks = append(out.masks, c.masks[i])
		if c.maps != nil {
			out.maps = append(out.maps, c.maps[i])
		}
	}
	return out
}

// fullBytes is what the first n candidates take without masks: the unit of a budget in samples is what that many whole
// examples, chosen in the same order, would have cost. A part of n counts as that part of the next one; a class with fewer
// examples has them all.
func (c candidates) fullBytes(n float64) memory.Budget {
	var sum float64
	for i, s := range c.samples {
		share := min(1, n-float64(i))
		if share <= 0 {
			break
		}
		sum += share * float64(len(s.Pixels)+2*len(s.Tokens))
	}
	return memory.Budget(math.Round(sum))
}

func (c candidates) exemplars(patchPx int) iter.Seq2[memory.Exemplar, error] {
	return func(yield func(memory.Exemplar, error) bool) {
		for i, s := range c.samples {
			if !yield(memory.Encode(s, c.masks[i], patchPx)) {
				return
			}
		}
	}
}

// show describes a class's first exemplar for the gallery.
func (r *run) show(c candidates, t, label int) (schemas.GalleryExemplar, error) {
	s, m, a := c.samples[0], c.masks[0], c.maps[0]
	e, err := memory.Encode(s, m, r.patchPx())
	if err != nil {
		return schemas.GalleryExemplar{}, err
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, dataset.Picture(s, r.patchPx())); err != nil {
		return schemas.GalleryExemplar{}, err
	}
	class := r.data.Classes[label]
	g := schemas.GalleryExemplar{
		ID: string(s.ID), WNID: class.WNID, ClassName: strings.ReplaceAll(class.Name, "_", " "), Phase: t,
		PicturePNG: picture.Bytes(), PatchPx: r.patchPx(), GridH: s.GridH, GridW: s.GridW,
		Attention: slices.Clone(a.Image()), KeptPatch: m.Patches,
		FullBytes: int(memory.FullCost(e).StoredBytes), StoredBytes: int(memory.CostOf(e).StoredBytes),
	}
	scores := a.Context(m.Patches)
	for i := 1; i < len(s.Tokens)-1; i++ {
		g.Tokens = append(g.Tokens, schemas.GalleryToken{Text: r.encoding.Tokenizer.Piece(s.Tokens[i]), Kept: m.Tokens[i], Score: scores[i]})
	}
	return g, nil
}

// costs fills in how many exemplars are held and what they cost beside their unmasked form.
func (r *run) costs(p *schemas.Phase, seen int) {
	all := r.store.All()
	if len(all) == 0 {
		return
	}
	var cost, full memory.Cost
	for _, e := range all {
		c, f := memory.CostOf(e), memory.FullCost(e)
		cost.Tokens, full.Tokens = cost.Tokens+c.Tokens, full.Tokens+f.Tokens
		cost.PixelBytes, full.PixelBytes = cost.PixelBytes+c.PixelBytes, full.PixelBytes+f.PixelBytes
		cost.StoredBytes, full.StoredBytes = cost.StoredBytes+c.StoredBytes, full.StoredBytes+f.StoredBytes
	}
	p.ExemplarsPerClass = float64(len(all)) / float64(seen)
	p.TokenFraction = float64(cost.Tokens) / float64(full.Tokens)
	p.PixelFraction = float64(cost.PixelBytes) / float64(full.PixelBytes)
	p.StoredFraction = float64(cost.StoredBytes) / float64(full.StoredBytes)
}
