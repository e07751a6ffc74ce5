package layout

import (
	"slices"
	"sync"
	"testing"
)

// The cache keeps to its budget, puts out what was used longest ago, and never what was asked for last.
func TestPictureCache(t *testing.T) {
	page := []byte{3, 0, 0, 0, 'a', 'b', 'c'}
	group := func() *groupPictures {
		// one row group of one column: a data page of one plain value without levels, as Thrift has it
		header := []byte{0x15, 0x00, 0x15, 14, 0x15, 14, 0x2C, 0x15, 0x02, 0x15, 0x00, 0x00, 0x00}
		content := append(header, page...)
		meta := thrift{fields: []thriftField{
			{1, thrift{num: physicalBytes}}, {5, thrift{num: 1}}, {7, thrift{num: int64(len(content))}}, {9, thrift{}},
		}}
		g := &parquetGroup{parquetFile: &parquetFile{content: content}, columns: []thrift{{fields: []thriftField{{3, meta}}}}}
		return &groupPictures{group: g, rows: 1, leaf: &parquetLeaf{physical: physicalBytes}}
	}
	const each = sliceBytes // the value itself is part of the file
	c := newPictureCache(2 * each)
	groups := []*groupPictures{group(), group(), group()}
	for i, order := range []struct {
		ask  int
		kept []bool
	}{{0, []bool{true, false, false}}, {1, []bool{true, true, false}}, {0, []bool{true, true, false}}, {2, []bool{true, false, true}}, {1, []bool{false, true, true}}} {
		groups[order.ask].cache = c
		if b, err := groups[order.ask].picture(0); err != nil || string(b) != "abc" {
			t.Fatalf("%q, %v", b, err)
		}
		for k, want := range order.kept {
			if _, got := c.entries[groups[k]]; got != want {
				t.Errorf("step %d: group %d is kept: %v, want %v", i, k, got, want)
			}
		}
		if c.used > c.budget || c.used != int64(c.order.Len())*each {
			t.Errorf("step %d: %d bytes in %d entries", i, c.used, c.order.Len())
		}
	}
	small := newPictureCache(1)
	for range 2 {
		if _, err := small.get(groups[0]); err != nil || len(small.entries) != 1 {
			t.Errorf("%d entries, %v", len(small.entries), err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				if b, err := small.get(groups[i%3]); err != nil || string(b[0]) != "abc" {
					t.Errorf("%q, %v", b, err)
				}
			}
		})
	}
	wg.Wait()
	if small.order.Len() != len(small.entries) || small.used < 0 || small.used > 3*each {
		t.Errorf("%d entries, %d of them in order, %d bytes", len(small.entries), small.order.Len(), small.used)
	}
}

func TestHybridRuns(t *testing.T) {
	for _, c := range []struct {
		b     []byte
		width int
		n     int
		want  []uint32 // nil: refused
	}{
		{[]byte{3 << 1, 5}, 3, 3, []uint32{5, 5, 5}},
		{[]byte{1<<1 | 1, 0x88, 0xC6, 0xFA}, 3, 8, []uint32{0, 1, 2, 3, 4, 5, 6, 7}}, // the example in Parquet's own text
		{[]byte{1<<1 | 1, 0x88, 0xC6, 0xFA, 2 << 1, 1}, 3, 9, []uint32{0, 1, 2, 3, 4, 5, 6, 7, 1}},
		{[]byte{9 << 1, 1, 2}, 16, 2, []uint32{0x201, 0x201}},
		{[]byte{2 << 1}, 0, 2, []uint32{0, 0}},
		{nil, 3, 1, nil}, {[]byte{3 << 1, 5}, 3, 4, nil}, {[]byte{0, 5}, 3, 1, nil}, {[]byte{1}, 3, 1, nil},
		{[]byte{1<<1 | 1, 0x88}, 3, 8, nil}, {[]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0}, 1, 9, nil},
	} {
		var got []uint32
		err := runs(c.b, c.width, c.n, func(number uint32, times int) error {
			for range times {
				got = append(got, number)
			}
			return nil
		})
		if (err == nil) != (c.want != nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("% x: %v, %v, want %v", c.b, got, err, c.want)
		}
	}
}
