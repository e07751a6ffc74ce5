package dataset

import (
	"reflect"
	"testing"
)

func TestSetFlag(t *testing.T) {
	shared := CaptionInfo{Flags: []string{"b", "d"}, FlagValues: []float64{2, 4}}
	c := shared
	c.SetFlag("c", 3)
	c.SetFlag("a", 1)
	c.SetFlag("e", 5)
	c.SetFlag("d", 4.5)
	if want := (CaptionInfo{Flags: []string{"a", "b", "c", "d", "e"}, FlagValues: []float64{1, 2, 3, 4.5, 5}}); !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, want %+v", c, want)
	}
	c = shared
	c.ClearFlag("b")
	c.ClearFlag("x")
	if want := (CaptionInfo{Flags: []string{"d"}, FlagValues: []float64{4}}); !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, want %+v", c, want)
	}
	if want := (CaptionInfo{Flags: []string{"b", "d"}, FlagValues: []float64{2, 4}}); !reflect.DeepEqual(shared, want) {
		t.Errorf("the shared one is %+v now", shared)
	}
}
