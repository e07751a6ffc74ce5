package method

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/dataset/cache"
	"github.com/mcil/mcil/train/vilt"
)

// queries are what the encoder without prompts says of samples. It is frozen, and what it says of a sample does not depend on
// the batch, so it is computed once for a sample, as far as there is room, and kept as it is: later epochs and evaluations go
// on with the same bytes.
type queries struct {
	m       *machine // the encoder without prompts
	kept    map[cache.Key][]float32
	room    int              // samples
	batch   []float32        // [B,D] of the last batch
	running []vilt.Sequence  // that were computed for it
	missing []dataset.Sample // reused
	places  []int            // of missing in the batch
	keys    []cache.Key      // of missing
}

// Queries that are kept take so many bytes at most: of ViT-B some twenty thousand samples'.
const queriesBytes = 64 << 20

// queryBytes is what a query takes, with its key and its place in a map.
func queryBytes(c vilt.Config) int64 { return 4*int64(c.Width) + 128 }

// QueriesBytes is what queries of so many samples take at most where [Spec.Asks].
func QueriesBytes(c vilt.Config, samples int) int64 {
	return min(queriesBytes, int64(samples)*queryBytes(c))
}

// Asks says that the method learns prompts, which are chosen or made by queries, and that queries are kept in memory.
func (m Spec) Asks() bool { return m.Prompts != Prompts{} }

func newQueries(m *machine) *queries {
	return &queries{m: m, kept: map[cache.Key][]float32{}, room: int(queriesBytes / queryBytes(m.encoder.Config))}
}

// makeRoom forgets all where it is full: a phase's rows are not learned in the next.
func (q *queries) makeRoom() {
	if len(q.kept) >= q.room {
		clear(q.kept)
	}
}

// of are the queries [B,D] of a batch, until the next call. Those of samples that are passing are not kept.
func (q *queries) of(batch []dataset.Sample) ([]float32, error) {
	d := q.m.encoder.Config.Width
	q.batch = slices.Grow(q.batch[:0], len(batch)*d)[:len(batch)*d]
	q.running, q.missing, q.places, q.keys = q.running[:0], q.missing[:0], q.places[:0], q.keys[:0]
	for i, s := range batch {
		var key cache.Key
		if !s.Passing {
			key = keyOf([sha256.Size]byte{}, s)
			if kept := q.kept[key]; kept != nil {
				copy(q.batch[i*d:], kept)
				continue
			}
		}
		q.missing, q.places, q.keys = append(q.missing, s), append(q.places, i), append(q.keys, key)
	}
	if len(q.missing) == 0 {
		return q.batch, nil
	}
	out, err := q.m.infer(q.missing, nil)
	if err != nil {
		return nil, fmt.Errorf("query of prompts: %w", err)
	}
	for k, i := range q.places {
		own := q.batch[i*d : (i+1)*d]
		copy(own, out.Features[k*d:])
		if !q.missing[k].Passing && len(q.kept) < q.room {
			q.kept[q.keys[k]] = slices.Clone(own)
		}
	}
	q.running, _ = sequencesOf(q.missing)
	clear(q.missing) // pixels are not held
	return q.batch, nil
}
