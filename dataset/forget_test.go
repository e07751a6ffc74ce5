package dataset

import "testing"

// TestForget: what is forgotten leaves its room to others.
func TestForget(t *testing.T) {
	e := &Encoding{CacheBytes: 100}
	train, test := &noRows{1}, &noRows{2}
	sample := Sample{Pixels: make([]uint8, 30)}
	for i := range 2 {
		e.keep(train, i, sample)
	}
	e.keep(test, 0, sample)
	e.keep(train, 2, sample) // no room
	if len(e.cache[train]) != 2 || len(e.cache[test]) != 1 || e.used != 90 {
		t.Fatalf("%d and %d samples in %d bytes", len(e.cache[train]), len(e.cache[test]), e.used)
	}
	e.Forget(train)
	if len(e.cache[train]) != 0 || len(e.cache[test]) != 1 || e.used != 30 {
		t.Errorf("forgotten: %d and %d samples in %d bytes", len(e.cache[train]), len(e.cache[test]), e.used)
	}
	e.keep(train, 2, sample)
	if len(e.cache[train]) != 1 || e.used != 60 {
		t.Errorf("then: %d samples in %d bytes", len(e.cache[train]), e.used)
	}
}

// noRows is a split of which only the identity counts.
type noRows struct{ n int }

func (*noRows) Len() int                  { return 0 }
func (*noRows) ID(int) ID                 { return "" }
func (*noRows) Label(int) int             { return 0 }
func (*noRows) Caption(int) string        { return "" }
func (*noRows) Image(int) ([]byte, error) { return nil, nil }
func (*noRows) Row(int) (Row, error)      { return Row{}, nil }
