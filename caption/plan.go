package caption

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// Work is what a run would do. It asks for Missing and Requeued pictures.
type Work struct {
	Entries       []dataset.Entry // selected, sorted by ID; the source's own slice where they are next to each other in it
	Missing       int             // of them have no caption
	MissingBytes  int64           // of the files of these
	Requeued      int             // have one and are to be asked for once more
	RequeuedBytes int64           // of the files of these
	LastRung      int             // captions that [Options.Requeue] wants, at the end of the ladder: they stay
}

// Plan says what [Run] would do with the options, of which it looks at Source, Store (nil: there is none yet), and those
// that select. It goes by names: no picture is read, so one that changed since counts as captioned, and one that was renamed
// as missing. Its errors are the store's. For Requeue the store must be from [CreateStore]: one opened for reading has no
// ladder.
//
// The order is: Select, OnlyFailed and Requeue, Sample, Limit.
func Plan(o Options) (Work, error) {
	s, err := choose(o)
	if err != nil {
		return Work{}, err
	}
	w := Work{LastRung: s.lastRung, Entries: s.slice()}
	for i := range s.all() {
		e := &s.entries[i]
		if o.Store == nil || !o.Store.Has(e.ID) {
			w.Missing++
			w.MissingBytes += e.SizeBytes
		} else if s.again.has(i) {
			w.Requeued++
			w.RequeuedBytes += e.SizeBytes
		}
	}
	return w, nil
}

// selection is which of a source's entries are in work: 4 bytes a picture at most, for a source may have millions.
type selection struct {
	entries  []dataset.Entry // the source's own
	from, to int             // the selected ones, where at is nil
	at       []int32         // the selected ones, in order
	again    bits            // of all entries, those to be asked for once more
	lastRung int
}

// choose selects as the options say.
func choose(o Options) (s selection, err error) {
	s.entries = o.Source.Entries()
	s.to = len(s.entries)
	var last bits
	if s.again, last, err = requeued(o, s.entries); err != nil {
		return s, err
	}
	defer func() {
		for i := range s.all() {
			if last.has(i) {
				s.lastRung++
			}
		}
	}()
	keep := func(i int) bool { return o.Select == nil || o.Select(s.entries[i]) }
	if o.OnlyFailed || o.OnlyFailedClass != "" {
		failed, err := failures(o, s.entries)
		if err != nil {
			return s, err
		}
		selected := keep
		keep = func(i int) bool { return (failed.has(i) || s.again.has(i)) && selected(i) }
	} else if o.Select == nil && o.Sample <= 0 {
		if o.Limit > 0 {
			s.to = min(s.to, o.Limit)
		}
		return s, nil
	}
	s.at = []int32{}
	for i := range s.entries {
		if o.Limit > 0 && o.Sample <= 0 && len(s.at) == o.Limit {
			break
		}
		if keep(i) {
			s.at = append(s.at, int32(i))
		}
	}
	if o.Sample > 0 {
		s.at = draw(s.entries, s.at, o.Sample, o.SampleSeed)
		if o.Limit > 0 && len(s.at) > o.Limit {
			s.at = s.at[:o.Limit]
		}
	}
	return s, nil
}

func (s *selection) len() int {
	if s.at != nil {
		return len(s.at)
	}
	return s.to - s.from
}

// all yields the indices of the selected entries, in order.
func (s *selection) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range s.len() {
			i := s.from + n
			if s.at != nil {
				i = int(s.at[n])
			}
			if !yield(i) {
				return
			}
		}
	}
}

// slice is the selected entries, copied only where they are scattered.
func (s *selection) slice() []dataset.Entry {
	if s.at == nil {
		return s.entries[s.from:s.to:s.to]
	}
	if n := len(s.at); n == 0 || int(s.at[n-1]-s.at[0]) == n-1 {
		if n == 0 {
			return nil
		}
		return s.entries[s.at[0] : s.at[n-1]+1 : s.at[n-1]+1]
	}
	entries := make([]dataset.Entry, 0, len(s.at))
	for _, i := range s.at {
		entries = append(entries, s.entries[i])
	}
	return entries
}

// bits is a set of small numbers. Nil is empty.
type bits []uint64

func (b bits) has(i int) bool { return i>>6 < len(b) && b[i>>6]&(1<<(i&63)) != 0 }
func (b bits) add(i int)      { b[i>>6] |= 1 << (i & 63) }

func newBits(n int) bits { return make(bits, (n+63)/64) }

// requeued finds the captions to be asked for once more, and those that would be but have no rung left.
func requeued(o Options, entries []dataset.Entry) (again, last bits, err error) {
	if o.Requeue == nil || o.Store == nil {
		return nil, nil, nil
	}
	again, last = newBits(len(entries)), newBits(len(entries))
	err = mark(o.Store.Captions(), entries, func(i int, c schemas.Caption) {
		switch {
		case !o.Requeue(c):
		case c.Rung >= len(o.Store.recipe.Ladder):
			last.add(i)
		default:
			again.add(i)
		}
	})
	return again, last, err
}

// failures finds the pictures that failed and have no caption.
func failures(o Options, entries []dataset.Entry) (bits, error) {
	if o.Store == nil {
		return nil, nil
	}
	failed := newBits(len(entries))
	return failed, mark(o.Store.Failures(), entries, func(i int, c schemas.Caption) {
		if o.OnlyFailedClass == "" || c.ErrorClass == string(o.OnlyFailedClass) {
			failed.add(i)
		}
	})
}

// mark calls visit for every record of an entry, with the entry's index.
func mark(records iter.Seq2[schemas.Caption, error], entries []dataset.Entry, visit func(int, schemas.Caption)) error {
	for c, err := range records {
		if err != nil {
			return fmt.Errorf("selecting pictures: %w", err)
		}
		i, ok := slices.BinarySearchFunc(entries, dataset.ID(c.ID), func(e dataset.Entry, id dataset.ID) int { return cmp.Compare(e.ID, id) })
		if ok {
			visit(i, c)
		}
	}
	return nil
}

// draw takes n of the selected entries at random, of each class as many as of every other as far as it has them. Where n
// cannot be shared out evenly, chance says which classes give one more. The same selection, number and seed give the same
// entries, in order.
func draw(entries []dataset.Entry, at []int32, n int, seed uint64) []int32 {
	if n >= len(at) {
		return at
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	shuffled := slices.Clone(at)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	labels := 0
	for _, i := range at {
		labels = max(labels, entries[i].Label+1)
	}
	left := make([]int, labels) // pictures of each class that are not drawn yet
	var classes []int           // that have any
	for _, i := range at {
		if left[entries[i].Label]++; left[entries[i].Label] == 1 {
			classes = append(classes, entries[i].Label)
		}
	}
	slices.Sort(classes)
	quota := make([]int, labels)
	for n > 0 {
		classes = slices.DeleteFunc(classes, func(c int) bool { return left[c] == 0 })
		share := n / len(classes)
		if share == 0 { // fewer pictures than classes are left to draw
			random.Shuffle(len(classes), func(i, j int) { classes[i], classes[j] = classes[j], classes[i] })
			classes, share = classes[:n], 1
		}
		for _, c := range classes {
			take := min(share, left[c])
			quota[c] += take
			left[c] -= take
			n -= take
		}
	}
	drawn := shuffled[:0]
	for _, i := range shuffled {
		if label := entries[i].Label; quota[label] > 0 {
			quota[label]--
			drawn = append(drawn, i)
		}
	}
	slices.Sort(drawn)
	return slices.Clone(drawn) // leaves the rest of the array behind
}
