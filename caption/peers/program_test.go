//go:build peers || bench

package peers_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// hasFlag says whether the program's caption command knows a flag.
func hasFlag(t *testing.T, flag string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("MCIL_BIN"), "caption", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("caption --help: %v\n%s", err, out)
	}
	return strings.Contains(string(out), flag)
}
