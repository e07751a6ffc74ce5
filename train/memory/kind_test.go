package memory

import "testing"

func TestKinds(t *testing.T) {
	for _, k := range Kinds() {
		if err := CheckKind(k); err != nil {
			t.Error(err)
		}
	}
	if err := CheckKind("half"); err == nil || err.Error() != `exemplars "half": use one of none, raw, masked, mrdc, cim` {
		t.Errorf("an unknown kind: %v", err)
	}
}
