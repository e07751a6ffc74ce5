package caption

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/mcil/mcil/dataset"
	"github.com/mcil/mcil/schemas"
)

type entries []dataset.Entry

func (entries) Spec() string                                        { return "" }
func (entries) Classes() []dataset.Class                            { return nil }
func (e entries) Entries() []dataset.Entry                          { return e }
func (entries) Refused() []schemas.Refusal                          { return nil }
func (entries) Read(context.Context, dataset.Entry) ([]byte, error) { panic("reads nothing") }
func (entries) Close() error                                        { return nil }

// What a run keeps of many pictures beside the source's own list.
func TestSelectionIsSmall(t *testing.T) {
	const n = 50_000
	list := make(entries, n)
	for i := range list {
		list[i] = dataset.Entry{ID: dataset.ID(fmt.Sprintf("c%03d/%06d.jpg", i/1000, i)), Label: i / 1000}
	}
	for name, c := range map[string]struct {
		o     Options
		bytes uint64
	}{
		"all":       {Options{}, 1 << 10},
		"every 2nd": {Options{Select: func(e dataset.Entry) bool { return e.ID[10]%2 == 0 }}, 4 * n}, // with what growing leaves over
		"a sample":  {Options{Sample: 1000}, 16 << 10},
	} {
		c.o.Source = list
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s, err := choose(c.o)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil || s.len() == 0 {
			t.Fatal(err)
		}
		if kept := after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc); kept > c.bytes {
			t.Errorf("%s: keeps %d bytes, want at most %d", name, kept, c.bytes)
		}
		runtime.KeepAlive(s)
	}
	runtime.KeepAlive(list)
}
