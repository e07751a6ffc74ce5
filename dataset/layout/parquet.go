package layout

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/klauspost/compress/zstd"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

// A Parquet file: the magic, pages, the footer, its length in 4 bytes, the magic.
const (
	magicParquet       = "PAR1"
	parquetTailBytes   = 4 + len(magicParquet)
	maxParquetFooter   = 256 << 20 // bytes; the footer of 30,000 rows in groups of 100 has some 500 kB
	maxLevelsOfNesting = 32
)

// Numbers of Parquet's format: physical types, the kinds of repetition, and the old names of logical types.
const (
	physicalInt32, physicalInt64, physicalDouble, physicalBytes = 1, 2, 5, 6

	required, optional, repeated = 0, 1, 2

	convertedUTF8, convertedMap, convertedMapKeyValue, convertedList = 0, 1, 2, 3
)

// parquetNode is a column of a Parquet schema, or a group of columns.
type parquetNode struct {
	name       string
	repetition int
	physical   int // of a leaf
	logical    string
	children   []*parquetNode
	leaf       *parquetLeaf // nil in a group
}

// parquetLeaf is a column as it is stored. A value has a definition level: how many of the optional and repeated nodes on
// the way to it are there; and a repetition level: 0 where it begins a row.
type parquetLeaf struct {
	index       int // among the leaves
	physical    int
	maxDef      int
	maxRep      int // 1 in a list
	repeatedDef int // the definition level from which on a list has an element
}

// readParquet reads a Parquet file, as the Hugging Face Hub has it: all columns but the pictures are decoded now, a row
// group after the other.
func (s *shard) readParquet(content []byte, cache *pictureCache) (md arrow.Metadata, err error) {
	file, err := openParquet(content)
	if err != nil {
		return md, err
	}
	for _, n := range file.root.children {
		s.fields = append(s.fields, field{n.name, n.arrowType(), n.kind()})
	}
	if md = file.metadata(); md.FindKey(schemas.MetadataKey) >= 0 {
		if err := checkHeader(md); err != nil {
			return md, err
		}
	}
	columns, err := matchColumns(s.fields)
	if err != nil {
		return md, err
	}
	total := int64(0)
	for i := range file.groups {
		g := &parquetGroup{parquetFile: file, columns: file.groups[i].at(1).list}
		rows := file.groups[i].at(3).num
		if total += rows; rows < 0 || total > int64(len(content)) || total < 0 { // a row takes more than a byte
			return md, fmt.Errorf("damaged: row group %d of %d rows in a file of %d bytes: %w", i, rows, len(content), dataset.ErrRefused)
		}
		c, err := g.chunk(int(rows), columns, cache)
		if err != nil {
			return md, fmt.Errorf("row group %d: %w: %w", i, err, dataset.ErrRefused)
		}
		if err := c.checkNulls(s.rows.n); err != nil {
			return md, err
		}
		if err := c.checkValues(s.rows.n); err != nil {
			return md, err
		}
		s.rows.add(c)
	}
	if want := file.footer.at(3).num; want != total {
		return md, fmt.Errorf("damaged: %d rows in its row groups, and %d by the footer: %w", total, want, dataset.ErrRefused)
	}
	return md, nil
}

// parquetFile is a file whose footer was read.
type parquetFile struct {
	content []byte // without the footer
	footer  thrift
	groups  []thrift
	root    *parquetNode
	leaves  int
	zstd    func() (*zstd.Decoder, error)
}

func openParquet(content []byte) (*parquetFile, error) {
	end := len(content) - parquetTailBytes
	if end < len(magicParquet) || string(content[end+4:]) != magicParquet {
		return nil, cutOff("the Parquet file", len(content))
	}
	length := int64(binary.LittleEndian.Uint32(content[end:]))
	if length > int64(end-len(magicParquet)) || length > maxParquetFooter {
		return nil, fmt.Errorf("damaged: a footer of %d bytes in a file of %d: %w", length, len(content), dataset.ErrRefused)
	}
	f := &parquetFile{content: content[:end-int(length)], zstd: sync.OnceValues(newZstd)}
	var err error
	if f.footer, _, err = readThrift(content[end-int(length) : end]); err != nil {
		return nil, fmt.Errorf("damaged: its footer: %w: %w", err, dataset.ErrRefused)
	}
	f.groups = f.footer.at(4).list
	elements := f.footer.at(2).list
	if len(elements) == 0 {
		return nil, fmt.Errorf("damaged: its footer has no schema: %w", dataset.ErrRefused)
	}
	if f.root, _, err = f.node(elements, maxLevelsOfNesting, nil); err != nil {
		return nil, fmt.Errorf("damaged: its schema: %w: %w", err, dataset.ErrRefused)
	}
	return f, nil
}

// node reads the node with which elements, in depth-first order, begin, and says how many of them it takes. over are the
// nodes that it is in, less the root.
func (f *parquetFile) node(elements []thrift, depth int, over []*parquetNode) (*parquetNode, int, error) {
	if len(elements) == 0 || depth == 0 {
		return nil, 0, damaged("its groups do not come out even")
	}
	e := &elements[0]
	n := &parquetNode{name: string(e.at(4).bin), repetition: int(e.at(3).num), physical: int(e.at(1).num)}
	if c := e.find(6); c != nil {
		n.logical = map[int64]string{convertedUTF8: "utf8", convertedList: "list", convertedMap: "map", convertedMapKeyValue: "map"}[c.num]
	}
	if l := e.find(10); l != nil && len(l.fields) == 1 {
		n.logical = map[int16]string{1: "utf8", 2: "map", 3: "list"}[l.fields[0].id]
	}
	root := depth == maxLevelsOfNesting
	if !root {
		over = append(over[:len(over):len(over)], n)
	}
	used, children := 1, e.at(5).num
	if children == 0 && !root {
		leaf := &parquetLeaf{index: f.leaves, physical: n.physical}
		for _, o := range over {
			if o.repetition != required {
				leaf.maxDef++
			}
			if o.repetition == repeated {
				leaf.maxRep++
				leaf.repeatedDef = leaf.maxDef
			}
		}
		f.leaves++
		n.leaf = leaf
		return n, used, nil
	}
	for ; children > 0; children-- {
		child, k, err := f.node(elements[used:], depth-1, over)
		if err != nil {
			return nil, 0, err
		}
		n.children = append(n.children, child)
		used += k
	}
	return n, used, nil
}

// metadata are the key-value pairs of the footer. The Arrow schema among them, for Arrow's own readers, is left out.
func (f *parquetFile) metadata() arrow.Metadata {
	var keys, values []string
	for _, kv := range f.footer.at(5).list {
		if key := string(kv.at(1).bin); key != "ARROW:schema" {
			keys, values = append(keys, key), append(values, string(kv.at(2).bin))
		}
	}
	return arrow.NewMetadata(keys, values)
}

// item is the element of a list, in the forms of three levels and of two. nil: the node is no list.
func (n *parquetNode) item() *parquetNode {
	switch {
	case n.leaf != nil && n.repetition == repeated:
		return n
	case n.logical != "list" || len(n.children) != 1 || n.children[0].repetition != repeated:
		return nil
	case n.children[0].leaf != nil:
		return n.children[0]
	case len(n.children[0].children) == 1:
		return n.children[0].children[0]
	}
	return nil
}

func (n *parquetNode) kind() kind {
	item := n.item()
	switch {
	case item != nil:
		switch {
		case item.leaf == nil || item.leaf.maxRep != 1:
		case item.leafKind() == kindText:
			return kindTexts
		case item.physical == physicalDouble && item.logical == "":
			return kindNumbers
		}
	case n.repetition == repeated:
	case n.leaf != nil:
		return n.leafKind()
	case n.logical == "":
		if b := n.child("bytes"); b != nil && b.repetition != repeated && b.leaf != nil && b.leafKind() == kindBytes {
			return kindPicture
		}
	}
	return kindOther
}

func (n *parquetNode) leafKind() kind {
	switch {
	case n.physical == physicalBytes && n.logical == "utf8":
		return kindText
	case n.physical == physicalBytes && n.logical == "":
		return kindBytes
	case n.physical == physicalInt32 && n.logical == "":
		return kindInt32
	case n.physical == physicalInt64 && n.logical == "":
		return kindInt64
	}
	return kindOther
}

func (n *parquetNode) child(name string) *parquetNode {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// arrowType says the type as Arrow would.
func (n *parquetNode) arrowType() string {
	if item := n.item(); item != nil && item != n {
		return "list<" + item.name + ": " + item.arrowType() + ">"
	}
	if n.leaf == nil {
		var children []string
		for _, c := range n.children {
			children = append(children, c.name+": "+c.arrowType())
		}
		return "struct<" + strings.Join(children, ", ") + ">"
	}
	if n.logical == "utf8" {
		return "utf8"
	}
	names := [...]string{"bool", "int32", "int64", "int96", "float", "double", "binary", "fixed_size_binary"}
	if n.physical < 0 || n.physical >= len(names) {
		return fmt.Sprintf("type %d", n.physical)
	}
	return names[n.physical]
}
