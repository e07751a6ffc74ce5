package memory

import (
	"fmt"
	"strings"
)

// Kinds of exemplars: ways to keep old examples.
const (
	None   = "none"
	Raw    = "raw"    // whole
	Masked = "masked" // the patches that the class token looks at, the words that the others look at (arXiv 2412.09549)
	MRDC   = "mrdc"   // whole, as JPEG of a quality chosen for the class (Wang et al., ICLR 2022)
	CIM    = "cim"    // what is in the activation's box at full resolution, the rest down-sampled (Luo et al., CVPR 2023)
)

// Kind is a way to keep old examples.
type Kind struct {
	Name  string
	Keeps bool // whether any are kept
}

// Kinds lists the ways to keep old examples.
func Kinds() []Kind {
	return []Kind{{None, false}, {Raw, true}, {Masked, true}, {MRDC, true}, {CIM, true}}
}

// KindOf returns the kind called name.
func KindOf(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("exemplars %q: use one of %s", name, strings.Join(names, ", "))
}
