package compare

import (
	"testing"

	"github.com/mcil/mcil/dataset/leakage"
)

// Places are counted as the flags of a data set count them: a name that two classes share is the own one's.
func TestNamingOf(t *testing.T) {
	names := leakage.NewNames([]leakage.Class{{WNID: "x1", Name: "crane"}, {WNID: "x2", Name: "crane"}, {WNID: "x3", Name: "lighthouse"}})
	for _, c := range []struct {
		text string
		want naming
	}{
		{"a crane", naming{kind: leakage.Exact, own: 1}},
		{"a crane before cranes", naming{kind: leakage.Exact, own: 2}},
		{"two cranes at a lighthouse", naming{kind: leakage.Inflected, own: 1, others: 1}},
		{"a lighthouse", naming{kind: unnamed, others: 1}},
		{"a bird", naming{kind: unnamed}},
	} {
		if got := namingOf(names, c.text, 0); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.text, got, c.want)
		}
	}
	if got, want := namingOf(names, "a crane", 2), (naming{kind: unnamed, others: 1}); got != want {
		t.Errorf("of another class: %+v, want %+v", got, want)
	}
}
