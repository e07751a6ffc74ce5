package train

import (
	"context"
	"fmt"
	"math"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
	"github.com/mcil/mcil/train/memory"
	"github.com/mcil/mcil/train/vilt"
)

// galleryPerPhase is how many exemplars of a phase are kept to look at.
const galleryPerPhase = 6

// prepareMemory sets the memory up for the model, and refuses what the model has not.
func (r *run) prepareMemory(c vilt.Config) error {
	o := r.o.Memory
	r.shape = c
	r.store.Unit, r.worths = memory.Unit(o.BudgetUnit), map[int]memory.Worth{}
	r.chosen = map[int]schemas.ClassQuality{}
	if !o.keeps() {
		return nil
	}
	if err := o.codec().Check(c.Patch); err != nil {
		return fmt.Errorf("%w: %w", err, ErrOptions)
	}
	if a := o.attention(); a != nil {
		if err := a.Check(c); err != nil {
			return fmt.Errorf("%w: %w", err, ErrOptions)
		}
	}
	return nil
}

// remember gives the classes of phase t their place in the memory. Features and attention come from the model at the end
// of the classes' own phase, from their train rows and without gradients.
func (r *run) remember(ctx context.Context, t int, stage string) ([]schemas.GalleryExemplar, error) {
	if !r.o.Memory.keeps() {
		return nil, nil
	}
	clear(r.chosen)
	var pools []*pool
	defer func() {
		for _, p := range pools {
			p.stop()
		}
	}()
	var gallery []schemas.GalleryExemplar
	for i, label := range r.phases[t] {
		p, err := r.pool(ctx, t, label)
		if err != nil {
			return nil, err
		}
		pools = append(pools, p)
		if r.o.Memory.Budget > 0 { // nothing depends on the other classes
			if err := r.place(ctx, p, p.worth.Of(r.o.Memory.Budget), &gallery); err != nil {
				return nil, err
			}
		}
		r.tell(stage+": remember", i+1, len(r.phases[t]), r.data.Classes[label].Name)
	}
	if r.o.Memory.Budget > 0 {
		return gallery, nil
	}
	shares, err := r.shares(t, pools)
	if err != nil {
		return nil, err
	}
	old := len(shares) - len(pools)
	for label, share := range shares[:old] {
		r.store.Shrink(label, r.amount(share, r.worths[label]))
	}
	for i, p := range pools {
		if err := r.place(ctx, p, r.amount(shares[old+i], p.worth), &gallery); err != nil {
			return nil, err
		}
	}
	return gallery, nil
}

// place fills a class's part of the memory and shows its first exemplar.
func (r *run) place(ctx context.Context, p *pool, budget memory.Budget, gallery *[]schemas.GalleryExemplar) error {
	if err := r.store.Put(p.place, budget, p.all()); err != nil {
		return err
	}
	p.stop()
	p.drawn = nil
	if r.o.Memory.BudgetTotal > 0 {
		r.worths[p.place] = p.worth
	}
	held := r.store.OfClass(p.place)
	if r.o.Memory.Exemplars == memory.Raw || len(*gallery) >= galleryPerPhase || len(held) == 0 {
		return nil
	}
	g, err := p.show(ctx, held[0])
	if err == nil {
		*gallery = append(*gallery, g)
	}
	return err
}

// inSamples says whether shares of a budget in all are in samples rather than in its unit.
func (r *run) inSamples() bool { return r.o.Memory.BudgetTotal > 0 }

// amount is a share in the unit of the budget.
func (r *run) amount(share float64, worth memory.Worth) memory.Budget {
	if r.inSamples() {
		return worth.Of(share)
	}
	return memory.Budget(math.Floor(share))
}

// total is the budget in all, in samples or bytes.
func (r *run) total() float64 {
	if r.inSamples() {
		return r.o.Memory.BudgetTotal
	}
	return float64(r.o.Memory.BudgetBytes)
}

// shares deals a budget in all out to the classes of phases 0..t. A class asks for all that it could hold: of an old class
// that is what it still holds, for nothing that was dropped comes back. New ones are drawn only as far as it takes to know.
func (r *run) shares(t int, pools []*pool) ([]float64, error) {
	seen := r.seen(t)
	old := seen - len(pools)
	bound := r.total() / float64(seen)
	for {
		demands := make([]float64, seen)
		for label := range old {
			used := r.store.UsedOf(label)
			if demands[label] = float64(used); r.inSamples() {
				demands[label] = r.worths[label].Samples(used)
			}
		}
		for i, p := range pools {
			demand, err := p.demand(bound)
			if err != nil {
				return nil, err
			}
			demands[old+i] = demand
		}
		shares := memory.Share(r.total(), demands)
		most := bound
		for i := range pools {
			if math.IsInf(demands[old+i], 1) {
				most = max(most, shares[old+i])
			}
		}
		if most <= bound {
			return shares, nil
		}
		bound = most
	}
}

// costs fills in how many exemplars are held and what they cost beside their whole form.
func (r *run) costs(p *schemas.Phase, seen int) {
	if u := r.store.Unit; u != "" && u != memory.Stored {
		p.MemoryUnit, p.MemoryBudget, p.MemoryUsed = string(u), int64(r.store.Budget()), r.store.Used().In(u)
		p.MemoryBudgetBytes = 0
	}
	for label := range seen {
		if r.o.Memory.keeps() {
			p.ClassExemplars = append(p.ClassExemplars, len(r.store.OfClass(label)))
		}
	}
	all := r.store.All()
	if len(all) == 0 {
		return
	}
	var cost, full memory.Cost
	for _, e := range all {
		cost, full = cost.Plus(memory.CostOf(e)), full.Plus(memory.FullCost(e))
	}
	p.ExemplarsPerClass = float64(len(all)) / float64(seen)
	p.TokenFraction = float64(cost.Tokens) / float64(full.Tokens)
	p.PixelFraction = float64(cost.PixelBytes) / float64(full.PixelBytes)
	p.StoredFraction = float64(cost.StoredBytes) / float64(full.StoredBytes)
}

// subsetOf is chosen rows of a subset, in the order given.
func subsetOf(s dataset.Subset, at []int) dataset.Subset {
	rows := make([]int, len(at))
	for k, i := range at {
		rows[k] = s.Indices[i]
	}
	s.Indices = rows
	return s
}
