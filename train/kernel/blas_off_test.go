//go:build !openblas

package kernel

import (
	"strings"
	"testing"
)

// A word that this build cannot keep is refused with what would.
func TestBuildWithoutLibrary(t *testing.T) {
	p, err := choosePath("openblas")
	if p != bestPath() || err == nil || !strings.Contains(err.Error(), "MCIL_CPU=openblas: this build has no OpenBLAS; build with -tags openblas") {
		t.Errorf("%v, %v", p, err)
	}
}
