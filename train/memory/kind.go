package memory

import "fmt"

// Kind is a way to keep old examples.
type Kind struct {
	Name  string
	Keeps bool // whether any are kept
	// Mask chooses what is kept of an example from the last block's attention. Nil: all of it, and no attention is computed.
	Mask func(Attention) Mask
}

// Kinds lists the ways to keep old examples.
func Kinds() []Kind {
	return []Kind{
		{Name: "none"},
		{Name: "raw", Keeps: true},
		{Name: "masked", Keeps: true, Mask: Masks},
	}
}

// KindOf returns the kind called name.
func KindOf(name string) (Kind, error) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("exemplars %q: use none, raw or masked", name)
}
