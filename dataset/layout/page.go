package layout

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Numbers of Parquet's format: page types, encodings and codecs.
const (
	pageData, pageDictionary, pageDataV2 = 0, 2, 3

	encodingPlain, encodingPlainDictionary, encodingRLE, encodingRLEDictionary = 0, 2, 3, 8

	codecNone, codecSnappy, codecGzip, codecZstd = 0, 1, 2, 6
)

// decoded are the values of a column in a row group. Of the levels those are there that the column has.
type decoded struct {
	defs, reps []uint8
	values     [][]byte // those that are not null: parts of the file or of decompressed pages
	ownBytes   int64    // in decompressed pages
}

// columnDecoder goes through the pages of a column in a row group.
type columnDecoder struct {
	decoded
	leaf       *parquetLeaf
	codec      int64
	dictionary [][]byte
	left       int64 // values and nulls that the pages to come have
	zstd       func() (*zstd.Decoder, error)
}

// newZstd gives a decoder of whole pages, which many may use at a time. It writes no more than it is given room for.
func newZstd() (*zstd.Decoder, error) { return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true)) }

// decode reads a column of a row group; rows is the number of values that it must have, or -1 where rows have several.
// The lengths in it are compared with the file before room is made for anything.
func (g *parquetGroup) decode(leaf *parquetLeaf, rows int64) (*decoded, error) {
	if leaf.index >= len(g.columns) {
		return nil, damaged("its row group has %d columns", len(g.columns))
	}
	chunk := &g.columns[leaf.index]
	meta := chunk.at(3)
	if chunk.find(1) != nil || chunk.find(8) != nil || len(meta.fields) == 0 {
		return nil, fmt.Errorf("it is encrypted or in another file, which is not read")
	}
	d := &columnDecoder{leaf: leaf, codec: meta.at(4).num, left: meta.at(5).num, zstd: g.zstd}
	if int(meta.at(1).num) != leaf.physical {
		return nil, damaged("its row group has values of type %d, and its schema %d", meta.at(1).num, leaf.physical)
	}
	// Levels shrink to almost nothing, but values that say something do not.
	if d.left < 0 || d.left > 8*int64(len(g.content)) || rows >= 0 && d.left != rows {
		return nil, damaged("%d values in a row group of %d rows", d.left, rows)
	}
	from, size := meta.at(9).num, meta.at(7).num
	if dictionary := meta.at(11).num; dictionary > 0 && dictionary < from {
		from = dictionary
	}
	if from < 0 || size < 0 || from > int64(len(g.content)) || size > int64(len(g.content))-from {
		return nil, damaged("%d bytes at %d of %d", size, from, len(g.content))
	}
	for pages := g.content[from : from+size]; d.left > 0; {
		if len(pages) == 0 {
			return nil, damaged("%d values are missing", d.left)
		}
		header, n, err := readThrift(pages)
		if err != nil {
			return nil, fmt.Errorf("a page: %w", err)
		}
		pages = pages[n:]
		stored := header.at(3).num
		if stored < 0 || stored > int64(len(pages)) {
			return nil, damaged("a page of %d bytes of %d", stored, len(pages))
		}
		if err := d.page(&header, pages[:stored]); err != nil {
			return nil, err
		}
		pages = pages[stored:]
	}
	return &d.decoded, nil
}

func (d *columnDecoder) page(header *thrift, stored []byte) error {
	size := header.at(2).num
	switch header.at(1).num {
	case pageDictionary:
		return d.dictionaryPage(header.at(7), stored, size)
	case pageData:
		return d.dataPage(header.at(5), stored, size)
	case pageDataV2:
		return d.dataPageV2(header.at(8), stored, size)
	}
	return nil // an index, or of a later version
}

func (d *columnDecoder) dictionaryPage(h *thrift, stored []byte, size int64) error {
	if d.dictionary != nil {
		return damaged("two dictionaries")
	}
	if e := h.at(2).num; e != encodingPlain && e != encodingPlainDictionary {
		return unread(e)
	}
	body, err := d.decompress(stored, size, true)
	if err != nil {
		return err
	}
	d.dictionary, err = d.plain([][]byte{}, body, h.at(1).num)
	return err
}

// dataPage reads a page of the first version: levels, each with its length, and values are compressed as one.
func (d *columnDecoder) dataPage(h *thrift, stored []byte, size int64) error {
	n := h.at(1).num
	if err := d.count(n); err != nil {
		return err
	}
	body, err := d.decompress(stored, size, true)
	if err != nil {
		return err
	}
	for _, level := range []struct {
		max      int
		encoding int64
		levels   *[]uint8
	}{{d.leaf.maxRep, h.at(4).num, &d.reps}, {d.leaf.maxDef, h.at(3).num, &d.defs}} {
		if level.max == 0 {
			continue
		}
		if level.encoding != encodingRLE {
			return unread(level.encoding)
		}
		if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
			return damaged("a page of %d bytes ends in its levels", len(body))
		}
		end := 4 + int(binary.LittleEndian.Uint32(body))
		if *level.levels, err = levels(*level.levels, body[4:end], int(n), level.max); err != nil {
			return err
		}
		body = body[end:]
	}
	return d.data(body, h.at(2).num, int(n))
}

// dataPageV2 reads a page of the second version: its levels are not compressed, and their lengths are in the header.
func (d *columnDecoder) dataPageV2(h *thrift, stored []byte, size int64) error {
	n, defBytes, repBytes := h.at(1).num, h.at(5).num, h.at(6).num
	if err := d.count(n); err != nil {
		return err
	}
	if defBytes < 0 || repBytes < 0 || repBytes > int64(len(stored)) || defBytes > int64(len(stored))-repBytes {
		return damaged("a page of %d bytes ends in its levels", len(stored))
	}
	var err error
	if d.leaf.maxRep > 0 {
		if d.reps, err = levels(d.reps, stored[:repBytes], int(n), d.leaf.maxRep); err != nil {
			return err
		}
	}
	if d.leaf.maxDef > 0 {
		if d.defs, err = levels(d.defs, stored[repBytes:repBytes+defBytes], int(n), d.leaf.maxDef); err != nil {
			return err
		}
	}
	compressed := h.find(7)
	body, err := d.decompress(stored[repBytes+defBytes:], size-repBytes-defBytes, compressed == nil || compressed.num != 0)
	if err != nil {
		return err
	}
	return d.data(body, h.at(4).num, int(n))
}

// count takes the values and nulls of a page off those that are left.
func (d *columnDecoder) count(n int64) error {
	if n < 0 || n > d.left {
		return damaged("a page of %d values, and %d are left", n, d.left)
	}
	d.left -= n
	return nil
}

func unread(encoding int64) error {
	names := map[int64]string{4: "bit-packed levels", 5: "DELTA_BINARY_PACKED", 6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 9: "BYTE_STREAM_SPLIT"}
	name, ok := names[encoding]
	if !ok {
		return damaged("encoding %d", encoding)
	}
	return fmt.Errorf("its encoding %s is not read: write it in plain or dictionary encoding", name)
}

// data reads the values of a page with n levels, which were read before.
func (d *columnDecoder) data(body []byte, encoding int64, n int) (err error) {
	there := n
	if d.leaf.maxDef > 0 {
		there = 0
		for _, def := range d.defs[len(d.defs)-n:] {
			if int(def) == d.leaf.maxDef {
				there++
			}
		}
	}
	switch encoding {
	case encodingPlain:
		d.values, err = d.plain(d.values, body, int64(there))
	case encodingPlainDictionary, encodingRLEDictionary:
		if there == 0 {
			return nil
		}
		if len(body) == 0 || body[0] > 32 {
			return damaged("a page without numbers of its dictionary")
		}
		err = runs(body[1:], int(body[0]), there, func(index uint32, times int) error {
			if int64(index) >= int64(len(d.dictionary)) {
				return damaged("value %d of a dictionary of %d", index, len(d.dictionary))
			}
			for range times {
				d.values = append(d.values, d.dictionary[index])
			}
			return nil
		})
	default:
		err = unread(encoding)
	}
	return err
}

// plain appends n values that are stored one after the other.
func (d *columnDecoder) plain(values [][]byte, body []byte, n int64) ([][]byte, error) {
	size := map[int]int{physicalInt32: 4, physicalInt64: 8, physicalDouble: 8}[d.leaf.physical]
	if n < 0 || n > int64(len(body))/4 {
		return nil, damaged("%d values in %d bytes", n, len(body))
	}
	for range n {
		length := size
		if size == 0 {
			if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
				return nil, damaged("a page ends in a value")
			}
			length = int(binary.LittleEndian.Uint32(body))
			body = body[4:]
		}
		if length > len(body) {
			return nil, damaged("a page ends in a value")
		}
		values = append(values, body[:length:length])
		body = body[length:]
	}
	return values, nil
}

// levels appends n levels of at most limit.
func levels(dst []uint8, b []byte, n, limit int) ([]uint8, error) {
	err := runs(b, bits.Len(uint(limit)), n, func(level uint32, times int) error {
		if int64(level) > int64(limit) {
			return damaged("level %d of %d", level, limit)
		}
		for range times {
			dst = append(dst, uint8(level))
		}
		return nil
	})
	return dst, err
}

// runs reads n numbers of some bits each in Parquet's hybrid of runs of one number and of packed numbers.
func runs(b []byte, width, n int, yield func(number uint32, times int) error) error {
	for n > 0 {
		head, k := binary.Uvarint(b)
		if k <= 0 {
			return damaged("%d numbers are missing", n)
		}
		b = b[k:]
		if head&1 == 0 {
			size := (width + 7) / 8
			if len(b) < size {
				return damaged("%d numbers are missing", n)
			}
			var number [4]byte
			copy(number[:], b[:size])
			b = b[size:]
			times := min(uint64(n), head>>1)
			if times == 0 {
				return damaged("a run of no numbers")
			}
			if err := yield(binary.LittleEndian.Uint32(number[:]), int(times)); err != nil {
				return err
			}
			n -= int(times)
			continue
		}
		groups := head >> 1 // of eight numbers
		if groups == 0 || width > 0 && groups > uint64(len(b)/width+1) {
			return damaged("%d groups of numbers in %d bytes", groups, len(b))
		}
		count := min(uint64(n), 8*groups)
		if uint64(len(b)) < (count*uint64(width)+7)/8 {
			return damaged("%d numbers are missing", n)
		}
		for i := range int(count) {
			number := uint32(0)
			for bit := range width {
				at := i*width + bit
				number |= uint32(b[at/8]>>(at%8)&1) << bit
			}
			if err := yield(number, 1); err != nil {
				return err
			}
		}
		b = b[min(groups*uint64(width), uint64(len(b))):]
		n -= int(count)
	}
	return nil
}

// A page is not believed to be longer than this many times what is stored, and this many bytes: gzip shrinks to no less
// than a 1032nd, the others may, but not texts and pictures.
const (
	maxPageRatio = 1032
	pageSlack    = 4 << 20
)

// decompress returns the size bytes of a page, which are a part of the file where it is stored as it is.
func (d *columnDecoder) decompress(stored []byte, size int64, compressed bool) ([]byte, error) {
	if d.codec == codecNone || !compressed {
		if size != int64(len(stored)) {
			return nil, damaged("a page of %d bytes is stored in %d", size, len(stored))
		}
		return stored, nil
	}
	if size < 0 || size > maxPageRatio*int64(len(stored))+pageSlack {
		return nil, damaged("a page of %d bytes is compressed to %d", size, len(stored))
	}
	if size == 0 {
		return nil, nil
	}
	var page []byte
	var err error
	switch d.codec {
	case codecSnappy:
		if n, err := snappy.DecodedLen(stored); err != nil || int64(n) != size {
			return nil, damaged("a page of %d bytes is compressed to %d in %d", size, n, len(stored))
		}
		if size > 64*int64(len(stored)) { // a copy of 64 bytes takes 3
			return nil, damaged("a page of %d bytes is compressed to %d", size, len(stored))
		}
		page, err = snappy.Decode(nil, stored)
	case codecGzip:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(stored)); err == nil {
			page, err = io.ReadAll(io.LimitReader(r, size+1))
		}
	case codecZstd:
		var z *zstd.Decoder
		if z, err = d.zstd(); err == nil {
			page, err = z.DecodeAll(stored, make([]byte, 0, size))
		}
	default:
		names := map[int64]string{3: "LZO", 4: "Brotli", 5: "LZ4", 7: "LZ4"}
		return nil, fmt.Errorf("its compression %s is not read: write it with none, snappy, gzip or zstd", names[d.codec])
	}
	if err != nil {
		return nil, damaged("a page: %v", err)
	}
	if int64(len(page)) != size {
		return nil, damaged("a page of %d bytes has %d", size, len(page))
	}
	d.ownBytes += size
	return page, nil
}
