package layout

import (
	"fmt"
	"slices"
	"sort"

	"github.com/mcil/mcil/dataset"
)

// shardRows are the rows of one or several files.
type shardRows struct {
	chunks []*chunk
	starts []int // first row of each chunk
	n      int
}

var _ dataset.Rows = (*shardRows)(nil)

// add appends a chunk; one of no rows is left out, because locate looks for a chunk by its first row.
func (r *shardRows) add(c *chunk) {
	if c.rows == 0 {
		return
	}
	r.chunks = append(r.chunks, c)
	r.starts = append(r.starts, r.n)
	r.n += c.rows
}

// locate finds the chunk of row i and the row's place in it.
func (r *shardRows) locate(i int) (*chunk, int) {
	if i < 0 || i >= r.n {
		panic(fmt.Sprintf("layout: row %d of %d", i, r.n))
	}
	k := sort.SearchInts(r.starts, i+1) - 1
	return r.chunks[k], i - r.starts[k]
}

// Len is the number of rows.
func (r *shardRows) Len() int { return r.n }

// ID is the ID of row i.
func (r *shardRows) ID(i int) dataset.ID {
	c, j := r.locate(i)
	return dataset.ID(c.id(j))
}

// Label is the label of row i.
func (r *shardRows) Label(i int) int {
	c, j := r.locate(i)
	return c.label(j)
}

// Caption is the caption of row i.
func (r *shardRows) Caption(i int) string {
	c, j := r.locate(i)
	return string(c.caption(j))
}

// Image is the encoded picture of row i.
func (r *shardRows) Image(i int) ([]byte, error) {
	c, j := r.locate(i)
	b, err := c.images.picture(j)
	if err != nil {
		return nil, fmt.Errorf("row %d, %s: %w", i, c.id(j), err)
	}
	return b, nil
}

// Row is row i whole.
func (r *shardRows) Row(i int) (dataset.Row, error) {
	c, j := r.locate(i)
	row, err := c.row(j)
	if err != nil {
		return dataset.Row{}, fmt.Errorf("row %d, %s: %w", i, c.id(j), err)
	}
	return row, nil
}

// concat joins the rows of several files.
func concat(parts []*shardRows) *shardRows {
	all := &shardRows{}
	for _, p := range parts {
		for _, c := range p.chunks {
			all.add(c)
		}
	}
	all.chunks, all.starts = slices.Clip(all.chunks), slices.Clip(all.starts)
	return all
}
