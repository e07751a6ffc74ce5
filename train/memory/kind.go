package memory

import (
	"fmt"
	"slices"
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

// Kinds lists the ways to keep old examples. All but [None] keep some.
func Kinds() []string { return []string{None, Raw, Masked, MRDC, CIM} }

// CheckKind refuses a name that is none of [Kinds].
func CheckKind(name string) error {
	if slices.Contains(Kinds(), name) {
		return nil
	}
	return fmt.Errorf("exemplars %q: use one of %s", name, strings.Join(Kinds(), ", "))
}
