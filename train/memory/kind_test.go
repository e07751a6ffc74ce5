package memory

import "testing"

func TestKinds(t *testing.T) {
	for _, k := range Kinds() {
		if got, err := KindOf(k.Name); err != nil || got.Name != k.Name || got.Keeps != k.Keeps {
			t.Errorf("%s: found %+v (%v)", k.Name, got, err)
		}
	}
	if _, err := KindOf("half"); err == nil {
		t.Error("an unknown kind was found")
	}
}
