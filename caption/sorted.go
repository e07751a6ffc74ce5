package caption

import (
	"cmp"
	"iter"
	"slices"

	"github.com/mcil/mcil/schemas"
)

const (
	groupRecords = 512 // on average, in memory at a time
	groupSamples = 8   // IDs read for each group to find where it begins
)

// sorted yields one record of each ID for which pick finds one, in the order of the IDs. Neither records nor IDs of a large
// store fit in memory, and the index does not know the IDs: so a sample of them tells what ranges hold about groupRecords
// each, a second reading puts each record in its range, and a third reads and sorts one range at a time. It takes 16 bytes a
// record, and reads each record's journal nearly in order where that was written nearly in the order of the IDs.
func (s *Store) sorted(pick func(*index, uint32) *entry) iter.Seq2[schemas.Caption, error] {
	return func(yield func(schemas.Caption, error) bool) {
		s.mu.RLock()
		refs := s.index.refs(pick)
		s.mu.RUnlock()
		if err := s.group(refs); err != nil {
			yield(schemas.Caption{}, err)
			return
		}
		var buf []byte
		var records []schemas.Caption
		for begin := 0; begin < len(refs); {
			records = records[:0]
			end := begin
			for ; end < len(refs) && refs[end].group == refs[begin].group; end++ {
				c, read, err := s.journals.record(refs[end], buf)
				if err != nil {
					yield(schemas.Caption{}, err)
					return
				}
				records, buf = append(records, c), read
			}
			slices.SortFunc(records, func(a, b schemas.Caption) int { return cmp.Compare(a.ID, b.ID) })
			for _, c := range records {
				if !yield(c, nil) {
					return
				}
			}
			clear(records)
			begin = end
		}
	}
}

// group sorts refs by ranges of IDs, and within each by place.
func (s *Store) group(refs []ref) error {
	slices.SortFunc(refs, func(a, b ref) int { return cmp.Compare(a.place, b.place) })
	groups := len(refs) / groupRecords
	if groups <= 1 {
		return nil
	}
	var buf []byte
	sample := make([]string, groups*groupSamples)
	for i := range sample {
		var err error
		if sample[i], buf, err = s.journals.id(refs[i*len(refs)/len(sample)], buf); err != nil {
			return err
		}
	}
	slices.Sort(sample)
	begins := make([]string, groups) // the least ID of each group; of the first, anything less
	for i := range begins {
		begins[i] = sample[i*groupSamples]
	}
	for i := range refs {
		id, read, err := s.journals.id(refs[i], buf)
		if err != nil {
			return err
		}
		buf = read
		n, exact := slices.BinarySearch(begins, id)
		if !exact {
			n = max(n-1, 0)
		}
		refs[i].group = uint32(n)
	}
	slices.SortFunc(refs, func(a, b ref) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.place, b.place)) })
	return nil
}
