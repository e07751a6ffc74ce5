package leakage

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	n := NewNames(testClasses())
	for _, c := range []struct {
		label    int
		text     string
		want     string
		replaced int
	}{
		{0, "a drawing of a goldfish in a bowl", "a drawing of an object in a bowl", 1},
		{0, "A Goldfish.", "An object.", 1},
		{0, `a "goldfish"`, `an "object"`, 1},
		{0, "an orange goldfish", "an orange object", 1},
		{0, "an goldfish", "an object", 1},
		{0, "a, goldfish", "a, object", 1},
		{0, "vitamin-a goldfish", "vitamin-a object", 1},
		{0, "a goldfish a goldfish's a goldfish’s", "an object an object's an object’s", 3},
		{0, "goldfishes' bowl", "objects' bowl", 1},
		{0, "GOLDFISH'S", "object's", 1},
		{0, "no fish at all", "no fish at all", 0},
		{0, "", "", 0},
		{1, "two Great White Sharks and a white shark", "two objects and an object", 2},
		{1, "a tiger shark", "a tiger shark", 0},
		{2, "a tiger shark and a tiger", "a tiger shark and an object", 1},
		{3, "a crane", "an object", 1},
		{4, "a crane's hook", "an object's hook", 1},
		{5, "a hot dog by a dog, hot-dogs", "an object by a dog, objects", 2},
		{17, "a hot dog by a dog", "a hot dog by an object", 1},
		{8, "kings of beasts: lions", "objects: objects", 2},
		{9, "an egg of a goose, geese, geese's", "an egg of an object, objects, objects'", 3},
		{11, "a pair of binoculars, a binocular", "a pair of objects, an object", 2},
		{12, "a grey-wolf’s den, timber wolves", "an object’s den, objects", 2},
		{18, "a café\u0301 Café", "an object object", 2},
		{2, "\xfftiger\xff", "\xffobject\xff", 1},
		{99, "a tiger", "a tiger", 0},
		{-1, "a tiger", "a tiger", 0},
	} {
		got, replaced := n.Mask(c.text, c.label)
		if got != c.want || replaced != c.replaced {
			t.Errorf("Mask(%q, %d) = %q, %d, want %q, %d", c.text, c.label, got, replaced, c.want, c.replaced)
		}
	}
}

// An article that is part of another class's name stays.
func TestMaskLeavesOtherNames(t *testing.T) {
	n := NewNames([]Class{{"", "goldfish"}, {"", "vitamin_a"}})
	if got, _ := n.Mask("vitamin A goldfish", 0); got != "vitamin A object" {
		t.Errorf("Mask = %q", got)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"a tiger shark's tiger", "cafe\u0301 hot-dogs' \xff", "touc-a goldfish", "'' \u0301 a man eater’s", "St. R.V. king of beasts"} {
		for label := range 4 {
			f.Add(s, label)
		}
	}
	classes := append(testClasses(), Class{"", "toucan"}, Class{"", "golden toucan"}, Class{"", "R.V."}, Class{"", "jack-o'-lantern"}, Class{"", "bus's"})
	n := NewNames(classes)
	f.Fuzz(func(t *testing.T, text string, label int) {
		end, prev := 0, Mention{}
		own := 0
		for i, m := range n.Find(text) {
			if m.From >= m.To || m.To > len(text) || m.Label < 0 || m.Label >= len(classes) || m.Kind < Exact || m.Kind > Synonym {
				t.Fatalf("mention %v of %q", m, text)
			}
			if m.From < end && (i == 0 || m.From != prev.From || m.To != prev.To || m.Label <= prev.Label) {
				t.Fatalf("mention %v of %q after %v", m, text, prev)
			}
			if m.Label == label {
				own++
			}
			end, prev = m.To, m
		}
		masked, replaced := n.Mask(text, label)
		if replaced != own || replaced == 0 && masked != text {
			t.Fatalf("Mask(%q, %d) = %q, %d: %d mentions", text, label, masked, replaced, own)
		}
		if utf8.ValidString(text) && !utf8.ValidString(masked) {
			t.Fatalf("Mask(%q, %d) = %q", text, label, masked)
		}
		for _, m := range n.Find(masked) {
			if m.Label == label {
				t.Fatalf("Mask(%q, %d) = %q still names it: %v", text, label, masked, m)
			}
		}
		if strings.Count(masked, MaskWord) < replaced {
			t.Fatalf("Mask(%q, %d) = %q", text, label, masked)
		}
	})
}
