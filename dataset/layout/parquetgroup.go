package layout

import (
	"encoding/binary"
	"fmt"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// parquetGroup is a row group.
type parquetGroup struct {
	*parquetFile
	columns []thrift // chunks of the leaves, in order
}

// chunk decodes all columns but the pictures.
func (g *parquetGroup) chunk(rows int, columns columnMap, cache *pictureCache) (*chunk, error) {
	c := &chunk{rows: rows}
	for col, i := range columns.at {
		if i < 0 {
			continue
		}
		node := g.root.children[i]
		switch node.kind() {
		case kindPicture:
			c.images = &groupPictures{group: g, rows: rows, leaf: node.child("bytes").leaf, cache: cache}
		case kindBytes:
			c.images = &groupPictures{group: g, rows: rows, leaf: node.leaf, cache: cache}
		case kindTexts:
			list, items, err := g.lists(node.item().leaf, rows)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", node.name, err)
			}
			texts := listColumn{list, textColumn{slices: items}}
			if col == schemas.ColCaption {
				c.list = texts
			} else {
				c.flags = texts
			}
		case kindNumbers:
			list, items, err := g.lists(node.item().leaf, rows)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", node.name, err)
			}
			c.values = numbersColumn{list, intColumn{slices: items}}
		default:
			values, _, err := g.values(node.leaf, rows)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", node.name, err)
			}
			if node.kind() == kindText {
				c.texts[col].slices = values
			} else {
				c.ints[col].slices = values
			}
		}
	}
	return c, nil
}

// values are the values of a column that is not in a list, one a row, and nil where there is none. ownBytes are those
// that are not part of the file.
func (g *parquetGroup) values(leaf *parquetLeaf, rows int) (values [][]byte, ownBytes int64, err error) {
	d, err := g.decode(leaf, int64(rows))
	if err != nil {
		return nil, 0, err
	}
	values = make([][]byte, rows)
	next := 0
	for i := range rows {
		if leaf.maxDef > 0 && int(d.defs[i]) != leaf.maxDef {
			continue
		}
		values[i] = d.values[next]
		next++
	}
	return values, d.ownBytes, nil
}

// lists are the values of a column of lists, one list a row, and their items.
func (g *parquetGroup) lists(leaf *parquetLeaf, rows int) (col textColumn, items [][]byte, err error) {
	d, err := g.decode(leaf, -1)
	if err != nil {
		return col, nil, err
	}
	col.offsets = make([]byte, 0, 4*(rows+1))
	items = [][]byte{}
	next := 0
	for i, def := range d.defs { // in a list both levels are there
		if d.reps[i] == 0 {
			col.offsets = binary.LittleEndian.AppendUint32(col.offsets, uint32(len(items)))
		} else if i == 0 {
			return col, nil, damaged("it begins within a list")
		}
		switch {
		case int(def) == leaf.maxDef:
			items = append(items, d.values[next])
			next++
		case int(def) >= leaf.repeatedDef:
			items = append(items, nil)
		}
	}
	if len(col.offsets) != 4*rows {
		return col, nil, damaged("%d lists for %d rows", len(col.offsets)/4, rows)
	}
	col.offsets = binary.LittleEndian.AppendUint32(col.offsets, uint32(len(items)))
	return col, items, nil
}

// groupPictures are the pictures of a row group, decoded when one of them is asked for.
type groupPictures struct {
	group *parquetGroup
	rows  int
	leaf  *parquetLeaf
	cache *pictureCache
}

func (p *groupPictures) picture(i int) ([]byte, error) {
	values, err := p.cache.get(p)
	if err != nil {
		return nil, fmt.Errorf("column image: %w: %w", err, dataset.ErrRefused)
	}
	if values[i] == nil {
		return nil, noValue("image", i)
	}
	return values[i], nil
}
